"""The job provider: the Job's one container as a process on this machine.

Exit code 0 is Complete, anything else is Failed after `backoffLimit` more attempts; the image is
not used, so the command must exist on this machine. Cluster names work through `http_proxy`.
Conditions are ignored, as Argo ignores them for jobs. The waits between attempts are virtual time,
what a process takes is real time, and `activeDeadlineSeconds` bounds both together.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.adapters.processes import die_with_parent
from rollout_runner.adapters.providers.job_spec import JobError, check_name, read_job
from rollout_runner.argo.job import (
    JOB_NAME,
    JOB_NAMESPACE,
    JobState,
    polls,
    resumed,
    terminated,
)
from rollout_runner.argo.types import Measurement, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rollout_runner.adapters.providers.job_spec import JobPlan, Values
    from rollout_runner.argo.analysis import Metric
    from rollout_runner.argo.types import ArgoVersion
    from svckit.clock import Clock

_FIRST_RETRY_SECONDS = 10.0
_LONGEST_RETRY_SECONDS = 360.0
_SOONEST_LOOK_SECONDS = 1.0
"""`resumeAt` is kept in whole seconds: sooner would be at once, again and again."""
_NOT_FOUND, _TIMED_OUT = 127, 124


class JobProvider:
    """Measures metrics whose provider is `job`; what a Job writes is kept in `log_dir`."""

    def __init__(
        self,
        *,
        clock: Clock,
        version: ArgoVersion,
        namespace: str,
        secrets: Values,
        config_maps: Values,
        environment: Mapping[str, str],
        log_dir: Path,
        on_finished: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._version = version
        self._namespace = namespace
        self._secrets = secrets
        self._config_maps = config_maps
        self._environment = environment
        self._log_dir = log_dir
        self._on_finished = on_finished
        self._jobs: dict[str, asyncio.Task[bool]] = {}

    async def run(self, metric: Metric, measurement_name: str) -> Measurement:
        """Start the Job; the measurement comes back Running."""
        spec = metric.provider["job"].get("spec") or {}
        try:
            check_name(measurement_name)
            job = read_job(spec, secrets=self._secrets, config_maps=self._config_maps)
        except JobError as error:
            return Measurement(phase=Phase.ERROR, message=str(error))
        log = self._log_dir / f"{measurement_name}.log"
        task = self._jobs[measurement_name] = asyncio.create_task(self._complete(job, log))
        task.add_done_callback(lambda _: self._on_finished())
        now = self._clock.now()
        return Measurement(
            phase=Phase.RUNNING,
            started_at=now,
            resume_at=now if polls(self._version) else None,
            metadata={JOB_NAME: measurement_name, JOB_NAMESPACE: self._namespace},
        )

    async def resume(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Look whether the Job is done; while it is not, look again a little later."""
        now = self._clock.now()
        after = resumed(measurement, self._states(), now=now, version=self._version)
        if after.resume_at is not None:
            return replace(after, resume_at=max(after.resume_at, now + _SOONEST_LOOK_SECONDS))
        return after

    async def terminate(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Kill the Job; before 1.10 that counted as a success."""
        await self._cancel(measurement.metadata[JOB_NAME])
        return terminated(measurement, now=self._clock.now(), version=self._version)

    async def close(self) -> None:
        """Kill what still runs."""
        for name in list(self._jobs):
            await self._cancel(name)

    def _states(self) -> dict[str, JobState]:
        """Return the Jobs as the cluster would show them: a cancelled one is gone."""
        return {
            name: JobState(conditions=_conditions(task))
            for name, task in self._jobs.items()
            if not task.cancelled()
        }

    async def _cancel(self, name: str) -> None:
        task = self._jobs.get(name)
        if task is not None and not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _complete(self, job: JobPlan, log: Path) -> bool:
        """Run the command until it succeeds, attempts are used up, or the deadline passes."""
        loop = asyncio.get_running_loop()
        left = math.inf if job.deadline_seconds is None else job.deadline_seconds
        delay = _FIRST_RETRY_SECONDS
        for attempt in range(job.attempts):
            if attempt:
                await self._clock.sleep(min(delay, left))
                left -= delay
                delay = min(2 * delay, _LONGEST_RETRY_SECONDS)
            if left <= 0:
                return False
            began = loop.time()
            if await self._execute(job, log, left) == 0:
                return True
            left -= loop.time() - began
        return False

    async def _execute(self, job: JobPlan, log: Path, seconds: float) -> int:
        inherited = {"PATH": os.environ.get("PATH", "")}
        with log.open("ab") as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *job.command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**inherited, **self._environment, **job.environment},
                    preexec_fn=die_with_parent,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                output.write(f"{job.command[0]}: {error}\n".encode())
                return _NOT_FOUND
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                return await process.wait()
        except TimeoutError:
            return _TIMED_OUT
        finally:
            # The whole group: a container takes with it what its command has left behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _conditions(task: asyncio.Task[bool]) -> tuple[str, ...]:
    if not task.done():
        return ()
    return ("Complete",) if task.result() else ("Failed",)
