"""Latency as bad events: how many requests took longer than each of a few thresholds.

The thresholds are quantiles of stable before the rollout, frozen then, so the canary has no say in
them. Each is a 2x2 table per window like errors are. Together they see shifts of the middle and of
the far tail alike, and no single slow request weighs more than one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from analyzer.domain.histogram import LatencyHistogram

PREFIX = "latency_over_p"
"""How the names of latency events begin."""
OVER_FLOOR = "latency_over_floor"
"""The event of a floor below which nobody waits."""
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999)
LEAST_EXPECTED = 5.0
"""Slow canary requests to expect over the run; with fewer a threshold is not worth its share."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bin edge: requests in the bins from `first_slow` on took longer."""

    quantile: float
    first_slow: int

    @property
    def name(self) -> str:
        """Name of the event, for example `latency_over_p99`."""
        return name_of(self.quantile)


def thresholds(history: ArrayLike, *, expected_canary: float) -> tuple[Threshold, ...]:
    """Return the thresholds for a histogram of stable's history.

    Args:
        history: requests per bin, bins in rising order of latency.
        expected_canary: requests that the canary will get over the run.
    """
    counts = np.asarray(history, float)
    total = float(counts.sum())
    if total <= 0:
        return ()
    below = np.cumsum(counts) / total
    found: dict[int, Threshold] = {}
    for quantile in QUANTILES:
        first_slow = int(np.searchsorted(below, quantile)) + 1
        slow_share = 1.0 - float(below[min(first_slow, len(below)) - 1])
        if slow_share * expected_canary >= LEAST_EXPECTED:
            found.setdefault(first_slow, Threshold(quantile, first_slow))
    return tuple(found.values())


def slow_requests(counts: ArrayLike, limits: tuple[Threshold, ...]) -> tuple[int, list[int]]:
    """Return the requests of a histogram, and how many exceed each threshold."""
    array: NDArray[np.int64] = np.asarray(counts, np.int64)
    return int(array.sum()), [int(array[limit.first_slow :].sum()) for limit in limits]


@dataclass(frozen=True, slots=True)
class Limit:
    """A latency in milliseconds, an edge of the bins that a source delivers."""

    name: str
    ms: float


def limits(
    history: LatencyHistogram,
    *,
    expected_canary: float,
    quantiles: Sequence[float] = QUANTILES,
) -> tuple[Limit, ...]:
    """Return the thresholds for stable's latencies, as edges of its histogram.

    `expected_canary`: as for `thresholds`; where fewer requests than `LEAST_EXPECTED` would exceed
    one, it is left out.
    """
    total = history.count
    found: dict[float, Limit] = {}
    for quantile in quantiles:
        edge = history.quantile_ms(quantile)
        if edge is None or not math.isfinite(edge):
            continue
        if history.over(edge) / total * expected_canary >= LEAST_EXPECTED:
            found.setdefault(edge, Limit(name_of(quantile), edge))
    return tuple(found.values())


def limits_above_floor(
    history: LatencyHistogram,
    *,
    quantiles: Sequence[float],
    floor_ms: float,
    expected_canary: float,
) -> tuple[Limit, ...]:
    """Return the thresholds of `limits`, none of them below a floor; always at least one.

    Where no quantile is worth a threshold, the floor itself or the lowest quantile, whichever is
    more, remains.
    """
    found = limits(history, expected_canary=expected_canary, quantiles=quantiles)
    above = tuple(limit for limit in found if limit.ms >= floor_ms)
    if above:
        return above
    lowest = history.quantile_ms(quantiles[0]) or 0.0
    if floor_ms < lowest < math.inf:
        return (Limit(name_of(quantiles[0]), lowest),)
    return (Limit(OVER_FLOOR, floor_ms),)


def name_of(quantile: float) -> str:
    """Return the name of the event beyond a quantile, for example `latency_over_p99`."""
    return f"{PREFIX}{100 * quantile:g}"
