"""One error shape for the whole suite.

    SuiteError                 a code, a sentence, a hint; knows its HTTP status and exit code
     ├── InvalidInput          422 / exit 2   the caller can mend it
     │    └── NotFound         404 / exit 2
     ├── Unauthorized          401 / exit 2
     ├── Forbidden             403 / exit 2
     ├── Conflict              409 / exit 2
     └── Unavailable           502 / exit 5   a source, process or port failed us

The HTTP edge renders it as problem+json (`svckit.problem`), the command line as one line with a
hint (`svckit.cli`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of every command of the suite."""

    OK = 0
    BUG = 1
    USAGE = 2
    GATE_FAILED = 3
    INCONCLUSIVE = 4
    COULD_NOT_JUDGE = 5
    INTERRUPTED = 130


class SuiteError(Exception):
    """An expected failure, told so that the reader knows what to do.

    Args:
        detail: one sentence: what is wrong, with the name of the field or file.
        code: stable lower-case code such as `no_data`.
        hint: what to do about it; empty when there is nothing to say.
        status: HTTP status when it crosses an HTTP edge.
        errors: for validation, one mapping per field (`loc`, `msg`).
    """

    default_code: ClassVar[str] = "internal_error"
    default_status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        hint: str = "",
        status: int | None = None,
        errors: tuple[dict[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.hint = hint
        self.status = status or self.default_status
        self.errors = errors


class InvalidInput(SuiteError):  # noqa: N818 - reads as a sentence at the raise site
    """The caller sent something that cannot be used."""

    default_code = "invalid_input"
    default_status = 422
    title = "Invalid input"
    exit_code = ExitCode.USAGE


class NotFound(InvalidInput):
    """What was asked for does not exist."""

    default_code = "not_found"
    default_status = 404
    title = "Not found"


class Unauthorized(InvalidInput):
    """No key, or a wrong one."""

    default_code = "unauthorized"
    default_status = 401
    title = "Unauthorized"


class Forbidden(InvalidInput):
    """A valid key that may not do this."""

    default_code = "forbidden"
    default_status = 403
    title = "Forbidden"


class Conflict(InvalidInput):
    """The request does not fit the present state."""

    default_code = "conflict"
    default_status = 409
    title = "Conflict"


class Unavailable(SuiteError):  # noqa: N818 - reads as a sentence at the raise site
    """A source, process or port failed, so there is nothing to judge."""

    default_code = "unavailable"
    default_status = 502
    title = "Unavailable"
    exit_code = ExitCode.COULD_NOT_JUDGE
