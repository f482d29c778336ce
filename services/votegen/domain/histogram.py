"""A log-linear histogram of times: 128 buckets to the octave, so at most 0.8 % wide.

bucket   = 128 · exponent + position in the octave, found without a logarithm
merging  = adding counts, so processes and targets can be summed without loss
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PER_OCTAVE = 128
# A time of exactly zero has no octave; a nanosecond is below any clock's resolution.
_SMALLEST = 1e-9
_MANTISSA_BITS = 52


def bucket_of(seconds: float) -> int:
    """Return the number of the bucket that holds this time."""
    mantissa, exponent = math.frexp(max(seconds, _SMALLEST))
    return exponent * _PER_OCTAVE + int((mantissa - 0.5) * 2 * _PER_OCTAVE)


_LOWEST = bucket_of(_SMALLEST)
_LOWEST_BITS = int(np.float64(_SMALLEST).view(np.int64)) >> (_MANTISSA_BITS - 7)


def buckets_of(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the numbers of the buckets that hold these times; negative ones count as zero.

    The exponent and the upper seven bits of the mantissa are what `bucket_of` returns.
    """
    bits = np.maximum(seconds, _SMALLEST).view(np.int64) >> (_MANTISSA_BITS - 7)
    return bits + (_LOWEST - _LOWEST_BITS)


def bucket_bounds(bucket: int) -> tuple[float, float]:
    """Return the half-open interval [low, high) of a bucket, in seconds."""
    exponent, position = divmod(bucket, _PER_OCTAVE)
    width = math.ldexp(0.5, exponent) / _PER_OCTAVE
    low = math.ldexp(0.5, exponent) + position * width
    return low, low + width


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts per bucket, with the exact sum and maximum."""

    counts: Mapping[int, int]
    total_seconds: float = 0.0
    max_seconds: float = 0.0

    @property
    def count(self) -> int:
        """How many times were recorded."""
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        """The exact mean, None without data."""
        count = self.count
        return self.total_seconds / count if count else None

    def merged(self, other: Histogram) -> Histogram:
        """Return the histogram of both."""
        return Histogram(
            counts=Counter(self.counts) + Counter(other.counts),
            total_seconds=self.total_seconds + other.total_seconds,
            max_seconds=max(self.max_seconds, other.max_seconds),
        )

    def quantiles(self, levels: tuple[float, ...]) -> tuple[float | None, ...]:
        """Return the times below which the shares `levels` (ascending) lie; None without data.

        The middle of the bucket of the ceil(level·n)-th smallest time, never above the maximum.
        """
        buckets = sorted(self.counts)
        sums = list(accumulate(self.counts[bucket] for bucket in buckets))
        if not sums:
            return (None,) * len(levels)
        found = []
        position = 0
        for level in levels:
            rank = max(1, math.ceil(level * sums[-1]))
            while sums[position] < rank:
                position += 1
            low, high = bucket_bounds(buckets[position])
            found.append(min((low + high) / 2, self.max_seconds))
        return tuple(found)

    def count_up_to(self, seconds: float) -> int:
        """Return how many times are in buckets that end at or below `seconds`."""
        return sum(
            count
            for bucket, count in self.counts.items()
            if bucket_bounds(bucket)[1] <= seconds * (1 + 1e-12)
        )


class HistogramRecorder:
    """Collects times, many at once; `snapshot` is the value."""

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._total = 0.0
        self._max = 0.0

    def record(self, seconds: Sequence[float] | NDArray[np.float64]) -> None:
        """Add times; negative ones count as zero."""
        if not len(seconds):
            return
        times = np.maximum(np.asarray(seconds, dtype=np.float64), 0.0)
        self._total += float(times.sum())
        self._max = max(self._max, float(times.max()))
        self._add(np.bincount(buckets_of(times) - _LOWEST))

    def absorb(self, histogram: Histogram) -> None:
        """Add what another recorder has recorded."""
        if not histogram.counts:
            return
        buckets = np.array(list(histogram.counts)) - _LOWEST
        self._add(np.bincount(buckets, weights=list(histogram.counts.values())).astype(np.int64))
        self._total += histogram.total_seconds
        self._max = max(self._max, histogram.max_seconds)

    def _add(self, counts: NDArray[np.int64]) -> None:
        if counts.size > self._counts.size:
            counts[: self._counts.size] += self._counts
            self._counts = counts
        else:
            self._counts[: counts.size] += counts

    def snapshot(self) -> Histogram:
        """Return what was recorded so far."""
        filled = np.flatnonzero(self._counts)
        counts = self._counts[filled]
        return Histogram(
            counts=dict(zip((filled + _LOWEST).tolist(), counts.tolist(), strict=True)),
            total_seconds=self._total,
            max_seconds=self._max,
        )
