"""Intervals and tests of counted runs, against published and enumerated values."""

import pytest
from scipy import stats

from rollout_runner.simulation.intervals import (
    mcnemar,
    paired_difference,
    proportion_interval,
    quantile,
)


@pytest.mark.parametrize(("count", "runs"), [(1, 10), (81, 263), (15, 148), (999, 1000)])
def test_inner_counts_get_wilsons_interval(count: int, runs: int) -> None:
    """The bounds are those of scipy, and the method is named."""
    expected = stats.binomtest(count, runs).proportion_ci(0.95, method="wilson")
    found = proportion_interval(count, runs)
    assert found.method == "wilson"
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)


@pytest.mark.parametrize(("count", "runs"), [(0, 1), (0, 1000), (7, 7)])
def test_edges_get_the_exact_interval(count: int, runs: int) -> None:
    """With none or all of the runs the bounds are Clopper's and Pearson's."""
    expected = stats.binomtest(count, runs).proportion_ci(0.95, method="exact")
    found = proportion_interval(count, runs)
    assert found.method == "clopper-pearson"
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)


def test_no_runs_have_no_interval() -> None:
    """A proportion of nothing is refused."""
    with pytest.raises(ValueError, match="no proportion"):
        proportion_interval(0, 0)


@pytest.mark.parametrize(("one", "other"), [(0, 0), (3, 1), (10, 2), (0, 6), (40, 41), (900, 1)])
def test_mcnemar_is_the_exact_binomial_test(one: int, other: int) -> None:
    """Only discordant runs count, each as likely one way as the other."""
    expected = 1.0 if one + other == 0 else stats.binomtest(one, one + other).pvalue
    assert mcnemar(one, other) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_a_difference_of_nothing_is_around_zero() -> None:
    """Without discordant runs the interval holds zero; with many it does not."""
    low, high, _ = paired_difference(0, 0, 1000)
    assert low < 0 < high
    low, high, _ = paired_difference(200, 20, 1000)
    assert 0.14 < low < 0.18 < high < 0.22


def test_quantiles_are_values_that_occurred() -> None:
    """The smallest value that covers the share; nothing without values."""
    assert quantile([5.0, 1.0, 3.0, 2.0, 4.0], 0.5) == 3.0
    assert quantile([float(n) for n in range(1, 11)], 0.9) == 9.0
    assert quantile([7.0], 0.9) == 7.0
    assert quantile([], 0.5) is None
