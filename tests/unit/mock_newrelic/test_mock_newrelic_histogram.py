"""Exponential histograms at scale 5."""

from __future__ import annotations

import pytest

from mock_newrelic.domain.histogram import (
    LOWEST,
    SCALE,
    bucket_of,
    count_up_to,
    merge,
    quantile,
    upper_bound,
)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        pytest.param(1.0, -1, id="bounds-belong-below"),
        pytest.param(1.0000001, 0, id="just-above"),
        pytest.param(2.0, 31, id="an-octave"),
        pytest.param(0.5, -33, id="half"),
        pytest.param(0.0, LOWEST, id="zero"),
        pytest.param(1e-9, LOWEST, id="below-the-scale"),
        pytest.param(86_400, 524, id="a-day"),
    ],
)
def test_buckets_are_those_of_opentelemetry(seconds: float, bucket: int) -> None:
    """Bucket i holds (2^(i/32), 2^((i+1)/32)]."""
    assert SCALE == 5
    assert bucket_of(seconds) == bucket


def test_bounds_grow_by_the_thirty_second_root_of_two() -> None:
    """Thirty-two buckets make an octave."""
    assert upper_bound(31) == 2 * upper_bound(-1) == 2.0


def test_an_empty_histogram_has_no_quantile() -> None:
    """No data is None, not zero."""
    assert quantile({}, 0.5) is None


def test_quantiles_count_ranks_from_below() -> None:
    """The median of two is the lower one, p999 of a thousand the 999th."""
    assert quantile({0: 1, 100: 1}, 0.5) == pytest.approx(upper_bound(0), rel=0.011)
    assert quantile({0: 999, 100: 1}, 0.999) == pytest.approx(upper_bound(0), rel=0.011)
    assert quantile({0: 998, 100: 2}, 0.999) == pytest.approx(upper_bound(100), rel=0.011)


def test_merging_adds_bucket_by_bucket() -> None:
    """The sum has every sample of both."""
    assert merge([{1: 2, 3: 4}, {3: 1, 5: 6}]) == {1: 2, 3: 5, 5: 6}


def test_counting_up_to_a_duration() -> None:
    """The bucket of the limit is included."""
    assert count_up_to({-1: 3, 0: 5}, 1.0) == 3
