"""What the engine needs from outside: real time, and connections to one endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from votegen.domain.outcome import Outcome
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


class Exchange(Protocol):
    """One request on its way."""

    @property
    def sent_at(self) -> float | None:
        """When it was written (monotonic), or None so far."""
        ...

    def cancel(self) -> None:
        """Give it up: its connection is dropped and `done` is not called."""
        ...


class Transport(Protocol):
    """Connections to one endpoint."""

    @property
    def reconnects(self) -> int:
        """How often a request was repeated because an idle connection turned out closed."""
        ...

    def send(self, payload: bytes, done: Callable[[Outcome], None]) -> Exchange:
        """Send a request; `done` is called once, later, never from within `send`."""
        ...

    def close(self) -> None:
        """Drop all connections."""
        ...


TransportFactory = Callable[["Endpoint", Timebase], Transport]
