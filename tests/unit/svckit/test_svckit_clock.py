"""Clocks: machine time, scaled time and time that a test moves."""

from __future__ import annotations

import asyncio

import pytest

from svckit.clock import ManualClock, ScaledClock, SystemClock, clock_from_environment
from svckit.errors import InvalidInput
from svckit.timestamps import format_timestamp, format_timestamp_ms, parse_timestamp


def test_without_variables_it_is_the_machines_time() -> None:
    """No rate means real time."""
    assert isinstance(clock_from_environment({}), SystemClock)


def test_two_processes_with_the_same_variables_agree() -> None:
    """Virtual time depends on the epoch and the rate alone."""
    variables = {"SUITE_CLOCK_EPOCH": "2026-02-04T02:00:00Z", "SUITE_CLOCK_RATE": "60"}
    one, other = clock_from_environment(variables), clock_from_environment(variables)
    assert one.rate == 60
    assert other.now() - one.now() < 60 * 0.5


def test_scaled_time_equals_machine_time_at_the_epoch() -> None:
    """The epoch is the fixed point of the scale."""
    now = SystemClock().now()
    clock = ScaledClock(epoch=now, rate=1000)
    assert 0 <= clock.now() - now < 1000


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        pytest.param({"SUITE_CLOCK_RATE": "fast"}, "SUITE_CLOCK_RATE", id="rate-not-a-number"),
        pytest.param({"SUITE_CLOCK_RATE": "0"}, "SUITE_CLOCK_RATE", id="rate-zero"),
        pytest.param({"SUITE_CLOCK_RATE": "nan"}, "SUITE_CLOCK_RATE", id="rate-nan"),
        pytest.param({"SUITE_CLOCK_RATE": "10"}, "SUITE_CLOCK_EPOCH", id="epoch-missing"),
        pytest.param(
            {"SUITE_CLOCK_RATE": "10", "SUITE_CLOCK_EPOCH": "2026-02-04T02:00:00"},
            "SUITE_CLOCK_EPOCH",
            id="epoch-without-zone",
        ),
    ],
)
def test_bad_variables_are_named(variables: dict[str, str], name: str) -> None:
    """A wrong value is an error that names the variable."""
    with pytest.raises(InvalidInput, match=name):
        clock_from_environment(variables)


@pytest.mark.anyio
async def test_sleepers_of_a_manual_clock_wake_in_order(clock: ManualClock) -> None:
    """Advancing wakes exactly those whose time has come, earliest first."""
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (30, 10, 20)]
    await asyncio.sleep(0)
    assert clock.next_wake == clock.now() + 10
    clock.advance(20)
    await asyncio.sleep(0)
    assert woken == [10, 20]
    clock.advance(10)
    await asyncio.gather(*tasks)
    assert woken == [10, 20, 30]


def test_timestamps_are_utc_with_z() -> None:
    """Whole seconds are cut, milliseconds rounded, and both are read back."""
    instant = parse_timestamp("2026-02-04T02:02:23.456Z")
    assert format_timestamp(instant) == "2026-02-04T02:02:23Z"
    assert format_timestamp_ms(instant) == "2026-02-04T02:02:23.456Z"
    assert parse_timestamp("2026-02-04T03:02:23+01:00") == parse_timestamp("2026-02-04T02:02:23Z")


def test_a_timestamp_needs_a_zone() -> None:
    """Local times are refused: nobody could say which instant is meant."""
    with pytest.raises(ValueError, match="no time zone"):
        parse_timestamp("2026-02-04T02:02:23")
