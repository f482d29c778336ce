"""Data effects, whatever the data: no impossible rate, nothing made up, readings and rows agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_newrelic.domain.effects.base import DataEffect, Moment, ValueEffect
from mock_newrelic.domain.effects.registry import parse_effect
from mock_newrelic.domain.effects.rows import is_error, status_of
from mock_newrelic.domain.histogram import bucket_of, quantile
from mock_newrelic.domain.metrics import METRICS
from mock_newrelic.domain.model import Counts, Reading, Span
from svckit.randomness import stream

NOW = 1_770_170_400.0

ratios = st.floats(0, 1, allow_nan=False).map(lambda value: round(value, 4))
durations = st.floats(0.0005, 30, allow_nan=False)
samples = st.lists(
    st.tuples(durations, st.sampled_from([200, 200, 200, 404, 500])), min_size=1, max_size=60
)


def _data(wire: dict[str, Any]) -> DataEffect:
    effect = parse_effect(wire, None)
    assert isinstance(effect, DataEffect)
    return effect


latencies: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.integers(0, 5000).map(lambda ms: {"add": f"{ms}ms"}),
    st.tuples(st.integers(1, 900), st.integers(1, 900)).map(
        lambda pair: {"add": f"{pair[0]}ms", "jitter": f"{pair[1]}ms"}
    ),
    st.floats(0.1, 10).map(lambda factor: {"scale": factor}),
    st.floats(0.1, 2).map(lambda sigma: {"lognormal": {"median": "200ms", "sigma": sigma}}),
    st.floats(1.1, 5).map(lambda alpha: {"pareto": {"least": "50ms", "alpha": alpha}}),
    st.just({"empirical": ["10ms", "20ms", "500ms"]}),
)
effects = st.one_of(
    ratios.map(lambda ratio: {"error_ratio": ratio}),
    latencies.map(lambda latency: {"latency": latency}),
    st.floats(0, 20).map(lambda factor: {"throughput_scale": factor}),
    ratios.map(lambda ratio: {"drop": ratio}),
    ratios.map(lambda ratio: {"duplicate": ratio}),
    st.integers(1, 100).map(lambda size: {"sampling": size}),
    st.sampled_from([{"no_data": True}, {"stale": True}, {"label_loss": True}]),
    st.integers(2, 50).map(lambda count: {"cardinality_bomb": count}),
).map(_data)


def _reading(rows: list[dict[str, Any]]) -> Reading:
    histogram: dict[int, int] = {}
    for row in rows:
        bucket = bucket_of(row["duration"])
        histogram[bucket] = histogram.get(bucket, 0) + 1
    return Reading(
        Counts(
            len(rows),
            sum(map(is_error, rows)),
            sum(status_of(row) >= 500 for row in rows),
            sum(400 <= status_of(row) < 500 for row in rows),
            len(rows),
            sum(round(row["duration"] * 1e6) for row in rows),
        ),
        histogram,
    )


def _rows(given_samples: list[tuple[float, int]]) -> list[dict[str, Any]]:
    return [
        {"duration": duration, "error": status >= 500, "httpResponseCode": str(status)}
        for duration, status in given_samples
    ]


@given(samples, effects)
def test_no_effect_makes_an_impossible_reading(
    measured: list[tuple[float, int]], effect: DataEffect
) -> None:
    """Parts are never negative or more than the whole; the histogram holds what is timed."""
    shown = effect.observe(_reading(_rows(measured)))
    counts = shown.counts
    assert all(value >= 0 for value in counts)
    assert max(counts.errors, counts.http_5xx, counts.http_4xx, counts.timed) <= counts.samples
    assert sum(shown.histogram.values()) == counts.timed
    assert all(count > 0 for count in shown.histogram.values())
    if counts.samples:
        for name in ("errorRate", "httpErrorRate", "http4xxRate", "successRate", "apdex"):
            value = METRICS[name].compute(shown, 300.0, 0.5)
            assert value is None or 0 <= value <= (METRICS[name].highest or 0)


@given(samples, effects)
def test_rows_and_readings_agree(measured: list[tuple[float, int]], effect: DataEffect) -> None:
    """What NRQL counts in raw rows is what the facade counts."""
    rows = _rows(measured)
    before = _reading(rows)
    shown, told = effect.observe(before).counts, _reading(list(effect.rows(rows)))  # type: ignore[arg-type]
    assert told.counts.samples == shown.samples
    if effect.name in {"error_ratio", "no_data", "latency", "stale", "label_loss"}:
        assert told.counts.errors == shown.errors
        assert told.counts.http_5xx == shown.http_5xx


@given(samples, st.integers(0, 5000))
def test_an_added_latency_shifts_every_quantile(
    measured: list[tuple[float, int]], milliseconds: int
) -> None:
    """A quantile grows by what was added, within one bucket; the sum grows by exactly so much."""
    reading = _reading(_rows(measured))
    shown = _data({"latency": {"add": f"{milliseconds}ms"}}).observe(reading)
    added = milliseconds / 1000
    assert shown.counts.microseconds == reading.counts.microseconds + round(
        len(measured) * added * 1e6
    )
    for ratio in (0.0, 0.5, 0.95, 1.0):
        before, after = quantile(reading.histogram, ratio), quantile(shown.histogram, ratio)
        assert before is not None
        assert after is not None
        assert after == pytest.approx(before + added, rel=0.0111)


@given(
    st.integers(0, 400),
    st.integers(1, 100),
    st.integers(2, 120),
    st.integers(1, 60),
    st.sampled_from(["once", "again"]),
)
def test_gaps_leave_exactly_the_other_seconds(
    ago: int, width: int, every: int, lasts: int, rhythm: str
) -> None:
    """The parts of a window are its seconds outside of the holes, in order and disjoint."""
    if lasts >= every:
        lasts = every - 1
    wire = {"for": f"{lasts}s"} if rhythm == "once" else {"every": f"{every}s", "for": f"{lasts}s"}
    started = int(NOW) - ago
    span = Span(int(NOW) - width, int(NOW) + 1)
    parts = _data({"gap": wire}).spans(span, NOW, float(started))
    seen = [second for part in parts for second in range(*part)]
    expected = [
        second
        for second in range(*span)
        if second < started
        or (second >= started + lasts if rhythm == "once" else (second - started) % every >= lasts)
    ]
    assert seen == expected


@given(
    st.floats(0, 100),
    st.floats(0, 1000),
    st.integers(1, 1000),
    st.sampled_from(
        [
            {"add": -30},
            {"add": 90},
            {"scale": 7.5},
            {"noise": 40},
            {"clamp": {"min": 2, "max": 3}},
            {"flap": {"a": 1, "b": 9, "period": "10s"}},
            {"ramp": {"to": 100, "over": "1m", "curve": "exponential"}},
            {"step": {"to": 8, "query": 500}},
            {"sawtooth": {"to": 100, "period": "7s"}},
            {"spike": {"to": 50, "every": "1m", "for": "5s"}},
            {"replay": {"values": [0, 100], "every": "1s", "loop": True}},
        ]
    ),
)
def test_values_stay_within_what_a_rate_can_be(
    measured: float, since: float, query: int, wire: dict[str, Any]
) -> None:
    """Never negative, never above 100 %; the three units of the error rate say the same."""
    effect = parse_effect(wire, None)
    assert isinstance(effect, ValueEffect)

    def told(metric: str, value: float) -> float | None:
        moment = Moment(
            since=since,
            query=query,
            rng=stream(7, query),
            app="a",
            weight=lambda: None,
            lookup=lambda *_: None,
        )
        return effect.value_of(metric, value, moment)

    percent = told("errorRate", measured)
    ratio = told("errorRatio", measured / 100)
    assert (percent is None) == (ratio is None)
    if percent is not None and ratio is not None:
        assert 0 <= percent <= 100
        assert ratio == pytest.approx(percent / 100, abs=1e-9)
    assert told("errorRate", measured) == percent
