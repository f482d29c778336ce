"""Histograms and totals of OpenTelemetry against its own SDK, and against bookkeeping by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from mock_newrelic.domain.histogram import LOWEST_SECONDS, bucket_of, quantile, upper_bound
from mock_newrelic.domain.ingest.otlp_buckets import (
    from_explicit,
    from_exponential,
    over_seconds,
    spread,
)
from mock_newrelic.domain.ingest.otlp_points import Position, Totals, advance, coarser
from mock_newrelic.domain.ingest.telemetry import ItemError

SECONDS = st.floats(min_value=1e-5, max_value=3600)
WIDTH = 2 ** (1 / 32)


def _exponential(values: Sequence[float], *, max_size: int = 160, **more: Any) -> Any:
    """Return the data point that OpenTelemetry's SDK makes of values."""
    aggregation = ExponentialBucketHistogramAggregation(max_size=max_size, **more)
    reader = InMemoryMetricReader(
        preferred_temporality={Histogram: AggregationTemporality.DELTA},
        preferred_aggregation={Histogram: aggregation},
    )
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    histogram = provider.get_meter("m").create_histogram("h")
    for value in values:
        histogram.record(value)
    data = reader.get_metrics_data()
    assert data is not None
    (point,) = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    provider.shutdown()
    return point


def _ours(point: Any, *, per_second: float = 1.0) -> tuple[dict[int, int], bool]:
    positive = point.positive
    counts = dict(enumerate(positive.bucket_counts, positive.offset))
    return from_exponential(
        scale=point.scale,
        counts={index: count for index, count in counts.items() if count},
        zeros=point.zero_count,
        per_second=per_second,
        lowest=point.min,
        highest=point.max,
    )


@given(st.lists(SECONDS, min_size=1, max_size=60))
def test_finer_histograms_fall_into_our_buckets_exactly(values: list[float]) -> None:
    """Whatever scale the SDK chose, at 5 or finer every sample is where we would have put it.

    The SDK may place a value beside a bound that it equals but for the last digit.
    """
    point = _exponential(values)
    buckets, approximate = _ours(point)
    assert approximate == (point.scale < 5)
    assert sum(buckets.values()) == len(values)
    if not approximate:
        exact = sorted(bucket_of(value) for value in values)
        found = sorted(bucket for bucket, count in buckets.items() for _ in range(count))
        for mine, theirs, value in zip(found, exact, sorted(values), strict=True):
            assert mine == theirs or value == pytest.approx(upper_bound(min(mine, theirs)))


@given(st.lists(SECONDS, min_size=1, max_size=60), st.integers(4, 40))
def test_coarser_histograms_keep_counts_and_extremes(values: list[float], size: int) -> None:
    """No sample is lost, and none lies beyond the shortest and longest one."""
    point = _exponential(values, max_size=size)
    buckets, _ = _ours(point)
    assert sum(buckets.values()) == len(values)
    assert all(count > 0 for count in buckets.values())
    assert min(buckets) >= bucket_of(min(values)) - 1
    assert max(buckets) <= bucket_of(max(values)) + 1
    # A quantile lies in the SDK's bucket that holds the sample of that rank.
    factor = 2.0 ** (2.0**-point.scale)
    for ratio in (0.5, 0.95):
        true = sorted(values)[math.ceil(ratio * len(values)) - 1]
        told = quantile(buckets, ratio)
        assert told is not None
        assert true / factor / WIDTH <= told <= true * factor * WIDTH


@given(st.lists(st.floats(1e-4, 100), min_size=1, max_size=60))
def test_milliseconds_lie_across_buckets(values: list[float]) -> None:
    """Neighbours at most: the count is exact and a quantile is off by two buckets at most."""
    point = _exponential([1000 * value for value in values])
    buckets, approximate = _ours(point, per_second=1000)
    assert approximate
    assert sum(buckets.values()) == len(values)
    if point.scale >= 5:
        true = sorted(values)[math.ceil(0.95 * len(values)) - 1]
        assert quantile(buckets, 0.95) == pytest.approx(true, rel=WIDTH**1.5 - 1 + 1e-9)


@given(
    st.lists(st.integers(0, 5000), min_size=5, max_size=5),
    st.sampled_from([1.0, 1000.0]),
    st.booleans(),
)
def test_explicit_bounds_keep_counts(
    counts: list[int],
    per_second: float,
    extremes: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """Samples stay within the bounds of their bucket, whatever the numbers."""
    seconds = [0.005, 0.05, 0.5, 5.0]
    bounds = [bound * per_second for bound in seconds]
    told = {index: count for index, count in enumerate(counts) if count}
    buckets, approximate = from_explicit(
        bounds=bounds,
        counts=told,
        per_second=per_second,
        lowest=0.002 * per_second if extremes else None,
        highest=9.0 * per_second if extremes else None,
    )
    assert approximate
    assert sum(buckets.values()) == sum(counts)
    edges = [0.0, *seconds, 9.0 if extremes else 5.0]
    for number, count in told.items():
        low, high = bucket_of(edges[number] or LOWEST_SECONDS), bucket_of(edges[number + 1])
        inside = sum(n for bucket, n in buckets.items() if low < bucket < high)
        touching = sum(n for bucket, n in buckets.items() if low <= bucket <= high + 1)
        assert inside <= count <= touching


def test_quantiles_inside_explicit_buckets_are_interpolated() -> None:
    """Evenly, as Prometheus' histogram_quantile does: 0.1 + (0.2 - 0.1) * 0.9."""
    buckets, _ = from_explicit(bounds=[0.1, 0.2], counts={0: 500, 1: 500}, per_second=1.0)
    assert quantile(buckets, 0.95) == pytest.approx(0.19, rel=0.012)


@pytest.mark.parametrize(
    "bounds", [[0.1, 0.1], [0.2, 0.1], [float("nan")], [0.1, float("inf")], [0.1, float("nan")]]
)
def test_bounds_that_do_not_ascend_are_refused(bounds: list[float]) -> None:
    """They tell nothing."""
    with pytest.raises(ItemError, match="ascend"):
        from_explicit(bounds=bounds, counts={0: 1}, per_second=1.0)


@pytest.mark.parametrize(("scale", "index"), [(20, 2**30), (0, 40), (-10, 2**31 - 1), (5, 600)])
def test_durations_beyond_a_day_are_refused(scale: int, index: int) -> None:
    """They are no durations of requests; numbers of any size are answered at once."""
    with pytest.raises(ItemError, match="longer"):
        from_exponential(scale=scale, counts={index: 1}, zeros=0, per_second=1.0)


@pytest.mark.parametrize("index", [-(2**31), -(2**20), -1000])
@pytest.mark.parametrize("scale", [-10, 0, 4, 5, 20])
def test_the_shortest_durations_share_the_lowest_bucket(scale: int, index: int) -> None:
    """However far below they are told."""
    buckets, _ = from_exponential(scale=scale, counts={index: 7}, zeros=2, per_second=1.0)
    assert sum(buckets.values()) == 9


@given(
    st.floats(1.7e9, 1.8e9),
    st.floats(0, 100_000),
    st.dictionaries(st.integers(-300, 100), st.integers(1, 10_000), min_size=1, max_size=30),
)
def test_spreading_loses_nothing(start: float, length: float, buckets: dict[int, int]) -> None:
    """Every bucket keeps its count, seconds lie in the interval and get alike many."""
    shares = over_seconds(start, start + length)
    parts = list(spread(shares, buckets))
    for bucket, count in buckets.items():
        assert sum(part.buckets.get(bucket, 0) for part in parts) == count
    seconds = [part.second for part in parts]
    assert seconds == sorted(set(seconds))
    assert min(seconds) >= floor(start)
    assert max(seconds) <= floor(start + length)
    assert len(shares) <= 600
    assert all(part.samples == sum(part.buckets.values()) > 0 for part in parts)


@given(st.integers(1, 100_000), st.floats(0, 0.999), st.integers(2, 90))
def test_spreading_is_in_proportion_to_time(count: int, offset: float, length: int) -> None:
    """A second gets what its part of the interval is worth, give or take a sample."""
    start = 1_770_000_000 + offset
    parts = {
        part.second: part.samples for part in spread(over_seconds(start, start + length), {}, count)
    }
    assert sum(parts.values()) == count
    for second in range(floor(start), floor(start + length) + 1):
        overlap = max(0.0, min(second + 1, start + length) - max(second, start))
        assert parts.get(second, 0) == pytest.approx(count * overlap / length, abs=1.001)


@given(st.data())
def test_what_totals_add_up_to(data: st.DataObject) -> None:
    """Whatever is late, repeated, reset or restarted: what was added is what happened.

    The bookkeeping knows only what its sender did; points that come out of order and repeat add
    nothing, and resets are seen as long as the totals are lower than before.
    """
    listening, now = 10**9, 2 * 10**9
    positions: dict[int, Position] = {}
    happened = counted = total = 0
    start, buckets = now, {0: 0, 1: 0}
    for _ in range(data.draw(st.integers(1, 12))):
        now += data.draw(st.integers(1, 10**9))
        kind = data.draw(st.sampled_from(["more", "more", "same", "late", "restart"]))
        if kind == "restart":
            start, total, buckets = now, 0, {0: 0, 1: 0}
            now += 1
        if kind in {"more", "restart"}:
            for bucket in (0, 1):
                fresh = data.draw(st.integers(0, 50))
                buckets = {**buckets, bucket: buckets[bucket] + fresh}
                total += fresh
                happened += fresh
        told = Totals(count=total, total=float(total), buckets=buckets, bounds=(1.0,))
        time = now
        if kind == "late" and start in positions:
            before = positions[start]
            told, time = before.totals, before.time - 1
        added = advance(positions.get(start), told, start=start, time=time, listening=listening)
        if added is not None:
            counted += added.totals.count
            assert sum(added.totals.buckets.values()) == added.totals.count
            assert added.start <= added.stop
        if kind != "late" or start not in positions:
            positions[start] = Position(time, told)
    assert counted == happened


@given(
    st.dictionaries(st.integers(-2000, 2000), st.integers(1, 1000), max_size=40),
    st.dictionaries(st.integers(-2000, 2000), st.integers(1, 1000), max_size=40),
    st.integers(0, 6),
)
def test_totals_at_a_coarser_scale_than_before(
    first: dict[int, int], added: dict[int, int], steps: int
) -> None:
    """An SDK lowers its scale as values come; what was before is then seen at the lower one."""
    fine, scale = 10, 10 - steps
    merged = coarser(first, steps)
    for index, count in coarser(added, steps).items():
        merged[index] = merged.get(index, 0) + count
    before = Totals(count=sum(first.values()), total=1.0, buckets=first, scale=fine)
    now = Totals(count=sum(merged.values()), total=2.0, buckets=merged, scale=scale)
    difference = now.since(before)
    assert difference is not None
    assert difference.buckets == coarser(added, steps)
    assert difference.count == sum(added.values())
