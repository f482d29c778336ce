"""Programs of the suite as child processes: start, wait until ready, watch, end.

A child dies with its parent (on Linux), so nothing is left running even when the runner is killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from svckit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
_OWN = ("MOCK_NEWRELIC_", "ANALYZER_", "VOTEGEN_", "VOTEAPP_", "SUITE_CLOCK_", "POD_")
_PR_SET_PDEATHSIG = 1


class ServiceProcess:
    """One running program: its name, base URL and process."""

    def __init__(
        self,
        name: str,
        url: str,
        process: asyncio.subprocess.Process,
        on_exit: Callable[[ServiceProcess], None],
    ) -> None:
        self.name = name
        self.url = url
        self.stopping = False
        self._process = process
        self._drain = asyncio.create_task(_drain(process))
        self._watch = asyncio.create_task(self._report_exit(on_exit))

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while it runs."""
        return self._process.returncode

    async def stop(self, *, grace_seconds: float = STOP_SECONDS) -> None:
        """Ask the program to end, and end it when the grace is over."""
        self.stopping = True
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(grace_seconds):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
        await self._process.wait()
        await self._watch
        await self._drain

    async def _report_exit(self, on_exit: Callable[[ServiceProcess], None]) -> None:
        await self._process.wait()
        on_exit(self)


async def start_service(
    name: str,
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    log_file: Path,
    on_exit: Callable[[ServiceProcess], None],
    ready_seconds: float = READY_SECONDS,
) -> ServiceProcess:
    """Start `python -m <module> serve …` on a free port and wait for its ready line.

    Args:
        name: how the run calls it.
        module: package to run.
        arguments: flags after `serve --port 0`.
        environment: variables besides the inherited ones.
        log_file: where its stderr goes.
        on_exit: called once, when the process has ended for whatever reason.
        ready_seconds: how long it may take (real time).

    Raises:
        Unavailable: it ended or said nothing in time; the detail quotes its log.
    """
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            "serve",
            "--port",
            "0",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=_inherited() | dict(environment),
            preexec_fn=die_with_parent,
            start_new_session=True,  # Ctrl-C is for the runner, which then ends its children
        )
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        async with asyncio.timeout(ready_seconds):
            line = await process.stdout.readline()
        ready = json.loads(line)
        url = str(ready["url"])
    except (TimeoutError, ValueError, KeyError, TypeError):
        await _kill(process)
        raise Unavailable(
            f"{name} did not start: {_last_line(log_file)}",
            code="service_not_ready",
            hint=f"its log is {log_file}",
        ) from None
    except asyncio.CancelledError:
        await _kill(process)
        raise
    return ServiceProcess(name, url, process, on_exit)


def _inherited() -> dict[str, str]:
    """Return the caller's environment without what would change how the programs behave."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


async def _drain(process: asyncio.subprocess.Process) -> None:
    """Read what comes after the ready line, or the pipe would fill and block the child."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    while await process.stdout.read(65536):
        pass


def die_with_parent() -> None:
    """Make the kernel end this process with its parent, where the kernel can (for `preexec_fn`)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _last_line(log_file: Path) -> str:
    lines = [line for line in log_file.read_text(errors="replace").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if line.startswith("error")), "") or (
        lines[-1] if lines else "it wrote nothing"
    )
