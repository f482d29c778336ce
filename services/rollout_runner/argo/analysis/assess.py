"""Judging: the phase of a metric from its counters, and of a run from its metrics.

Inside one metric Error beats Inconclusive beats Failed (the last limit that is exceeded wins);
across metrics Failed beats Error beats Inconclusive. Limits are totals over the life of a metric,
apart from the two that say consecutive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rollout_runner.argo.analysis.status import MetricResult, RunSummary
from rollout_runner.argo.types import Phase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rollout_runner.argo.analysis.metric import Metric

_BAD = (Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAssessment:
    """What a run amounts to, with every result at its new phase."""

    phase: Phase
    message: str
    metric_results: tuple[MetricResult, ...]
    run_summary: RunSummary
    dry_run_summary: RunSummary


def is_terminating(results: Iterable[MetricResult], *, terminate: bool) -> bool:
    """Whether the run takes no new measurements: told to stop, or a metric that counts is bad."""
    return terminate or any(each.phase in _BAD and not each.dry_run for each in results)


def exceeded_limit(metric: Metric, result: MetricResult) -> tuple[Phase | None, str]:
    """Return the phase and reason of the exceeded limit that weighs most, or (None, "")."""
    if result.consecutive_error > metric.consecutive_error_limit:
        return Phase.ERROR, (
            f"consecutiveErrors ({result.consecutive_error}) "
            f"> consecutiveErrorLimit ({metric.consecutive_error_limit})"
        )
    if result.inconclusive > metric.inconclusive_limit:
        return Phase.INCONCLUSIVE, (
            f"inconclusive ({result.inconclusive}) "
            f"> inconclusiveLimit ({metric.inconclusive_limit})"
        )
    # A negative limit switches the check off.
    if 0 <= metric.failure_limit < result.failed:
        return Phase.FAILED, f"failed ({result.failed}) > failureLimit ({metric.failure_limit})"
    return None, ""


def assess_metric(metric: Metric, result: MetricResult, *, terminating: bool) -> Phase:
    """Return the phase of a metric; a final one is never left."""
    if result.phase is not None and result.phase.completed:
        return result.phase
    last = result.last_measurement
    if last is None:
        return Phase.SUCCESSFUL if terminating else Phase.PENDING
    if not last.phase.completed:
        return Phase.RUNNING
    ended = exceeded_limit(metric, result)[0] or _reached(metric, result)
    return ended or (Phase.SUCCESSFUL if terminating else Phase.RUNNING)


def _reached(metric: Metric, result: MetricResult) -> Phase | None:
    """Return how a metric within its limits ends, None while it goes on."""
    wanted = metric.consecutive_success_limit
    if 0 < wanted <= result.consecutive_success:
        return Phase.SUCCESSFUL
    if not metric.count_reached(result.count):
        return None
    if wanted <= 0:
        return Phase.SUCCESSFUL
    # Neither satisfied nor violated; with failureLimit off, not satisfied is a failure.
    return Phase.INCONCLUSIVE if metric.failure_limit >= 0 else Phase.FAILED


def assess_run(
    metrics: Sequence[Metric],
    results: Mapping[str, MetricResult],
    *,
    dry_run: Collection[str],
    terminate: bool,
) -> RunAssessment:
    """Assess every metric and the run.

    Args:
        metrics: all metrics, in the order of the spec; among equals the first is told about.
        results: by metric name, in the order of the status; a metric that still waits has none.
        dry_run: names of the metrics that do not count.
        terminate: whether the run was told to stop.
    """
    # What this pass finds terminates the run in the next pass only.
    terminating = is_terminating(results.values(), terminate=terminate)
    worst: Phase | None = None
    message = "Run Terminated" if terminate else ""
    all_completed = True
    after = dict(results)
    tally, dry_tally = _Tally(), _Tally()
    for metric in metrics:
        is_dry = metric.name in dry_run
        counters = dry_tally if is_dry else tally
        counters.count += 1
        result = after.get(metric.name)
        if result is None:
            all_completed = False
            continue
        result = _moved(result, assess_metric(metric, result, terminating=terminating))
        phase = result.phase
        if phase is None or not phase.completed:
            all_completed = False
            after[metric.name] = result
            continue
        limit_phase, reason = exceeded_limit(metric, result)
        counters.add(limit_phase)
        if is_dry:
            worst = worst or Phase.SUCCESSFUL
            if reason:
                result = replace(result, message=f"Metric assessed {phase} due to {reason}")
        elif worst is None or phase.badness > worst.badness:
            worst = phase
            message = _told(metric.name, result, reason) or message
        after[metric.name] = result
    if terminating:
        worst = worst or Phase.SUCCESSFUL
    elif not all_completed or worst is None:
        worst, message = Phase.RUNNING, ""
    return RunAssessment(
        phase=worst,
        message=message.strip(),
        metric_results=tuple(after.values()),
        run_summary=tally.summary(),
        dry_run_summary=dry_tally.summary(),
    )


class _Tally:
    """Counters of one summary while it is made.

    Completed metrics are counted by the limit they exceeded, so one that ended badly for another
    reason (its count reached without enough successes) counts as successful, as in Argo.
    """

    __slots__ = ("count", "error", "failed", "inconclusive", "successful")

    def __init__(self) -> None:
        self.count = self.successful = self.failed = self.inconclusive = self.error = 0

    def add(self, limit_phase: Phase | None) -> None:
        self.error += limit_phase is Phase.ERROR
        self.failed += limit_phase is Phase.FAILED
        self.inconclusive += limit_phase is Phase.INCONCLUSIVE
        self.successful += limit_phase is None

    def summary(self) -> RunSummary:
        return RunSummary(
            count=self.count,
            successful=self.successful,
            failed=self.failed,
            inconclusive=self.inconclusive,
            error=self.error,
        )


def _moved(result: MetricResult, phase: Phase) -> MetricResult:
    """Return the result at its phase; a change takes over the newest measurement's message."""
    if result.phase == phase:
        return result
    last = result.last_measurement
    return replace(result, phase=phase, message=result.message if last is None else last.message)


def _told(name: str, result: MetricResult, reason: str) -> str:
    if not reason:
        return ""
    told = f'Metric "{name}" assessed {result.phase} due to {reason}'
    return f'{told}: "Error Message: {result.message}"' if result.message else told
