"""Behaviours and sweeps as they are written on the command line."""

import pytest

from rollout_runner.scenarios.model import Behaviour
from rollout_runner.simulation.flags import read_behaviour, read_rate, read_sweep
from svckit.errors import InvalidInput

BASELINE = Behaviour(errors="0.5%", p50="20ms", p99="120ms")


def behaviour(text: str) -> Behaviour:
    """Return the canary of a text beside the baseline."""
    return read_behaviour(text, flag="--canary", baseline=BASELINE)


def test_what_is_not_given_is_as_in_the_baseline() -> None:
    """Errors of its own, latency of the baseline."""
    canary = behaviour("errors=5.2%")
    assert (canary.errors, canary.p50, canary.p99) == (0.052, 0.020, 0.120)


def test_a_factor_makes_it_slower_in_proportion() -> None:
    """latency=x1.3 multiplies both quantiles."""
    canary = behaviour("errors=5.2%,latency=x1.3")
    assert canary.p50 == pytest.approx(0.026)
    assert canary.p99 == pytest.approx(0.156)


def test_a_duration_is_added() -> None:
    """latency=200ms,jitter=50ms is on top of every request."""
    canary = behaviour("latency=200ms, jitter=50ms")
    assert canary.latency is not None
    assert (canary.latency.add, canary.latency.jitter) == ("200ms", "50ms")
    assert canary.errors == 0.005


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("errors", "expected FIELD=VALUE"),
        ("speed=3", "expected FIELD=VALUE"),
        ("errors=120%", "not a percentage"),
        ("errors=1%,errors=2%", "given twice"),
        ("latency=xfast", "not a factor"),
        ("latency=x0", "not a factor"),
        ("p99=soon", "Go duration"),
        ("status=200", "greater than or equal to 400"),
    ],
)
def test_a_wrong_behaviour_is_named(text: str, says: str) -> None:
    """The message begins with the flag and says what was expected."""
    with pytest.raises(InvalidInput, match=says) as caught:
        behaviour(text)
    assert caught.value.detail.startswith("--canary")


def test_a_sweep_has_both_ends_and_even_steps() -> None:
    """Twenty points from 0.5 % to 10 % are half a point apart, and labelled as they would be."""
    sweep = read_sweep("errors=0.5%..10%/20")
    assert sweep.values[0] == 0.005
    assert sweep.values[-1] == 0.1
    assert len(sweep.values) == 20
    assert [sweep.label(value) for value in sweep.values[:3]] == ["0.5%", "1%", "1.5%"]


def test_a_sweep_over_latency_multiplies() -> None:
    """Each point is a canary that is so many times as slow as the baseline."""
    sweep = read_sweep("latency=x1..x3/3")
    canary = sweep.apply(BASELINE, BASELINE, sweep.values[1])
    assert sweep.label(sweep.values[1]) == "x2"
    assert (canary.p50, canary.p99) == (0.040, 0.240)


@pytest.mark.parametrize(
    "text",
    ["errors=1%", "errors=5%..1%/4", "errors=1%..5%/1", "errors=1..500%/3", "status=1..2/3", "x"],
)
def test_a_wrong_sweep_is_refused(text: str) -> None:
    """The flag is named."""
    with pytest.raises(InvalidInput, match="--sweep"):
        read_sweep(text)


def test_rates() -> None:
    """50/s and 3000/m are the same; anything else is refused."""
    assert read_rate("50/s") == read_rate("3000/m") == 50
    with pytest.raises(InvalidInput, match="--traffic"):
        read_rate("many")
