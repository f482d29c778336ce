"""What follows from a log that says only what happened: states, the cause, the rollback."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from rollout_runner.report.model import (
    Outcome,
    Rollback,
    StepRecord,
    StepState,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rollout_runner.events import ReplicaSetScaled, Step
    from rollout_runner.report.model import AnalysisRunRecord, StepTimes, WeightChange
    from rollout_runner.report.traffic import Traffic

_STOPPING_PHASES = {
    Outcome.ABORTED: {"Failed", "Error"},
    Outcome.INTERRUPTED: {"Failed", "Error"},
    Outcome.PAUSED: {"Inconclusive"},
}
_UNFINISHED_STATES = {
    Outcome.ABORTED: StepState.ABORTED,
    Outcome.PAUSED: StepState.PAUSED,
    Outcome.PROMOTED: StepState.SKIPPED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the log ends; `aborted_at` is when the rollout was first seen aborted."""

    outcome: Outcome
    message: str
    aborted_at_step: int | None
    aborted_at: datetime | None
    finished_at: datetime | None
    last_event_at: datetime

    @property
    def aborted(self) -> bool:
        """Whether the canary was aborted, be it in a log that breaks off afterwards."""
        if self.outcome is Outcome.INTERRUPTED:
            return "RolloutAborted" in self.message
        return self.outcome is Outcome.ABORTED

    @property
    def decided_at(self) -> datetime:
        """When the rollout ended, as far as the log knows."""
        return self.aborted_at or self.finished_at or self.last_event_at


def deciding_run(
    ending: Ending, runs: Sequence[AnalysisRunRecord], steps: Mapping[int, StepTimes]
) -> AnalysisRunRecord | None:
    """Find the AnalysisRun after whose end no step began; an abort by a person has none."""
    phases = _STOPPING_PHASES.get(ending.outcome, set())
    last_start = max((times.started_at for times in steps.values()), default=None)
    found = None
    for run in runs:
        ended = run.finished_at
        if ended is None or run.phase not in phases:
            continue
        went_on = last_start is not None and last_start > ended
        came_late = ending.aborted_at is not None and ended > ending.aborted_at
        if not went_on and not came_late:
            found = run
    return found


def step_record(
    step: Step,
    times: StepTimes | None,
    ending: Ending,
    *,
    weights: Sequence[WeightChange],
    traffic: Traffic,
    hashes: tuple[str, str],
) -> StepRecord:
    """Say how a step went; `hashes` are those of canary and stable."""
    state = _state(step.index, times, ending)
    if times is None:
        return StepRecord(index=step.index, kind=step.kind, text=step.text, state=state)
    finished_at = times.finished_at
    if finished_at is None and state is StepState.ABORTED:
        finished_at = ending.decided_at
    until = finished_at or ending.last_event_at
    served = traffic.between(times.started_at, until)
    canary, stable = hashes
    return StepRecord(
        index=step.index,
        kind=step.kind,
        text=step.text,
        state=state,
        started_at=times.started_at,
        finished_at=finished_at,
        analysis_run=times.analysis_run,
        weight=_weight_in(step, state, until, weights),
        canary=served.get(canary),
        stable=served.get(stable),
    )


def conclude_rollback(
    ending: Ending,
    deciding: AnalysisRunRecord | None,
    *,
    weights: Sequence[WeightChange],
    canary_scaling: Sequence[ReplicaSetScaled],
) -> Rollback | None:
    """Say how the canary went back to stable, or None when it was not aborted."""
    if not ending.aborted:
        return None
    decided_at = deciding.finished_at if deciding and deciding.finished_at else ending.decided_at
    before, zero_at = 0, None
    for change in weights:
        if change.weight:
            before, zero_at = change.weight, None
        elif before:
            zero_at = zero_at or change.at
    gone = [scaled.at for scaled in canary_scaling if scaled.replicas == 0]
    return Rollback(
        first_evidence_at=min([decided_at, *_bad_measurements(deciding)]),
        decided_at=decided_at,
        weight_before=before,
        weight_zero_at=zero_at,
        canary_scaled_down_at=gone[-1] if gone else None,
    )


def _bad_measurements(run: AnalysisRunRecord | None) -> list[datetime]:
    if run is None:
        return []
    return [
        measurement.started_at
        for metric in run.metrics_in(run.phase)
        for measurement in metric.measurements
        if measurement.phase != "Successful"
    ]


def _state(index: int, times: StepTimes | None, ending: Ending) -> StepState:
    if times is None:
        promoted = ending.outcome is Outcome.PROMOTED
        return StepState.SKIPPED if promoted else StepState.NOT_REACHED
    if times.finished_at is not None:
        return StepState.COMPLETED
    if ending.aborted_at_step == index or ending.aborted:
        return StepState.ABORTED
    return _UNFINISHED_STATES.get(ending.outcome, StepState.UNFINISHED)


def _weight_in(
    step: Step, state: StepState, until: datetime, weights: Sequence[WeightChange]
) -> int:
    """Return the canary's weight at the end of a step, before what its end brought about."""
    sets_weight = step.kind == "setWeight"
    reached = [
        change.weight
        for change in weights
        if change.at < until or (sets_weight and change.at == until)
    ]
    if state is StepState.ABORTED:
        reached = [weight for weight in reached if weight]
    return reached[-1] if reached else 0
