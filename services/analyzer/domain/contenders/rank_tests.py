"""Mann-Whitney and Kolmogorov-Smirnov on raw samples, one look.

`greater` means: x tends to be larger (Mann-Whitney), or the distribution function of x lies above
that of y somewhere (Kolmogorov-Smirnov), as in SciPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import kolmogorov, ndtr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_EXACT_KS = 10_000
"""Samples per arm up to which the Kolmogorov-Smirnov p-value is counted exactly."""


class Alternative(StrEnum):
    """What is tested for."""

    TWO_SIDED = "two-sided"
    GREATER = "greater"
    LESS = "less"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """Statistic and p-value."""

    statistic: float
    p_value: float


def mann_whitney(
    x: Sequence[float], y: Sequence[float], *, alternative: Alternative, continuity: bool = True
) -> TestResult:
    """Return U of x with the normal approximation, corrected for ties; p = 1 if all are tied.

    Raises:
        ValueError: a sample is empty.
    """
    u, ties, m, n = _u_statistic(x, y)
    total = m + n
    tied = float((ties.astype(float) ** 3 - ties).sum())
    variance = m * n / 12 * (total + 1 - tied / (total * (total - 1)))
    if variance <= 0:
        return TestResult(statistic=u, p_value=1.0)
    if alternative is Alternative.TWO_SIDED:
        extreme, sides = max(u, m * n - u), 2.0
    else:
        extreme, sides = (u if alternative is Alternative.GREATER else m * n - u), 1.0
    z = (extreme - m * n / 2 - (0.5 if continuity else 0.0)) / math.sqrt(variance)
    return TestResult(statistic=u, p_value=min(1.0, sides * float(ndtr(-z))))


def mann_whitney_exact(
    x: Sequence[float], y: Sequence[float], *, alternative: Alternative
) -> TestResult:
    """Return U of x with the p-value counted over all orders; meant for samples without ties.

    Raises:
        ValueError: a sample is empty.
    """
    u, _, m, n = _u_statistic(x, y)
    ways = _orders_by_u(m, n)
    total = sum(ways)
    above = sum(ways[math.ceil(u) :]) / total
    below = sum(ways[: math.floor(u) + 1]) / total
    if alternative is Alternative.TWO_SIDED:
        p = min(1.0, 2 * min(above, below))
    else:
        p = above if alternative is Alternative.GREATER else below
    return TestResult(statistic=u, p_value=p)


def _u_statistic(
    x: Sequence[float], y: Sequence[float]
) -> tuple[float, NDArray[np.int64], int, int]:
    m, n = len(x), len(y)
    if not m or not n:
        raise ValueError("a sample is empty")
    values = np.concatenate([np.asarray(x, float), np.asarray(y, float)])
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return float(ranks[:m].sum()) - m * (m + 1) / 2, sizes, m, n


def _orders_by_u(m: int, n: int) -> list[int]:
    """Return how many of the C(m+n, m) orders have U = 0, 1, ..., mn (a Gaussian binomial)."""
    ways = [1] + [0] * (m * n)
    for i in range(1, m + 1):
        for u in range(m * n, n + i - 1, -1):
            ways[u] -= ways[u - n - i]
        for u in range(i, m * n + 1):
            ways[u] += ways[u - i]
    return ways


def ks_2samp(x: Sequence[float], y: Sequence[float], *, alternative: Alternative) -> TestResult:
    """Return the largest distance of the distribution functions and its p-value.

    Exact up to 10 000 samples per arm (all orders equally likely, which is conservative with ties),
    Smirnov's limit beyond.

    Raises:
        ValueError: a sample is empty.
    """
    m, n = len(x), len(y)
    if not m or not n:
        raise ValueError("a sample is empty")
    first, second = np.sort(np.asarray(x, float)), np.sort(np.asarray(y, float))
    everything = np.concatenate([first, second])
    # Distances in units of 1/(mn) are whole numbers, so equal distances compare equal.
    steps = np.searchsorted(first, everything, side="right") * n
    steps -= np.searchsorted(second, everything, side="right") * m
    above, below = max(0, int(steps.max())), max(0, int(-steps.min()))
    if alternative is Alternative.TWO_SIDED:
        distance = max(above, below)
    else:
        distance = above if alternative is Alternative.GREATER else below
    two_sided = alternative is Alternative.TWO_SIDED
    if max(m, n) <= _EXACT_KS:
        p = _reaches(m, n, distance, two_sided=two_sided)
    else:
        p = _reaches_in_the_limit(m, n, distance / (m * n), two_sided=two_sided)
    return TestResult(statistic=distance / (m * n), p_value=p)


def _reaches(m: int, n: int, distance: int, *, two_sided: bool) -> float:
    """Return P(a random order of m and n has i n - j m >= distance somewhere), or in either sign.

    `touched[i]` is the probability that an order whose first s elements hold i of the m has been
    there by then; diagonal by diagonal, all terms positive, so small values keep their digits.
    """
    if distance == 0:
        return 1.0
    i = np.arange(m + 1)
    touched = np.zeros(m + 1)
    for s in range(1, m + n + 1):
        came = touched * (s - i)
        came[1:] += touched[:-1] * i[1:]
        touched = came / s
        offset = i * n - (s - i) * m
        touched[(np.abs(offset) if two_sided else offset) >= distance] = 1.0
        touched[(i > s) | (s - i > n)] = 0.0
    return float(touched[m])


def _reaches_in_the_limit(m: int, n: int, distance: float, *, two_sided: bool) -> float:
    larger, smaller = max(m, n), min(m, n)
    z = math.sqrt(m * n / (m + n)) * distance
    if two_sided:
        return float(kolmogorov(z))
    skew = 2 * z * (larger + 2 * smaller) / math.sqrt(m * n * (m + n)) / 3
    return min(1.0, math.exp(-2 * z * z - skew))
