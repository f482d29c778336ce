"""One rollout, judged while it runs: windows in, verdict out, nothing else looked at.

The state is what replaying the accepted windows in their order gives, so a restart, a second look
and a look back give the same verdict, and a window that is sent twice counts once.

    fail          evidence of harm at the level of the whole rollout, in any metric; final
    pass          every metric excludes the margin, long enough, with enough requests, and the
                  canary got the traffic that it was given
    inconclusive  anything else: no data is never a pass
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from analyzer.domain import dispersion, sequential, traffic_split
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.sequential import Evidence, Rules
from analyzer.domain.verdict import ReasonCode, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable


class Admission(StrEnum):
    """What becomes of a window."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    OVERLAPS = "overlaps an accepted window"
    LATE = "lies before the last accepted window"
    OPEN = "has not ended yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRecord:
    """Both arms' requests, and how many were bad in the sense of the metric, in a closed window."""

    window: Window
    metric: str
    canary: ArmCounts
    stable: ArmCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What is known before the first window.

    Attributes:
        run: name of the rollout's analysis.
        horizon_s, interval_s: planned length, and time between looks.
        weights: metric -> weight; they split the false-alarm level and must be positive.
        history: metric -> (requests, bad ones) of stable in blocks as long as a window.
        rules: the levels and margins of the rollout; `planned` follows from the horizon.
        minimum_windows: windows before a fail that is no obvious outage, and before a pass.
        minimum_requests: requests of the canary before a pass.
        outage_bad, outage_ratio: bad requests and multiple of stable's rate of an obvious outage.
        planned_weight: the canary's share of the traffic, where it is constant; None otherwise.
        split_alpha: level of the alarm about the traffic split.
    """

    run: str
    horizon_s: float
    interval_s: float
    weights: Mapping[str, float]
    history: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    minimum_windows: int = 2
    minimum_requests: int = 100
    outage_bad: int = 10
    outage_ratio: float = 10.0
    planned_weight: float | None = None
    split_alpha: float = 0.001

    def __post_init__(self) -> None:
        if not 0 < self.interval_s <= self.horizon_s:
            raise ValueError(
                f"interval is {self.interval_s} s, expected more than 0 and at most the horizon"
                f" ({self.horizon_s} s)"
            )
        if not self.weights or min(self.weights.values()) <= 0:
            raise ValueError("expected at least one metric, each with a weight above 0")

    @property
    def planned(self) -> int:
        """Windows of the plan."""
        return max(1, round(self.horizon_s / self.interval_s))

    def share(self, metric: str) -> float:
        """Part of the false-alarm level that a metric gets."""
        return self.weights[metric] / math.fsum(self.weights.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """All that was accepted, and what follows from it.

    `failed_at` and `passed_at` are the ends of the windows that decided first.
    """

    plan: RunPlan
    evidence: Mapping[str, Evidence]
    windows: tuple[WindowRecord, ...] = ()
    failed_at: float | None = None
    failed_by: str | None = None
    passed_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinding:
    """The verdict of a run as of now; `metric` is the one that decided, if one did."""

    verdict: Verdict
    reason_code: ReasonCode
    metric: str | None
    failed_at: float | None
    passed_at: float | None


def begin(plan: RunPlan) -> RunState:
    """Return the state before any window."""
    evidence = {}
    for metric in plan.weights:
        share = plan.share(metric)
        rules = replace(plan.rules, alpha_fail=plan.rules.alpha_fail * share, planned=plan.planned)
        learned = dispersion.learn(plan.history.get(metric, ()))
        evidence[metric] = sequential.start(rules, learned)
    return RunState(plan=plan, evidence=evidence)


def admit(state: RunState, record: WindowRecord, *, now: float) -> Admission:
    """Return what becomes of a window; only ACCEPTED ones change the state.

    Windows of a metric must come in order and must not overlap, or requests would count twice.
    """
    if record.window.end > now:
        return Admission.OPEN
    if record in state.windows:
        return Admission.DUPLICATE
    for accepted in reversed(state.windows):
        if accepted.metric != record.metric:
            continue
        if record.window.start < accepted.window.end:
            overlaps = record.window.end > accepted.window.start
            return Admission.OVERLAPS if overlaps else Admission.LATE
        break
    return Admission.ACCEPTED


def advance(
    state: RunState, records: Iterable[WindowRecord], *, now: float
) -> tuple[RunState, list[Admission]]:
    """Return the state after the windows, and what became of each of them.

    Raises:
        KeyError: a window is of a metric that the plan does not have.
    """
    admissions = []
    for record in records:
        admission = admit(state, record, now=now)
        admissions.append(admission)
        if admission is Admission.ACCEPTED:
            state = _accept(state, record)
    return state, admissions


def replay(plan: RunPlan, records: Iterable[WindowRecord], *, now: float) -> RunState:
    """Return the state that these windows lead to, from the beginning."""
    return advance(begin(plan), records, now=now)[0]


def judge(state: RunState) -> RunFinding:
    """Return the verdict as of the last window; never raises."""
    if state.failed_at is not None:
        verdict, code, metric = Verdict.FAIL, ReasonCode.ERROR_RATE_HIGHER, state.failed_by
    else:
        verdict, code, metric = _short_of_failing(state)
    return RunFinding(
        verdict=verdict,
        reason_code=code,
        metric=metric,
        failed_at=state.failed_at,
        passed_at=state.passed_at,
    )


def _accept(state: RunState, record: WindowRecord) -> RunState:
    table = (record.canary.count, record.canary.bad, record.stable.count, record.stable.bad)
    evidence = dict(state.evidence)
    evidence[record.metric] = sequential.advance(evidence[record.metric], table)
    state = replace(state, evidence=evidence, windows=(*state.windows, record))
    if state.failed_at is None:
        blamed = _harmful(state)
        if blamed is not None:
            state = replace(state, failed_at=record.window.end, failed_by=blamed)
    if state.failed_at is None and state.passed_at is None:
        verdict, _, _ = _short_of_failing(state)
        if verdict is Verdict.PASS:
            state = replace(state, passed_at=record.window.end)
    return state


def _harmful(state: RunState) -> str | None:
    """Return the metric that fails the run, if one does."""
    plan = state.plan
    certain = [name for name, one in state.evidence.items() if one.crossed]
    total = -math.inf
    for name, one in state.evidence.items():
        spent = 0.0 if one.dispersion.bursty else one.rules.spending_share
        level = plan.rules.alpha_fail * (1 - spent)
        total = _log_add(total, math.log(plan.share(name)) + one.harm + math.log(level))
    if total >= 0:
        certain.append(max(state.evidence, key=lambda name: state.evidence[name].harm))
    return next((name for name in certain if _material(plan, state.evidence[name])), None)


def _material(plan: RunPlan, one: Evidence) -> bool:
    """Return whether the difference is worth a fail, and more than one window long or an outage."""
    count_canary, bad_canary, count_stable, bad_stable = one.totals
    if not count_canary or not count_stable:
        return False
    canary, stable = bad_canary / count_canary, bad_stable / count_stable
    outage = bad_canary >= plan.outage_bad and canary > plan.outage_ratio * stable
    long_enough = one.windows >= plan.minimum_windows or outage
    return long_enough and canary - stable > one.rules.fail_difference


def _short_of_failing(state: RunState) -> tuple[Verdict, ReasonCode, str | None]:
    plan = state.plan
    for name, one in state.evidence.items():
        if not one.totals[0]:
            return Verdict.INCONCLUSIVE, ReasonCode.NO_DATA, name
        if not one.totals[2]:
            return Verdict.INCONCLUSIVE, ReasonCode.NO_BASELINE, name
        if one.windows < plan.minimum_windows or one.totals[0] < plan.minimum_requests:
            return Verdict.INCONCLUSIVE, ReasonCode.NOT_ENOUGH_SAMPLES, name
        if one.highest_pass < math.log(1 / one.rules.alpha_pass) or _split_is_wrong(plan, one):
            return Verdict.INCONCLUSIVE, ReasonCode.MARGIN_NOT_EXCLUDED, name
    return Verdict.PASS, ReasonCode.NO_DIFFERENCE, None


def _split_is_wrong(plan: RunPlan, one: Evidence) -> bool:
    if plan.planned_weight is None:
        return False
    canary, stable = one.totals[0], one.totals[2]
    found = traffic_split.split_evidence(
        canary,
        canary + stable,
        weight=plan.planned_weight,
        tolerance=traffic_split.default_tolerance(plan.planned_weight),
    )
    return found.either >= math.log(1 / plan.split_alpha)


def _log_add(first: float, second: float) -> float:
    high, low = max(first, second), min(first, second)
    return high if math.isinf(low) else high + math.log1p(math.exp(low - high))
