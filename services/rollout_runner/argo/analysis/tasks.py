"""When: which metrics are measured now, and when a run is looked at next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from rollout_runner.argo.analysis.metric import Metric
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rollout_runner.argo.analysis.status import MetricResult

ERROR_RETRY_SECONDS: Final = 10.0
"""Errors are retried after this time, whatever the interval."""


class TaskKind(StrEnum):
    """What a provider is asked to do with a metric."""

    RUN = "run"
    RESUME = "resume"
    TERMINATE = "terminate"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricTask:
    """Work for a provider; `measurement` is the one in flight, None for a new one."""

    metric: Metric
    kind: TaskKind
    measurement: Measurement | None = None


def task_kind(
    metric: Metric,
    result: MetricResult | None,
    *,
    started_at: float | None,
    terminating: bool,
    now: float,
    version: ArgoVersion,
) -> TaskKind | None:
    """Return what is to be done with a metric now, or None.

    Args:
        metric: the resolved metric.
        result: what it measured so far, None if nothing.
        started_at: when the run began, None on its first pass.
        terminating: whether the run takes no new measurements.
        now: the instant.
        version: up to 1.9 a measurement in flight is terminated only when its `resume_at` is due.
    """
    if result is not None and result.completed:
        return None
    last = None if result is None else result.last_measurement
    if last is not None and last.finished_at is None:
        waits = last.resume_at is not None and last.resume_at > now
        if waits and not (terminating and version is ArgoVersion.V1_10):
            return None
        return TaskKind.TERMINATE if terminating else TaskKind.RESUME
    if terminating:
        return None
    if result is None or last is None:
        return TaskKind.RUN if _delay_is_over(metric, started_at, now) else None
    due = _next_measurement_at(metric, result, last, default_wait=ERROR_RETRY_SECONDS)
    return TaskKind.RUN if due is not None and now > due else None


def next_reconcile_at(
    metrics: Iterable[Metric],
    results: Mapping[str, MetricResult],
    *,
    started_at: float | None,
    now: float,
) -> float | None:
    """Return when a metric is due next, perhaps in the past; None if only an event can tell.

    A measurement is taken strictly after that instant, as Argo compares.
    """
    due = [
        instant
        for metric in metrics
        if (instant := _due(metric, results.get(metric.name), started_at, now)) is not None
    ]
    return min(due, default=None)


def _due(
    metric: Metric, result: MetricResult | None, started_at: float | None, now: float
) -> float | None:
    if result is not None and result.completed:
        return None
    last = None if result is None else result.last_measurement
    if result is None or last is None:
        # Without a delay it would have been measured already, so nothing is waited for.
        if metric.initial_delay_seconds is None:
            return None
        return (now if started_at is None else started_at) + metric.initial_delay_seconds
    if last.finished_at is None:
        return last.resume_at
    return _next_measurement_at(metric, result, last, default_wait=None)


def _delay_is_over(metric: Metric, started_at: float | None, now: float) -> bool:
    if not metric.initial_delay:
        return True
    if started_at is None or metric.initial_delay_seconds is None:
        return False
    return started_at + metric.initial_delay_seconds <= now


def _next_measurement_at(
    metric: Metric, result: MetricResult, last: Measurement, *, default_wait: float | None
) -> float | None:
    if last.finished_at is None or metric.count_reached(result.count):
        return None
    if last.phase is Phase.ERROR:
        wait: float | None = ERROR_RETRY_SECONDS
    elif metric.interval:
        wait = metric.interval_seconds
    else:
        wait = default_wait
    return None if wait is None else last.finished_at + wait
