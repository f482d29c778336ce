"""One target: what is under way, what waits for a connection, what has taken too long."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from votegen.domain.outcome import ErrorKind, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from votegen.domain.results import Tally, TargetTally
    from votegen.ports import Exchange, Timebase, Transport


@dataclass(frozen=True, slots=True)
class Due:
    """A request with its intended time (monotonic)."""

    intended: float
    payload: bytes


class Lane:
    """First come, first served over at most `limit` connections.

    A request that finds no free connection waits; its latency runs from its intended time all
    the same. The time-out runs from there too, so a stalled target leaves no endless queue.

    Args:
        transport: the target's connections.
        limit: most requests under way at once.
        timeout_seconds: real time from the intended time to giving up.
        timebase: real time.
        tally: counts of the whole run.
        target: counts of this target.
        on_end: called after each request that ended.
    """

    def __init__(
        self,
        *,
        transport: Transport,
        limit: int,
        timeout_seconds: float,
        timebase: Timebase,
        tally: Tally,
        target: TargetTally,
        on_end: Callable[[Outcome], None],
    ) -> None:
        self.transport = transport
        self.limit = limit
        self.reachable = True
        self._timeout = timeout_seconds
        self._monotonic = timebase.monotonic
        self._tally = tally
        self._target = target
        self._on_end = on_end
        self._backlog: deque[Due] = deque()
        # Insertion order is the order of intended times, so the oldest is always in front.
        self._under_way: dict[int, tuple[Due, Exchange]] = {}
        self._number = 0

    @property
    def in_flight(self) -> int:
        """Requests under way, those that wait for their connection to open included."""
        return len(self._under_way)

    @property
    def in_flight_sent(self) -> int:
        """Requests under way that are already written."""
        return sum(exchange.sent_at is not None for _, exchange in self._under_way.values())

    @property
    def backlog(self) -> int:
        """Requests that wait for a free connection."""
        return len(self._backlog)

    @property
    def busy(self) -> bool:
        """Whether anything is left to happen."""
        return bool(self._under_way or self._backlog)

    def submit(self, due: Due) -> None:
        """Send the request now, or when its turn comes."""
        self._backlog.append(due)
        self._pump()

    def sweep(self) -> None:
        """Give up on every request whose time is over."""
        oldest = self._monotonic() - self._timeout
        expired = []
        for number, (due, _) in self._under_way.items():
            if due.intended > oldest:
                break
            expired.append(number)
        for number in expired:
            due, exchange = self._under_way.pop(number)
            exchange.cancel()
            kind = ErrorKind.TIMEOUT if exchange.sent_at is not None else ErrorKind.CONNECT
            self._end(due, exchange, Outcome(failure=kind))
        while self._backlog and self._backlog[0].intended <= oldest:
            self._end(self._backlog.popleft(), None, Outcome(failure=ErrorKind.TIMEOUT))
        self._pump()

    def drop_backlog(self) -> None:
        """Forget what was not sent yet; it counts as abandoned."""
        self._tally.abandoned += len(self._backlog)
        self._backlog.clear()

    def drop_in_flight(self) -> None:
        """Give up on what is under way without blaming the target; it counts as abandoned."""
        for due, exchange in self._under_way.values():
            exchange.cancel()
            self._tally.abandoned += 1
            if exchange.sent_at is not None:
                self._tally.record_sent(exchange.sent_at - due.intended)
        self._under_way.clear()

    def _pump(self) -> None:
        while self._backlog and len(self._under_way) < self.limit:
            due = self._backlog.popleft()
            number = self._number
            self._number += 1
            exchange = self.transport.send(due.payload, partial(self._done, number))
            self._under_way[number] = (due, exchange)

    def _done(self, number: int, outcome: Outcome) -> None:
        due, exchange = self._under_way.pop(number)
        self._end(due, exchange, outcome)
        self._pump()

    def _end(self, due: Due, exchange: Exchange | None, outcome: Outcome) -> None:
        now = self._monotonic()
        sent_at = exchange.sent_at if exchange is not None else None
        if sent_at is not None:
            self._tally.record_sent(sent_at - due.intended)
        self._tally.completed += outcome.failure is None
        self.reachable = outcome.failure is not ErrorKind.CONNECT
        self._target.record(
            outcome,
            latency_seconds=now - due.intended,
            service_seconds=None if sent_at is None else now - sent_at,
        )
        self._on_end(outcome)
