"""The judge at one look: errors against stable and against a threshold, latencies against stable.

Each decides alone. A regression below the threshold fails the comparison;
an outage that hits both arms fails the guard while the comparison finds no difference.

    comparison   empty arm ............................. inconclusive
                 worse (p and effect), enough samples ... fail
                 obvious outage ........................ fail, with any number of samples
                 too few samples ....................... inconclusive
                 margin excluded ....................... pass
                 else .................................. inconclusive

    guard        no requests, or too few ............... inconclusive
                 rate >= threshold ..................... fail
                 else .................................. pass

    refused      as the comparison, of HTTP 4xx; only where there are any

    latency      empty arm ............................. inconclusive
                 more requests beyond a threshold than
                 stable (p, effect and odds) ........... fail
                 too few samples ....................... inconclusive
                 margin excluded at p50, p90 and p99 ... pass
                 else .................................. inconclusive

Latency thresholds are quantiles of all requests of the window together, so given these latencies
the split of the slow ones over equal arms is exactly Fisher's; the level is split over thresholds.

It is made for one look. Looking again and again at overlapping windows gives every look its own
chance of a false alarm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from analyzer.domain.explain import explain, explain_latency
from analyzer.domain.fisher import p_value_greater
from analyzer.domain.intervals import newcombe, wilson
from analyzer.domain.latency import QUANTILES, limits_above_floor, name_of
from analyzer.domain.model import ArmCounts, MetricVerdict, RunVerdict
from analyzer.domain.observation import LATENCY
from analyzer.domain.verdict import ReasonCode, Verdict

if TYPE_CHECKING:
    from fractions import Fraction

    from analyzer.domain.latency import Limit
    from analyzer.domain.model import MetricPair
    from analyzer.domain.observation import LatencyArms
    from analyzer.domain.policy import Policy

COMPARISON = "error_rate"
GUARD = "error_rate_threshold"
REFUSED = "client_error_rate"
_WAITED = frozenset(map(name_of, (0.5, 0.9, 0.99)))

_VERDICTS = {
    ReasonCode.ERROR_RATE_HIGHER: Verdict.FAIL,
    ReasonCode.OBVIOUS_OUTAGE: Verdict.FAIL,
    ReasonCode.ERROR_RATE_ABOVE_THRESHOLD: Verdict.FAIL,
    ReasonCode.LATENCY_HIGHER: Verdict.FAIL,
    ReasonCode.NO_DATA: Verdict.INCONCLUSIVE,
    ReasonCode.NO_BASELINE: Verdict.INCONCLUSIVE,
    ReasonCode.NOT_ENOUGH_SAMPLES: Verdict.INCONCLUSIVE,
    ReasonCode.MARGIN_NOT_EXCLUDED: Verdict.INCONCLUSIVE,
    ReasonCode.NO_DIFFERENCE: Verdict.PASS,
    ReasonCode.IMMATERIAL_DIFFERENCE: Verdict.PASS,
    ReasonCode.ERROR_RATE_BELOW_THRESHOLD: Verdict.PASS,
}


def judge(
    pair: MetricPair | None,
    policy: Policy,
    *,
    refused: MetricPair | None = None,
    latency: LatencyArms | None = None,
) -> RunVerdict:
    """Return the verdict on one pair of arms, on refused requests, on latencies; never raises."""
    metrics = [] if pair is None else [compare(pair, policy), guard(pair, policy)]
    if refused is not None:
        found = compare(refused, policy)
        metrics.append(replace(found, name=REFUSED, reason=f"HTTP 4xx: {found.reason}"))
    if latency is not None:
        metrics.append(compare_latency(latency, policy))
    return RunVerdict(metrics=tuple(metrics))


def compare(pair: MetricPair, policy: Policy) -> MetricVerdict:
    """Judge the canary against stable: Fisher's exact test to fail, a margin to pass."""
    canary, stable = pair.canary, pair.stable
    canary_rate, stable_rate = canary.error_rate, stable.error_rate
    effect = interval = p_value = None
    if canary_rate is None:
        code = ReasonCode.NO_DATA
    elif stable_rate is None:
        code = ReasonCode.NO_BASELINE
    else:
        p_value = p_value_greater(canary, stable)
        low, high = newcombe(canary, stable, confidence=policy.interval_confidence)
        interval = (100 * low, 100 * high)
        effect = canary_rate - stable_rate
        significant = p_value <= policy.alpha
        enough = min(canary.count, stable.count) >= policy.minimum_samples
        if significant and effect >= policy.minimum_effect and enough:
            code = ReasonCode.ERROR_RATE_HIGHER
        elif significant and _is_outage(canary, canary_rate, stable_rate, policy):
            code = ReasonCode.OBVIOUS_OUTAGE
        elif not enough:
            code = ReasonCode.NOT_ENOUGH_SAMPLES
        elif interval[1] >= policy.margin:
            code = ReasonCode.MARGIN_NOT_EXCLUDED
        else:
            code = ReasonCode.IMMATERIAL_DIFFERENCE if significant else ReasonCode.NO_DIFFERENCE
    return MetricVerdict(
        name=COMPARISON,
        method="fisher_exact_greater",
        verdict=_VERDICTS[code],
        reason_code=code,
        reason=explain(
            code,
            canary=canary,
            stable=stable,
            policy=policy,
            needed=policy.minimum_samples,
            p_value=1.0 if p_value is None else p_value,
            upper=0.0 if interval is None else interval[1],
        ),
        canary=canary,
        stable=stable,
        effect=None if effect is None else float(effect),
        interval=interval,
        evidence=p_value,
        threshold=policy.alpha,
    )


def guard(pair: MetricPair, policy: Policy) -> MetricVerdict:
    """Judge the canary's error rate against the threshold; a rate equal to it fails."""
    canary, threshold = pair.canary, policy.error_threshold
    rate = canary.error_rate
    effect = interval = None
    if rate is None:
        code = ReasonCode.NO_DATA
    else:
        low, high = wilson(canary, confidence=policy.interval_confidence)
        interval = (100 * low - float(threshold), 100 * high - float(threshold))
        effect = float(rate - threshold)
        if canary.count < policy.threshold_minimum_samples:
            code = ReasonCode.NOT_ENOUGH_SAMPLES
        elif rate >= threshold:
            code = ReasonCode.ERROR_RATE_ABOVE_THRESHOLD
        else:
            code = ReasonCode.ERROR_RATE_BELOW_THRESHOLD
    return MetricVerdict(
        name=GUARD,
        method="absolute_threshold",
        verdict=_VERDICTS[code],
        reason_code=code,
        reason=explain(
            code,
            canary=canary,
            stable=pair.stable,
            policy=policy,
            needed=policy.threshold_minimum_samples,
        ),
        canary=canary,
        stable=pair.stable,
        effect=effect,
        interval=interval,
        evidence=None if rate is None else float(rate),
        threshold=float(threshold),
    )


def compare_latency(arms: LatencyArms, policy: Policy) -> MetricVerdict:
    """Judge the canary's latencies against stable's: Fisher's exact test at every threshold.

    What is told is the threshold that decided: the one with the least p-value, or for a pass the
    one with the widest margin.
    """
    limits = limits_above_floor(
        arms.canary + arms.stable,
        quantiles=QUANTILES,
        floor_ms=policy.latency_floor_ms,
        expected_canary=arms.canary.count,
    )
    found = [_beyond(limit, arms, policy, level=policy.alpha / len(limits)) for limit in limits]
    waited = [one for one in found if one.name in _WAITED] or found
    slower = min(found, key=lambda one: (not one.harmful, one.p_value))
    widest = max(waited, key=lambda one: one.interval[1])
    told = slower if slower.harmful else widest
    if not arms.canary.count:
        code = ReasonCode.NO_DATA
    elif not arms.stable.count:
        code = ReasonCode.NO_BASELINE
    elif min(arms.canary.count, arms.stable.count) < policy.minimum_samples:
        code = ReasonCode.NOT_ENOUGH_SAMPLES
    elif slower.harmful:
        code = ReasonCode.LATENCY_HIGHER
    elif widest.interval[1] >= policy.latency_margin:
        code = ReasonCode.MARGIN_NOT_EXCLUDED
    else:
        code = ReasonCode.NO_DIFFERENCE
    compared = arms.canary.count > 0 and arms.stable.count > 0
    return MetricVerdict(
        name=LATENCY,
        method="fisher_exact_greater_over_thresholds",
        verdict=_VERDICTS[code],
        reason_code=code,
        reason=explain_latency(
            code,
            canary=told.canary,
            stable=told.stable,
            policy=policy,
            limit_ms=told.limit_ms,
            p_value=told.p_value,
            upper=told.interval[1],
        ),
        canary=told.canary,
        stable=told.stable,
        effect=told.effect if compared else None,
        interval=told.interval if compared else None,
        evidence=told.p_value if compared else None,
        threshold=policy.alpha / len(limits),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beyond:
    """Requests beyond one threshold; without an arm nothing is known of it."""

    name: str
    limit_ms: float
    canary: ArmCounts
    stable: ArmCounts
    p_value: float = 1.0
    effect: float = 0.0
    interval: tuple[float, float] = (-100.0, 100.0)
    harmful: bool = False


def _beyond(limit: Limit, arms: LatencyArms, policy: Policy, *, level: float) -> _Beyond:
    canary, stable = (
        ArmCounts(count=one.count, bad=one.over(limit.ms)) for one in (arms.canary, arms.stable)
    )
    canary_share, stable_share = canary.error_rate, stable.error_rate
    if canary_share is None or stable_share is None:
        return _Beyond(name=limit.name, limit_ms=limit.ms, canary=canary, stable=stable)
    p_value = p_value_greater(canary, stable)
    low, high = newcombe(canary, stable, confidence=policy.interval_confidence)
    effect = canary_share - stable_share
    odds = canary.bad * (stable.count - stable.bad)
    odds_of_stable = stable.bad * (canary.count - canary.bad)
    return _Beyond(
        name=limit.name,
        limit_ms=limit.ms,
        canary=canary,
        stable=stable,
        p_value=p_value,
        effect=float(effect),
        interval=(100 * low, 100 * high),
        harmful=p_value <= level
        and effect >= policy.latency_effect
        and odds >= policy.latency_odds * odds_of_stable,
    )


def _is_outage(
    canary: ArmCounts, canary_rate: Fraction, stable_rate: Fraction, policy: Policy
) -> bool:
    return canary.bad >= policy.outage_bad and canary_rate > policy.outage_ratio * stable_rate
