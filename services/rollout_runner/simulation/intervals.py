"""Intervals of proportions that were counted in simulated runs.

Wilson's score interval (E. B. Wilson, JASA 22, 1927) in general; at the edges, where no run or
every run was counted, the exact one of Clopper and Pearson (Biometrika 26, 1934), which there has
a closed form. McNemar's exact test (Psychometrika 12, 1947) for two gates on the same runs.
"""

from __future__ import annotations

from math import comb, sqrt
from typing import NamedTuple

CONFIDENCE = 0.95
_Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


class Interval(NamedTuple):
    """A two-sided interval of 95 % and the method that it is from."""

    low: float
    high: float
    method: str


def proportion_interval(count: int, runs: int) -> Interval:
    """Return the interval of a proportion.

    >>> proportion_interval(0, 1000)
    Interval(low=0.0, high=0.0036820835951107577, method='clopper-pearson')
    """
    if not 0 <= count <= runs or runs < 1:
        raise ValueError(f"{count} of {runs} is no proportion")
    tail = ((1 - CONFIDENCE) / 2) ** (1 / runs)
    if count == 0:
        return Interval(0.0, 1 - tail, "clopper-pearson")
    if count == runs:
        return Interval(tail, 1.0, "clopper-pearson")
    share, square = count / runs, _Z * _Z
    middle = (share + square / (2 * runs)) / (1 + square / runs)
    half = _Z / (1 + square / runs) * sqrt(share * (1 - share) / runs + square / (4 * runs * runs))
    return Interval(middle - half, middle + half, "wilson")


def mcnemar(first_only: int, second_only: int) -> float:
    """Return the two-sided exact p-value of McNemar's test.

    Args:
        first_only: runs that only the first gate stopped.
        second_only: runs that only the second gate stopped.
    """
    total, fewer = first_only + second_only, min(first_only, second_only)
    if total == 0:
        return 1.0
    # Whole numbers throughout: 2^-total is no float for large totals.
    tail = sum(comb(total, count) for count in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << total))


def paired_difference(first_only: int, second_only: int, runs: int) -> Interval:
    """Return the interval of P(first stops) - P(second stops) from the discordant runs.

    Wald's interval with half a run added to each cell (Agresti and Min, Statistics in Medicine 24,
    2005).
    """
    size = runs + 2
    one, other = first_only + 0.5, second_only + 0.5
    difference = (one - other) / size
    spread = sqrt(max(0.0, (one + other) / size - difference**2) / size)
    return Interval(
        max(-1.0, difference - _Z * spread), min(1.0, difference + _Z * spread), "agresti-min"
    )


def quantile(values: list[float], ratio: float) -> float | None:
    """Return the smallest value that `ratio` of the values do not exceed, None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(ratio * 1000) // 1000) - 1)]
