"""How long a verdict will take, held against what the judge then really takes."""

from __future__ import annotations

import math

import pytest

from analyzer.domain import forecast, sequential
from analyzer.domain.dispersion import Dispersion

Table = tuple[int, int, int, int]


def evidence(tables: list[Table]) -> sequential.Evidence:
    """Return the state after the windows."""
    state = sequential.start(sequential.Rules(), Dispersion())
    for table in tables:
        state = sequential.advance(state, table)
    return state


@pytest.mark.parametrize(("alpha", "requests"), [(0.01, 919), (0.05, 598)])
def test_canary_requests_without_errors_that_exclude_half_a_point(
    alpha: float, requests: int
) -> None:
    """Canary requests without errors that exclude half a point."""
    assert round(forecast.requests_without_bad(0.005, alpha=alpha)) == requests


def test_nothing_is_foretold_before_both_arms_had_requests() -> None:
    """Nothing is foretold before both arms had requests."""
    assert forecast.outlook(evidence([]), elapsed_s=30.0) is None


@pytest.mark.parametrize("table", [(300, 6, 1200, 24), (300, 0, 1200, 0), (3000, 60, 12000, 240)])
def test_a_pass_comes_about_when_it_was_foretold(table: Table) -> None:
    """A pass comes about when it was foretold, from the first window on."""
    found = forecast.outlook(evidence([table]), elapsed_s=30.0)
    assert found is not None
    needed, number = math.log(1 / 0.05), 1
    while evidence([table] * number).highest_pass < needed:
        number += 1
    assert 30 * (number - 1) == pytest.approx(found.pass_s, rel=0.4, abs=45)
    later = forecast.outlook(evidence([table] * number), elapsed_s=30.0 * number)
    assert later is not None
    assert later.pass_s == 0.0


def test_more_traffic_and_larger_rates_take_less_time() -> None:
    """More traffic and larger rates take less time."""
    slow, fast = (
        forecast.outlook(evidence([one]), elapsed_s=30.0)
        for one in ((30, 1, 120, 2), (300, 10, 1200, 20))
    )
    assert slow is not None
    assert fast is not None
    assert fast.pass_s < slow.pass_s
    assert fast.double_s < slow.double_s
