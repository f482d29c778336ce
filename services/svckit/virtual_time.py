"""Virtual time: an asyncio event loop that never waits, it jumps.

Whenever every task waits, the loop's time becomes the instant at which the next one wants to wake.
All that asks asyncio to wait is virtual then: sleeps, time-outs, the delays of injected faults. A
day takes as long as the work that is done in it, and the same work takes the same course every
time. There are no sockets and no child processes; a thread that was started is waited for.

    loop = VirtualLoop(epoch)
    loop.run_until_complete(main(VirtualClock(loop)))
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from svckit.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CapacityLimiter

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
EPOCH = 1_770_170_400.0
"""Where virtual time begins unless told otherwise: 2026-02-04T02:00:00Z."""
_RESOLUTION = 2.0**-20
"""Timers this close together are one instant; four units in the last place of an instant."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose time is the virtual instant, in seconds since the Unix epoch."""

    def __init__(self, epoch: float = EPOCH) -> None:
        super().__init__()
        self._instant = epoch
        self._clock_resolution = _RESOLUTION
        self._selector = self
        self._woken = threading.Event()
        self._threads: list[CapacityLimiter] = []

    def time(self) -> float:
        """Return the virtual instant."""
        return self._instant

    def rewind(self, epoch: float) -> None:
        """Begin again at another instant; nothing may be waiting.

        Raises:
            SuiteError: something of the time before still waits.
        """
        if any(not timer.cancelled() for timer in self._scheduled):  # type: ignore[attr-defined]
            raise SuiteError("virtual time cannot begin again: something still waits for its end")
        self._scheduled.clear()  # type: ignore[attr-defined]
        self._timer_cancelled_count = 0
        self._instant = epoch

    def wait_for_threads_of(self, limiter: CapacityLimiter) -> None:
        """Let time stand still while threads that count against this limiter are at work."""
        self._threads.append(limiter)

    def select(self, timeout: float | None) -> list[Any]:
        """Move on to the next timer instead of waiting for it (called by the base class)."""
        if timeout is not None and timeout <= 0:
            return []
        if any(limiter.borrowed_tokens for limiter in self._threads):
            self._woken.wait()
            self._woken.clear()
            return []
        if timeout is None:
            raise SuiteError(
                "virtual time stands still: everybody waits and nobody will wake; this is a bug"
            )
        self._instant += timeout
        return []

    def run_in_executor(
        self, executor: Any, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call the function at once: a thread's time is not virtual."""
        del executor
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - for whoever awaits it
            future.set_exception(error)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        """Do nothing: there are no sockets."""

    def _write_to_self(self) -> None:
        """Wake the loop: another thread has something for it."""
        self._woken.set()


class VirtualClock:
    """The `svckit.clock.Clock` of a virtual loop; its rate says that nobody waits."""

    rate = 1.0

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.now = loop.time

    async def sleep(self, seconds: float) -> None:
        """Wait virtual seconds."""
        await asyncio.sleep(max(0.0, seconds))
