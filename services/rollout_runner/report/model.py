"""The report of one run as values: what every renderer reads.

Nothing here is computed from a clock, and nothing is guessed: what a log does not say is None, an
empty text, or the outcome `interrupted`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rollout_runner.events import MetricPlan, Revision
from rollout_runner.report.readings import Comparison, comparison_of
from rollout_runner.report.traffic import Counts, Traffic


class Outcome(StrEnum):
    """How the run ended; `interrupted` when its log stops before the end."""

    PROMOTED = "promoted"
    ABORTED = "aborted"
    PAUSED = "paused"
    DEGRADED = "degraded"
    INTERRUPTED = "interrupted"


class StepState(StrEnum):
    """How far a step came."""

    COMPLETED = "completed"
    ABORTED = "aborted"
    PAUSED = "paused"
    UNFINISHED = "unfinished"
    SKIPPED = "skipped"
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMeta:
    """What was rolled out, under which rules."""

    rollout: str
    namespace: str
    strategy: str
    replicas: int
    stable: Revision
    canary: Revision
    manifests: str
    argo_version: str
    speed: float
    seed: int | None
    scenario: str
    description: str
    traffic: str
    gatelab_version: str

    def role(self, hash_: str) -> str:
        """Return `canary`, `stable` or `unknown` for a pod-template hash."""
        if hash_ == self.canary.hash:
            return "canary"
        return "stable" if hash_ == self.stable.hash else "unknown"

    def version(self, hash_: str) -> str:
        """Return the version of a pod-template hash, or the hash itself when it is unknown."""
        for revision in (self.canary, self.stable):
            if hash_ == revision.hash:
                return revision.version
        return hash_


@dataclass(slots=True, kw_only=True)
class StepTimes:
    """When a step began and ended, while the log is still being read."""

    started_at: datetime
    finished_at: datetime | None = None
    analysis_run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step; `weight` is the canary's at its end, `canary` and `stable` what they served in it.

    The counts are None for a step that never started, and where the load generator said nothing.
    """

    index: int
    kind: str
    text: str
    state: StepState
    started_at: datetime | None = None
    finished_at: datetime | None = None
    analysis_run: str = ""
    weight: int | None = None
    canary: Counts | None = None
    stable: Counts | None = None

    @property
    def duration_seconds(self) -> float | None:
        """Virtual seconds from start to end, or None when one of them is missing."""
        return _seconds(self.started_at, self.finished_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRecord:
    """One measurement; `reading` is what the condition looked at in `value`, if that is known."""

    number: int
    phase: str
    value: str
    message: str
    started_at: datetime
    finished_at: datetime
    reading: float | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRecord:
    """One metric of an AnalysisRun with its counts, as Argo counts them."""

    plan: MetricPlan
    phase: str
    message: str
    successful: int
    failed: int
    inconclusive: int
    error: int
    measurements: tuple[MeasurementRecord, ...]

    @property
    def count(self) -> int:
        """Measurements without an Error: Argo's `count`."""
        return self.successful + self.failed + self.inconclusive

    @property
    def condition(self) -> str:
        """The condition to show beside a value: success first, as Argo asks for it first."""
        return self.plan.success_condition or self.plan.failure_condition

    @property
    def comparison(self) -> Comparison | None:
        """What that condition compares, if it is a plain comparison."""
        return comparison_of(self.condition)

    @property
    def checks(self) -> str:
        """Successful measurements of the planned ones: `3/3`; of the taken ones without a plan."""
        taken = self.count + self.error
        return f"{self.successful}/{self.plan.count or taken}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRunRecord:
    """One AnalysisRun; `kind` is Step, Background, PrePromotion or PostPromotion."""

    name: str
    kind: str
    templates: tuple[str, ...]
    index: int | None
    args: Mapping[str, str]
    phase: str
    message: str
    started_at: datetime
    finished_at: datetime | None
    metrics: tuple[MetricRecord, ...]

    @property
    def template(self) -> str:
        """Names of its templates, joined by commas."""
        return ",".join(self.templates)

    @property
    def duration_seconds(self) -> float | None:
        """Virtual seconds that it took, or None while it has no end."""
        return _seconds(self.started_at, self.finished_at)

    def metrics_in(self, *phases: str) -> tuple[MetricRecord, ...]:
        """Return the metrics that count (no dry run) and ended in one of the phases."""
        return tuple(m for m in self.metrics if m.phase in phases and not m.plan.dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightChange:
    """From `at` on the canary gets `weight` percent."""

    at: datetime
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One row of the timeline; `subject` is who did or felt it (Step, Weight, Analysis, …)."""

    at: datetime
    subject: str
    event: str
    detail: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LostProcess:
    """A program of the bench that ended though nobody wanted it to."""

    at: datetime
    name: str
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """How an aborted canary went back to stable.

    Attributes:
        first_evidence_at: start of the first bad measurement of the failed metrics, or the
            decision where a person decided.
        decided_at: when the rollout was aborted.
        weight_before: the canary's weight at the decision.
        weight_zero_at: when the canary's weight was 0 again; None if the log does not show it.
        canary_scaled_down_at: when the canary's ReplicaSet was told to have no replicas.
    """

    first_evidence_at: datetime
    decided_at: datetime
    weight_before: int
    weight_zero_at: datetime | None
    canary_scaled_down_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """Time to rollback: from the first evidence to a canary weight of 0."""
        return _seconds(self.first_evidence_at, self.weight_zero_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One run, ready to be rendered.

    `deciding_run` is the AnalysisRun that stopped the rollout, if one did; `rollback` is there
    when the canary was aborted.
    """

    meta: RunMeta
    outcome: Outcome
    phase: str
    message: str
    aborted_at_step: int | None
    started_at: datetime
    finished_at: datetime | None
    last_event_at: datetime
    steps: tuple[StepRecord, ...]
    analysis_runs: tuple[AnalysisRunRecord, ...]
    weights: tuple[WeightChange, ...]
    traffic: Traffic
    timeline: tuple[TimelineEntry, ...]
    controller_events: tuple[TimelineEntry, ...]
    deciding_run: AnalysisRunRecord | None
    rollback: Rollback | None
    warnings: tuple[str, ...]
    lost_processes: tuple[LostProcess, ...]

    @property
    def duration_seconds(self) -> float:
        """Virtual seconds from the start to the end, or to the last event of a broken log."""
        return ((self.finished_at or self.last_event_at) - self.started_at).total_seconds()

    @property
    def deciding_metrics(self) -> tuple[MetricRecord, ...]:
        """The metrics for which the deciding AnalysisRun ended as it did."""
        run = self.deciding_run
        return run.metrics_in(run.phase) if run else ()

    @property
    def current_step(self) -> StepRecord | None:
        """The step at which the run stands or stopped."""
        if self.aborted_at_step is not None:
            return next((s for s in self.steps if s.index == self.aborted_at_step), None)
        started = [s for s in self.steps if s.started_at is not None]
        return started[-1] if started else None

    def served(self, hash_: str) -> Counts | None:
        """Return the requests that a version served in the whole run, None if never observed."""
        return self.traffic.totals.get(hash_)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start is not None and end is not None else None
