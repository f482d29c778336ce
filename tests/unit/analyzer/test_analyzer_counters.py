"""Counting what a counter gained: exact over resets, births and window edges."""

from __future__ import annotations

import pytest

from analyzer.domain.counters import gain, histogram_gain


@pytest.mark.parametrize(
    ("samples", "born", "expected"),
    [
        pytest.param([(90, 5), (100, 7), (110, 9), (120, 12)], True, 5, id="plain"),
        pytest.param([(95, 7), (110, 9)], False, 2, id="base-is-the-last-sample-before"),
        pytest.param([(90, 50), (105, 52), (115, 3), (120, 4)], False, 6, id="restart"),
        pytest.param([(110, 2), (120, 3)], True, 3, id="born-beside-a-known-process"),
        pytest.param([(110, 200), (120, 203)], False, 3, id="process-first-seen-in-the-window"),
        pytest.param([(110, 200)], False, 0, id="one-sample-of-a-new-process"),
        pytest.param([(90, 5), (110, 5)], False, 0, id="no-requests"),
        pytest.param([(90, 5), (100, 7)], False, None, id="silent"),
        pytest.param([], False, None, id="nothing"),
    ],
)
def test_a_counter_gains(
    *, samples: list[tuple[float, float]], born: bool, expected: float | None
) -> None:
    """The window begins at 100; its edge belongs to the window before."""
    assert gain(samples, start=100, born=born) == expected


def test_neighbouring_windows_share_every_request() -> None:
    """The gains of windows add up to the gain of all of them, over a restart too."""
    samples = [(t, float(v)) for t, v in ((97, 3), (104, 8), (111, 9), (118, 2), (127, 6))]
    parts = []
    for start, end in ((100, 110), (110, 120), (120, 130)):
        parts.append(gain([one for one in samples if one[0] <= end], start=start, born=False))
    assert parts == [5, 3, 4]
    assert gain(samples, start=100, born=False) == sum(part or 0 for part in parts)


def test_a_histogram_gains_per_bin() -> None:
    """A bin that lost observations is a restart of all bins."""
    samples = [(90, {1.0: 5.0, 2.0: 1.0}), (110, {1.0: 7.0, 2.0: 1.0}), (120, {1.0: 1.0, 2.0: 2.0})]
    assert histogram_gain(samples, start=100, born=False) == {1.0: 3, 2.0: 2}


def test_bins_that_became_coarser_still_add_up() -> None:
    """Older bins count in the coarser bin that contains them."""
    samples = [(90, {1.0: 5.0, 2.0: 1.0, 4.0: 1.0}), (110, {2.0: 9.0, 4.0: 1.0})]
    assert histogram_gain(samples, start=100, born=False) == {2.0: 3, 4.0: 0}
