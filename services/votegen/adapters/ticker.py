"""Sleeping that keeps time to a fraction of a millisecond.

Event loops count in milliseconds, which is too coarse for a schedule of thousands a second. On
Linux a timer file descriptor wakes the loop instead, and the kernel is asked not to round. Where
there is none, the loop's own sleep is used.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_PR_SET_TIMERSLACK = 29
# Below this the loop's next turn comes soon enough.
_SHORTEST_SECONDS = 20e-6
# Above this a millisecond more does not matter, and a signal must not wait for the timer.
_LONGEST_SECONDS = 0.05


@contextmanager
def precise_sleep() -> Iterator[Callable[[float], Awaitable[None]]]:
    """Yield a function that sleeps for real seconds; to be used in a running event loop."""
    if not sys.platform.startswith("linux"):
        yield asyncio.sleep
        return
    timer = _Timer()
    try:
        yield timer.sleep
    finally:
        timer.close()


class _Timer:
    """One timer descriptor; one sleeper at a time."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
        # Since Python 3.13 the standard library has this call, too.
        self._descriptor = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        # struct itimerspec: interval (s, ns), then the time to the first expiration (s, ns).
        self._setting = (ctypes.c_long * 4)()
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._descriptor, self._expired)

    async def sleep(self, seconds: float) -> None:
        """Wait for real seconds, or for the event loop's next turn."""
        if not _SHORTEST_SECONDS < seconds < _LONGEST_SECONDS:
            await asyncio.sleep(max(0.0, seconds))
            return
        self._setting[3] = int(seconds * 1e9)
        self._libc.timerfd_settime(self._descriptor, 0, self._setting, None)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Give the descriptor back."""
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)

    def _expired(self) -> None:
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
