"""Reason codes as sentences for the person who reads the AnalysisRun."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.domain.verdict import ReasonCode

if TYPE_CHECKING:
    from fractions import Fraction

    from analyzer.domain.model import ArmCounts
    from analyzer.domain.policy import Policy


def explain(  # noqa: C901, PLR0911 - one sentence a code
    code: ReasonCode,
    *,
    canary: ArmCounts,
    stable: ArmCounts,
    policy: Policy,
    needed: int,
    p_value: float = 1.0,
    upper: float = 0.0,
) -> str:
    """Return one sentence without a full stop.

    Args:
        code: what to say.
        canary: counts of the canary.
        stable: counts of stable.
        policy: the limits that were applied.
        needed: requests that the metric needs of each arm it looks at.
        p_value: of the comparison, where there was one.
        upper: largest difference that is not excluded, percentage points.

    Raises:
        ValueError: the code belongs to runs; see `analyzer.domain.findings`.
    """
    rates = f"canary {_arm(canary)}, stable {_arm(stable)}"
    match code:
        case ReasonCode.ERROR_RATE_HIGHER:
            return (
                f"the canary's error rate is higher than stable's: {rates} "
                f"(p = {p_value:.2g}, alpha {policy.alpha:g})"
            )
        case ReasonCode.OBVIOUS_OUTAGE:
            return (
                f"the canary fails far more often than stable: {rates} "
                f"(p = {p_value:.2g}, alpha {policy.alpha:g})"
            )
        case ReasonCode.ERROR_RATE_ABOVE_THRESHOLD:
            return (
                f"the canary's error rate of {_arm(canary)} is not below the threshold of "
                f"{_percent(policy.error_threshold)}"
            )
        case ReasonCode.ERROR_RATE_BELOW_THRESHOLD:
            return (
                f"the canary's error rate of {_arm(canary)} is below the threshold of "
                f"{_percent(policy.error_threshold)}"
            )
        case ReasonCode.NO_DATA:
            return "no requests of the canary in the window"
        case ReasonCode.NO_BASELINE:
            return (
                "no requests of stable in the window to compare the canary with: "
                f"canary {_arm(canary)}"
            )
        case ReasonCode.NOT_ENOUGH_SAMPLES:
            return (
                f"not enough requests, {needed} are needed: canary {_arm(canary)}"
                if canary.count < needed
                else f"not enough requests, {needed} are needed: stable {_arm(stable)}"
            )
        case ReasonCode.MARGIN_NOT_EXCLUDED:
            return (
                f"no difference shown, but up to {upper:.2g} points more errors are not excluded "
                f"(margin {_number(policy.margin)}): {rates}"
            )
        case ReasonCode.NO_DIFFERENCE:
            return (
                f"no difference between the arms: {rates}; at most {upper:.2g} points more errors "
                f"(margin {_number(policy.margin)})"
            )
        case ReasonCode.IMMATERIAL_DIFFERENCE:
            return (
                f"the canary's error rate is higher by less than {_number(policy.minimum_effect)} "
                f"points: {rates}"
            )
        case _:
            raise ValueError(f"{code} is no outcome of one look")


def explain_latency(
    code: ReasonCode,
    *,
    canary: ArmCounts,
    stable: ArmCounts,
    policy: Policy,
    limit_ms: float,
    p_value: float,
    upper: float,
) -> str:
    """Return one sentence about requests beyond a latency, without a full stop.

    Raises:
        ValueError: the code is no outcome of the latency of one look.
    """
    rates = f"canary {_arm(canary)}, stable {_arm(stable)}"
    beyond = f"take longer than {limit_ms:.3g} ms"
    margin = _number(policy.latency_margin)
    match code:
        case ReasonCode.LATENCY_HIGHER:
            return (
                f"more of the canary's requests than of stable's {beyond}: {rates} "
                f"(p = {p_value:.2g}, alpha {policy.alpha:g})"
            )
        case ReasonCode.NO_DATA:
            return "no latencies of the canary in the window"
        case ReasonCode.NO_BASELINE:
            return "no latencies of stable in the window to compare the canary's with"
        case ReasonCode.NOT_ENOUGH_SAMPLES:
            return (
                "not enough requests to compare latencies,"
                f" {policy.minimum_samples} of each arm are needed:"
                f" {canary.count} and {stable.count}"
            )
        case ReasonCode.MARGIN_NOT_EXCLUDED:
            return (
                f"no slower, but up to {upper:.2g} points more requests that {beyond} are not"
                f" excluded (margin {margin}): {rates}"
            )
        case ReasonCode.NO_DIFFERENCE:
            return (
                f"no slower: at most {upper:.2g} points more requests {beyond} (margin {margin}):"
                f" {rates}"
            )
        case _:
            raise ValueError(f"{code} is no outcome of the latency of one look")


def _arm(arm: ArmCounts) -> str:
    rate = arm.error_rate
    return (
        f"{_percent(rate)} ({arm.bad} of {arm.count})" if rate is not None else "without requests"
    )


def _percent(value: Fraction) -> str:
    return f"{_number(value)} %"


def _number(value: Fraction) -> str:
    return f"{float(value):.4f}".rstrip("0").rstrip(".")
