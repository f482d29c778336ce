"""The memory of an application is bounded in time."""

from __future__ import annotations

import pytest

from mock_newrelic.domain.application import Application
from mock_newrelic.domain.model import NO_TERMS, RETENTION_SECONDS, Counts, Source, Span
from mock_newrelic.domain.series import TIERS, latency_tier, whole_slots

NOW = 1_770_170_400.0
CANARY = frozenset({("role", "canary")})


def _add(app: Application, labels: frozenset[tuple[str, str]], now: float, *, age: int = 0) -> None:
    app.add(labels, int(now) - age, Counts(samples=1, timed=1, microseconds=9), {0: 1}, now)


def test_series_that_are_silent_for_a_day_go() -> None:
    """After retention the series and its labels are gone, the others stay."""
    app = Application("a", max_series=10)
    _add(app, CANARY, NOW)
    later = NOW + RETENTION_SECONDS + 600
    _add(app, frozenset({("role", "stable")}), later)
    app.sliding(NO_TERMS, 60, later, latency=True)
    app.forget(later)
    assert app.values("role") == ["stable"]
    assert app.sliding(NO_TERMS, 60, later, latency=True).counts.samples == 1
    app.forget(later + RETENTION_SECONDS + 600)
    assert app.empty


def test_windows_let_go_of_series_that_went() -> None:
    """A kept window holds on to the living series only."""
    app = Application("a", max_series=10)
    _add(app, CANARY, NOW)
    app.sliding(NO_TERMS, 60, NOW, latency=True)
    later = NOW + RETENTION_SECONDS + 600
    _add(app, frozenset({("role", "stable")}), later)
    app.forget(later)
    app.sliding(NO_TERMS, 60, later, latency=True)
    [window] = app._streams[Source.EVENTS]._counts._windows.values()
    assert len(window._timelines) == 1


@pytest.mark.parametrize(("resolution", "reach"), TIERS)
def test_forgetting_never_outruns_a_window(resolution: int, reach: int) -> None:
    """A window as long as its tier's reach, not asked for a while, still loses what left it."""
    app = Application("a", max_series=10)
    # An age at which the sample is in the window now and out of it at the next question.
    _add(app, CANARY, NOW, age=reach - resolution)
    _add(app, CANARY, NOW)
    assert app.sliding(NO_TERMS, reach, NOW, latency=True).histogram == {0: 2}
    later = NOW + 59 * resolution
    app.forget(later)
    reading = app.sliding(NO_TERMS, reach, later, latency=True)
    assert (reading.counts.samples, reading.histogram) == (1, {0: 1})


def test_memory_is_flat_under_constant_load() -> None:
    """Two days of a sample a minute keep as many slots as one day and a bit."""
    app = Application("a", max_series=10)
    sizes = []
    for minute in range(2 * 24 * 60 + 60):
        now = NOW + 60 * minute
        _add(app, CANARY, now)
        app.forget(now)
        series = app._streams[Source.EVENTS]._series[CANARY]
        sizes.append(len(series.counts._blocks))
    assert max(sizes) == sizes[-1] <= 24 * 60 + 5
    slots = [len(timeline._slots) for timeline in series.latency]
    assert slots[0] <= 18
    assert slots[1] <= 200 + 3
    assert slots[2] <= 24 * 60 + 121


def test_what_is_older_than_retention_is_counted_and_not_kept() -> None:
    """Such samples appear in the number of samples and in no series."""
    app = Application("a", max_series=10)
    app.add(CANARY, int(NOW) - RETENTION_SECONDS - 10, Counts(samples=5), {}, NOW)
    assert (app.samples, app.series_count) == (5, 0)


def test_latency_is_read_in_the_finest_resolution_that_reaches_back() -> None:
    """15 minutes by the second, 3 hours by ten, a day by the minute."""
    ages = (1, 900, 902, 3 * 3600, 3 * 3600 + 2, 86_400)
    assert [latency_tier(int(NOW) - age, NOW) for age in ages] == [0, 0, 1, 1, 2, 2]
    assert whole_slots(Span(int(NOW) - 1003, int(NOW) + 1), NOW) == (NOW - 1010, NOW + 10)
