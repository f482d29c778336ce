"""Many metrics, one verdict: how evidence of several is put together.

Averages of e-values are e-values under any dependence (Vovk and Wang 2021); lists of blamed metrics
are cut by e-BH (Wang and Ramdas 2022), which holds the false discovery rate under any dependence.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def weighted_average(e_values: Sequence[float], weights: Sequence[float]) -> float:
    """Return the e-value of "no metric is worse"; the weights sum to 1."""
    return math.fsum(e * w for e, w in zip(e_values, weights, strict=True))


def weighted_bonferroni(
    e_values: Sequence[float], weights: Sequence[float], *, alpha: float
) -> list[bool]:
    """Return which metrics alone exceed their share of alpha."""
    return [e * w >= 1 / alpha for e, w in zip(e_values, weights, strict=True)]


def e_bh(e_values: Sequence[float], *, alpha: float) -> list[int]:
    """Return the indices of the metrics to blame, at a false discovery rate of alpha."""
    order = sorted(range(len(e_values)), key=lambda i: -e_values[i])
    number = 0
    for k, index in enumerate(order, start=1):
        if k * e_values[index] >= len(e_values) / alpha:
            number = k
    return sorted(order[:number])
