"""The checks that Argo makes on resolved metrics before a run measures, in Argo's order.

Nothing else is checked before a run: conditions, jsonPath and URLs fail while measuring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.argo.analysis.errors import AnalysisError
from svckit.durations import DurationError, parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.argo.analysis.metric import Metric


def validate_metrics(metrics: Sequence[Metric]) -> None:
    """Raise AnalysisError with Argo's message for the first metric that is invalid."""
    if not metrics:
        raise AnalysisError("no metrics specified")
    names: set[str] = set()
    for index, metric in enumerate(metrics):
        problem = _problem(metric)
        if metric.name in names:
            problem = f"duplicate name '{metric.name}'"
        if problem:
            raise AnalysisError(f"metrics[{index}]: {problem}")
        names.add(metric.name)


def _problem(metric: Metric) -> str:
    return (
        limit_problem(metric)
        or (count_problem(metric) if metric.count > 0 else "")
        or time_problem(metric)
        or provider_problem(metric)
    )


def limit_problem(metric: Metric) -> str:
    """Return what is wrong with a limit by itself; empty when nothing is."""
    if metric.consecutive_success_limit < 0:
        return "consecutiveSuccessLimit must be >= 0"
    if metric.failure_limit < -1:
        return "failureLimit must be >= 0, or -1 to be disabled"
    if metric.consecutive_success_limit == 0 and metric.failure_limit == -1:
        return "failureLimit and consecutiveSuccessLimit cannot both be disabled"
    if metric.inconclusive_limit < 0:
        return "inconclusiveLimit must be >= 0"
    if metric.consecutive_error_limit < 0:
        return "consecutiveErrorLimit must be >= 0"
    return ""


def count_problem(metric: Metric) -> str:
    """Return which limit a positive count cannot satisfy; empty when none."""
    count, successes = metric.count, metric.consecutive_success_limit
    if metric.failure_limit >= 0:
        if count < metric.failure_limit + successes:
            return (
                f"count ({count}) must be >= failureLimit + consecutiveSuccessLimit "
                f"({metric.failure_limit} + {successes}) if both >= 0"
            )
    elif count < successes:
        return "count must be >= consecutiveSuccessLimit"
    if count < metric.inconclusive_limit:
        return "count must be >= inconclusiveLimit"
    return ""


def time_problem(metric: Metric) -> str:
    """Return what is wrong with interval and delay; empty when nothing is."""
    if metric.count > 1 and not metric.interval:
        return "interval must be specified when count > 1"
    # Argo calls the initial delay `startDelay` in this message.
    for label, written in (("interval", metric.interval), ("startDelay", metric.initial_delay)):
        if written:
            try:
                parse_duration(written)
            except DurationError as error:
                return f"invalid {label} string: {error}"
    return ""


def provider_problem(metric: Metric) -> str:
    """Return whether there are no or several providers; empty when there is one."""
    match len(metric.provider_names):
        case 0:
            return "no provider specified"
        case 1:
            return ""
        case _:
            return "multiple providers specified"
