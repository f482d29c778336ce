"""One pass over an AnalysisRun, in two pure halves around the providers' work.

    run = resolve_run(spec, secrets)                       once (`resolve.py`)
    status, tasks = begin(run, status, ...)                what to measure now
    ... providers perform the tasks, in parallel ...
    status, next_at = finish(run, status, results, ...)    counters, phases, history, next pass

The caller makes a pass at `next_at`, and whenever an event may have moved the run.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rollout_runner.argo.analysis.assess import assess_run, is_terminating
from rollout_runner.argo.analysis.status import (
    AnalysisRunStatus,
    MetricResult,
    persisted,
)
from rollout_runner.argo.analysis.tasks import MetricTask, TaskKind, next_reconcile_at, task_kind
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout_runner.argo.analysis.resolve import ResolvedRun

DEFAULT_MEASUREMENT_HISTORY: Final = 10
"""How many measurements of a metric are kept unless a retention rule says otherwise."""
_MASK = "*****"


def begin(
    run: ResolvedRun, status: AnalysisRunStatus, *, now: float, version: ArgoVersion
) -> tuple[AnalysisRunStatus, tuple[MetricTask, ...]]:
    """Return the status and the tasks to perform before `finish`, in the order of the spec.

    A completed run has no tasks. A run that cannot run becomes Error here; Argo leaves its
    `completed_at` empty.
    """
    if status.completed:
        return status, ()
    if run.error:
        return replace(status, phase=Phase.ERROR, message=run.error), ()
    results = {each.name: each for each in status.metric_results}
    terminating = is_terminating(status.metric_results, terminate=run.terminate)
    tasks: list[MetricTask] = []
    for metric, task_metric in zip(run.metrics, run.task_metrics, strict=True):
        result = results.get(metric.name)
        kind = task_kind(
            metric,
            result,
            started_at=status.started_at,
            terminating=terminating,
            now=now,
            version=version,
        )
        if kind is not None:
            in_flight = None if kind is TaskKind.RUN or result is None else result.last_measurement
            tasks.append(MetricTask(metric=task_metric, kind=kind, measurement=in_flight))
    return status, tuple(tasks)


def finish(
    run: ResolvedRun,
    status: AnalysisRunStatus,
    results: Mapping[str, Measurement],
    *,
    now: float,
    version: ArgoVersion,
    metadata: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[AnalysisRunStatus, float | None]:
    """Record what the providers measured and judge the run.

    Args:
        run: the resolved run.
        status: what `begin` returned.
        results: the measurement of every task, by metric name.
        now: the instant, not before that of `begin`.
        version: whose rules apply.
        metadata: what providers tell about a metric once (the resolved query), by metric name.

    Returns:
        The status as the API server keeps it, and the instant of the next pass: None when the run
        is completed, or when only an event (a job ends, someone terminates the run) can move it.
        It is the first instant after the due time, as a timer fires, because a measurement is
        taken strictly after it. `now` means at once.

    Raises:
        ValueError: a result for a metric that the run does not have, or none for a metric that
            must have been measured: the run would wait for it for ever.
    """
    if status.completed:
        return status, None
    unknown = results.keys() - {metric.name for metric in run.metrics}
    if unknown:
        raise ValueError(f"the run has no metric named {', '.join(sorted(unknown))}")
    terminating = is_terminating(status.metric_results, terminate=run.terminate)
    recorded = {each.name: each for each in status.metric_results}
    for metric in run.metrics:
        measurement = results.get(metric.name)
        before = recorded.get(metric.name)
        if measurement is None:
            if before is None and not metric.initial_delay and not terminating:
                raise ValueError(f"metric '{metric.name}' was to be measured, but has no result")
            continue
        if before is None:
            before = MetricResult(
                name=metric.name,
                phase=Phase.RUNNING,
                dry_run=metric.name in run.dry_run,
                metadata=(metadata or {}).get(metric.name, {}),
            )
        last = before.last_measurement
        in_flight = last is not None and last.finished_at is None
        if in_flight and terminating:
            measurement = _terminated(measurement, version)
        measurement = _completed(measurement, run.secret_values, now)
        recorded[metric.name] = _counted(before, measurement, in_flight=in_flight)
    after = _assessed(run, status, recorded, now)
    if after.completed:
        return after, None
    if not terminating and is_terminating(after.metric_results, terminate=run.terminate):
        # A metric just went bad. Argo's own status patch starts the pass that ends the run.
        return after, now
    due = next_reconcile_at(
        run.metrics,
        {each.name: each for each in after.metric_results},
        started_at=after.started_at,
        now=now,
    )
    return after, None if due is None else max(now, math.nextafter(due, math.inf))


def _terminated(measurement: Measurement, version: ArgoVersion) -> Measurement:
    named = {Phase.SUCCESSFUL}
    if version is ArgoVersion.V1_10:
        named.add(Phase.INCONCLUSIVE)
    if measurement.phase in named:
        return replace(measurement, message="Metric Terminated")
    return measurement


def _completed(measurement: Measurement, secrets: tuple[str, ...], now: float) -> Measurement:
    """Return the measurement with its end, without Secrets, as the API server keeps it."""
    message = measurement.message
    for secret in secrets:
        message = message.replace(secret, _MASK)
    finished_at = measurement.finished_at
    if finished_at is None and measurement.phase.completed:
        finished_at = now
    return Measurement(
        phase=measurement.phase,
        message=message,
        value=measurement.value,
        started_at=persisted(measurement.started_at),
        finished_at=persisted(finished_at),
        resume_at=persisted(measurement.resume_at),
        metadata=measurement.metadata,
    )


def _counted(result: MetricResult, measurement: Measurement, *, in_flight: bool) -> MetricResult:
    """Return the result with the measurement added, or in place of the one in flight."""
    earlier = result.measurements[:-1] if in_flight else result.measurements
    measurements = (*earlier, measurement)
    phase = measurement.phase
    if not phase.completed:
        return replace(result, measurements=measurements)
    is_error = phase is Phase.ERROR
    return replace(
        result,
        measurements=measurements,
        count=result.count + (not is_error),
        successful=result.successful + (phase is Phase.SUCCESSFUL),
        failed=result.failed + (phase is Phase.FAILED),
        inconclusive=result.inconclusive + (phase is Phase.INCONCLUSIVE),
        error=result.error + is_error,
        consecutive_error=result.consecutive_error + 1 if is_error else 0,
        consecutive_success=result.consecutive_success + 1 if phase is Phase.SUCCESSFUL else 0,
    )


def _assessed(
    run: ResolvedRun, status: AnalysisRunStatus, recorded: Mapping[str, MetricResult], now: float
) -> AnalysisRunStatus:
    assessment = assess_run(run.metrics, recorded, dry_run=run.dry_run, terminate=run.terminate)
    changed = assessment.phase != status.phase
    completed_at = status.completed_at
    if changed and assessment.phase.completed and completed_at is None:
        completed_at = persisted(now)
    return AnalysisRunStatus(
        phase=assessment.phase,
        message=assessment.message if changed else status.message,
        metric_results=tuple(_trimmed(each, run.retention) for each in assessment.metric_results),
        started_at=persisted(now) if status.started_at is None else status.started_at,
        completed_at=completed_at,
        run_summary=assessment.run_summary,
        dry_run_summary=assessment.dry_run_summary,
    )


def _trimmed(result: MetricResult, retention: Mapping[str, int]) -> MetricResult:
    limit = retention.get(result.name, 0)
    if limit <= 0:
        limit = DEFAULT_MEASUREMENT_HISTORY
    if len(result.measurements) <= limit:
        return result
    return replace(result, measurements=result.measurements[-limit:])
