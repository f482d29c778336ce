"""The harness of the benchmarks: turns, ratios, targets; with figures that are given."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from bench.harness import (
    Comparison,
    Contender,
    Limit,
    Target,
    Unavailable,
    compare,
    plain,
    save,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def _given(figures: list[float], log: list[str], name: str) -> Callable[[], float]:
    left = iter(figures)

    def measure() -> float:
        log.append(name)
        return next(left)

    return measure


def _comparison(log: list[str], *, more_is_better: bool = True) -> Comparison:
    return Comparison(
        name="trial",
        title="A trial",
        unit="1/s",
        more_is_better=more_is_better,
        contenders=[
            Contender(name="peer", prepare=plain(_given([10, 20, 30], log, "peer"))),
            Contender(name="ours", prepare=plain(_given([20, 30, 90], log, "ours"))),
        ],
        targets=[Target(contender="ours", against="peer", ratio=2)],
        limits=[Limit(contender="ours", value=40)],
        rounds=3,
    )


def test_contenders_take_turns() -> None:
    """Every round runs each contender once, in the same order."""
    log: list[str] = []
    compare(_comparison(log), say=StringIO())
    assert log == ["peer", "ours"] * 3


def test_ratios_are_taken_inside_a_round() -> None:
    """The median of the ratios counts, not the ratio of the medians."""
    outcome = compare(_comparison([]), say=StringIO())
    assert outcome.ratios("ours", "peer") == [2, 1.5, 3]
    assert outcome.as_json()["contenders"][1]["ratio"] == 2


def test_where_less_is_better_a_ratio_above_one_is_still_better() -> None:
    """Half the cost is twice as good."""
    outcome = compare(_comparison([], more_is_better=False), say=StringIO())
    assert outcome.ratios("ours", "peer") == [0.5, pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert [one["met"] for one in outcome.findings()] == [False, True]


def test_a_missed_limit_is_said() -> None:
    """A target that is met and a limit that is not stand side by side."""
    text = table(compare(_comparison([]), say=StringIO()))
    assert "target ours / peer: 2, reached 2: met" in text
    assert "target ours >= 40 1/s: 40, reached 30: MISSED" in text


def test_a_peer_that_is_absent_is_named_with_the_reason() -> None:
    """Nothing is made up for it, and its targets count as not measured."""

    @contextmanager
    def prepare() -> Iterator[Callable[[], float]]:
        raise Unavailable("wrk is not installed")
        yield lambda: 0.0

    comparison = Comparison(
        name="trial",
        title="A trial",
        unit="1/s",
        contenders=[
            Contender(name="wrk", prepare=prepare),
            Contender(name="ours", prepare=plain(lambda: 1.0)),
        ],
        targets=[Target(contender="ours", against="wrk", ratio=1)],
        rounds=1,
    )
    outcome = compare(comparison, say=StringIO())
    assert outcome.missing == {"wrk": "wrk is not installed"}
    assert outcome.findings()[0]["met"] is None


def test_results_are_written_as_json(tmp_path: Path) -> None:
    """The file holds every figure, so that others can take their own medians."""
    path = save(compare(_comparison([]), say=StringIO()), tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["contenders"][0]["figures"] == [10, 20, 30]
    assert document["machine"]["python"]


def test_a_contender_that_fails_in_a_round_is_left_out_and_named() -> None:
    """One peer that sends nothing does not cost the figures of the others."""

    def fails() -> float:
        raise Unavailable("sent nothing")

    comparison = replace(
        _comparison([]),
        contenders=[*_comparison([]).contenders, Contender(name="broken", prepare=plain(fails))],
    )
    outcome = compare(comparison, say=StringIO())
    assert outcome.missing == {"broken": "sent nothing"}
    assert {name: len(figures) for name, figures in outcome.figures.items()} == {
        "peer": 3,
        "ours": 3,
    }
