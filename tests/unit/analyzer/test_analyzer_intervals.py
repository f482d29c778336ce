"""Confidence intervals against recorded values and at the edges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from analyzer.domain.intervals import newcombe, wilson
from analyzer_bench import an_arm

VECTORS = Path(__file__).parents[2] / "vectors" / "statistics" / "two_proportion.json"


def _recorded(name: str) -> list[object]:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    return [
        pytest.param(vector, id=f"{vector['ec']}of{vector['nc']}-{vector['es']}of{vector['ns']}")
        for vector in vectors
        if name in vector["expected"]
    ]


@pytest.mark.parametrize("vector", _recorded("ci95_canary_wilson"))
def test_wilson_reproduces_recorded_values(vector: dict[str, Any]) -> None:
    """One arm's interval is the recorded one."""
    interval = wilson(an_arm(vector["ec"], vector["nc"]), confidence=0.95)
    expected = vector["expected"]["ci95_canary_wilson"]
    assert interval == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize("vector", _recorded("ci95_diff_newcomb"))
def test_newcombe_reproduces_recorded_values(vector: dict[str, Any]) -> None:
    """The difference's interval is the recorded one."""
    canary, stable = an_arm(vector["ec"], vector["nc"]), an_arm(vector["es"], vector["ns"])
    interval = newcombe(canary, stable, confidence=0.95)
    expected = vector["expected"]["ci95_diff_newcomb"]
    assert interval == pytest.approx(tuple(expected), abs=1e-12)


def test_nothing_bad_still_leaves_room() -> None:
    """Zero of thirty is no proof of zero: the interval keeps a width."""
    low, high = newcombe(an_arm(0, 30), an_arm(0, 30), confidence=0.9)
    assert low == pytest.approx(-high)
    assert high > 0.05


def test_limits_stay_proportions() -> None:
    """The ends of the scale are met exactly."""
    assert wilson(an_arm(0, 7), confidence=0.9)[0] == 0.0
    assert wilson(an_arm(7, 7), confidence=0.9)[1] == 1.0
