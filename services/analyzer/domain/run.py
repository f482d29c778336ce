"""One rollout, judged while it runs: windows in, verdict out, nothing else looked at.

The state is what replaying the accepted windows in their order gives, so a restart, a second look
and a look back give the same verdict, and a window that is sent twice counts once.

    fail          evidence of harm at the level of the whole rollout, in any metric; final
    pass          every metric excludes the margin, long enough, with enough requests, both arms are
                  there, and the canary got the traffic that it was given
    inconclusive  anything else: no data is never a pass
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from analyzer.domain import common_mode, dispersion, limit, sequential, spending, traffic_split
from analyzer.domain.burn_rate import BurnRule, burn_rate
from analyzer.domain.latency_rank import RankEvidence, Scale
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.observation import LATENCY
from analyzer.domain.presence import Presence
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
    """Both arms' requests, and how many were bad in the sense of the metric, in a closed window.

    `classes`: requests per class of latency of the canary, then of stable, where the metric is one
    of `RunPlan.ranks`; their sums are the counts. `weight`: the canary's share of the traffic that
    was planned for the window, where it is known.
    """

    window: Window
    metric: str
    canary: ArmCounts
    stable: ArmCounts
    classes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    weight: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What is known before the first window.

    Attributes:
        run: name of the rollout's analysis.
        horizon_s, interval_s: planned length, and time between looks.
        weights: metric -> weight; they split the false-alarm level and must be positive.
        history: metric -> (requests, bad ones) of stable in blocks as long as a window.
        rules: the levels and margins of the rollout; `planned` follows from the horizon.
        rules_of: metric -> rules of its own instead.
        warmup_s: how long windows do not count after the canary's first traffic or its return.
        minimum_windows: windows before a fail that is no obvious outage, and before a pass.
        minimum_requests: requests of the canary before a pass.
        minimum_duration_s: time from the first window before a pass.
        outage_bad, outage_ratio: bad requests and multiple of stable's rate of an obvious outage.
        planned_weight: the canary's share of the traffic, where it is constant; None otherwise.
        split_alpha: level of the alarm about the traffic split.
        stale_after: windows of silence of an arm after which nothing passes.
        limits: metric -> largest share of bad requests that the canary may have, whatever stable
            does.
        limit_alpha: chance that a canary within its limit ever fails by it.
        no_data_fail_after_s: silence of the canary that fails the run; None never does.
        hold_alpha: chance that nothing passes for a stable that is as it was in the history.
        burn: metric -> burn rate of the canary at which nothing passes.
        ranks: metric -> classes of latency; such a metric can only fail, by its records' `classes`.
        harm_only: metrics that can fail the run and that a pass does not wait for.
        pending: metrics whose bad events are not defined yet, so nothing of them is judged and
            nothing passes.
    """

    run: str
    horizon_s: float
    interval_s: float
    weights: Mapping[str, float]
    history: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    rules_of: Mapping[str, Rules] = field(default_factory=dict)
    warmup_s: float = 0.0
    minimum_windows: int = 2
    minimum_requests: int = 100
    minimum_duration_s: float = 0.0
    outage_bad: int = 8
    outage_ratio: float = 4.0
    planned_weight: float | None = None
    split_alpha: float = 0.001
    stale_after: int = 3
    limits: Mapping[str, float] = field(default_factory=dict)
    limit_alpha: float = 0.001
    no_data_fail_after_s: float | None = None
    hold_alpha: float = 0.001
    burn: Mapping[str, BurnRule] = field(default_factory=dict)
    ranks: Mapping[str, Scale] = field(default_factory=dict)
    harm_only: frozenset[str] = frozenset()
    pending: frozenset[str] = frozenset()

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

    `failed_at` and `passed_at` are the ends of the windows that decided first. `windows` may be cut
    to the last one of every metric (`without_past`): nothing but telling an old duplicate from a
    late window needs the others. `recent` has what a burn rate looks back on. `weight` is the last
    window's planned one, and `ramped` says whether it has ever been another.
    """

    plan: RunPlan
    evidence: Mapping[str, Evidence]
    presence: Mapping[str, Presence]
    common: Mapping[str, common_mode.CommonMode] = field(default_factory=dict)
    ranks: Mapping[str, RankEvidence] = field(default_factory=dict)
    recent: Mapping[str, tuple[tuple[Window, ArmCounts], ...]] = field(default_factory=dict)
    windows: tuple[WindowRecord, ...] = ()
    weight: float | None = None
    ramped: bool = False
    failed_at: float | None = None
    failed_by: str | None = None
    failed_code: ReasonCode | None = None
    passed_at: float | None = None

    def without_past(self) -> RunState:
        """Return the same state with only the last window of every metric."""
        last = {record.metric: record for record in self.windows}
        return replace(self, windows=tuple(last.values()))


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
    evidence, common = {}, {}
    for metric in plan.weights:
        if metric in plan.ranks or metric in plan.pending:
            continue
        own = plan.rules_of.get(metric, plan.rules)
        history = plan.history.get(metric, ())
        rules = replace(
            own, alpha_fail=plan.rules.alpha_fail * plan.share(metric), planned=plan.planned
        )
        if history:
            bad = sum(bad for _, bad in history) / len(history)
            rules = replace(rules, spending_power=spending.power_for(bad * plan.planned))
        evidence[metric] = sequential.start(rules, dispersion.learn(history))
        before = common_mode.start(history, planned=plan.planned)
        if before is not None:
            common[metric] = before
    return RunState(
        plan=plan,
        evidence=evidence,
        presence=dict.fromkeys(plan.weights, Presence()),
        common=common,
        ranks={metric: RankEvidence.start(scale) for metric, scale in plan.ranks.items()},
    )


def admit(state: RunState, record: WindowRecord, *, now: float) -> Admission:
    """Return what becomes of a window; only ACCEPTED ones change the state.

    Windows of a metric must come in order and must not overlap, or requests would count twice.
    """
    if record.window.end > now:
        return Admission.OPEN
    last = next((one for one in reversed(state.windows) if one.metric == record.metric), None)
    if last is None or record.window.start >= last.window.end:
        return Admission.ACCEPTED
    if record in state.windows:
        return Admission.DUPLICATE
    return Admission.OVERLAPS if record.window.end > last.window.start else Admission.LATE


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


def judge(state: RunState, *, now: float | None = None) -> RunFinding:
    """Return the verdict as of the last window; never raises.

    With `now`, a run whose last window is too old does not pass any more.
    """
    if state.failed_at is not None and state.failed_code is not None:
        verdict, code, metric = Verdict.FAIL, state.failed_code, state.failed_by
    else:
        verdict, code, metric = _short_of_failing(state, now)
    return RunFinding(
        verdict=verdict,
        reason_code=code,
        metric=metric,
        failed_at=state.failed_at,
        passed_at=state.passed_at,
    )


def reservation(state: RunState, metric: str, *, now: float | None = None) -> ReasonCode | None:
    """Return why a metric does not pass, or None when it does; harm is not looked at here."""
    plan, one, presence = state.plan, state.evidence[metric], state.presence[metric]
    code = _absence(state, presence, now) or _too_little(plan, one, presence)
    if code is not None:
        return code
    code = _held(state, metric)
    if code is not None:
        return code
    if one.highest_pass < math.log(1 / one.rules.alpha_pass):
        return ReasonCode.MARGIN_NOT_EXCLUDED
    highest = plan.limits.get(metric)
    if highest is not None and presence.counted_bad >= highest * presence.counted:
        return ReasonCode.THRESHOLD_NOT_CLEARED
    return None


def limit_log_e(state: RunState, metric: str) -> float:
    """Return the log evidence that the canary is above a metric's limit, tempered like others."""
    presence, one = state.presence[metric], state.evidence[metric]
    highest = state.plan.limits[metric]
    return limit.log_e(presence.counted, presence.counted_bad, highest) / one.phi


def _accept(state: RunState, record: WindowRecord) -> RunState:
    plan, metric = state.plan, record.metric
    presence = state.presence[metric].after(
        record.window, record.canary, record.stable, warmup_s=plan.warmup_s
    )
    weight = state.weight if record.weight is None else record.weight
    state = replace(
        state,
        presence={**state.presence, metric: presence},
        windows=(*state.windows, record),
        weight=weight,
        ramped=state.ramped or (state.weight is not None and weight != state.weight),
    )
    state = _with_guards(state, record)
    if presence.judged:
        state = _with_evidence(state, record)
    if state.failed_at is None:
        blamed = _harmful(state) or _beyond_limit(state) or _silent_for_too_long(state)
        if blamed is not None:
            name, code = blamed
            state = replace(state, failed_at=record.window.end, failed_by=name, failed_code=code)
    if state.failed_at is None and state.passed_at is None:
        verdict, _, _ = _short_of_failing(state, None)
        if verdict is Verdict.PASS:
            state = replace(state, passed_at=record.window.end)
    return state


def _with_guards(state: RunState, record: WindowRecord) -> RunState:
    """Return the state after what does not compare the arms: also windows of a warm-up count."""
    metric = record.metric
    if metric in state.common:
        after = state.common[metric].after(record.stable.count, record.stable.bad)
        state = replace(state, common={**state.common, metric: after})
    rule = state.plan.burn.get(metric)
    if rule is not None:
        since = record.window.end - max(rule.long_s, rule.short_s)
        seen = (*state.recent.get(metric, ()), (record.window, record.canary))
        kept = tuple(one for one in seen if one[0].start >= since)
        state = replace(state, recent={**state.recent, metric: kept})
    return state


def _with_evidence(state: RunState, record: WindowRecord) -> RunState:
    metric = record.metric
    if metric in state.plan.pending:
        return state
    if metric in state.ranks:
        if record.classes is None:
            return state
        ranks = state.ranks[metric].after(*record.classes)
        return replace(state, ranks={**state.ranks, metric: ranks})
    table = (record.canary.count, record.canary.bad, record.stable.count, record.stable.bad)
    evidence = sequential.advance(state.evidence[metric], table)
    return replace(state, evidence={**state.evidence, metric: evidence})


def _harmful(state: RunState) -> tuple[str, ReasonCode] | None:
    """Return the metric that fails the run, if one does."""
    plan = state.plan
    certain = [name for name, one in state.evidence.items() if one.crossed]
    total = -math.inf
    for name, one in state.evidence.items():
        spent = 0.0 if one.dispersion.bursty else one.rules.spending_share
        level = plan.rules.alpha_fail * (1 - spent)
        total = _log_add(total, math.log(plan.share(name)) + one.harm + math.log(level))
    for name, ranks in state.ranks.items():
        if ranks.windows >= plan.minimum_windows:
            alone = math.log(plan.share(name)) + ranks.log_e + math.log(plan.rules.alpha_fail)
            if alone >= 0:
                return name, ReasonCode.LATENCY_HIGHER
            total = _log_add(total, alone)
    if total >= 0 and state.evidence:
        certain.append(max(state.evidence, key=lambda name: state.evidence[name].harm))
    for name in certain:
        if _material(plan, state.evidence[name]):
            slower = name.startswith(LATENCY)
            return name, ReasonCode.LATENCY_HIGHER if slower else ReasonCode.ERROR_RATE_HIGHER
    return None


def _beyond_limit(state: RunState) -> tuple[str, ReasonCode] | None:
    for name in state.plan.limits:
        if limit_log_e(state, name) >= math.log(1 / state.plan.limit_alpha):
            return name, ReasonCode.ERROR_RATE_ABOVE_THRESHOLD
    return None


def _silent_for_too_long(state: RunState) -> tuple[str, ReasonCode] | None:
    allowed = state.plan.no_data_fail_after_s
    for name, presence in state.presence.items():
        since = presence.silent_since
        if allowed is not None and since is not None and presence.last_end - since >= allowed:
            return name, ReasonCode.NO_DATA_TOO_LONG
    return None


def _material(plan: RunPlan, one: Evidence) -> bool:
    """Return whether the difference is worth a fail, and more than one window long or an outage."""
    count_canary, bad_canary, count_stable, bad_stable = one.totals
    if not count_canary or not count_stable:
        return False
    canary, stable = bad_canary / count_canary, bad_stable / count_stable
    outage = bad_canary >= plan.outage_bad and canary > plan.outage_ratio * stable
    long_enough = one.windows >= plan.minimum_windows or outage
    return long_enough and canary - stable > one.rules.fail_difference


def _short_of_failing(state: RunState, now: float | None) -> tuple[Verdict, ReasonCode, str | None]:
    for name in state.evidence:
        if name in state.plan.harm_only:
            continue
        code = reservation(state, name, now=now)
        if code is not None:
            return Verdict.INCONCLUSIVE, code, name
    if state.plan.pending:
        name = min(state.plan.pending)
        missing = _absence(state, state.presence[name], now) or ReasonCode.NOT_ENOUGH_SAMPLES
        return Verdict.INCONCLUSIVE, missing, name
    return Verdict.PASS, ReasonCode.NO_DIFFERENCE, None


def _absence(state: RunState, presence: Presence, now: float | None) -> ReasonCode | None:
    """Return which arm is missing, in which way."""
    plan = state.plan
    stale = now is not None and now - presence.last_end > (plan.stale_after + 1) * plan.interval_s
    warming = ReasonCode.CANARY_RESTARTED if presence.restarted else ReasonCode.WARMING_UP
    all_traffic = state.weight is not None and state.weight >= 1 and presence.silent_stable > 0
    found = (
        (not presence.canary_requests, ReasonCode.NO_DATA),
        (stale, ReasonCode.STALE),
        (presence.silent_canary >= plan.stale_after, ReasonCode.CANARY_SILENT),
        (all_traffic, ReasonCode.ALL_TRAFFIC),
        (not presence.stable_requests, ReasonCode.NO_BASELINE),
        (not presence.judged, warming),
        (presence.silent_stable >= plan.stale_after, ReasonCode.BASELINE_SILENT),
    )
    return next((code for missing, code in found if missing), None)


def _too_little(plan: RunPlan, one: Evidence, presence: Presence) -> ReasonCode | None:
    if one.windows < plan.minimum_windows or one.totals[0] < plan.minimum_requests:
        return ReasonCode.NOT_ENOUGH_SAMPLES
    if presence.started is None or presence.last_end - presence.started < plan.minimum_duration_s:
        return ReasonCode.TOO_EARLY
    return None


def _held(state: RunState, metric: str) -> ReasonCode | None:
    """Return which guard keeps a metric from passing."""
    plan = state.plan
    if not state.ramped and _split_is_wrong(plan, state.evidence[metric]):
        return ReasonCode.TRAFFIC_SPLIT
    common = state.common.get(metric)
    level = plan.hold_alpha * plan.share(metric)
    if common is not None and common.log_e >= math.log(1 / level):
        return ReasonCode.BOTH_DEGRADED
    rule = plan.burn.get(metric)
    if rule is not None and burn_rate(state.recent.get(metric, ()), rule).too_fast:
        return ReasonCode.BUDGET_BURNING
    return None


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
    return high if math.isinf(high) else high + math.log1p(math.exp(low - high))
