"""The judge in a short league: false alarms, delays and passes within what chance allows.

Seeds are fixed, so a test here fails when the judge or a scenario changes, never by chance. The
bounds of false alarms are those that a judge which keeps its promise breaks once in ten thousand
seeds.
"""

from __future__ import annotations

import numpy as np
import pytest
from league import target
from league.cells import ALPHA, Size, draw
from league.outcome import Outcome
from league.scenarios import ALL
from scipy.special import bdtrc

UNLIKELY = 1e-4


def judged(name: str, runs: int) -> Outcome:
    """Let the product judge the first rollouts of a scenario."""
    found = [target.judge(streams, ALL[name], ALPHA) for streams in draw(ALL[name], Size(), runs)]
    passed = [one.passed_at for one in found if one.passed_at is not None]
    return Outcome(
        failed_at=np.concatenate([one.failed_at for one in found])[:runs],
        passed_at=np.concatenate(passed)[:runs],
    )


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("S0-2-50", 100),
        ("S0-1-2", 50),
        ("S2", 100),
        ("S3-1-30", 100),
        ("S7", 50),
        pytest.param("L0", 100, marks=pytest.mark.slow),
        pytest.param("M1", 100, marks=pytest.mark.slow),
    ],
)
def test_a_canary_that_is_no_worse_fails_no_oftener_than_promised(name: str, runs: int) -> None:
    """A canary that is no worse fails no oftener than promised."""
    failed = int(np.isfinite(judged(name, runs).failed_at).sum())
    assert failed == 0 or bdtrc(failed - 1, runs, ALPHA) > UNLIKELY


@pytest.mark.parametrize(
    ("name", "runs", "power", "median"),
    [
        ("S6-2-5", 50, 0.99, 60),
        ("S6-2-20", 50, 0.99, 30),
        ("S5", 50, 0.98, 390),
        ("S1", 50, 0.8, 420),
        ("D1", 50, 0.97, 120),
    ],
)
def test_regressions_are_found_in_time(name: str, runs: int, power: float, median: float) -> None:
    """Regressions are found in time."""
    failed_at = judged(name, runs).failed_at
    found = int(np.isfinite(failed_at).sum())
    assert found / runs >= power
    assert np.median(failed_at) <= median


def test_a_canary_at_the_margin_seldom_passes_and_an_equal_one_mostly() -> None:
    """A canary at the margin seldom passes and an equal one mostly."""
    margin, equal = judged("S8", 50), judged("S0-2-50", 50)
    assert margin.passed_at is not None
    assert equal.passed_at is not None
    false_passes = int((margin.passed_at < margin.failed_at).sum())
    assert false_passes == 0 or bdtrc(false_passes - 1, 50, 0.05) > UNLIKELY
    assert (equal.passed_at < equal.failed_at).mean() >= 0.85


def test_windows_that_vanish_when_the_canary_is_bad_never_make_a_pass_of_most_rollouts() -> None:
    """Windows that vanish when the canary is bad give few passes: what is missing is no pass."""
    found = judged("D2", 50)
    assert found.passed_at is not None
    assert (found.passed_at < found.failed_at).mean() <= 0.05
