"""A run in the foreground and the signals that end it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any, cast

import pytest

from votegen.engine.foreground import DRAIN_SECONDS, run_to_end
from votegen.engine.openloop import Engine
from votegen_fakes import turn

pytestmark = pytest.mark.anyio


class _Run:
    """A run that ends when it may not drain any more; `stops` are the seconds it was given."""

    def __init__(self) -> None:
        self.stops: list[float] = []
        self.began = asyncio.Event()
        self.told = asyncio.Event()
        self.over = asyncio.Event()

    async def run(self, *, start_at: float | None) -> None:
        assert start_at is None
        self.began.set()
        await self.over.wait()

    def stop(self, *, drain_seconds: float) -> None:
        self.stops.append(drain_seconds)
        self.told.set()
        if drain_seconds == 0:
            self.over.set()


def _started(run: _Run, **more: Any) -> asyncio.Task[bool]:
    more.setdefault("on_progress", None)
    return asyncio.ensure_future(run_to_end(cast("Engine", run), **more))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_does_not_wait(number: signal.Signals) -> None:
    """The first signal lets what is under way finish; whoever insists gets the report at once."""
    run = _Run()
    task = _started(run)
    await run.began.wait()
    os.kill(os.getpid(), number)
    await run.told.wait()
    os.kill(os.getpid(), number)
    assert await task
    assert run.stops == [DRAIN_SECONDS, 0.0]


async def test_a_signal_that_was_held_back_ends_the_run() -> None:
    """A process that is told to end before it has begun ends as soon as it can."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    # Other threads of the tests hold nothing back.
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    run = _Run()
    task = _started(run)
    await run.told.wait()
    run.over.set()
    assert await task


async def test_a_run_that_nobody_listens_to_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part whose parent is gone sends nothing more."""
    monkeypatch.setattr("votegen.engine.foreground.PROGRESS_SECONDS", 0)

    def broken() -> None:
        raise BrokenPipeError

    run = _Run()
    task = _started(run, on_progress=broken)
    await run.over.wait()
    await turn()
    with pytest.raises(BrokenPipeError):
        await task
    assert run.stops == [0.0]
