"""`{"status": 503}`: the request is answered with this HTTP status and no number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mock_newrelic.domain.effects.base import AnswerEffect
from svckit.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(AnswerEffect):
    """Answers with an error or redirection status."""

    name: ClassVar[str] = "status"
    code: int

    @property
    def status(self) -> int:
        """The status to answer with."""
        return self.code

    def argument(self) -> int:
        """Return the status."""
        return self.code


def parse(argument: object, _metric: str | None) -> Status:
    """Read the status: 301, 302, or any from 400 to 599."""
    if isinstance(argument, bool) or not isinstance(argument, int):
        raise InvalidInput("effect.status is not a whole number", code="bad_effect")
    if argument not in {301, 302} and not 400 <= argument <= 599:
        raise InvalidInput(
            "effect.status is out of range, expected 301, 302 or 400 to 599",
            code="bad_effect",
            hint="an answer with a number has status 200 already",
        )
    return Status(code=argument)
