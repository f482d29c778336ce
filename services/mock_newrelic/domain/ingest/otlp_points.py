"""Data points of OTLP as totals, and cumulative totals as what was added since the last ones.

Totals of one stream and one start only grow. A stream is told by its resource, scope, metric,
attributes and start, so that two processes that say the same of themselves are not mistaken for
one that restarts over and over.

Source: OpenTelemetry data model, "Temporality" and "Resets and gaps".
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mock_newrelic.domain.ingest.otlp_buckets import Buckets, from_explicit, from_exponential
from mock_newrelic.domain.ingest.telemetry import ItemError

if TYPE_CHECKING:
    from opentelemetry.proto.metrics.v1.metrics_pb2 import (
        ExponentialHistogramDataPoint,
        HistogramDataPoint,
        SummaryDataPoint,
    )

MAX_COUNT = 10**9
"""Most samples of one data point: what is more is a mistake or an attack."""
MAX_SUM = 10**12
MAX_BUCKETS = 4096
EXPLICIT_STEPS = 16
"""Into how many parts a bucket with explicit bounds is divided for `Metric` events."""
NANOSECONDS = 10**9


class Totals(msgspec.Struct, frozen=True, gc=False):
    """What a histogram or a sum has come to.

    Attributes:
        count: samples; of a sum, 0.
        total: sum of the values, None where it is not told.
        zeros: samples in the zero bucket of an exponential histogram.
        buckets: samples by index of the bucket.
        scale: of an exponential histogram; None for others.
        bounds: of a histogram with explicit bounds; empty for others.
        lowest: smallest value, None where it is not told.
        highest: largest value, None where it is not told.
    """

    count: int
    total: float | None
    zeros: int = 0
    buckets: dict[int, int] = {}
    scale: int | None = None
    bounds: tuple[float, ...] = ()
    lowest: float | None = None
    highest: float | None = None

    def in_our_buckets(self, per_second: float) -> Buckets | None:
        """Return the samples in our buckets; None when there is no distribution.

        Args:
            per_second: units of the values in a second.

        Raises:
            ItemError: the samples are none that a duration can have.
        """
        if self.scale is not None:
            return from_exponential(
                scale=self.scale,
                counts=self.buckets,
                zeros=self.zeros,
                per_second=per_second,
                lowest=self.lowest,
                highest=self.highest,
            )
        if self.bounds:
            return from_explicit(
                bounds=self.bounds,
                counts=self.buckets,
                per_second=per_second,
                lowest=self.lowest,
                highest=self.highest,
            )
        return None

    def distribution(self) -> list[tuple[float, int]] | None:
        """Return values with how many samples have them, ascending; None when it is not told.

        A bucket of an exponential histogram stands for its geometric middle. One with explicit
        bounds is divided evenly; the last one ends at the largest value, or has only its bound.
        """
        if self.scale is not None:
            width = 2.0**-self.scale
            zeros = [(0.0, self.zeros)] if self.zeros else []
            middles = ((index + 0.5) * width for index in sorted(self.buckets))
            counts = (self.buckets[index] for index in sorted(self.buckets))
            # Powers beyond what a float can hold are no values that anything has.
            return zeros + [
                (2.0 ** min(max(middle, -1000.0), 1000.0), count)
                for middle, count in zip(middles, counts, strict=True)
            ]
        if not self.bounds:
            return None
        found = []
        for index in sorted(self.buckets):
            low = self.bounds[index - 1] if index else min(0.0, self.bounds[0])
            last = self.bounds[-1] if self.highest is None else max(self.highest, low)
            high = self.bounds[index] if index < len(self.bounds) else last
            found += _divided(low, high, self.buckets[index])
        return found

    def since(self, before: Totals) -> Totals | None:
        """Return what was added since earlier totals; None when they cannot be of one stream."""
        if self.count < before.count:
            return None
        buckets, scale = before.buckets, before.scale
        if scale is not None and self.scale is not None and self.scale < scale:
            buckets, scale = coarser(buckets, scale - self.scale), self.scale
        if scale != self.scale or self.bounds != before.bounds:
            return None
        added = {
            index: self.buckets.get(index, 0) - buckets.get(index, 0)
            for index in self.buckets.keys() | buckets.keys()
        }
        zeros = self.zeros - before.zeros
        total = None
        if self.total is not None and before.total is not None:
            total = self.total - before.total
            if total < 0:
                return None
        if zeros < 0 or min(added.values(), default=0) < 0:
            return None
        return msgspec.structs.replace(
            self,
            count=self.count - before.count,
            total=total,
            zeros=zeros,
            buckets={index: count for index, count in added.items() if count},
        )


def _divided(low: float, high: float, count: int) -> list[tuple[float, int]]:
    """Return samples spread evenly between two values, in few steps."""
    steps = min(count, EXPLICIT_STEPS)
    return [
        (
            low + (high - low) * (step + 0.5) / steps,
            (step + 1) * count // steps - step * count // steps,
        )
        for step in range(steps)
    ]


class Position(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where a cumulative stream stood: at which time (Unix nanoseconds), with which totals."""

    time: int
    totals: Totals


class Added(NamedTuple):
    """What happened between two instants (Unix seconds)."""

    start: float
    stop: float
    totals: Totals


def advance(
    position: Position | None, totals: Totals, *, start: int, time: int, listening: int
) -> Added | None:
    """Return what a cumulative data point adds; None when that is nothing that can be told.

    Args:
        position: where the stream stood; None when this is its first point.
        totals: of the point.
        start: when its totals began, Unix nanoseconds; 0 when unknown.
        time: when they were taken, Unix nanoseconds.
        listening: since when the service listens, Unix nanoseconds. A stream that began before
            may have been told to someone else: its first point is where counting starts.
    """
    if position is None:
        if not start or start < listening:
            return None
        return Added(start / NANOSECONDS, time / NANOSECONDS, totals)
    if time <= position.time:
        return None
    added = totals.since(position.totals)
    # What dropped has begun anew without saying when: after the last point.
    return Added(
        position.time / NANOSECONDS, time / NANOSECONDS, totals if added is None else added
    )


def coarser(buckets: dict[int, int], steps: int) -> dict[int, int]:
    """Return exponential buckets at a scale that is `steps` lower: exact, as indices shift."""
    merged: dict[int, int] = {}
    for index, count in buckets.items():
        merged[index >> steps] = merged.get(index >> steps, 0) + count
    return merged


def of_histogram(point: HistogramDataPoint) -> Totals:
    """Return the totals of a data point with explicit bounds.

    Raises:
        ItemError: the point contradicts itself.
    """
    counts, bounds = point.bucket_counts, point.explicit_bounds
    if counts and len(counts) != len(bounds) + 1:
        raise ItemError("bad_histogram", "there must be one more bucket count than explicit bounds")
    if counts and sum(counts) != point.count:
        raise ItemError("bad_histogram", "the buckets hold another number of samples than count")
    return _checked(
        Totals(
            count=point.count,
            total=point.sum if point.HasField("sum") else None,
            buckets={index: count for index, count in enumerate(counts) if count},
            bounds=tuple(bounds) if counts else (),
            lowest=point.min if point.HasField("min") else None,
            highest=point.max if point.HasField("max") else None,
        ),
        len(counts),
    )


def of_exponential(point: ExponentialHistogramDataPoint) -> Totals:
    """Return the totals of an exponential data point.

    Raises:
        ItemError: the point contradicts itself, or holds negative values.
    """
    if any(point.negative.bucket_counts):
        raise ItemError("bad_histogram", "there are negative values")
    counts, offset = point.positive.bucket_counts, point.positive.offset
    if sum(counts) + point.zero_count != point.count:
        raise ItemError("bad_histogram", "the buckets hold another number of samples than count")
    return _checked(
        Totals(
            count=point.count,
            total=point.sum if point.HasField("sum") else None,
            zeros=point.zero_count,
            buckets={index: count for index, count in enumerate(counts, offset) if count},
            scale=point.scale,
            lowest=point.min if point.HasField("min") else None,
            highest=point.max if point.HasField("max") else None,
        ),
        len(counts),
    )


def of_summary(point: SummaryDataPoint) -> Totals:
    """Return the totals of a summary, whose quantiles cannot be merged and are left out.

    Raises:
        ItemError: the numbers are none that a sum of durations can have.
    """
    return _checked(Totals(count=point.count, total=point.sum), 0)


def of_number(value: float) -> Totals:
    """Return the totals of a sum that cannot fall.

    Raises:
        ItemError: it is negative.
    """
    if value < 0:
        raise ItemError("bad_value", "a sum that is monotonic is negative")
    return Totals(count=0, total=value)


def _checked(totals: Totals, buckets: int) -> Totals:
    if totals.count > MAX_COUNT:
        raise ItemError("bad_value", f"a data point has more than {MAX_COUNT} samples")
    if buckets > MAX_BUCKETS:
        raise ItemError("bad_histogram", f"a data point has more than {MAX_BUCKETS} buckets")
    if totals.total is not None and not 0 <= totals.total <= MAX_SUM:
        raise ItemError("bad_value", "the sum is negative, too large or no number")
    for extreme in (totals.lowest, totals.highest):
        if extreme is not None and (not isfinite(extreme) or extreme < 0):
            raise ItemError("bad_value", "min or max is negative or no number")
    return totals
