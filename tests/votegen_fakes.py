"""A target in virtual time: the engine's transport port without sockets or real waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from svckit.clock import ManualClock
from votegen.domain.outcome import Outcome
from votegen.domain.targets import Endpoint
from votegen.ports import Timebase

T = TypeVar("T")

OK = Outcome(status=200, pod_hash="7cd75c6d7c")


async def drive(clock: ManualClock, work: Awaitable[T]) -> T:
    """Run `work` to its end, jumping from one sleeper to the next."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await turn()
        wake = clock.next_wake
        if not task.done() and wake is not None:
            clock.advance(wake - clock.now())
    return task.result()


async def let_pass(clock: ManualClock, seconds: float) -> None:
    """Let virtual time pass, waking everybody in order."""
    await drive(clock, clock.sleep(seconds))


async def turn() -> None:
    """Let everything happen that needs no time: until the event loop has nothing to do."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    while ready:  # noqa: ASYNC110 - the loop itself is what is waited for
        await asyncio.sleep(0)


def timebase(clock: ManualClock, *, clock_rate: float = 1.0) -> Timebase:
    """Return the engine's real time on a manual clock."""
    return Timebase(clock_rate=clock_rate, monotonic=clock.now, sleep=clock.sleep)


class FakeExchange:
    """One request that the fake target holds."""

    def __init__(self, targets: FakeTargets, done: Callable[[Outcome], None]) -> None:
        self.sent_at: float | None = None
        self.targets = targets
        self.done = done
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        """Give up: no answer will come."""
        assert self.task is not None
        self.task.cancel()
        self.targets.under_way -= 1


class FakeTargets:
    """All targets of a run, told apart by host name.

    Args:
        clock: time.
        answers_in: seconds until the answer, from the time of sending; None never answers.
        outcome: the answer, from host and number of the request.
    """

    def __init__(
        self,
        clock: ManualClock,
        *,
        answers_in: Callable[[float], float | None] = lambda _now: 0.0,
        outcome: Callable[[str, int], Outcome] = lambda _host, _number: OK,
    ) -> None:
        self.clock = clock
        self.answers_in = answers_in
        self.outcome = outcome
        self.payloads: list[tuple[str, float, bytes]] = []
        self.under_way = 0
        self.most_under_way = 0
        self.closed: list[str] = []
        self.tasks: set[asyncio.Task[Any]] = set()

    def __call__(self, endpoint: Endpoint, _timebase: Timebase) -> FakeTransport:
        """Return the connections to one host."""
        return FakeTransport(self, endpoint.host)

    def hosts(self) -> list[str]:
        """Return where the requests went, in order."""
        return [host for host, _, _ in self.payloads]


class FakeTransport:
    """Connections to one fake target."""

    def __init__(self, targets: FakeTargets, host: str) -> None:
        self.targets = targets
        self.host = host
        self.reconnects = 0

    def send(self, payload: bytes, done: Callable[[Outcome], None]) -> FakeExchange:
        """Take the request and answer it in virtual time."""
        targets = self.targets
        exchange = FakeExchange(targets, done)
        task = asyncio.ensure_future(self._answer(exchange, len(targets.payloads)))
        exchange.task = task
        targets.payloads.append((self.host, targets.clock.now(), payload))
        targets.under_way += 1
        targets.most_under_way = max(targets.most_under_way, targets.under_way)
        targets.tasks.add(task)
        task.add_done_callback(targets.tasks.discard)
        return exchange

    def close(self) -> None:
        """Note that the engine closed the connections."""
        self.targets.closed.append(self.host)

    async def _answer(self, exchange: FakeExchange, number: int) -> None:
        targets = self.targets
        outcome = targets.outcome(self.host, number)
        if outcome.failure != "connect":
            exchange.sent_at = targets.clock.now()
        delay = targets.answers_in(targets.clock.now())
        if delay is None:
            await asyncio.get_running_loop().create_future()
            return
        await targets.clock.sleep(delay)
        targets.under_way -= 1
        exchange.done(outcome)
