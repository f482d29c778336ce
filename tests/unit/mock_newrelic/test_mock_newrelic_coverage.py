"""Of which seconds exact counts of agents are complete."""

from __future__ import annotations

import pytest

from mock_newrelic.domain.coverage import SILENT_SECONDS, UNTOLD_SECONDS, Coverage
from mock_newrelic.domain.ingest.batch import Covered
from mock_newrelic.domain.model import NO_TERMS, Span, Terms

CANARY: Terms = frozenset({("role", "canary")})
LATER = 1000.0


def _told(*spans: tuple[int, int], run: str = "r", ended: bool = False) -> list[Covered]:
    told = [Covered(app="a", labels=CANARY, run=run, span=Span(*span)) for span in spans]
    end = Covered(app="a", labels=CANARY, run=run, span=Span(0, 0), ended=True)
    return [*told, end] if ended else told


def _coverage(*told: list[Covered]) -> Coverage:
    coverage = Coverage()
    for one in (each for run in told for each in run):
        coverage.add(one)
    return coverage


@pytest.mark.parametrize(
    ("span", "expected"),
    [((0, 160), True), ((100, 160), True), ((100, 161), False), ((159, 170), False)],
)
def test_a_living_run_covers_what_it_has_told(span: tuple[int, int], *, expected: bool) -> None:
    """It connected at 100, and told of 101 to 160; nothing happened before its first word."""
    coverage = _coverage(_told((100, 100), (101, 160)))
    assert coverage.covers(NO_TERMS, Span(*span), 165.0) is expected


def test_an_announced_run_covers_nothing_yet() -> None:
    """Its first minute is still to come."""
    coverage = _coverage(_told((100, 100)))
    assert not coverage.covers(NO_TERMS, Span(90, 110), 120.0)
    assert coverage.covers(NO_TERMS, Span(80, 100), 120.0)


def test_what_lies_between_two_reports_is_missing() -> None:
    """Neighbours share a second or touch; a hole is one."""
    coverage = _coverage(_told((100, 160), (159, 220), (230, 290)))
    assert coverage.covers(NO_TERMS, Span(100, 220), 290.0)
    assert coverage.covers(NO_TERMS, Span(230, 290), 290.0)
    assert not coverage.covers(NO_TERMS, Span(100, 290), 290.0)


def test_a_run_that_ended_leaves_nothing_untold() -> None:
    """It told its last counts before."""
    coverage = _coverage(_told((100, 160), ended=True))
    assert coverage.covers(CANARY, Span(100, 400), 161.0)
    assert not coverage.covers(frozenset({("role", "stable")}), Span(100, 160), 161.0)


def test_a_run_that_died_has_taken_its_last_minute_with_it() -> None:
    """So events answer there; what was before and what comes after is complete."""
    coverage = _coverage(_told((100, 160)))
    now = 160.0 + SILENT_SECONDS + 1
    assert coverage.covers(NO_TERMS, Span(100, 160), now)
    assert not coverage.covers(NO_TERMS, Span(100, 170), now)
    assert coverage.covers(NO_TERMS, Span(160 + UNTOLD_SECONDS, 300), now)


def test_every_run_has_to_have_told() -> None:
    """A window with a part of a run that is late is not complete."""
    coverage = _coverage(_told((100, 160)), _told((100, 220), run="other"))
    assert coverage.covers(NO_TERMS, Span(100, 160), 225.0)
    assert not coverage.covers(NO_TERMS, Span(100, 220), 225.0)
    assert not Coverage().covers(NO_TERMS, Span(100, 220), LATER)
