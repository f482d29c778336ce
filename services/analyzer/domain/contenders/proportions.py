"""Two proportions at one look: tests, intervals, non-inferiority. First arm is the canary.

Sources: O. S. Miettinen and M. Nurminen (1985), Statistics in Medicine 4:213 (score statistics with
the variance under the hypothesis, times N/(N-1)); A. Agresti and B. Caffo (2000), The American
Statistician 54:280; R. D. Boschloo (1970), Statistica Neerlandica 24:1; C. J. Clopper and E. S.
Pearson (1934), Biometrika 26:404. Where a statistic does not exist (0/0) the result is NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np
from scipy.special import betaincinv, betaln, ndtr, xlog1py, xlogy

from analyzer.domain.contenders.solving import bisect, minimum

Interval = tuple[float, float]
_NEVER = (math.nan, math.nan)


class Effect(StrEnum):
    """What two proportions are compared by."""

    DIFFERENCE = "diff"
    RATIO = "ratio"
    ODDS_RATIO = "or"

    @property
    def neutral(self) -> float:
        """The effect of two equal proportions."""
        return 0.0 if self is Effect.DIFFERENCE else 1.0


@dataclass(frozen=True, slots=True)
class Table:
    """Bad requests and requests of canary and stable; both arms have requests.

    Raises:
        ValueError: an arm is empty, or has more bad requests than requests.
    """

    bad_canary: int
    count_canary: int
    bad_stable: int
    count_stable: int

    def __post_init__(self) -> None:
        for bad, count in (
            (self.bad_canary, self.count_canary),
            (self.bad_stable, self.count_stable),
        ):
            if not 0 <= bad <= count or not count:
                raise ValueError(f"{bad} bad of {count}, expected a non-empty arm")

    @property
    def rates(self) -> Interval:
        """Observed proportions of canary and stable."""
        return self.bad_canary / self.count_canary, self.bad_stable / self.count_stable

    @property
    def total(self) -> int:
        """Requests of both arms."""
        return self.count_canary + self.count_stable

    @property
    def bad(self) -> int:
        """Bad requests of both arms."""
        return self.bad_canary + self.bad_stable


def pooled_z(table: Table) -> float:
    """Return the pooled z statistic, positive when the canary is worse; NaN if all are alike."""
    canary, stable = table.rates
    rate = table.bad / table.total
    variance = rate * (1 - rate) * (1 / table.count_canary + 1 / table.count_stable)
    return (canary - stable) / math.sqrt(variance) if variance > 0 else math.nan


def upper_tail(z: float) -> float:
    """Return P(Z >= z) of a standard normal."""
    return float(ndtr(-z))


def wald(table: Table, *, confidence: float) -> Interval:
    """Return the interval of the difference with observed variances; too short near 0 and 1."""
    canary, stable = table.rates
    return _normal_interval(
        canary - stable,
        canary * (1 - canary) / table.count_canary + stable * (1 - stable) / table.count_stable,
        confidence,
    )


def agresti_caffo(table: Table, *, confidence: float) -> Interval:
    """Return Wald's interval after one more bad and one more good request in each arm."""
    padded = Table(
        table.bad_canary + 1, table.count_canary + 2, table.bad_stable + 1, table.count_stable + 2
    )
    return wald(padded, confidence=confidence)


def log_ratio(table: Table, *, confidence: float) -> Interval:
    """Return the interval of the ratio of proportions on the log scale; NaN with an empty cell."""
    if not table.bad_canary or not table.bad_stable:
        return _NEVER
    canary, stable = table.rates
    variance = (
        1 / table.bad_canary
        - 1 / table.count_canary
        + 1 / table.bad_stable
        - 1 / table.count_stable
    )
    low, high = _normal_interval(math.log(canary / stable), variance, confidence)
    return math.exp(low), math.exp(high)


def score_z(table: Table, effect: Effect, value: float, *, corrected: bool = True) -> float:
    """Return the score statistic against `effect == value`; NaN when undefined.

    Miettinen and Nurminen's variance has the factor N/(N-1), Farrington and Manning's has not.
    """
    canary, stable = table.rates
    q_canary, q_stable = constrained(table, effect, value)
    n_canary, n_stable = table.count_canary, table.count_stable
    if effect is Effect.ODDS_RATIO:
        information_canary = q_canary * (1 - q_canary)
        information_stable = q_stable * (1 - q_stable)
        if min(information_canary, information_stable) <= 0:
            return math.nan
        variance = 1 / (n_canary * information_canary) + 1 / (n_stable * information_stable)
        distance = (canary - q_canary) / information_canary
        distance -= (stable - q_stable) / information_stable
    else:
        factor = 1.0 if effect is Effect.DIFFERENCE else value
        variance = q_canary * (1 - q_canary) / n_canary
        variance += factor**2 * q_stable * (1 - q_stable) / n_stable
        distance = canary - (stable + value if effect is Effect.DIFFERENCE else value * stable)
    if corrected:
        variance *= table.total / (table.total - 1)
    if variance <= 0:
        return math.nan
    return distance / math.sqrt(variance)


def constrained(table: Table, effect: Effect, value: float) -> Interval:
    """Return the pair of proportions with this effect that the variance is taken at.

    The likeliest pair, in closed form. For a difference this is the root of a cubic; its
    coefficients are those of statsmodels 0.15, whose linear one has the *bad* requests of stable in
    a place where Miettinen and Nurminen print the *number* of requests. The pair is then slightly
    off the likeliest, and intervals differ in the third digit; the peer is reproduced as it is.
    """
    n, n_canary, n_stable = table.total, table.count_canary, table.count_stable
    bad, bad_stable = table.bad, table.bad_stable
    if value == effect.neutral:
        return bad / n, bad / n
    if effect is Effect.DIFFERENCE:
        square = (n_canary + 2 * n_stable) * value - n - bad
        linear = (bad_stable * value - n - 2 * bad_stable) * value + bad
        constant = bad_stable * value * (1 - value)
        stable = _middle_root(square / n, linear / n, constant / n)
        return stable + value, stable
    if effect is Effect.RATIO:
        half = (n_canary * value + table.bad_canary + n_stable + bad_stable * value) / 2
        root = math.sqrt(max(0.0, half**2 - n * value * bad))
        stable = bad / (half + root)
        return value * stable, stable
    # The odds ratio's quadratic, solved without the difference of nearly equal numbers.
    half = (n_canary * value + n_stable - bad * (value - 1)) / 2
    root = math.sqrt(half**2 + n_stable * (value - 1) * bad)
    stable = bad / (half + root)
    return value * stable / (1 - stable + value * stable), stable


def _middle_root(square: float, linear: float, constant: float) -> float:
    """Return the middle one of the three real roots of x^3 + square x^2 + linear x + constant."""
    q = (square / 3) ** 3 - linear * square / 6 + constant / 2
    p = math.copysign(math.sqrt(max(0.0, (square / 3) ** 2 - linear / 3)), q)
    cosine = q / p**3 if p else 0.0
    angle = (math.pi + math.acos(min(1.0, max(-1.0, cosine)))) / 3
    return 2 * p * math.cos(angle) - square / 3


def score_interval(table: Table, effect: Effect, *, confidence: float) -> Interval:
    """Return all effects that Miettinen and Nurminen's test does not reject.

    Of a ratio with an empty cell only the infinite or zero side is known; the other is NaN.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    observed = _scaled(effect, *table.rates)

    def bound(sign: int) -> float:
        """Walk away from the observed effect until the test rejects, then close in on where."""
        if math.isinf(observed):
            # An empty cell: the ratio is 0 or infinite, and so is the limit on that side.
            if (observed < 0) == (sign > 0):
                return _effect_of(effect, observed)
            return math.nan

        def excess(scaled: float) -> float:
            found = score_z(table, effect, _effect_of(effect, scaled))
            return -z if math.isnan(found) else sign * found - z

        furthest = 1.0 - 1e-12 if effect is Effect.DIFFERENCE else math.inf
        near, step = observed, 1e-3
        while True:
            far = max(-furthest, min(furthest, near - sign * step))
            if excess(far) > 0:
                return _effect_of(effect, bisect(excess, near, far))
            if far == near or step > 1e3:
                return math.nan
            near, step = far, 2 * step

    return bound(1), bound(-1)


def _scaled(effect: Effect, canary: float, stable: float) -> float:
    """Observed effect: the difference, or the log of a ratio (infinite with an empty cell)."""
    if effect is Effect.DIFFERENCE:
        return canary - stable
    top, bottom = canary, stable
    if effect is Effect.ODDS_RATIO:
        top, bottom = canary * (1 - stable), stable * (1 - canary)
    if not top or not bottom:
        return math.inf if top else -math.inf
    return math.log(top / bottom)


def _effect_of(effect: Effect, scaled: float) -> float:
    return scaled if effect is Effect.DIFFERENCE else math.exp(scaled)


def noninferiority(table: Table, *, margin: float) -> tuple[float, float]:
    """Return z and p of H0 "the canary is worse by `margin` or more" (Farrington and Manning)."""
    z = score_z(table, Effect.DIFFERENCE, margin, corrected=False)
    return z, float(ndtr(z))


def equivalence_p(table: Table, *, margin: float) -> float:
    """Return the p-value of "the difference is within +-margin" (two one-sided score tests)."""
    below = float(ndtr(score_z(table, Effect.DIFFERENCE, margin)))
    return max(below, upper_tail(score_z(table, Effect.DIFFERENCE, -margin)))


def clopper_pearson(bad: int, count: int, *, confidence: float) -> Interval:
    """Return the exact interval of one proportion."""
    tail = (1 - confidence) / 2
    low = float(betaincinv(bad, count - bad + 1, tail)) if bad else 0.0
    high = float(betaincinv(bad + 1, count - bad, 1 - tail)) if bad < count else 1.0
    return low, high


def jeffreys(bad: int, count: int, *, confidence: float) -> Interval:
    """Return the equal-tailed interval of the posterior under Jeffreys' prior."""
    tail = (1 - confidence) / 2
    a, b = bad + 0.5, count - bad + 0.5
    return float(betaincinv(a, b, tail)), float(betaincinv(a, b, 1 - tail))


def fisher_greater(table: Table) -> float:
    """Return P(the canary has at least this many of the bad requests | margins)."""
    support, probability = _given_margins(table)
    return min(1.0, float(probability[support >= table.bad_canary].sum()))


def fisher_two_sided(table: Table) -> float:
    """Return the probability of all tables with these margins that are no likelier."""
    support, probability = _given_margins(table)
    observed = probability[support == table.bad_canary][0]
    # Tables that are equally likely differ in the last digits.
    return min(1.0, float(probability[probability <= observed * (1 + 1e-7)].sum()))


def boschloo_greater(table: Table) -> float:
    """Return Boschloo's p-value: Fisher's as a statistic, the worst common rate as the null.

    For every number m of bad requests, the tables at least as extreme have a probability T_m given
    m that does not depend on the rate, so P(rate) = sum Binomial(m; N, rate) T_m.
    """
    observed = fisher_greater(table) * (1 + 1e-13)
    n_canary, n_stable, total = table.count_canary, table.count_stable, table.total
    tails = np.zeros(total + 1)
    for bad in range(total + 1):
        least = max(0, bad - n_stable)
        other = Table(least, n_canary, bad - least, n_stable)
        _, probability = _given_margins(other)
        tail = np.cumsum(probability[::-1])
        extreme = tail[tail <= observed]
        tails[bad] = extreme[-1] if len(extreme) else 0.0
    m = np.arange(total + 1)
    log_ways = -betaln(total - m + 1, m + 1) - math.log(total + 1)

    def chance(rate: float) -> float:
        return float(np.exp(log_ways + xlogy(m, rate) + xlog1py(total - m, -rate)) @ tails)

    grid = np.linspace(0.0, 1.0, 2001)
    best = int(np.argmax([chance(float(rate)) for rate in grid]))
    around = minimum(
        lambda rate: -chance(rate), float(grid[max(0, best - 1)]), float(grid[min(2000, best + 1)])
    )
    return min(1.0, max(chance(around), chance(float(grid[best]))))


def _given_margins(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the possible bad requests of the canary and their hypergeometric probabilities."""
    n_canary, n_stable, bad = table.count_canary, table.count_stable, table.bad
    support = np.arange(max(0, bad - n_stable), min(bad, n_canary) + 1)
    x = support[:-1].astype(float)
    # Log of the ratios of neighbours, summed from the mode: no differences of large log-gammas.
    ratios = np.log(bad - x) + np.log(n_canary - x)
    ratios -= np.log(x + 1) + np.log(n_stable - bad + x + 1)
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    weights = np.exp(logs - logs.max())
    return support, weights / weights.sum()


def _normal_interval(centre: float, variance: float, confidence: float) -> Interval:
    half = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(variance)
    return centre - half, centre + half
