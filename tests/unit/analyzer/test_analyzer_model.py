"""Counts, windows and their sums refuse what cannot be."""

from __future__ import annotations

from fractions import Fraction

import pytest

from analyzer.domain.model import NO_REQUESTS, ArmCounts, MetricPair, Window, pool
from analyzer_bench import an_arm


def _pair(start: float, end: float, bad: int = 1) -> MetricPair:
    return MetricPair(
        window=Window(start=start, end=end), canary=an_arm(bad, 10), stable=an_arm(0, 40)
    )


@pytest.mark.parametrize(
    ("count", "bad"),
    [
        pytest.param(-1, 0, id="negative-count"),
        pytest.param(1, -1, id="negative-bad"),
        pytest.param(1, 2, id="more-bad-than-there-are"),
        pytest.param(10**12, 0, id="absurd"),
    ],
)
def test_impossible_counts_are_refused(count: int, bad: int) -> None:
    """Counts that no window can have never become an arm."""
    with pytest.raises(ValueError, match="expected 0 to"):
        ArmCounts(count=count, bad=bad)


def test_no_requests_have_no_error_rate() -> None:
    """An empty arm's rate is unknown, not zero."""
    assert NO_REQUESTS.error_rate is None


def test_the_error_rate_is_exact() -> None:
    """Rates are fractions, so a boundary is not blurred by rounding."""
    assert an_arm(3, 700).error_rate == Fraction(3, 7)


def test_windows_add_up() -> None:
    """Adjacent windows, in any order, become one."""
    whole = pool([_pair(30, 60, bad=2), _pair(0, 30, bad=3)])
    assert whole.window == Window(start=0, end=60)
    assert (whole.canary, whole.stable) == (an_arm(5, 20), an_arm(0, 80))


def test_overlapping_windows_are_refused() -> None:
    """A request is counted once."""
    with pytest.raises(ValueError, match="overlap"):
        pool([_pair(0, 30), _pair(29, 60)])


def test_no_window_is_refused() -> None:
    """There is nothing to add up."""
    with pytest.raises(ValueError, match="at least one"):
        pool([])


@pytest.mark.parametrize("end", [10.0, 5.0], ids=["empty", "backwards"])
def test_a_window_has_a_length(end: float) -> None:
    """Start lies before end."""
    with pytest.raises(ValueError, match="not before"):
        Window(start=10.0, end=end)
