"""One run in the foreground: progress while it lasts, stopped by a signal."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from votegen.engine.openloop import Engine

DRAIN_SECONDS = 8.0
PROGRESS_SECONDS = 1.0


async def run_to_end(
    engine: Engine,
    *,
    on_progress: Callable[[], None] | None,
    start_at: float | None = None,
) -> bool:
    """Run the engine; return whether a signal ended it early.

    SIGINT and SIGTERM stop the schedule; what is under way may finish.
    """
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        engine.stop(drain_seconds=DRAIN_SECONDS)

    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, interrupt)
    progress = loop.create_task(_report(on_progress)) if on_progress else None
    try:
        await engine.run(start_at=start_at)
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
        if progress is not None:
            progress.cancel()
            with suppress(asyncio.CancelledError):
                await progress
    return interrupted


async def _report(on_progress: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(PROGRESS_SECONDS)
        on_progress()
