from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rollout_runner.events import VersionTraffic
from rollout_runner.report.traffic import Counts, Traffic, TrafficMeter, TrafficSample

START = datetime(2026, 2, 4, 2, tzinfo=UTC)


def sample(second: float, requests: int, errors: int = 0) -> TrafficSample:
    """Return a sample of the canary's totals."""
    totals = {"canary": Counts(requests=requests, errors=errors)}
    return TrafficSample(at=START + timedelta(seconds=second), totals=totals)


def traffic(*samples: TrafficSample) -> Traffic:
    """Return a history of these samples."""
    return Traffic(started_at=START, samples=samples)


@pytest.mark.parametrize(
    ("requests", "errors", "rate"),
    [
        pytest.param(0, 0, None, id="no-requests"),
        pytest.param(50, 0, 0.0, id="no-errors"),
        pytest.param(1000, 52, 5.2, id="some"),
        pytest.param(3, 3, 100.0, id="all"),
    ],
)
def test_error_rate(requests: int, errors: int, rate: float | None) -> None:
    """The error rate is percent of the requests, and None without any."""
    assert Counts(requests=requests, errors=errors).error_rate == rate


def test_intervals_are_differences_of_totals() -> None:
    """Each interval holds what came on top of the sample before; the first counts from zero."""
    intervals = traffic(sample(10, 100, 1), sample(20, 150, 6)).intervals()
    assert [interval.versions["canary"] for interval in intervals] == [
        Counts(requests=100, errors=1),
        Counts(requests=50, errors=5),
    ]
    assert intervals[0].start == START


def test_merged_intervals_lose_nothing() -> None:
    """Merged down to a limit, the intervals still add up to the totals."""
    history = traffic(*(sample(second, second * 10, second) for second in range(1, 601)))
    intervals = history.intervals(limit=60)
    assert len(intervals) <= 61
    assert sum((i.versions["canary"] for i in intervals), Counts()) == history.totals["canary"]


def test_between_takes_the_samples_that_lie_inside() -> None:
    """What was served between two instants is the difference of the last samples before them."""
    history = traffic(sample(10, 100), sample(20, 150), sample(30, 400))
    served = history.between(START + timedelta(seconds=12), START + timedelta(seconds=25))
    assert served == {"canary": Counts(requests=50)}


@pytest.mark.parametrize(
    ("samples", "seconds"),
    [
        pytest.param((sample(10, 100, 99), sample(20, 200, 199)), 10.0, id="one-interval-down"),
        pytest.param((sample(10, 100, 3), sample(20, 200, 6)), 0.0, id="never-down"),
        pytest.param((sample(10, 100, 0), sample(20, 100, 0)), 0.0, id="nobody-asked"),
        pytest.param((sample(10, 0), sample(20, 0)), None, id="nobody-ever-asked"),
        pytest.param((), None, id="no-samples"),
    ],
)
def test_downtime(samples: tuple[TrafficSample, ...], seconds: float | None) -> None:
    """Downtime is the time in which requests came and none succeeded; silence is unknown."""
    assert traffic(*samples).downtime_seconds() == seconds


def test_a_restarted_generator_counts_on_top() -> None:
    """A total that fell began again from zero, so nothing served is lost or negative."""
    meter = TrafficMeter()
    meter.observe([VersionTraffic(hash="canary", requests=100, errors=4)])
    totals = meter.observe([VersionTraffic(hash="canary", requests=30, errors=1)])
    assert totals == {"canary": Counts(requests=130, errors=5)}


def test_a_version_that_is_not_observed_keeps_its_total() -> None:
    """A version missing from one observation has served what it had served."""
    meter = TrafficMeter()
    meter.observe([VersionTraffic(hash="canary", requests=100, errors=4)])
    totals = meter.observe([VersionTraffic(hash="stable", requests=5, errors=0)])
    assert totals["canary"] == Counts(requests=100, errors=4)
