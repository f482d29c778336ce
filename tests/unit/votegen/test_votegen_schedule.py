"""Due times and rates as tables of numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from svckit.errors import InvalidInput
from votegen.domain.profile import Profile, Recorded, Sine, Stages, Steady, parse_shape
from votegen.domain.schedule import BLOCK, Arrivals, Schedule


def _schedule(profile: Profile, arrivals: Arrivals = Arrivals.CONSTANT, seed: int = 1) -> Schedule:
    return Schedule(profile, arrivals=arrivals, seed=seed)


def _times(
    rate: float, duration: float, arrivals: Arrivals = Arrivals.CONSTANT, seed: int = 1
) -> list[float]:
    return _schedule(Steady(rate), arrivals, seed).take(duration, before=duration)


def test_constant_arrivals_are_evenly_spaced_from_the_start() -> None:
    """The first request is due at once, the others at multiples of the interval."""
    assert _times(4, 1) == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    ("rate", "duration", "expected"),
    [
        pytest.param(50, 60, 3000, id="50-for-a-minute"),
        pytest.param(0.1, 60, 6, id="slow"),
        pytest.param(3, 1, 3, id="thirds"),
        pytest.param(7, 3600, 25_200, id="sevenths-for-an-hour"),
        pytest.param(10, 0.05, 1, id="shorter-than-an-interval"),
        pytest.param(BLOCK, 3, 3 * BLOCK, id="whole-blocks"),
    ],
)
def test_constant_arrivals_are_rate_times_duration(
    rate: float, duration: float, expected: int
) -> None:
    """The number of requests is exact: rounding never adds or loses one."""
    assert len(_times(rate, duration)) == expected


def test_what_is_taken_is_not_taken_again() -> None:
    """Every due time comes once, whatever the steps in which it is asked for."""
    schedule = _schedule(Steady(100))
    taken = [time for until in (0.0, 0.005, 0.5, 0.5, 60.0) for time in schedule.take(until)]
    assert taken == [number / 100 for number in range(6001)]
    assert schedule.next_due == 60.01


def test_poisson_arrivals_repeat_with_the_seed() -> None:
    """The same seed gives the same schedule, another seed another one."""
    first = _times(50, 10, Arrivals.POISSON, seed=4)
    assert first == _times(50, 10, Arrivals.POISSON, seed=4)
    assert first != _times(50, 10, Arrivals.POISSON, seed=5)


def test_poisson_schedules_of_two_rates_are_the_same_in_units() -> None:
    """Twice the rate is the same schedule in half the time."""
    slow, fast = _times(10, 100, Arrivals.POISSON), _times(20, 50, Arrivals.POISSON)
    assert slow == pytest.approx([2 * time for time in fast])


def test_a_rate_of_zero_is_never_due() -> None:
    """Nothing is sent at rate 0."""
    schedule = _schedule(Steady(0), Arrivals.POISSON)
    assert schedule.next_due == math.inf
    assert schedule.take(1e9) == []


@pytest.mark.parametrize(
    ("now", "rate", "due_at"),
    [
        # At rate 1 the request is due at 10; at 9.5 half of its gap is left.
        pytest.param(9.5, 2.0, 9.75, id="faster"),
        pytest.param(9.5, 0.5, 10.5, id="slower"),
        pytest.param(9.5, 1.0, 10.0, id="unchanged"),
        pytest.param(9.5, 0.0, math.inf, id="paused"),
        pytest.param(12.0, 2.0, 12.0, id="overdue-is-due-now"),
    ],
)
def test_a_new_rate_keeps_the_unfinished_gap(now: float, rate: float, due_at: float) -> None:
    """What has passed of the gap counts; the rest passes at the new rate."""
    schedule = _schedule(Steady(1))
    schedule.take(9.0)
    schedule.change(Steady(rate), now=now)
    assert schedule.next_due == due_at


def test_a_pause_resumes_where_it_stopped() -> None:
    """Rate 0 and back shifts the schedule by the length of the pause."""
    schedule = _schedule(Steady(1))
    schedule.take(9.0)
    schedule.change(Steady(0), now=9.5)
    schedule.change(Steady(1), now=100)
    assert schedule.next_due == 100.5


def test_changing_the_rate_does_not_change_the_gaps() -> None:
    """The same gaps follow, only faster."""
    schedule = _schedule(Steady(1), Arrivals.POISSON)
    schedule.change(Steady(4), now=0.0)
    assert schedule.take(25) == pytest.approx(_times(4, 25, Arrivals.POISSON))


def test_a_shape_begins_when_it_is_put_in_force() -> None:
    """Stages that replace a steady rate in the middle of a run count their time from there."""
    schedule = _schedule(Steady(1))
    schedule.take(9.0)
    schedule.change(Stages.parse("0s:1,10s:1,10s:100"), now=9.0)
    assert schedule.take(19.0) == pytest.approx([10.0 + number for number in range(10)])
    assert schedule.next_due == pytest.approx(19.01)


def test_a_late_schedule_gathers_no_rounding() -> None:
    """The millionth request at 3 per second is due at exactly its multiple."""
    schedule = _schedule(Steady(3))
    schedule.take(333_332.9)
    assert schedule.next_due == 333_333.0


def test_stages_are_straight_lines() -> None:
    """From 10/s to 50/s in a minute: 1,800 requests, 30/s half-way, then 50/s for good."""
    stages = Stages.parse("0s:10,60s:50")
    assert (stages.peak, stages.length) == (50, 60)
    assert stages.rate_at(30) == 30
    assert stages.rate_at(1000) == 50
    assert stages.units_until(60) == 1800
    assert stages.units_until(61) == 1850
    assert len(_schedule(stages).take(60, before=60)) == 1800
    # Half of the requests are due when the area is half: 10x + x²/3 = 900.
    assert stages.times_at(np.array([900.0]))[0] == pytest.approx(-15 + math.sqrt(225 + 2700))


def test_two_points_of_one_time_are_a_step() -> None:
    """The rate behind the step holds from that very time on."""
    stages = Stages.parse("0s:10,10s:10,10s:100,11s:100,11s:0")
    assert [stages.rate_at(time) for time in (9.999, 10.0, 10.999, 11.0)] == [10, 100, 100, 0]
    assert len(_schedule(stages).take(1e6)) == 200


def test_nothing_is_due_while_the_rate_is_zero() -> None:
    """A stage at zero is a pause."""
    stages = Stages.parse("0s:1,2s:1,2s:0,12s:0,12s:1")
    assert _schedule(stages).take(14.0) == [0.0, 1.0, 12.0, 13.0, 14.0]


def test_a_sine_has_its_mean_over_a_period() -> None:
    """A day is symmetric: the mean rate over a whole period, the peak at its first quarter."""
    sine = parse_shape("sine:50,30,10m")
    assert sine.units_until(600) == pytest.approx(50 * 600)
    assert (sine.rate_at(150), sine.rate_at(450)) == (pytest.approx(80), pytest.approx(20))
    assert sine.peak == 80
    assert len(_schedule(sine).take(600, before=600)) == 30_000


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        pytest.param("steady:10", 600, id="steady"),
        pytest.param("stages:0s:10,60s:50", 1800, id="stages"),
        pytest.param("spike:10,110,20s,5s", 1100, id="spike"),
        pytest.param("step:10,20,30,20s", 1200, id="step"),
        pytest.param("sine:10,10,60s", 600, id="sine"),
    ],
)
def test_shapes_by_name(text: str, requests: int) -> None:
    """Each named shape sends as many requests in a minute as its area says."""
    assert len(_schedule(parse_shape(text)).take(60, before=60)) == requests


def test_recorded_arrivals_are_due_when_they_were() -> None:
    """A replay sends what was measured, and nothing after it."""
    recorded = Recorded.parse("# from a log\n0\n0.5\n\n0.5\n3.25\n")
    assert _schedule(recorded).take(1e9) == [0.0, 0.5, 0.5, 3.25]
    assert (recorded.peak, recorded.length) == (3, pytest.approx(3.25))
    assert len(_schedule(recorded).take(9, before=recorded.length or 0)) == 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("10", "'10' is not TIME:RATE", id="no-time"),
        pytest.param("0s:many", "is not TIME:RATE", id="no-rate"),
        pytest.param("5s:10", "the first point is not at 0s", id="late-start"),
        pytest.param("0s:10,20s:5,10s:1", "lies before", id="backwards"),
        pytest.param("0s:-1", "is not from 0", id="negative"),
        pytest.param("0s:nan", "is not from 0", id="nan"),
        pytest.param("0s:0,10s:0", "nothing would be sent", id="silent"),
        pytest.param("", "is not TIME:RATE", id="empty"),
    ],
)
def test_bad_stages_are_explained(text: str, reason: str) -> None:
    """The part that is wrong is named."""
    with pytest.raises(InvalidInput, match=reason):
        Stages.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "square:1,2",
        "sine:50",
        "sine:50,60,10m",
        "sine:50,30,never",
        "spike:1,2,3",
        "step:10s",
        "",
        "sine:nan,1,1m",
    ],
)
def test_bad_shapes_are_refused(text: str) -> None:
    """An unknown name, missing arguments, or a rate that would fall below zero."""
    with pytest.raises(InvalidInput):
        parse_shape(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "holds no arrival", id="empty"),
        pytest.param("0\nsoon\n", "line 2 of the recording is not a number", id="text"),
        pytest.param("1\n0.5\n", "arrival 2 of the recording", id="backwards"),
        pytest.param("-1\n", "arrival 1 of the recording", id="negative"),
        pytest.param("nan\n", "arrival 1 of the recording", id="nan"),
        pytest.param("1733000000.5\n1733000001\n", "years after the start", id="epoch"),
    ],
)
def test_bad_recordings_are_explained(text: str, reason: str) -> None:
    """The line or arrival that is wrong is named."""
    with pytest.raises(InvalidInput, match=reason):
        Recorded.parse(text)


def test_a_sine_that_could_not_be_is_refused() -> None:
    """An amplitude above the mean would be a negative rate."""
    with pytest.raises(InvalidInput, match="amplitude 60 is not from 0 to the mean 50"):
        Sine(mean=50, amplitude=60, period=600)
