"""Intervals for quantiles from ranks alone: at one look, and at all looks at once.

Sources: order statistics are binomial; S. Howard and A. Ramdas, Sequential estimation of quantiles
(2022), Bernoulli 28:1704, for the time-uniform ranks by a beta-binomial mixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import bdtr

from analyzer.domain.contenders.boundaries import beta_binomial_mixture


@dataclass(frozen=True, slots=True, kw_only=True)
class RankInterval:
    """Order statistics (counted from 1) that enclose a quantile, and with which probability.

    `lower` of 0 or `upper` of n+1 do not exist: the interval is open on that side.
    """

    lower: int
    upper: int
    count: int
    coverage: float

    @property
    def upper_exists(self) -> bool:
        """Whether there is an upper end."""
        return self.upper <= self.count


def rank_interval(count: int, p: float, *, alpha: float) -> RankInterval:
    """Return the interval of the p-quantile of `count` values at one look."""
    lower = _binomial_quantile(alpha / 2, count, p)
    upper = _binomial_quantile(1 - alpha / 2, count, p) + 1
    below = float(bdtr(lower - 1, count, p)) if lower > 0 else 0.0
    covered = (1.0 if upper > count else float(bdtr(upper - 1, count, p))) - below
    return RankInterval(lower=lower, upper=upper, count=count, coverage=covered)


def rank_offsets(
    count: int, p: float, *, alpha: float, tuned_at: float = 1000.0
) -> tuple[float, float]:
    """Return how far above and below count p the ranks that enclose the quantile at all times lie.

    An offset above of count (1-p) says that no value observed so far is large enough.
    """
    variance = p * (1 - p)

    def offset(g: float, h: float) -> float:
        return beta_binomial_mixture(
            count * variance, alpha=alpha / 2, v_opt=tuned_at * variance, g=g, h=h
        )

    return offset(p, 1 - p), offset(1 - p, p)


def _binomial_quantile(share: float, count: int, p: float) -> int:
    """Return the least k with P(X <= k) >= share."""
    low, high = -1, count
    while high - low > 1:
        middle = math.floor((low + high) / 2)
        if float(bdtr(middle, count, p)) >= share:
            high = middle
        else:
            low = middle
    return high
