"""The job provider: the Job's first container as a local subprocess.

Exit code 0 is Complete, anything else is Failed after `backoffLimit` more attempts; the image is
not used, so the command must exist on this machine. Cluster names work through `http_proxy`.
Conditions are ignored, as Argo ignores them for jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.types import ArgoVersion, Measurement, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rollout_runner.argo.analysis import Metric
    from svckit.clock import Clock

DEFAULT_BACKOFF_LIMIT = 6
_FIRST_RETRY_SECONDS = 10.0


class JobError(Exception):
    """The Job cannot be created here; the measurement is an Error with this message."""


class JobProvider:
    """Measures metrics whose provider is `job`."""

    def __init__(
        self,
        *,
        clock: Clock,
        version: ArgoVersion,
        namespace: str,
        secret: Callable[[str, str], str | None],
        config_value: Callable[[str, str], str | None],
        environment: Mapping[str, str],
        on_finished: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._version = version
        self._namespace = namespace
        self._secret = secret
        self._config_value = config_value
        self._environment = environment
        self._on_finished = on_finished
        self._jobs: dict[str, asyncio.Task[bool]] = {}

    async def run(self, metric: Metric, measurement_name: str) -> Measurement:
        """Start the Job; the measurement comes back Running."""
        try:
            job = self._read(metric.provider["job"].get("spec") or {})
        except JobError as error:
            return Measurement(phase=Phase.ERROR, message=str(error))
        name = measurement_name[:63]
        task = self._jobs[name] = asyncio.create_task(self._complete(*job))
        task.add_done_callback(lambda _: self._on_finished())
        now = self._clock.now()
        return Measurement(
            phase=Phase.RUNNING,
            started_at=now,
            resume_at=now if self._polls else None,
            metadata={"job-name": name, "job-namespace": self._namespace},
        )

    async def resume(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Look whether the Job is done; while it is not, look again a little later."""
        task = self._jobs.get(measurement.metadata["job-name"])
        if task is None:
            return replace(measurement, phase=Phase.ERROR, message="job not found", resume_at=None)
        now = self._clock.now()
        if not task.done():
            if not self._polls:
                return measurement
            elapsed = max(0.0, now - (measurement.started_at or now))
            return replace(measurement, resume_at=now + (2 * elapsed) ** 0.5)
        phase = Phase.SUCCESSFUL if task.result() else Phase.FAILED
        return replace(measurement, phase=phase, resume_at=None)

    async def terminate(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Kill the Job; before 1.10 that counted as a success."""
        await self._cancel(measurement.metadata["job-name"])
        phase = Phase.INCONCLUSIVE if self._polls else Phase.SUCCESSFUL
        return replace(measurement, phase=phase, resume_at=None)

    async def close(self) -> None:
        """Kill what still runs."""
        for name in list(self._jobs):
            await self._cancel(name)

    @property
    def _polls(self) -> bool:
        """Whether the version looks at a running Job by itself (1.10) or waits for its event."""
        return self._version is ArgoVersion.V1_10

    async def _cancel(self, name: str) -> None:
        task = self._jobs.get(name)
        if task is not None and not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _read(self, spec: Mapping[str, Any]) -> tuple[list[str], dict[str, str], int, float | None]:
        """Return command line, environment, attempts and deadline of a batch/v1 JobSpec."""
        pod = (spec.get("template") or {}).get("spec") or {}
        if pod.get("restartPolicy") not in {"Never", "OnFailure"}:
            raise JobError(
                "Job is invalid: spec.template.spec.restartPolicy: Required value: valid values:"
                ' "OnFailure", "Never"'
            )
        containers = pod.get("containers") or []
        if len(containers) != 1:
            raise JobError(f"a Job with {len(containers)} containers cannot run without a cluster")
        container = containers[0]
        command = [*(container.get("command") or []), *(container.get("args") or [])]
        if not container.get("command"):
            raise JobError(
                f"container {container.get('name')!r} has no command: its image's entry point"
                " is not known without a cluster"
            )
        environment = {
            str(entry["name"]): self._value(entry) for entry in container.get("env") or []
        }
        attempts = 1 + int(spec.get("backoffLimit", DEFAULT_BACKOFF_LIMIT))
        deadline = spec.get("activeDeadlineSeconds")
        return command, environment, attempts, None if deadline is None else float(deadline)

    def _value(self, entry: Mapping[str, Any]) -> str:
        source = entry.get("valueFrom")
        if source is None:
            return str(entry.get("value", ""))
        for kind, lookup in (
            ("secretKeyRef", self._secret),
            ("configMapKeyRef", self._config_value),
        ):
            if kind in source:
                reference = source[kind]
                value = lookup(str(reference["name"]), str(reference["key"]))
                if value is None and not reference.get("optional"):
                    raise JobError(
                        f"env {entry['name']}: {kind} {reference['name']}/{reference['key']}"
                        " does not exist"
                    )
                return value or ""
        raise JobError(f"env {entry['name']}: only secretKeyRef and configMapKeyRef are known here")

    async def _complete(
        self,
        command: list[str],
        environment: dict[str, str],
        attempts: int,
        deadline: float | None,
    ) -> bool:
        """Run the command until it succeeds, attempts are used up, or the deadline passes."""
        started = self._clock.now()
        delay = _FIRST_RETRY_SECONDS
        for attempt in range(attempts):
            if attempt:
                await self._clock.sleep(delay)
                delay *= 2
            if deadline is not None and self._clock.now() - started >= deadline:
                return False
            left = None if deadline is None else deadline / self._clock.rate
            if await self._execute(command, environment, left) == 0:
                return True
        return False

    async def _execute(
        self, command: list[str], environment: dict[str, str], timeout_seconds: float | None
    ) -> int:
        inherited = {"PATH": os.environ.get("PATH", "")}
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=inherited | dict(self._environment) | environment,
                start_new_session=True,
            )
        except OSError:
            return 127
        try:
            async with asyncio.timeout(timeout_seconds):
                return await process.wait()
        except TimeoutError:
            return 124
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
