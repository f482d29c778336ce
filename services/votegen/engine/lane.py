"""One target: what is under way, what waits for a connection, what has taken too long.

Connections are opened when requests wait, and kept. A request goes out on an idle connection at
once, else it waits its turn; its latency runs from its intended time all the same, and so does the
time-out, so a stalled target leaves no endless queue.

This is where a request costs time. Ends and their instants are appended to plain lists; `settle`
counts them in bulk, and whoever reads the counts calls it first. `sweep` calls it ten times a
second, which bounds the lists.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from votegen.domain.attribution import UNKNOWN
from votegen.domain.outcome import ErrorKind, Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from votegen.domain.results import Tally, TargetTally
    from votegen.ports import Connection, Connector, Timebase

_NEVER = math.nan

End: TypeAlias = tuple[int, str, ErrorKind | None]
"""How a request ended: its status, the version that answered, and the failure if it was one."""

Observe: TypeAlias = Callable[[list[End], "NDArray[np.float64]"], None]
"""Is told how requests ended and how long each took, in seconds from its intended time."""


class Lane:
    """First come, first served over at most `limit` connections.

    Args:
        connector: opens the target's connections.
        timebase: real time.
        timeout_seconds: real time from the intended time to giving up.
        tally: counts of the whole run.
        target: counts of this target.
        observe: is told of what has ended, whenever it is counted.
    """

    def __init__(
        self,
        *,
        connector: Connector,
        timebase: Timebase,
        timeout_seconds: float,
        tally: Tally,
        target: TargetTally,
        observe: Observe | None = None,
    ) -> None:
        self.limit = 0
        self.reachable = True
        self.reconnects = 0
        self._monotonic = timebase.monotonic
        self._timeout = timeout_seconds
        self._tally = tally
        self._target = target
        self._observe = observe
        self.on_end: Callable[[float], None] | None = None
        """Called with the time after each request that ended, unless it found no connection:
        whoever replaced that one at once would spin on a dead target."""
        self._connector = connector
        self._connections: set[Connection] = set()
        # The most recently used connection first, so that surplus ones go idle.
        self._idle: list[Connection] = []
        self._opening = 0
        self._met = False
        self._waiting: deque[tuple[float, bytes, bool]] = deque()
        # How requests ended; three instants each: intended, sent (or never), ended.
        self._ends: list[End] = []
        self._instants: list[float] = []
        # Lags of requests that were given up.
        self._lags: list[float] = []
        self._closed = False

    @property
    def in_flight(self) -> int:
        """Requests that are written and not answered."""
        return len(self._connections) - len(self._idle)

    @property
    def backlog(self) -> int:
        """Requests that wait for a connection."""
        return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether anything is left to happen."""
        return bool(self.in_flight or self._waiting)

    def submit(self, intended: float, payload: bytes) -> None:
        """Send the request now, or when its turn comes."""
        if self._idle:
            connection = self._idle.pop()
            connection.intended = intended
            connection.repeated = False
            connection.sent_at = self._monotonic()
            connection.write(payload)
        else:
            self._waiting.append((intended, payload, False))
            self._grow()

    def sweep(self) -> None:
        """Give up on every request whose time is over, and count what has ended."""
        oldest = self._monotonic() - self._timeout
        idle = set(self._idle)
        for connection in [
            one for one in self._connections if one not in idle and one.intended <= oldest
        ]:
            self._discard(connection)
            self._end(connection, ErrorKind.TIMEOUT)
        # Without any connection there never was a chance to send.
        kind = ErrorKind.TIMEOUT if self._met else ErrorKind.CONNECT
        while self._waiting and self._waiting[0][0] <= oldest:
            self._end_unsent(kind)
        self._grow()
        self.settle()

    def settle(self) -> None:
        """Count what has ended since the last time."""
        self._tally.record_sent(self._lags)
        self._lags.clear()
        if not self._ends:
            return
        for (status, pod_hash, failure), count in Counter(self._ends).items():
            outcome = Outcome(status=status, pod_hash=pod_hash, failure=failure)
            self._target.record(outcome, count)
            self._tally.completed += count if failure is None else 0
        intended, sent, ended = np.array(self._instants).reshape(-1, 3).T
        latencies = ended - intended
        self._target.latency.record(latencies)
        was_sent = ~np.isnan(sent)
        self._target.service.record((ended - sent)[was_sent])
        self._tally.record_sent((sent - intended)[was_sent])
        if self._observe is not None:
            self._observe(self._ends, latencies)
        self._ends.clear()
        self._instants.clear()

    def drop_waiting(self) -> None:
        """Forget what was not sent yet; it counts as abandoned."""
        self._tally.abandoned += len(self._waiting)
        self._waiting.clear()

    def drop_in_flight(self) -> None:
        """Give up on what is under way without blaming the target; it counts as abandoned."""
        idle = set(self._idle)
        for connection in [one for one in self._connections if one not in idle]:
            self._tally.abandoned += 1
            self._lags.append(connection.sent_at - connection.intended)
            self._discard(connection)

    def close(self) -> None:
        """Close all connections and open none any more."""
        self.settle()
        self._closed = True
        self._connector.close()
        for connection in self._connections:
            connection.drop()
        self._connections.clear()
        self._idle.clear()

    # What connections tell (ports.Owner).

    def opened(self, connection: Connection) -> None:
        """Use a new connection for whoever waits longest."""
        self._opening -= 1
        if self._closed:
            connection.drop()
            return
        self.reachable = self._met = True
        self._connections.add(connection)
        self._use(connection)
        self._grow()

    def refused(self) -> None:
        """Let the one that waits longest fail: it was its turn."""
        self._opening -= 1
        self.reachable = self._met = False
        if self._closed:
            return
        if self._waiting:
            self._end_unsent(ErrorKind.CONNECT)
        self._grow()

    def answered(self, connection: Connection, status: int, pod_hash: str, *, keep: bool) -> None:
        """Count an answer and use its connection again."""
        connection.idle_since = now = self._monotonic()
        self._instants += (connection.intended, connection.sent_at, now)
        self._ends.append((status, pod_hash, None))
        self.reachable = True
        if not keep:
            self._connections.discard(connection)
            self._grow()
        elif self._waiting:
            self._use(connection)
        else:
            self._idle.append(connection)
        if self.on_end is not None:
            self.on_end(now)

    def failed(self, connection: Connection, kind: ErrorKind) -> None:
        """Count a request that lost its connection."""
        self._connections.discard(connection)
        self._end(connection, kind)
        self._grow()

    def stale(self, connection: Connection, payload: bytes) -> None:
        """Send a request again, before all others, on a new connection."""
        self._connections.discard(connection)
        self.reconnects += 1
        self._waiting.appendleft((connection.intended, payload, True))
        self._grow()

    def closed(self, connection: Connection) -> None:
        """Forget an idle connection."""
        self._connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _use(self, connection: Connection) -> None:
        if self._waiting and len(self._connections) <= self.limit:
            connection.intended, payload, connection.repeated = self._waiting.popleft()
            connection.sent_at = self._monotonic()
            connection.write(payload)
        else:
            self._idle.append(connection)

    def _grow(self) -> None:
        """Open as many connections as requests wait for, within the limit."""
        if self._closed:
            return
        room = self.limit - len(self._connections) - self._opening
        for _ in range(min(len(self._waiting) - self._opening, room)):
            self._opening += 1
            self._connector.open(self, timeout_seconds=self._timeout)

    def _discard(self, connection: Connection) -> None:
        self._connections.discard(connection)
        connection.drop()

    def _end(self, connection: Connection, kind: ErrorKind) -> None:
        now = self._monotonic()
        self._instants += (connection.intended, connection.sent_at, now)
        self._ends.append((0, UNKNOWN, kind))
        if self.on_end is not None:
            self.on_end(now)

    def _end_unsent(self, kind: ErrorKind) -> None:
        intended, _, _ = self._waiting.popleft()
        now = self._monotonic()
        self._instants += (intended, _NEVER, now)
        self._ends.append((0, UNKNOWN, kind))
        if kind is ErrorKind.CONNECT:
            self.reachable = False
        elif self.on_end is not None:
            self.on_end(now)
