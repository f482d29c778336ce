"""Runs one AnalysisRun to its end, as Argo's analysis controller does.

Each pass asks the pure rules which metrics are due, lets the providers measure them in parallel,
and hands the measurements back to the rules, which decide the phase and the next pass.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rollout_runner.argo.analysis import (
    AnalysisRunSpec,
    AnalysisRunStatus,
    MetricTask,
    TaskKind,
    begin,
    finish,
    resolve_run,
)
from rollout_runner.argo.metadata import metric_metadata
from rollout_runner.argo.types import Measurement, Phase
from rollout_runner.engine.alarm import Alarm
from rollout_runner.events import (
    AnalysisRunCompleted,
    AnalysisRunStarted,
    MeasurementTaken,
    MetricPlan,
    moment,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.ports import EventSink, MetricProvider
    from svckit.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRunPlan:
    """An AnalysisRun to be created: its name, what started it, and its spec."""

    name: str
    kind: str
    index: int | None
    templates: tuple[str, ...]
    spec: AnalysisRunSpec


class AnalysisController:
    """One AnalysisRun. `status` is always what Argo would have persisted last."""

    def __init__(
        self,
        plan: AnalysisRunPlan,
        *,
        secrets: Mapping[str, Mapping[str, str]],
        providers: Mapping[str, MetricProvider],
        clock: Clock,
        version: ArgoVersion,
        sink: EventSink,
        on_phase_change: Callable[[], None],
    ) -> None:
        self.plan = plan
        self.status = AnalysisRunStatus()
        self._run = resolve_run(plan.spec, secrets)
        self._providers = providers
        self._clock = clock
        self._version = version
        self._sink = sink
        self._on_phase_change = on_phase_change
        self._alarm = Alarm(clock)

    def terminate(self) -> None:
        """Set `spec.terminate`: what is in flight ends, nothing new is measured."""
        self._run = self._run.terminated()
        self._alarm.ring()

    def wake(self) -> None:
        """Look again now: something outside has happened, such as the end of a job."""
        self._alarm.ring()

    async def run(self) -> None:
        """Make passes until the run is completed."""
        self._sink.write(self._started())
        while True:
            phase = self.status.phase
            self.status, tasks = begin(
                self._run, self.status, now=self._clock.now(), version=self._version
            )
            next_at = None
            if not self.status.completed:
                measured = await asyncio.gather(*(self._perform(task) for task in tasks))
                results = dict(measured)
                self.status, next_at = finish(
                    self._run,
                    self.status,
                    results,
                    now=self._clock.now(),
                    version=self._version,
                    metadata={task.metric.name: metric_metadata(task.metric) for task in tasks},
                )
                self._record(results)
            if self.status.completed:
                break
            if self.status.phase is not phase:
                self._on_phase_change()
            await self._alarm.wait_until(next_at)
        self._sink.write(
            AnalysisRunCompleted(
                at=moment(self._clock.now()),
                name=self.plan.name,
                phase=str(self.status.phase),
                message=self.status.message,
                status=self.status.to_json(),
            )
        )
        self._on_phase_change()

    async def _perform(self, task: MetricTask) -> tuple[str, Measurement]:
        """Let the provider do one task; the measurement carries when it began and ended."""
        metric = task.metric
        provider = self._providers[metric.provider_names[0]]
        began = self._clock.now()
        if task.kind is TaskKind.RUN or task.measurement is None:
            measurement = await provider.run(metric, self._measurement_name(metric.name))
        elif task.kind is TaskKind.RESUME:
            measurement = await provider.resume(metric, task.measurement)
        else:
            measurement = await provider.terminate(metric, task.measurement)
        if measurement.started_at is None:
            measurement = replace(measurement, started_at=began)
        if measurement.phase.completed and measurement.finished_at is None:
            measurement = replace(measurement, finished_at=self._clock.now())
        return metric.name, measurement

    def _measurement_name(self, metric: str) -> str:
        result = self.status.result(metric)
        taken = 0 if result is None else result.count + result.error
        return f"{self.plan.name}.{metric}.{taken + 1}"

    def _record(self, results: Mapping[str, Measurement]) -> None:
        for name, measurement in results.items():
            result = self.status.result(name)
            if result is None or not measurement.phase.completed:
                continue
            kept = result.measurements[-1]
            now = self._clock.now()
            self._sink.write(
                MeasurementTaken(
                    at=moment(now),
                    analysis_run=self.plan.name,
                    metric=name,
                    number=result.count + result.error,
                    phase=str(kept.phase),
                    started_at=moment(kept.started_at or now),
                    finished_at=moment(kept.finished_at or now),
                    value=kept.value,
                    message=kept.message,
                )
            )

    def _started(self) -> AnalysisRunStarted:
        return AnalysisRunStarted(
            at=moment(self._clock.now()),
            name=self.plan.name,
            kind=self.plan.kind,
            index=self.plan.index,
            templates=self.plan.templates,
            args={arg.name: arg.value for arg in self.plan.spec.args if arg.value is not None},
            metrics=tuple(
                MetricPlan(
                    name=metric.name,
                    provider=", ".join(metric.provider_names),
                    interval=metric.interval,
                    count=metric.effective_count,
                    failure_limit=metric.failure_limit,
                    inconclusive_limit=metric.inconclusive_limit,
                    consecutive_error_limit=metric.consecutive_error_limit,
                    success_condition=metric.success_condition,
                    failure_condition=metric.failure_condition,
                    dry_run=metric.name in self._run.dry_run,
                )
                for metric in self._run.metrics
            ),
        )


def phase_of(controller: AnalysisController) -> Phase:
    """Return the run's phase as the Rollout controller sees it: Pending until the first pass."""
    return controller.status.phase or Phase.PENDING
