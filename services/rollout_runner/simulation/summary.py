"""What a study keeps of a run: a few numbers, so that thousands of runs fit everywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from rollout_runner.events import (
    AnalysisRunCompleted,
    AnalysisRunStarted,
    MeasurementTaken,
    PhaseChanged,
    TrafficObserved,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.simulation.world import SimulatedRun

PROMOTED = "promoted"
_DEGRADED, _PAUSED = "Degraded", "Paused"
_UNSUCCESSFUL = frozenset({"Failed", "Error", "Inconclusive"})


class Reading(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A number that a gate's condition looked at."""

    step: int
    metric: str
    value: float


class RunSummary(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One run.

    Attributes:
        number: of the run within its study.
        outcome: promoted, aborted, paused or degraded.
        aborted_at_step: index of the step, None when it was not aborted.
        decided_by: metric that ended an analysis badly, empty when none did.
        stopped_after: virtual seconds until the rollout was aborted or waited for a person; None
            for one that was promoted.
        canary_requests: requests that the new version served.
        bad_requests: of them, those that failed.
        readings: the error rates that the gates were told.
    """

    number: int
    outcome: str
    aborted_at_step: int | None
    decided_by: str
    stopped_after: float | None
    canary_requests: int
    bad_requests: int
    readings: tuple[Reading, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether the new version did not become the stable one."""
        return self.outcome != PROMOTED


def summarise(number: int, run: SimulatedRun) -> RunSummary:
    """Return what is kept of a run."""
    requests, errors = _served(run)
    promoted = run.finished.outcome == PROMOTED
    return RunSummary(
        number=number,
        outcome=run.finished.outcome,
        aborted_at_step=run.finished.aborted_at_step,
        decided_by="" if promoted else _decided_by(run),
        stopped_after=None if promoted else _stopped_after(run),
        canary_requests=requests,
        bad_requests=errors,
        readings=tuple(_readings(run)),
    )


def _served(run: SimulatedRun) -> tuple[int, int]:
    """Return how many requests the new version has served, and how many of them failed."""
    for event in reversed(run.events):
        if isinstance(event, TrafficObserved):
            for version in event.versions:
                if version.hash == run.started.canary.hash:
                    return version.requests, version.errors
    return 0, 0


def _stopped_after(run: SimulatedRun) -> float | None:
    """Return the seconds until the first abort, or until the pause that the run ended in."""
    phases = [event for event in run.events if isinstance(event, PhaseChanged)]
    ends = [event for event in phases if event.phase == _DEGRADED]
    if run.finished.outcome == "paused":
        ends = [event for event in phases if event.phase == _PAUSED][-1:]
    return (ends[0].at - run.started.at).total_seconds() if ends else None


def _decided_by(run: SimulatedRun) -> str:
    """Return the metric that ended an analysis badly, the last one that did."""
    for event in reversed(run.events):
        if isinstance(event, AnalysisRunCompleted) and event.phase in _UNSUCCESSFUL:
            return _decisive(event)
    return ""


def _readings(run: SimulatedRun) -> Iterator[Reading]:
    """Yield the error rates that the gates were told."""
    steps: dict[str, int] = {}
    for event in run.events:
        if isinstance(event, AnalysisRunStarted):
            steps[event.name] = -1 if event.index is None else event.index
        elif isinstance(event, MeasurementTaken):
            value = _error_rate(event.value)
            if value is not None:
                step = steps.get(event.analysis_run, -1)
                yield Reading(step=step, metric=event.metric, value=value)


def _error_rate(value: str) -> float | None:
    """Return the error rate in the APM's answer, None for any other document."""
    if not value.startswith("{") or '"errorRate"' not in value or '"metrics"' in value:
        return None
    rate = json.loads(value).get("errorRate")
    return float(rate) if isinstance(rate, int | float) else None


def _decisive(event: AnalysisRunCompleted) -> str:
    """Return the metric whose phase is that of the run."""
    for result in event.status.get("metricResults", ()):
        if result.get("phase") == event.phase and not result.get("dryRun"):
            return str(result.get("name", ""))
    return ""
