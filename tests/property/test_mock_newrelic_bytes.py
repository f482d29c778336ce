"""Whatever comes over the wire ends in an answer or a reasoned refusal, never in a crash."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import example, given
from hypothesis import strategies as st

from mock_newrelic.domain.histogram import bucket_of, merge, quantile, upper_bound
from mock_newrelic.domain.ingest.event_api import ProbeRule, read_batch
from mock_newrelic.domain.query import (
    parse_histogram_query,
    parse_metric_query,
    parse_series_query,
    split_query_string,
)
from mock_newrelic.domain.rendering import facade_body, number_text
from svckit.errors import InvalidInput

T = TypeVar("T")

NOW = 1_770_170_400.0
DURATIONS = st.floats(min_value=1e-5, max_value=86_400, allow_nan=False)
HISTOGRAMS = st.lists(st.floats(0, 1000), max_size=50).map(
    lambda durations: merge({bucket_of(duration): 1} for duration in durations)
)

PIECES = st.sampled_from(
    ["app=a", "metric=errorRate", "metric=p95", "window=5m", "window=5x", "hash=", "hash=x", "&",
     "=", "%", "%00", "%ff", "since=2026-02-04T02:00:00Z", "at=x", "step=1s", "min_samples=9",
     "detail=full", "label.x=y", "t=1", "+", ";", '"', "\u00e9"]
)  # fmt: skip


def attempt(call: Callable[[], T]) -> T | InvalidInput:
    """Return what the call returns, or its refusal; anything else is a crash."""
    try:
        return call()
    except InvalidInput as refusal:
        return refusal


@given(st.one_of(st.binary(), st.lists(PIECES).map(lambda parts: "&".join(parts).encode())))
def test_any_query_string_is_read_or_refused(raw: bytes) -> None:
    """A refusal is 400 with a code, and carries no quoted metric name."""
    for parse in (parse_metric_query, parse_series_query, parse_histogram_query):
        query = attempt(lambda parse=parse: parse(split_query_string(raw)))
        if isinstance(query, InvalidInput):
            assert query.status == 400
            assert re.fullmatch(r"[a-z_]+", query.code)
            assert '"' not in query.detail + query.hint
        else:
            assert query.app
            assert all(name and value for name, value in query.terms)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "eventType": st.sampled_from(["Transaction", "Vote", ""]) | JSON_VALUES,
        "appName": st.sampled_from(["a", ""]) | JSON_VALUES,
        "timestamp": st.floats(NOW - 300_000, NOW + 300_000) | JSON_VALUES,
        "duration": st.floats(-1, 100_000) | JSON_VALUES,
        "error": JSON_VALUES,
        "httpResponseCode": st.integers(-1, 700) | JSON_VALUES,
        "role": JSON_VALUES,
        "host": JSON_VALUES,
        "anything": JSON_VALUES,
    },
)


@given(st.lists(ATTRIBUTES | JSON_VALUES, max_size=4))
def test_any_json_is_counted_whole_or_refused_whole(events: list[Any]) -> None:
    """What is accepted adds up; what is not is a 4xx."""
    body = json.dumps(events).encode()
    batch = attempt(lambda: read_batch(body, now=NOW, probes=ProbeRule()))
    if isinstance(batch, InvalidInput):
        assert batch.status in {400, 422}
        return
    assert batch.samples + batch.probes + batch.others == len(events)
    bins = [one for seconds in batch.bins.values() for one in seconds.values()]
    assert sum(one.counts[0] for one in bins) == batch.samples
    assert all(min(one.counts) >= 0 for one in bins)
    assert all(sum(one.histogram.values()) == one.counts[4] for one in bins)


@given(st.binary())
@example(b'[{"eventType":"Transaction","appName":"a","timestamp":1e308}]')
def test_any_bytes_are_refused_or_counted(body: bytes) -> None:
    """Bytes that are no events are a 4xx."""
    batch = attempt(lambda: read_batch(body, now=NOW, probes=ProbeRule()))
    assert not isinstance(batch, InvalidInput) or batch.status in {400, 422}


@given(st.floats(min_value=0, max_value=1e15) | st.integers(0, 10**15))
def test_numbers_are_written_for_both_readers(value: float) -> None:
    """Digits and a dot only, four decimals at most, the value rounded."""
    text = number_text(value)
    assert re.fullmatch(r"[0-9]+(\.[0-9]{1,4})?", text)
    assert math.isclose(float(text), value, rel_tol=1e-15, abs_tol=5.0001e-5)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30), st.floats(0, 100))
def test_the_body_is_json_on_one_line(app: str, value: float) -> None:
    """Whatever the name, the body parses and its keys keep their order."""
    body = facade_body(
        app=app, metric="errorRate", window="5m", value=value, timestamp="2026-02-04T02:00:00Z"
    )
    assert b"\n" not in body
    document = json.loads(body)
    assert list(document) == ["app", "metric", "window", "errorRate", "timestamp"]
    assert document["app"] == app


@given(st.lists(DURATIONS, min_size=1, max_size=200), st.floats(0.001, 1))
def test_quantiles_are_off_by_one_point_one_percent(durations: list[float], ratio: float) -> None:
    """The estimate is within 1.1 % of the sample of that rank."""
    histogram = merge({bucket_of(duration): 1} for duration in durations)
    exact = sorted(durations)[max(1, math.ceil(ratio * len(durations))) - 1]
    estimate = quantile(histogram, ratio)
    assert estimate is not None
    assert abs(estimate / exact - 1) <= 0.011


@given(HISTOGRAMS, HISTOGRAMS, HISTOGRAMS)
def test_merging_is_associative_and_commutative(
    a: dict[int, int], b: dict[int, int], c: dict[int, int]
) -> None:
    """Windows may be summed in any grouping."""
    assert merge([merge([a, b]), c]) == merge([a, merge([c, b])])


@given(DURATIONS)
def test_a_duration_lies_in_its_bucket(duration: float) -> None:
    """Bounds are exclusive below and inclusive above, up to rounding of the last bit."""
    bucket = bucket_of(duration)
    assert duration <= upper_bound(bucket) * (1 + 1e-12)
    assert duration > upper_bound(bucket - 1) * (1 - 1e-12)
