"""From the buckets of OpenTelemetry's histograms to ours, and from an interval to its seconds.

Ours are base-2 exponential buckets of scale 5 (`domain.histogram`). An exponential histogram in
seconds of scale 5 or finer falls into them by shifting indices, exactly. Everything else (coarser
scales, explicit bounds, other units) is spread inside its buckets: the counts stay exact, where in
the bucket the samples lie is assumed, so quantiles are approximate and say so.

Source: OpenTelemetry data model, "ExponentialHistogram" and "Histogram".
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, floor, inf, isfinite, log2
from typing import TYPE_CHECKING, NamedTuple

from mock_newrelic.domain.histogram import (
    LOWEST,
    PER_OCTAVE,
    SCALE,
    bucket_of,
    upper_bound,
)
from mock_newrelic.domain.ingest.telemetry import ItemError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

MAX_SLOTS = 600
"""Most seconds over which one interval is spread; a longer one is spread over every n-th second."""
GOLDEN = 0.6180339887498949
"""Fractional part of the golden ratio: its multiples fill [0, 1) evenly at every length."""
LONGEST_SECONDS = 24 * 3600
_LONGEST_BUCKET = bucket_of(LONGEST_SECONDS)
_LOWEST_SCALE = -10
_HIGHEST_SCALE = 20
"""The scales that OpenTelemetry allows."""


class Buckets(NamedTuple):
    """Samples by our bucket, and whether their place inside it was assumed."""

    counts: dict[int, int]
    approximate: bool


class Part(NamedTuple):
    """What one second got of an interval.

    Attributes:
        second: which.
        samples: how many samples.
        buckets: of them, those whose bucket is known.
        lasting: seconds that these last together, each as long as the middle of its bucket.
    """

    second: int
    samples: int
    buckets: dict[int, int]
    lasting: float


def from_exponential(
    *,
    scale: int,
    counts: Mapping[int, int],
    zeros: int,
    per_second: float,
    lowest: float | None = None,
    highest: float | None = None,
) -> Buckets:
    """Return the samples of an exponential histogram in our buckets.

    Args:
        scale: bucket `i` holds (2^(i / 2^scale), 2^((i + 1) / 2^scale)] units.
        counts: samples by index of the bucket.
        zeros: samples in the zero bucket.
        per_second: units in a second: 1 for seconds, 1000 for milliseconds.
        lowest: the shortest duration in units, where it is known.
        highest: the longest, where it is known.

    Raises:
        ItemError: the scale is outside of what OpenTelemetry allows, or samples last too long.
    """
    if not _LOWEST_SCALE <= scale <= _HIGHEST_SCALE:
        raise ItemError(
            "bad_histogram", f"the scale is not from {_LOWEST_SCALE} to {_HIGHEST_SCALE}"
        )
    found: dict[int, int] = {LOWEST: zeros} if zeros else {}
    if scale >= SCALE and per_second == 1:
        shift = scale - SCALE
        for index, count in counts.items():
            _put(found, index >> shift, count)
        return Buckets(found, approximate=False)
    shift_units = log2(per_second)
    low = -inf if lowest is None or lowest <= 0 else log2(lowest) - shift_units
    high = inf if highest is None or highest <= 0 else log2(highest) - shift_units
    width: float = 2.0**-scale
    for index, count in counts.items():
        start = max(index * width - shift_units, low)
        stop = min((index + 1) * width - shift_units, high)
        _spread_evenly_in_logarithm(found, start, stop, count)
    return Buckets(found, approximate=True)


def from_explicit(
    *,
    bounds: Sequence[float],
    counts: Mapping[int, int],
    per_second: float,
    lowest: float | None = None,
    highest: float | None = None,
) -> Buckets:
    """Return the samples of a histogram with explicit bounds in our buckets.

    Samples lie evenly between the bounds of their bucket, as in Prometheus' histogram_quantile.
    Those beyond the last bound reach up to `highest`, or stay at the last bound without it.

    Args:
        bounds: upper bounds, ascending, in units.
        counts: samples by number of the bucket, of which there is one more than bounds.
        per_second: units in a second: 1 for seconds, 1000 for milliseconds.
        lowest: the shortest duration in units, where it is known.
        highest: the longest, where it is known.

    Raises:
        ItemError: the bounds do not ascend, or samples last too long.
    """
    if not all(map(isfinite, bounds)) or any(one >= other for one, other in pairwise(bounds)):
        raise ItemError("bad_histogram", "the explicit bounds do not ascend")
    found: dict[int, int] = {}
    low = 0.0 if lowest is None else max(lowest, 0.0)
    high = inf if highest is None else max(highest, 0.0)
    for index, count in counts.items():
        start = max(bounds[index - 1] if index else 0.0, low)
        beyond = high if high < inf else start
        stop = min(bounds[index], high) if index < len(bounds) else beyond
        _spread_evenly(found, start / per_second, max(stop, start) / per_second, count)
    return Buckets(found, approximate=True)


def _spread_evenly(found: dict[int, int], start: float, stop: float, count: int) -> None:
    """Place samples evenly between two durations in seconds."""
    stop = min(stop, max(start, LONGEST_SECONDS))
    # The lower bound of a bucket is not in it.
    first, last = bucket_of(start * (1 + 1e-12)), bucket_of(stop)
    if first >= last:
        _put(found, first, count)
    elif count <= last - first:
        step = (stop - start) / count
        for number in range(count):
            _put(found, bucket_of(start + (number + 0.5) * step), 1)
    else:
        placed = 0
        for bucket in range(first, last):
            upto = round(count * (upper_bound(bucket) - start) / (stop - start))
            _put(found, bucket, upto - placed)
            placed = upto
        _put(found, last, count - placed)


def _spread_evenly_in_logarithm(
    found: dict[int, int], start: float, stop: float, count: int
) -> None:
    """Place samples evenly between two durations, given as base-2 logarithms of seconds."""
    start, stop = start * PER_OCTAVE, max(stop, start) * PER_OCTAVE
    # A bound that belongs to a bucket must not fall beside it by the last digit.
    first = max(LOWEST, floor(start + 1e-9))
    last = max(LOWEST, ceil(stop - 1e-9) - 1)
    if first >= min(last, _LONGEST_BUCKET):
        _put(found, first, count)
        return
    last = min(last, _LONGEST_BUCKET)
    stop = min(stop, float(_LONGEST_BUCKET + 1))
    placed = 0
    for bucket in range(first, last):
        upto = min(count, max(placed, round(count * (bucket + 1 - start) / (stop - start))))
        _put(found, bucket, upto - placed)
        placed = upto
        if placed == count:
            return
    _put(found, last, count - placed)


def _put(found: dict[int, int], bucket: int, count: int) -> None:
    if bucket > _LONGEST_BUCKET:
        raise ItemError("bad_histogram", f"samples last longer than {LONGEST_SECONDS} seconds")
    if count:
        bucket = max(bucket, LOWEST)
        found[bucket] = found.get(bucket, 0) + count


def over_seconds(start: float, stop: float) -> list[tuple[int, float]]:
    """Return the seconds of an interval, each with the share that has passed at its end.

    The interval is (start, stop] in Unix seconds; an empty one is the second of its end. What a
    period measured ended within it, so the second in which it stops counts up to there only. The
    last share is 1.
    """
    first, last = floor(start), max(floor(start), ceil(stop) - 1)
    if stop - start <= 0 or first == last:
        return [(floor(stop) if stop <= start else last, 1.0)]
    step = ceil((last - first + 1) / MAX_SLOTS)
    seconds = list(range(first, last + 1, step))
    length = stop - start
    shares = [(second, min(1.0, (min(second + step, stop) - start) / length)) for second in seconds]
    shares[-1] = (shares[-1][0], 1.0)
    return shares


def spread(
    shares: Sequence[tuple[int, float]], buckets: Mapping[int, int], unplaced: int = 0
) -> list[Part]:
    """Return what every second of an interval gets of its samples: whole numbers, none lost.

    Every bucket is spread in proportion to time. Where the parts of its count fall is shifted from
    bucket to bucket, so that seconds get alike many samples however few a bucket holds.

    Args:
        shares: seconds with the share of the interval that has passed at their end.
        buckets: samples by our bucket.
        unplaced: samples without a bucket.
    """
    import numpy as np  # noqa: PLC0415 - an idle service does without it

    names = np.array(sorted(buckets), dtype=np.int64)
    counts = np.array([*(buckets[name] for name in sorted(buckets)), unplaced], dtype=np.int64)
    passed = np.array([share for _, share in shares])
    shifts = np.arange(len(counts)) * GOLDEN % 1.0
    upto = np.floor(np.outer(counts, passed) + shifts[:, np.newaxis]).astype(np.int64)
    upto = np.minimum(upto, counts[:, np.newaxis])
    upto[:, -1] = counts
    given = np.diff(upto, axis=1, prepend=0)
    samples = given.sum(axis=0).tolist()
    lasting = (np.exp2((names + 0.5) / PER_OCTAVE) @ given[:-1]).tolist()
    return [
        Part(second, samples[at], _filled(names, given[:-1, at]), lasting[at])
        for at, (second, _) in enumerate(shares)
        if samples[at]
    ]


def _filled(names: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> dict[int, int]:
    filled = counts.nonzero()[0]
    return dict(zip(names[filled].tolist(), counts[filled].tolist(), strict=True))
