"""The Mann-Whitney test turned into an interval for a shift, as R's wilcox.test and Kayenta do.

The interval is found by solving for the shifts at which the standardised rank statistic of
(experiment - shift) against control equals the normal quantiles. The statistic is a step function
of the shift, so the answer is as exact as the solver's *absolute* tolerance: 1e-4 in the unit of
the metric. Data whose whole range is smaller get limits that depend on the unit. This belongs to
the method that is reproduced here and is one reason why the sequential judge does not use it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from analyzer.domain.kayenta.stats import Values, midranks

if TYPE_CHECKING:
    from collections.abc import Callable

_TOLERANCE = 1e-4
_EPSILON = float(np.finfo(float).eps)
_STEPS = 1001


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftInterval:
    """Shift of experiment against control: limits and Hodges-Lehmann estimate, metric's unit."""

    low: float
    high: float
    estimate: float


def wilcoxon_z(shift: float, experiment: Values, control: Values) -> float:
    """Return the rank statistic of (experiment - shift) against control, standardised.

    Normal approximation with mid-ranks, variance corrected for ties, continuity correction of 1/2.

    Raises:
        ValueError: all values are tied, so there is no variance.
    """
    m, n = len(experiment), len(control)
    ranks, ties = midranks(np.concatenate([experiment - shift, control]))
    above = float(ranks[:m].sum()) - m * (m + 1) / 2 - m * n / 2
    total = m + n
    tied = float((ties.astype(float) ** 3 - ties).sum())
    variance = m * n / 12 * (total + 1 - tied / (total * (total - 1)))
    if variance <= 0:
        raise ValueError("all observations are tied")
    return (above - math.copysign(0.5, above) * (above != 0)) / math.sqrt(variance)


def shift_interval(experiment: Values, control: Values, *, confidence: float) -> ShiftInterval:
    """Return the two-sided interval and the estimate; neither arm may be empty.

    A limit that the test cannot reach, because there are too few points, is the least or largest
    difference of two points. Two constant arms differ by exactly one number, which is then the
    whole interval: the statistic has no variance there, and the original gets around that with
    random noise, which makes a verdict depend on the weather.
    """
    least = float(experiment.min() - control.max())
    most = float(experiment.max() - control.min())
    if least == most:
        return ShiftInterval(low=least, high=least, estimate=least)

    def root(quantile: float) -> float:
        def excess(shift: float) -> float:
            return wilcoxon_z(shift, experiment, control) - quantile

        below, above = excess(least), excess(most)
        if below <= 0:
            return least
        if above >= 0:
            return most
        return brent(excess, least, most, below, above)

    def statistic(shift: float) -> float:
        return wilcoxon_z(shift, experiment, control)

    z = NormalDist().inv_cdf((1 - confidence) / 2)
    return ShiftInterval(
        low=root(-z),
        high=root(z),
        # Unlike the limits, the estimate has no fallback to the ends in the original.
        estimate=brent(statistic, least, most, statistic(least), statistic(most)),
    )


def brent(
    function: Callable[[float], float], start: float, end: float, at_start: float, at_end: float
) -> float:
    """Return a zero of the function between start and end, to an absolute 1e-4.

    Brent's method in the form of R's zeroin (R. P. Brent, Algorithms for Minimization without
    Derivatives, 1973, chapter 4): inverse quadratic or linear interpolation, bisection when that
    does not shrink the bracket. At most 1001 steps; then the last point is returned.
    """
    if at_start == 0:
        return start
    if at_end == 0:
        return end
    previous, best, other = start, end, start
    f_previous, f_best, f_other = at_start, at_end, at_start
    for _ in range(_STEPS):
        last_step = best - previous
        if abs(f_other) < abs(f_best):
            previous, best, other = best, other, best
            f_previous, f_best, f_other = f_best, f_other, f_best
        tolerance = 2 * _EPSILON * abs(best) + _TOLERANCE / 2
        step = (other - best) / 2
        if abs(step) <= tolerance or f_best == 0:
            return best
        if abs(last_step) >= tolerance and abs(f_previous) > abs(f_best):
            p, q = _interpolation(previous, best, other, f_previous, f_best, f_other)
            inside = p < 0.75 * (other - best) * q - abs(tolerance * q) / 2
            if inside and p < abs(last_step * q / 2):
                step = p / q
        if abs(step) < tolerance:
            step = math.copysign(tolerance, step) if step else -tolerance
        previous, f_previous = best, f_best
        best += step
        f_best = function(best)
        if (f_best > 0) == (f_other > 0) and f_best != 0 and f_other != 0:
            other, f_other = previous, f_previous
    return best


def _interpolation(  # noqa: PLR0917 - three points and their values
    a: float, b: float, c: float, f_a: float, f_b: float, f_c: float
) -> tuple[float, float]:
    """Return p >= 0 and q with b + p/q the zero of the curve through the points (b is the best)."""
    width = c - b
    if a == c:
        t = f_b / f_a
        p, q = width * t, 1.0 - t
    else:
        q, t, s = f_a / f_c, f_b / f_c, f_b / f_a
        p = s * (width * q * (q - t) - (b - a) * (t - 1.0))
        q = (q - 1.0) * (t - 1.0) * (s - 1.0)
    return (p, -q) if p > 0.0 else (-p, q)
