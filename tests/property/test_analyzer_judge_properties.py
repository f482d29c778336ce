"""What must hold for any counts: order, monotony, symmetry, and finite answers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.domain.fisher import p_value_greater
from analyzer.domain.intervals import newcombe
from analyzer.domain.judge import judge
from analyzer.domain.policy import Policy
from analyzer.domain.verdict import Verdict
from analyzer.schemas.documents import analysis_document
from analyzer_bench import a_pair, an_arm

POLICY = Policy()
GOODNESS = [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS]
COUNTS = st.one_of(st.integers(0, 40), st.integers(0, 3000), st.integers(0, 10_000_000))


@st.composite
def _arms(draw: st.DrawFn) -> tuple[int, int]:
    count = draw(COUNTS)
    return draw(st.integers(0, count)), count


@st.composite
def _likely_arms(draw: st.DrawFn) -> tuple[int, int]:
    """Arms with few bad requests, where all verdicts occur."""
    count = draw(st.integers(1, 3000))
    return draw(st.integers(0, max(1, count // 15))), count


@given(_likely_arms(), _likely_arms(), st.integers(1, 200))
def test_more_canary_failures_never_improve_the_verdict(
    canary: tuple[int, int], stable: tuple[int, int], more: int
) -> None:
    """Fail stays fail, and inconclusive does not become a pass."""
    worse = (min(canary[0] + more, canary[1]), canary[1])
    before = judge(a_pair(canary, stable), POLICY).verdict
    after = judge(a_pair(worse, stable), POLICY).verdict
    assert GOODNESS.index(after) <= GOODNESS.index(before)


@given(_arms(), _arms(), st.integers(1, 1000))
def test_the_p_value_falls_with_canary_failures(
    canary: tuple[int, int], stable: tuple[int, int], more: int
) -> None:
    """More failures of the canary are more evidence against it."""
    worse = an_arm(min(canary[0] + more, canary[1]), canary[1])
    before = p_value_greater(an_arm(*canary), an_arm(*stable))
    assert p_value_greater(worse, an_arm(*stable)) <= before * (1 + 1e-9)


@given(_arms(), _arms())
def test_both_directions_are_not_significant_together(
    canary: tuple[int, int], stable: tuple[int, int]
) -> None:
    """The two one-sided tails overlap in the observed table, so they add up to at least one."""
    one, other = an_arm(*canary), an_arm(*stable)
    assert p_value_greater(one, other) + p_value_greater(other, one) >= 1 - 1e-9


@given(_likely_arms(), _likely_arms())
def test_the_interval_turns_with_the_arms(canary: tuple[int, int], stable: tuple[int, int]) -> None:
    """Swapping the arms mirrors the interval."""
    low, high = newcombe(an_arm(*canary), an_arm(*stable), confidence=0.9)
    mirrored = newcombe(an_arm(*stable), an_arm(*canary), confidence=0.9)
    assert mirrored == pytest.approx((-high, -low))


@given(_arms(), _arms())
def test_every_answer_is_finite_json(canary: tuple[int, int], stable: tuple[int, int]) -> None:
    """No counts give NaN, Infinity or an exception; empty arms never pass."""
    pair = a_pair(canary, stable)
    verdict = judge(pair, POLICY)
    document = analysis_document(verdict, run="r", window=pair.window)
    json.dumps(document, allow_nan=False)
    assert all(math.isfinite(number) for number in _numbers(document))
    if not canary[1] or not stable[1]:
        assert verdict.verdict is not Verdict.PASS


@given(_arms(), _arms())
def test_a_run_is_no_better_than_its_metrics(
    canary: tuple[int, int], stable: tuple[int, int]
) -> None:
    """The run's verdict is the worst of its metrics, and passed says the same."""
    verdict = judge(a_pair(canary, stable), POLICY)
    assert verdict.verdict is min(
        (metric.verdict for metric in verdict.metrics), key=GOODNESS.index
    )
    assert verdict.passed == (verdict.verdict is Verdict.PASS)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in _numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in _numbers(item)]
    return [float(value)] if isinstance(value, int | float) else []
