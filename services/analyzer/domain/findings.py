"""What a run comes to, for people and programs: one finding a metric, with its sentence.

Numbers of a finding are as of the last window and describe; the verdict is the judge's alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyzer.domain import forecast, run, scme
from analyzer.domain.latency import OVER_FLOOR, PREFIX
from analyzer.domain.model import ArmCounts, Totals
from analyzer.domain.observation import ERRORS
from analyzer.domain.progress import RANKS
from analyzer.domain.verdict import ReasonCode, Verdict
from svckit.durations import short_duration

if TYPE_CHECKING:
    from analyzer.domain.progress import Progress
    from analyzer.domain.sequential import Evidence

LEVEL = 0.05
"""Of the confidence sequences: they hold at all looks together with 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricFinding:
    """One metric of a run.

    Attributes:
        name, verdict, reason_code, reason: what it comes to, and why.
        required: whether a pass of the run waits for it.
        canary, stable: requests in the windows that counted, and bad ones.
        limit_ms: latency beyond which a request is bad; None for other metrics.
        effect, interval: difference of the shares in percentage points, and its time-uniform 95 %
            interval at stable's share; None before both arms had requests.
        odds_ratio, odds_interval: the same as odds; an end may be 0 or infinite.
        evidence, threshold: log evidence of harm of the mixture, and where it fails by itself.
        pass_evidence, pass_threshold: highest log evidence for a pass so far, and where it passes.
        bad_boundary: bad requests of the canary from which exact spending fails at this look.
        outlook: how long verdicts will take at this traffic.
    """

    name: str
    verdict: Verdict
    reason_code: ReasonCode
    reason: str
    required: bool
    canary: ArmCounts
    stable: ArmCounts
    limit_ms: float | None = None
    effect: float | None = None
    interval: tuple[float, float] | None = None
    odds_ratio: float | None = None
    odds_interval: tuple[float, float] | None = None
    evidence: float = 0.0
    threshold: float = 0.0
    pass_evidence: float | None = None
    pass_threshold: float | None = None
    bad_boundary: int | None = None
    outlook: forecast.Outlook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A run as of its last window."""

    verdict: Verdict
    reason_code: ReasonCode
    reason: str
    metrics: tuple[MetricFinding, ...]
    failed_at: float | None
    passed_at: float | None


def finding(progress: Progress, *, now: float | None = None) -> Finding:
    """Return what a run comes to; with `now`, a run whose last window is too old does not pass."""
    state = progress.state
    judged = run.judge(state, now=now)
    metrics = tuple(_metric(progress, name, judged, now) for name in state.plan.weights)
    deciding = next((one for one in metrics if one.name == judged.metric), None)
    if progress.observed == 0:
        reason = "no window has closed yet"
    elif deciding is not None:
        reason = deciding.reason
    else:
        first, *others = [one for one in metrics if one.required]
        reason = first.reason + (f"; the same of {len(others)} more metrics" if others else "")
    return Finding(
        verdict=judged.verdict,
        reason_code=judged.reason_code,
        reason=reason,
        metrics=metrics,
        failed_at=state.failed_at,
        passed_at=state.passed_at,
    )


def _metric(
    progress: Progress, name: str, judged: run.RunFinding, now: float | None
) -> MetricFinding:
    state = progress.state
    evidence = state.evidence.get(name)
    failed = state.failed_by == name and state.failed_code is not None
    required = name not in state.plan.harm_only and name not in state.ranks
    if failed and state.failed_code is not None:
        verdict, code = Verdict.FAIL, state.failed_code
    elif evidence is not None:
        reserved = run.reservation(state, name, now=now)
        verdict = Verdict.PASS if reserved is None else Verdict.INCONCLUSIVE
        code = reserved or ReasonCode.NO_DIFFERENCE
    elif name in state.ranks:
        verdict, code = Verdict.INCONCLUSIVE, ReasonCode.MARGIN_NOT_EXCLUDED
    else:
        verdict = Verdict.INCONCLUSIVE
        absent = judged.metric == name and judged.verdict is Verdict.INCONCLUSIVE
        code = judged.reason_code if absent else ReasonCode.NOT_ENOUGH_SAMPLES
    canary, stable = _arms(progress, name, evidence)
    reason = sentence(progress, name, code, canary, stable, now=now)
    if evidence is None:
        ranks = state.ranks.get(name)
        return MetricFinding(
            name=name,
            verdict=verdict,
            reason_code=code,
            reason=reason,
            required=required,
            canary=canary,
            stable=stable,
            evidence=0.0 if ranks is None else ranks.log_e,
            threshold=-math.log(state.plan.rules.alpha_fail * state.plan.share(name)),
        )
    outlook = forecast.outlook(evidence, elapsed_s=evidence.windows * progress.setup.interval_s)
    numbers = _comparison(evidence, canary, stable)
    look = evidence.look
    return MetricFinding(
        name=name,
        verdict=verdict,
        reason_code=code,
        reason=reason,
        required=required,
        canary=canary,
        stable=stable,
        limit_ms=_limit_ms(progress, name),
        effect=numbers[0],
        interval=numbers[1],
        odds_ratio=numbers[2],
        odds_interval=numbers[3],
        evidence=evidence.harm,
        threshold=evidence.rules.mixture_cap,
        pass_evidence=evidence.highest_pass if math.isfinite(evidence.highest_pass) else None,
        pass_threshold=-math.log(evidence.rules.alpha_pass),
        bad_boundary=look.boundary if look is not None and look.number else None,
        outlook=outlook,
    )


def _comparison(
    evidence: Evidence, canary: ArmCounts, stable: ArmCounts
) -> tuple[float | None, tuple[float, float] | None, float | None, tuple[float, float] | None]:
    """Return effect and interval in percentage points, then as odds ratios."""
    if not canary.count or not stable.count:
        return None, None, None, None
    share_canary, share_stable = canary.bad / canary.count, stable.bad / stable.count
    odds = (
        (canary.bad + 0.5)
        * (stable.count - stable.bad + 0.5)
        / ((canary.count - canary.bad + 0.5) * (stable.bad + 0.5))
    )
    betas = scme.nodes(evidence.rules.fail_margin, evidence.rules.pass_margin)
    low, high = (math.exp(one) for one in scme.confidence(evidence.curve, betas, alpha=LEVEL))
    # Half a request: at a share of exactly 0 every ratio would be a difference of 0.
    base = (stable.bad + 0.5) / (stable.count + 1)
    interval = tuple(100 * (_shifted(base, ratio) - base) for ratio in (low, high))
    effect = 100 * (share_canary - share_stable)
    return effect, (interval[0], interval[1]), odds, (low, high)


def _shifted(share: float, odds_ratio: float) -> float:
    """Return the share whose odds are this many times those of another."""
    if math.isinf(odds_ratio):
        return 1.0
    return odds_ratio * share / (1 - share + odds_ratio * share)


def _arms(progress: Progress, name: str, evidence: Evidence | None) -> tuple[ArmCounts, ArmCounts]:
    presence = progress.state.presence[name]
    if evidence is not None and evidence.windows:
        totals = evidence.totals
        return (
            Totals(count=totals[0], bad=totals[1]),
            Totals(count=totals[2], bad=totals[3]),
        )
    bad = presence.counted_bad if presence.counted == presence.canary_requests else 0
    return (
        Totals(count=presence.canary_requests, bad=bad),
        Totals(count=presence.stable_requests, bad=0),
    )


def _limit_ms(progress: Progress, name: str) -> float | None:
    if progress.thresholds is None:
        return None
    return next((one.ms for one in progress.thresholds.limits if one.name == name), None)


def sentence(  # noqa: C901, PLR0911, PLR0912 - one sentence a code
    progress: Progress,
    name: str,
    code: ReasonCode,
    canary: ArmCounts,
    stable: ArmCounts,
    *,
    now: float | None = None,
) -> str:
    """Return one sentence without a full stop, for a code of a run.

    Raises:
        ValueError: the code belongs to single looks; see `analyzer.domain.explain`.
    """
    plan, state = progress.state.plan, progress.state
    presence = state.presence[name]
    event = _event(progress, name)
    rates = f"canary {_rate(canary)}, stable {_rate(stable)}"
    match code:
        case ReasonCode.ERROR_RATE_HIGHER:
            return f"the canary's error rate is higher than stable's: {rates}"
        case ReasonCode.LATENCY_HIGHER if name == RANKS:
            return "the canary's requests are slower than stable's all together"
        case ReasonCode.LATENCY_HIGHER:
            return f"the canary has more {event} than stable: {rates}"
        case ReasonCode.ERROR_RATE_ABOVE_THRESHOLD:
            return (
                f"the canary's error rate is above the limit of {_percent(plan.limits[name])}:"
                f" canary {_share(presence.counted_bad, presence.counted)}"
            )
        case ReasonCode.NO_DATA_TOO_LONG:
            allowed = short_duration(plan.no_data_fail_after_s or 0.0)
            return f"no requests of the canary for {allowed} or longer"
        case ReasonCode.NO_DATA:
            return "no requests of the canary so far"
        case ReasonCode.STALE:
            since = short_duration(max(0.0, math.floor((now or 0.0) - presence.last_end)))
            return f"the last window ended {since} ago"
        case ReasonCode.CANARY_SILENT:
            return f"no requests of the canary in the last {presence.silent_canary} windows"
        case ReasonCode.BASELINE_SILENT:
            return f"no requests of stable in the last {presence.silent_stable} windows"
        case ReasonCode.NO_BASELINE:
            return "no requests of stable so far, so there is nothing to compare the canary with"
        case ReasonCode.ALL_TRAFFIC:
            return "the canary has all of the traffic, so there is nothing to compare it with"
        case ReasonCode.WARMING_UP:
            return (
                f"the canary is warming up, its first {short_duration(plan.warmup_s)} do not count"
            )
        case ReasonCode.CANARY_RESTARTED:
            return (
                "the canary came back from a silence and warms up again for"
                f" {short_duration(plan.warmup_s)}"
            )
        case ReasonCode.NOT_ENOUGH_SAMPLES:
            return (
                f"not enough requests or windows for a pass: {canary.count} of"
                f" {plan.minimum_requests} requests of the canary,"
                f" {_windows(state, name)} of {plan.minimum_windows} windows"
            )
        case ReasonCode.TOO_EARLY:
            return f"a pass takes at least {short_duration(plan.minimum_duration_s)}"
        case ReasonCode.TRAFFIC_SPLIT:
            share = canary.count / max(1, canary.count + stable.count)
            return (
                f"the canary gets {_percent(share)} of the traffic, planned are"
                f" {_percent(plan.planned_weight or 0.0)}"
            )
        case ReasonCode.BOTH_DEGRADED:
            return (
                "stable itself is worse than before the rollout, so a comparison tells little:"
                f" {rates}"
            )
        case ReasonCode.BUDGET_BURNING:
            return f"the canary spends its error budget too fast: canary {_rate(canary)}"
        case ReasonCode.THRESHOLD_NOT_CLEARED:
            return (
                f"the canary's error rate is not below the limit of {_percent(plan.limits[name])}:"
                f" canary {_share(presence.counted_bad, presence.counted)}"
            )
        case ReasonCode.MARGIN_NOT_EXCLUDED if name == RANKS:
            return "the canary's requests are not slower than stable's all together"
        case ReasonCode.MARGIN_NOT_EXCLUDED:
            return f"{event}: {_margin(state, name)} more are not excluded yet: {rates}"
        case ReasonCode.NO_DIFFERENCE:
            return f"{event}: {_margin(state, name)} more are excluded: {rates}"
        case _:
            raise ValueError(f"{code} is no outcome of a run")


def _event(progress: Progress, name: str) -> str:
    limit = _limit_ms(progress, name)
    if limit is None:
        return "failed requests" if name == ERRORS else "slow requests"
    if name == OVER_FLOOR:
        return f"requests of more than {limit:.3g} ms"
    return f"requests of more than {limit:.3g} ms (p{name.removeprefix(PREFIX)})"


def _margin(state: run.RunState, name: str) -> str:
    rules = state.evidence[name].rules
    return f"{rules.pass_odds:g} times and {100 * rules.pass_difference:g} points"


def _windows(state: run.RunState, name: str) -> int:
    evidence = state.evidence.get(name)
    return 0 if evidence is None else evidence.windows


def _rate(arm: ArmCounts) -> str:
    return _share(arm.bad, arm.count)


def _share(bad: int, count: int) -> str:
    return f"{_percent(bad / count)} ({bad} of {count})" if count else "without requests"


def _percent(share: float) -> str:
    return f"{100 * share:.4f}".rstrip("0").rstrip(".") + " %"
