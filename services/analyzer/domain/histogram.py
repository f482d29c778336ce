"""Latencies of one arm in one window: requests per bin.

A bin is known by its upper edge alone, as Prometheus, OpenTelemetry and APMs give it. Bins may be
left out when they are empty. Both arms must use edges of one grid, and a limit is an edge of it:
then a bin lies on one side of the limit as a whole, and counting is exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

GAMMA = 1.02
"""Ratio of neighbouring edges for raw samples: no latency is off by more than 2 %."""
LEAST_MS = 1e-3
MOST_MS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyHistogram:
    """Requests per bin.

    Attributes:
        le_ms: upper edges in milliseconds, strictly rising; the last one may be infinite.
        counts: requests in each bin, that is above the edge before and at most at its own. They
            are not cumulative.

    Raises:
        ValueError: edges do not rise or are not numbers, or a count is negative.
    """

    le_ms: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.le_ms) != len(self.counts):
            raise ValueError(f"{len(self.counts)} counts for {len(self.le_ms)} edges")
        before = 0.0
        for edge in self.le_ms:
            if not edge > before:
                raise ValueError(f"edge {edge:g} ms is not above {before:g} ms")
            before = edge
        if any(count < 0 for count in self.counts):
            raise ValueError("a count is negative")

    @property
    def count(self) -> int:
        """Requests in all bins."""
        return sum(self.counts)

    def over(self, limit_ms: float) -> int:
        """Return how many requests took longer than a limit, which must be an edge."""
        return sum(
            count
            for edge, count in zip(self.le_ms, self.counts, strict=True)
            # Edges are computed in more than one place, so equal ones may differ in the last bits.
            if edge > limit_ms * (1 + 1e-9)
        )

    def quantile_ms(self, quantile: float) -> float | None:
        """Return the edge of the bin that holds a quantile; None without requests."""
        below, wanted = 0, quantile * self.count
        for edge, count in zip(self.le_ms, self.counts, strict=True):
            below += count
            if below and below >= wanted:
                return edge
        return None

    def __add__(self, other: LatencyHistogram) -> LatencyHistogram:
        """Return the requests of both."""
        total = dict(zip(self.le_ms, self.counts, strict=True))
        for edge, count in zip(other.le_ms, other.counts, strict=True):
            total[edge] = total.get(edge, 0) + count
        edges = sorted(total)
        return LatencyHistogram(le_ms=tuple(edges), counts=tuple(total[edge] for edge in edges))


NO_LATENCIES = LatencyHistogram(le_ms=(), counts=())


def from_samples(samples_ms: ArrayLike) -> LatencyHistogram:
    """Return the histogram of raw latencies in milliseconds, with edges at powers of `GAMMA`.

    Raises:
        ValueError: a latency is negative or not a number.
    """
    samples = np.asarray(samples_ms, float)
    if not samples.size:
        return NO_LATENCIES
    low, high = float(samples.min()), float(samples.max())
    if not (low >= 0 and high <= MOST_MS):
        raise ValueError(f"expected latencies from 0 to {MOST_MS:g} ms")
    bins = np.log(np.maximum(samples, LEAST_MS))
    bins *= 1 / math.log(GAMMA)
    # Rounding up would move a sample that lies on an edge by one bin for an error of the last bit.
    np.ceil(bins - 1e-9, out=bins)
    index = bins.astype(np.int32)
    first = int(index.min())
    counts = np.bincount(index - first)
    shown = np.flatnonzero(counts)
    return LatencyHistogram(
        le_ms=tuple(GAMMA ** (first + int(one)) for one in shown),
        counts=tuple(int(counts[one]) for one in shown),
    )


def merged(histograms: Iterable[LatencyHistogram]) -> LatencyHistogram:
    """Return the requests of all; the order does not matter."""
    total = NO_LATENCIES
    for one in histograms:
        total += one
    return total
