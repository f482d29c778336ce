"""Base-2 exponential histograms at OpenTelemetry's scale 5.

Bucket `i` holds durations in (2^(i/32), 2^((i+1)/32)] seconds, so neighbouring bounds differ by
2.2 % and a quantile is off by 1.1 % at most. Histograms of the same scale merge exactly.

Source: OpenTelemetry data model, "ExponentialHistogram".

>>> upper_bound(bucket_of(1.0))
1.0
"""

from __future__ import annotations

from itertools import accumulate
from math import ceil, log2, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mock_newrelic.domain.model import Histogram

SCALE = 5
PER_OCTAVE: int = 2**SCALE
LOWEST = -20 * PER_OCTAVE
"""Everything up to about one microsecond shares one bucket, as OpenTelemetry's zero bucket does."""
LOWEST_SECONDS: float = 2.0 ** ((LOWEST + 1) / PER_OCTAVE)
_TO_MIDDLE: float = 2.0 ** (-0.5 / PER_OCTAVE)


def bucket_of(seconds: float) -> int:
    """Return the bucket of a duration; zero falls into the lowest one."""
    if seconds <= LOWEST_SECONDS:
        return LOWEST
    return ceil(log2(seconds) * PER_OCTAVE) - 1


def upper_bound(bucket: int) -> float:
    """Return the largest duration of the bucket, in seconds."""
    return float(2.0 ** ((bucket + 1) / PER_OCTAVE))


def merge(histograms: Iterable[Histogram]) -> dict[int, int]:
    """Return the sum of the histograms."""
    total: dict[int, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def quantile(histogram: Histogram, ratio: float) -> float | None:
    """Return the duration that `ratio` of the samples do not exceed, or None without samples.

    The answer is the geometric middle of the bucket that holds the sample of that rank.
    """
    if not histogram:
        return None
    buckets = sorted(histogram)
    ranks = list(accumulate(histogram[bucket] for bucket in buckets))
    wanted = max(1, ceil(ratio * ranks[-1]))
    for bucket, rank in zip(buckets, ranks, strict=True):
        if rank >= wanted:
            return upper_bound(bucket) * _TO_MIDDLE
    return None


def count_up_to(histogram: Histogram, seconds: float) -> int:
    """Return how many samples lie in the buckets up to the one of `seconds`."""
    limit = bucket_of(seconds)
    return sum(count for bucket, count in histogram.items() if bucket <= limit)


def lowest(histogram: Histogram) -> float | None:
    """Return the shortest duration, off by 1.1 % at most, or None without samples."""
    return upper_bound(min(histogram)) * _TO_MIDDLE if histogram else None


def highest(histogram: Histogram) -> float | None:
    """Return the longest duration, off by 1.1 % at most, or None without samples."""
    return upper_bound(max(histogram)) * _TO_MIDDLE if histogram else None


def total_seconds(histogram: Histogram) -> float:
    """Return the sum of the durations, each standing in the geometric middle of its bucket."""
    return sum(upper_bound(bucket) * _TO_MIDDLE * count for bucket, count in histogram.items())


def deviation(histogram: Histogram) -> float | None:
    """Return the standard deviation of the durations, or None without samples.

    Every sample stands in the geometric middle of its bucket.
    """
    total = sum(histogram.values())
    if not total:
        return None
    middles = [(upper_bound(bucket) * _TO_MIDDLE, count) for bucket, count in histogram.items()]
    mean = sum(middle * count for middle, count in middles) / total
    return sqrt(sum(count * (middle - mean) ** 2 for middle, count in middles) / total)
