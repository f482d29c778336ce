"""What is known about one served request."""

from __future__ import annotations

from dataclasses import dataclass

# nginx's status for a client that left before the answer; nothing was sent.
CLIENT_LEFT = 499


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One request, known when it is finished.

    Attributes:
        finished_at: virtual instant at which the request was finished. Windows count it there:
            an accelerated clock would put the start of a long hang into a window that nobody
            reads any more.
        duration_seconds: real seconds from the first to the last byte.
        status: HTTP status, or CLIENT_LEFT.
        method: HTTP method.
        path: path without the query.
        user_agent: as sent, empty when absent.
    """

    finished_at: float
    duration_seconds: float
    status: int
    method: str
    path: str
    user_agent: str

    @property
    def error(self) -> bool:
        """Whether the request failed: a 5xx, or no answer in the client's patience."""
        return self.status >= 500 or self.status == CLIENT_LEFT
