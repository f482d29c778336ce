"""Waiting for an instant or for news, whichever comes first."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svckit.clock import Clock


class Alarm:
    """An event that a clock can also ring."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._news = asyncio.Event()

    def ring(self) -> None:
        """End the wait now."""
        self._news.set()

    async def wait_until(self, instant: float | None) -> None:
        """Return at the instant, or as soon as somebody rings; None waits for news only."""
        news = asyncio.create_task(self._news.wait())
        waits: set[asyncio.Task[object]] = {news}
        if instant is not None:
            delay = instant - self._clock.now()
            waits.add(asyncio.create_task(self._clock.sleep(delay)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._news.clear()
