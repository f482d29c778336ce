"""Every number that a judgement depends on, in one place, with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How much evidence a verdict on errors takes.

    `alpha` and `minimum_effect`: the canary fails when it is worse with p <= alpha *and* by at
    least this many percentage points, so that many requests do not turn a trifle into a rollback.

    `margin` and `pass_alpha`: the canary passes when a difference of `margin` points or more is
    excluded at this level (non-inferiority). Finding nothing is not a pass. With both arms at
    0.5 % and 300/1200 requests a margin of 3 lets 99 % of windows pass, one of 2 only 88 %.

    `minimum_samples` of either arm: at 0.5 % against 5.2 % errors the test finds the regression in
    9 % of windows with 24/96 requests, in 75 % with 120/480 and in 99.9 % with 574/626.

    `threshold_minimum_samples` of the canary: at a true 0.5 % the observed rate reaches 2 % by
    chance in 22 % of windows of 50 requests, 9 % of 100, 0.4 % of 300.

    `outage_bad` and `outage_ratio`: with fewer samples only this many bad requests, at a rate this
    many times stable's, still fail: a dead canary need not serve `minimum_samples` first.

    `latency_floor_ms`: requests below it are never slow. `latency_effect` (points) and
    `latency_odds`: a latency beyond which the canary has more requests than stable fails it only
    with both, because a few milliseconds are always significant with enough requests.
    `latency_margin`: points more slow requests that a pass excludes; with 600 requests an arm 5
    points can be told apart at the median, so twice that is asked.
    """

    alpha: float = 0.01
    minimum_effect: Fraction = Fraction(1)
    margin: Fraction = Fraction(3)
    pass_alpha: float = 0.05
    minimum_samples: int = 100
    error_threshold: Fraction = Fraction(2)
    threshold_minimum_samples: int = 300
    outage_bad: int = 10
    outage_ratio: int = 10
    latency_floor_ms: float = 10.0
    latency_effect: Fraction = Fraction(1)
    latency_odds: float = 1.5
    latency_margin: Fraction = Fraction(10)

    @property
    def interval_confidence(self) -> float:
        """Two-sided level whose upper end is the one-sided bound that a pass needs."""
        return 1 - 2 * self.pass_alpha
