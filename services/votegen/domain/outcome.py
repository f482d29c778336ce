"""How one request ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from votegen.domain.attribution import UNKNOWN


class ErrorKind(StrEnum):
    """Why a request is not ok. Redirects are counted, never followed."""

    HTTP_5XX = "http_5xx"
    HTTP_4XX = "http_4xx"
    HTTP_3XX = "http_3xx"
    TIMEOUT = "timeout"
    CONNECT = "connect"
    RESET = "reset"
    PROTOCOL = "protocol"


# What a version is to blame for: it failed, or gave no usable answer.
FAILURES = frozenset(ErrorKind) - {ErrorKind.HTTP_4XX, ErrorKind.HTTP_3XX}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one request: a status and who answered, or the reason there is none."""

    status: int = 0
    pod_hash: str = UNKNOWN
    failure: ErrorKind | None = None

    @property
    def error(self) -> ErrorKind | None:
        """The kind of error, None when the answer was 2xx."""
        if self.failure is not None:
            return self.failure
        match self.status // 100:
            case 2:
                return None
            case 3:
                return ErrorKind.HTTP_3XX
            case 4:
                return ErrorKind.HTTP_4XX
            case 5:
                return ErrorKind.HTTP_5XX
            case _:
                return ErrorKind.PROTOCOL
