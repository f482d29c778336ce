"""Reading one metric: numbers written as text, durations, the effective count."""

from __future__ import annotations

import pytest

from rollout_runner.argo.analysis import Metric
from rollout_runner.argo.analysis.metric import int_value


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(3, 3, id="number"),
        pytest.param("3", 3, id="text"),
        pytest.param("-1", -1, id="negative-text"),
        pytest.param("50%", 0, id="percent"),
        pytest.param("abc", 0, id="word"),
        pytest.param(" 3", 0, id="space"),
        pytest.param("1_0", 0, id="underscore"),
        pytest.param("٣", 0, id="other-digits"),
        pytest.param(None, 7, id="unset"),
    ],
)
def test_int_or_string(value: object, number: int) -> None:
    """Text that is no decimal integer counts as 0; only an unset field takes the default."""
    assert int_value(value, 7) == number


@pytest.mark.parametrize(
    ("fields", "effective"),
    [
        pytest.param({}, 1, id="once"),
        pytest.param({"interval": "10s"}, None, id="for-ever"),
        pytest.param({"interval": "10s", "count": 0}, None, id="zero-is-unset"),
        pytest.param({"count": 0}, 1, id="zero-without-interval"),
        pytest.param({"interval": "10s", "count": "5"}, 5, id="text"),
        pytest.param({"count": -2}, -2, id="negative-is-kept"),
    ],
)
def test_effective_count(fields: dict[str, object], effective: int | None) -> None:
    """Without a count a metric is measured once, or for ever if it has an interval."""
    assert Metric.from_json({"name": "m", **fields}).effective_count == effective


def test_duration_that_is_none() -> None:
    """A text that is no Go duration is kept, and has no seconds."""
    metric = Metric.from_json({"name": "m", "interval": "1d"})
    assert (metric.interval, metric.interval_seconds) == ("1d", None)


def test_default_error_limit() -> None:
    """Four consecutive errors are tolerated unless the metric says otherwise."""
    assert Metric.from_json({"name": "m"}).consecutive_error_limit == 4


def test_null_provider_is_unset() -> None:
    """A provider block that is null does not count, a plugin counts under its own name."""
    metric = Metric.from_json(
        {"name": "m", "provider": {"web": None, "plugin": {"a/b": {}}, "unknown": {}}}
    )
    assert metric.provider_names == ("a/b",)
