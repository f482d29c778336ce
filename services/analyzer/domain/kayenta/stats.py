"""Descriptive statistics, effect sizes, and what happens to missing points and outliers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from analyzer.domain.kayenta.model import Statistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

Values: TypeAlias = "NDArray[np.float64]"


def mean(values: Sequence[float] | Values) -> float:
    """Return the correctly rounded mean; NaN without values."""
    return math.fsum(values) / len(values) if len(values) else math.nan


def summary(values: Sequence[float] | Values) -> Statistics:
    """Return minimum, maximum, mean and sample standard deviation (0 for a single value)."""
    if not len(values):
        return Statistics(minimum=0.0, maximum=0.0, mean=0.0, std=0.0, count=0)
    centre = mean(values)
    squares = math.fsum((value - centre) ** 2 for value in values)
    std = math.sqrt(squares / (len(values) - 1)) if len(values) > 1 else 0.0
    return Statistics(
        minimum=float(min(values)),
        maximum=float(max(values)),
        mean=centre,
        std=std,
        count=len(values),
    )


def percentile(values: Sequence[float] | Values, p: float) -> float:
    """Return the p-th percentile (0 to 100), linear between points (type 7); NaN without values."""
    return float(np.percentile(values, p)) if len(values) else math.nan


def midranks(values: Values) -> tuple[Values, NDArray[np.int64]]:
    """Return ranks from 1 with ties sharing their mean rank, and the size of every tie group."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2)[group], sizes


def mean_ratio(experiment: Sequence[float] | Values, control: Sequence[float] | Values) -> float:
    """Return the ratio of means; NaN when either is 0, because then it says nothing."""
    above, below = mean(experiment), mean(control)
    return math.nan if above == 0.0 or below == 0.0 else above / below


def cohen_d(experiment: Statistics, control: Statistics) -> float:
    """Return the distance of the means in pooled standard deviations; NaN when that is 0/0."""
    freedom = experiment.count + control.count - 2
    if freedom <= 0:
        return math.nan
    squares = (experiment.count - 1) * experiment.std**2 + (control.count - 1) * control.std**2
    distance = abs(experiment.mean - control.mean)
    pooled = math.sqrt(squares / freedom)
    if pooled == 0.0:
        return math.inf if distance else math.nan
    return distance / pooled


def cles(experiment: Sequence[float] | Values, control: Sequence[float] | Values) -> float:
    """Return P(experiment > control), ties counted half (Vargha and Delaney 2000)."""
    m, n = len(experiment), len(control)
    ranks, _ = midranks(np.concatenate([np.asarray(experiment, float), np.asarray(control, float)]))
    return float((2 * ranks[:m].sum() - m * (m + 1)) / (2 * n * m))


def without_nans(values: ArrayLike) -> Values:
    """Leave out missing points."""
    array = np.asarray(values, dtype=float)
    kept: Values = array[~np.isnan(array)]
    return kept


def with_nans_as(values: ArrayLike, value: float) -> Values:
    """Give missing points this value."""
    array = np.asarray(values, dtype=float)
    return np.where(np.isnan(array), value, array)


def iqr_outliers(values: Values, *, factor: float, wide: bool = False) -> NDArray[np.bool_]:
    """Mark points beyond the quartiles by more than `factor` interquartile ranges (Tukey).

    `wide`: the 1st and the 99th percentile are never outliers (what the judge uses).
    """
    if not len(values):
        return np.zeros(0, dtype=bool)
    low, high = percentile(values, 25), percentile(values, 75)
    spread = factor * (high - low)
    low, high = low - spread, high + spread
    if wide:
        low, high = min(low, percentile(values, 1)), max(high, percentile(values, 99))
    return (values > high) | (values < low)


def ksigma_outliers(values: Values, *, k: float) -> NDArray[np.bool_]:
    """Mark points further from the mean than k population standard deviations."""
    if not len(values):
        return np.zeros(0, dtype=bool)
    centre = mean(values)
    deviation = math.sqrt(math.fsum((value - centre) ** 2 for value in values) / len(values))
    return np.abs(values - centre) > k * deviation
