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
SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def run_to_end(
    engine: Engine,
    *,
    on_progress: Callable[[], None] | None,
    start_at: float | None = None,
) -> bool:
    """Run the engine; return whether a signal ended it early.

    SIGINT and SIGTERM stop the schedule; what is under way may finish, but not after a second
    signal. A run whose progress cannot be told to anybody ends, too.
    """
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        engine.stop(drain_seconds=0.0 if interrupted else DRAIN_SECONDS)
        interrupted = True

    def told(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            engine.stop(drain_seconds=0.0)

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, interrupt)
    # Those that came before somebody was there to take them have been held back.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    progress = loop.create_task(_report(on_progress)) if on_progress else None
    if progress is not None:
        progress.add_done_callback(told)
    try:
        await engine.run(start_at=start_at)
    finally:
        for number in SIGNALS:
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
