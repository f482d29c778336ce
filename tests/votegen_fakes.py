"""A target in virtual time: the engine's connector port without sockets or real waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from svckit.clock import ManualClock
from votegen.domain.outcome import Outcome
from votegen.domain.targets import Endpoint
from votegen.ports import Owner, Timebase

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

    def __call__(self, endpoint: Endpoint) -> FakeConnector:
        """Return what opens connections to one host."""
        return FakeConnector(self, endpoint.host)

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Let something happen beside the engine."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def hosts(self) -> list[str]:
        """Return where the requests went, in order."""
        return [host for host, _, _ in self.payloads]


class FakeConnector:
    """Opens connections to one fake target; a connect error is what its next outcome says."""

    def __init__(self, targets: FakeTargets, host: str) -> None:
        self.targets = targets
        self.host = host

    def open(self, owner: Owner, *, timeout_seconds: float) -> None:  # noqa: ARG002 - the port's
        """Open one in the event loop's next turn."""
        self.targets.begin(self._open(owner))

    def close(self) -> None:
        """Note that the engine is done with the target."""
        self.targets.closed.append(self.host)

    async def _open(self, owner: Owner) -> None:
        outcome = self.targets.outcome(self.host, len(self.targets.payloads))
        if outcome.failure == "connect":
            owner.refused()
        else:
            owner.opened(FakeConnection(self.targets, self.host, owner))


class FakeConnection:
    """One connection to a fake target."""

    def __init__(self, targets: FakeTargets, host: str, owner: Owner) -> None:
        self.intended = self.sent_at = 0.0
        self.idle_since: float | None = None
        self.repeated = False
        self.targets = targets
        self.host = host
        self.owner = owner
        self.task: asyncio.Task[None] | None = None

    def write(self, payload: bytes) -> None:
        """Take the request and answer it in virtual time."""
        targets = self.targets
        number = len(targets.payloads)
        targets.payloads.append((self.host, targets.clock.now(), payload))
        targets.under_way += 1
        targets.most_under_way = max(targets.most_under_way, targets.under_way)
        self.task = targets.begin(self._answer(targets.outcome(self.host, number)))

    def drop(self) -> None:
        """Give up: no answer will come."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            self.targets.under_way -= 1

    async def _answer(self, outcome: Outcome) -> None:
        targets = self.targets
        delay = targets.answers_in(targets.clock.now())
        if delay is None:
            await asyncio.get_running_loop().create_future()
            return
        await targets.clock.sleep(delay)
        targets.under_way -= 1
        self.task = None
        if outcome.failure is None:
            self.owner.answered(self, outcome.status, outcome.pod_hash, keep=True)
        else:
            self.owner.failed(self, outcome.failure)
