"""Time as a parameter: every process asks a Clock, never the machine.

    SystemClock    the machine's time
    ScaledClock    epoch + (machine - epoch) * rate: one virtual time for many processes
    ManualClock    stands still until told, for tests and for jumping through virtual time

Processes started with the same SUITE_CLOCK_EPOCH and SUITE_CLOCK_RATE agree on the time without
talking to each other. Only waiting and windows are virtual: network time-outs stay real.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from typing import TYPE_CHECKING, Protocol

from svckit.errors import InvalidInput
from svckit.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

EPOCH_VARIABLE = "SUITE_CLOCK_EPOCH"
RATE_VARIABLE = "SUITE_CLOCK_RATE"


class Clock(Protocol):
    """Where a process learns the time."""

    @property
    def rate(self) -> float:
        """Virtual seconds per real second."""
        ...

    def now(self) -> float:
        """Return the instant, seconds since the Unix epoch."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for virtual seconds; zero and negative values only yield."""
        ...


class SystemClock:
    """The machine's own time."""

    rate = 1.0

    def now(self) -> float:
        """Return the machine's time."""
        return time.time()  # noqa: TID251 - the one place that reads it

    async def sleep(self, seconds: float) -> None:
        """Wait real seconds."""
        await asyncio.sleep(max(0.0, seconds))


class ScaledClock:
    """Virtual time that equals machine time at `epoch` and runs `rate` times as fast."""

    def __init__(self, *, epoch: float, rate: float) -> None:
        self.epoch = epoch
        self.rate = rate

    def now(self) -> float:
        """Return the virtual instant."""
        return self.epoch + (time.time() - self.epoch) * self.rate  # noqa: TID251 - see SystemClock

    async def sleep(self, seconds: float) -> None:
        """Wait virtual seconds, which take `seconds / rate` real ones."""
        await asyncio.sleep(max(0.0, seconds) / self.rate)


class ManualClock:
    """A clock that moves only when `advance` is called; sleepers wake in order of their time."""

    rate = 1.0

    def __init__(self, start: float = 1_770_170_400.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now(self) -> float:
        """Return the instant that was last set."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on and wake every sleeper whose time has come."""
        self._now += seconds
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    @property
    def next_wake(self) -> float | None:
        """The instant of the earliest sleeper, or None when nobody sleeps."""
        return self._sleepers[0][0] if self._sleepers else None

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has passed the wanted instant."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._order, future))
        await future


def clock_from_environment(environ: Mapping[str, str] | None = None) -> Clock:
    """Return the clock that SUITE_CLOCK_EPOCH and SUITE_CLOCK_RATE describe.

    Without a rate the machine's time is used. A rate needs an epoch, or processes would disagree.

    Raises:
        InvalidInput: a value cannot be read, or the epoch is missing.
    """
    environ = os.environ if environ is None else environ
    rate_text, epoch_text = environ.get(RATE_VARIABLE, ""), environ.get(EPOCH_VARIABLE, "")
    if not rate_text:
        return SystemClock()
    try:
        rate = float(rate_text)
    except ValueError:
        rate = 0.0
    if not 0.001 <= rate <= 100_000:
        raise InvalidInput(
            f"{RATE_VARIABLE} is {rate_text!r}, expected a number from 0.001 to 100000",
            hint=f"{RATE_VARIABLE}=10 makes one real second ten virtual ones",
        )
    try:
        epoch = parse_timestamp(epoch_text)
    except ValueError:
        raise InvalidInput(
            f"{EPOCH_VARIABLE} is {epoch_text!r}, expected an RFC 3339 time with a zone",
            hint=f"{EPOCH_VARIABLE}=2026-02-04T02:00:00Z; every process needs the same value",
        ) from None
    return ScaledClock(epoch=epoch, rate=rate)
