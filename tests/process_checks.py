"""Waiting for what other processes do: a file that is written, a process that ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path


async def until(holds: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait until something holds that only another process can bring about."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - no event comes from another process
            await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be reaped."""
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(*pids: int) -> None:
    """Wait until processes are gone."""
    await until(lambda: not any(is_running(pid) for pid in pids))


async def line_of(path: Path, number: int = 1) -> str:
    """Wait until a file has so many lines, and return the last of them."""
    await until(lambda: len(_lines(path)) >= number)
    return _lines(path)[number - 1].rstrip("\n")


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
