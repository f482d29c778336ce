"""Confidence intervals for one proportion and for the difference of two.

Closed forms that stay sensible at zero and at all, where Wald's interval collapses to a point.
Sources: E. B. Wilson (1927), JASA 22:209; R. G. Newcombe (1998), Statistics in Medicine 17:873,
method 10 (hybrid score).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.domain.model import ArmCounts


def wilson(arm: ArmCounts, *, confidence: float) -> tuple[float, float]:
    """Return the score interval of the bad proportion, in [0, 1]; the arm must not be empty."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n, p = arm.count, arm.bad / arm.count
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At the ends the exact limits are 0 and 1; rounding must not move them.
    lower = 0.0 if arm.bad == 0 else (centre - half) / scale
    upper = 1.0 if arm.bad == n else (centre + half) / scale
    return lower, upper


def newcombe(canary: ArmCounts, stable: ArmCounts, *, confidence: float) -> tuple[float, float]:
    """Return the interval of canary minus stable proportion; neither arm may be empty."""
    canary_rate, stable_rate = canary.bad / canary.count, stable.bad / stable.count
    canary_low, canary_high = wilson(canary, confidence=confidence)
    stable_low, stable_high = wilson(stable, confidence=confidence)
    difference = canary_rate - stable_rate
    return (
        difference - math.hypot(canary_rate - canary_low, stable_high - stable_rate),
        difference + math.hypot(canary_high - canary_rate, stable_rate - stable_low),
    )
