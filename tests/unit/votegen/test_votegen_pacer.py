"""Due times as tables of numbers."""

from __future__ import annotations

import math

import pytest

from svckit.randomness import stream
from votegen.domain.pacer import Arrivals, Pace, due_times, unit_gaps


def _times(
    rate: float, duration: float, arrivals: Arrivals = Arrivals.CONSTANT, seed: int = 1
) -> list[float]:
    rng = stream(seed, "arrivals")
    return list(due_times(rate=rate, duration_seconds=duration, arrivals=arrivals, rng=rng))


def _paced(*, rate: float, due: int) -> Pace:
    pace = Pace.starting(rate=rate, first_gap=0.0)
    for _ in range(due):
        pace = pace.after(1.0)
    return pace


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
    ],
)
def test_constant_arrivals_are_rate_times_duration(
    rate: float, duration: float, expected: int
) -> None:
    """The number of requests is exact: rounding never adds or loses one."""
    assert len(_times(rate, duration)) == expected


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
    assert Pace.starting(rate=0, first_gap=0.0).due_at == math.inf


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
    assert _paced(rate=1, due=10).at_rate(rate, now=now).due_at == due_at


def test_a_pause_resumes_where_it_stopped() -> None:
    """Rate 0 and back shifts the schedule by the length of the pause."""
    paused = _paced(rate=1, due=10).at_rate(0, now=9.5)
    assert paused.at_rate(1, now=100).due_at == 100.5


def test_changing_the_rate_does_not_change_the_gaps() -> None:
    """The same gaps follow, only faster."""
    rng = stream(1, "arrivals")
    gaps = unit_gaps(Arrivals.POISSON, rng)
    pace = Pace.starting(rate=1, first_gap=next(gaps)).at_rate(4, now=0.0)
    times = []
    for _ in range(100):
        times.append(pace.due_at)
        pace = pace.after(next(gaps))
    assert times == pytest.approx(_times(4, times[-1] + 1e-9, Arrivals.POISSON))


def test_a_late_schedule_gathers_no_rounding() -> None:
    """The millionth request at 3 per second is due at exactly its multiple."""
    pace = Pace(rate=3.0, due_units=999_999.0)
    assert pace.due_at == 333_333.0
