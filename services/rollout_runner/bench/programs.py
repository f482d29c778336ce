"""The programs of a bench: started with one clock, watched, ended together."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - part of the public signature at run time
from typing import TYPE_CHECKING

import httpx

from rollout_runner.adapters.processes import ServiceProcess, start_service
from rollout_runner.events import ProcessExited, ProcessStarted, moment
from svckit.clock import EPOCH_VARIABLE, RATE_VARIABLE
from svckit.errors import InvalidInput
from svckit.httpclient import create_http_client
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rollout_runner.ports import EventSink
    from svckit.clock import ScaledClock


_ALIVE_SECONDS = 5.0


class Programs:
    """Starts programs and remembers which ones were lost."""

    def __init__(
        self,
        *,
        clock: ScaledClock,
        log_dir: Path,
        sink: EventSink,
        on_change: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._log_dir = log_dir
        self._sink = sink
        self._on_change = on_change
        self._started: list[ServiceProcess] = []
        self._lost: dict[str, str] = {}
        self._failures: list[Exception] = []

    async def start(
        self, name: str, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> ServiceProcess:
        """Start a program and wait until it is ready.

        Raises:
            Unavailable: it did not become ready.
        """
        clock = {
            EPOCH_VARIABLE: format_timestamp(self._clock.epoch),
            RATE_VARIABLE: repr(self._clock.rate),
        }
        process = await start_service(
            name,
            module,
            *arguments,
            environment=clock | dict(environment or {}),
            log_file=self._log_dir / f"{name}.log",
            on_exit=self._exited,
        )
        self._started.append(process)
        self._sink.write(
            ProcessStarted(
                at=moment(self._clock.now()), name=name, url=process.url, pid=process.pid
            )
        )
        return process

    async def lose(self, name: str) -> None:
        """End a program because the scenario wants to see what happens without it.

        Raises:
            InvalidInput: it does not run at this time.
        """
        process = next((each for each in self._running if each.name == name), None)
        if process is None:
            raise InvalidInput(
                f"scenario: {name} does not run now, so it cannot be stopped",
                hint="stop it at a later step; the canary starts in step 0",
            )
        self._lost[name] = "was stopped by the scenario"
        await process.stop()

    def declare_lost(self, name: str, how: str) -> bool:
        """Note that a program is of no use any more; return whether that is news."""
        news = name not in self._lost
        self._lost.setdefault(name, how)
        return news

    async def objection(self) -> str:
        """Ask every program whether it lives, and say which ones were lost; "" when none.

        A run with an objection must not be promoted.
        """
        await asyncio.gather(*(self._check(each) for each in self._running))
        if not self._lost:
            return ""
        told = "; ".join(f"{name} {how}" for name, how in self._lost.items())
        return f"{told}: a run that lost one of its programs is not promoted"

    def report_failure(self, error: Exception) -> None:
        """Note that a program could not be started."""
        self._failures.append(error)
        self._on_change()

    def failures(self) -> list[Exception]:
        """Return what could not be started."""
        return list(self._failures)

    async def close(self) -> None:
        """End everything that still runs, the latest first."""
        for process in reversed(self._started):
            await process.stop()

    @property
    def _running(self) -> list[ServiceProcess]:
        return [process for process in self._started if process.exit_code is None]

    async def _check(self, process: ServiceProcess) -> None:
        """Declare a program lost that runs but does not answer."""
        if process.stopping:
            return
        try:
            async with create_http_client(timeout_seconds=_ALIVE_SECONDS) as client:
                response = await client.get(f"{process.url}/livez")
        except httpx.HTTPError as error:
            self.declare_lost(process.name, f"does not answer ({type(error).__name__})")
            return
        if response.is_error:
            self.declare_lost(process.name, f"answers /livez with HTTP {response.status_code}")

    def _exited(self, process: ServiceProcess) -> None:
        code = process.exit_code or 0
        if not process.stopping:
            self._lost[process.name] = f"ended by itself (exit code {code})"
        self._sink.write(
            ProcessExited(
                at=moment(self._clock.now()),
                name=process.name,
                exit_code=code,
                expected=process.stopping,
            )
        )
        self._on_change()
