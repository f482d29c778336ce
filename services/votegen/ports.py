"""What the engine needs from outside: real time, and connections to one endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from votegen.domain.outcome import ErrorKind
    from votegen.domain.targets import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Timebase:
    """Real time, and how fast virtual time passes.

    Attributes:
        clock_rate: virtual seconds per real second.
        monotonic: real seconds from an arbitrary start.
        sleep: waits real seconds.
    """

    clock_rate: float
    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]


class Connection(Protocol):
    """One open connection, with at most one request under way.

    Attributes:
        intended: when the request under way should have been sent (monotonic).
        sent_at: when it was (monotonic).
        idle_since: when the last answer was complete (monotonic); None on a new connection.
        repeated: whether it is on its second connection already.
    """

    intended: float
    sent_at: float
    idle_since: float | None
    repeated: bool

    def write(self, payload: bytes) -> None:
        """Send a request. The answer, or the loss of the connection, goes to the owner later."""
        ...

    def drop(self) -> None:
        """Close at once; the owner hears nothing more."""
        ...


class Owner(Protocol):
    """Who uses the connections to one endpoint and is told what becomes of them."""

    def opened(self, connection: Connection) -> None:
        """Take a connection that is ready."""
        ...

    def refused(self) -> None:
        """Take notice that a connection could not be opened."""
        ...

    def answered(self, connection: Connection, status: int, pod_hash: str, *, keep: bool) -> None:
        """Take an answer; without `keep` the connection is gone."""
        ...

    def failed(self, connection: Connection, kind: ErrorKind) -> None:
        """Take notice that the request under way failed and the connection is gone."""
        ...

    def stale(self, connection: Connection, payload: bytes) -> None:
        """Take back a request: its connection had been closed while it was idle."""
        ...

    def closed(self, connection: Connection) -> None:
        """Take notice that an idle connection is gone."""
        ...


class Connector(Protocol):
    """Opens connections to one endpoint."""

    def open(self, owner: Owner, *, timeout_seconds: float) -> None:
        """Begin to open one; the owner is told the end of it later, never from within.

        What is not open after real `timeout_seconds` is refused.
        """
        ...

    def close(self) -> None:
        """Give up on those that are being opened."""
        ...


ConnectorFactory = Callable[["Endpoint"], Connector]
