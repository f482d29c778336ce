"""The judge of errors at one look: a comparison with stable, and a guard against a threshold.

Both look at the same pair and decide alone. A regression below the threshold fails the comparison;
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

It is made for one look. Looking again and again at overlapping windows gives every look its own
chance of a false alarm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.domain.explain import explain
from analyzer.domain.fisher import p_value_greater
from analyzer.domain.intervals import newcombe, wilson
from analyzer.domain.model import MetricVerdict, RunVerdict
from analyzer.domain.verdict import ReasonCode, Verdict

if TYPE_CHECKING:
    from fractions import Fraction

    from analyzer.domain.model import ArmCounts, MetricPair
    from analyzer.domain.policy import Policy

COMPARISON = "error_rate"
GUARD = "error_rate_threshold"

_VERDICTS = {
    ReasonCode.ERROR_RATE_HIGHER: Verdict.FAIL,
    ReasonCode.OBVIOUS_OUTAGE: Verdict.FAIL,
    ReasonCode.ERROR_RATE_ABOVE_THRESHOLD: Verdict.FAIL,
    ReasonCode.NO_DATA: Verdict.INCONCLUSIVE,
    ReasonCode.NO_BASELINE: Verdict.INCONCLUSIVE,
    ReasonCode.NOT_ENOUGH_SAMPLES: Verdict.INCONCLUSIVE,
    ReasonCode.MARGIN_NOT_EXCLUDED: Verdict.INCONCLUSIVE,
    ReasonCode.NO_DIFFERENCE: Verdict.PASS,
    ReasonCode.IMMATERIAL_DIFFERENCE: Verdict.PASS,
    ReasonCode.ERROR_RATE_BELOW_THRESHOLD: Verdict.PASS,
}


def judge(pair: MetricPair, policy: Policy) -> RunVerdict:
    """Return the verdict on one pair of arms; never raises, whatever the counts."""
    return RunVerdict(metrics=(compare(pair, policy), guard(pair, policy)))


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


def _is_outage(
    canary: ArmCounts, canary_rate: Fraction, stable_rate: Fraction, policy: Policy
) -> bool:
    return canary.bad >= policy.outage_bad and canary_rate > policy.outage_ratio * stable_rate
