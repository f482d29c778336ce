"""The verdict machine: every reason code by a table, and how the two metrics combine."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING

import pytest

from analyzer.domain.explain import explain
from analyzer.domain.judge import compare, guard, judge
from analyzer.domain.model import NO_REQUESTS
from analyzer.domain.policy import Policy
from analyzer.domain.verdict import ReasonCode, Verdict, worst
from analyzer_bench import a_pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from analyzer.domain.model import MetricPair, MetricVerdict

POLICY = Policy()


@pytest.mark.parametrize(
    ("canary", "stable", "verdict", "code"),
    [
        pytest.param((30, 574), (3, 626), "fail", "error_rate_higher", id="regression"),
        pytest.param((8, 120), (2, 480), "fail", "error_rate_higher", id="regression-120-480"),
        pytest.param((72, 4000), (20, 4000), "fail", "error_rate_higher", id="below-threshold"),
        pytest.param((24, 24), (0, 96), "fail", "obvious_outage", id="dead-canary"),
        pytest.param((0, 0), (3, 626), "inconclusive", "no_data", id="canary-missing"),
        pytest.param((0, 0), (0, 0), "inconclusive", "no_data", id="both-missing"),
        pytest.param((3, 574), (0, 0), "inconclusive", "no_baseline", id="stable-missing"),
        pytest.param((500, 500), (0, 0), "inconclusive", "no_baseline", id="bad-no-baseline"),
        pytest.param((0, 24), (0, 96), "inconclusive", "not_enough_samples", id="24-96"),
        pytest.param((4, 24), (0, 96), "inconclusive", "not_enough_samples", id="24-96-bad"),
        pytest.param((0, 99), (0, 9000), "inconclusive", "not_enough_samples", id="canary-short"),
        pytest.param((0, 9000), (0, 99), "inconclusive", "not_enough_samples", id="stable-short"),
        pytest.param((1, 120), (2, 480), "inconclusive", "margin_not_excluded", id="not-proven"),
        pytest.param((0, 120), (2, 480), "pass", "no_difference", id="healthy-120-480"),
        pytest.param((3, 574), (3, 626), "pass", "no_difference", id="healthy-574-626"),
        pytest.param((0, 300), (0, 1200), "pass", "no_difference", id="nothing-bad"),
        pytest.param((0, 300), (60, 1200), "pass", "no_difference", id="better"),
        pytest.param((30, 574), (33, 626), "pass", "no_difference", id="equally-bad"),
        pytest.param((900, 100_000), (500, 100_000), "pass", "immaterial_difference", id="trifle"),
    ],
)
def test_comparison(
    canary: tuple[int, int], stable: tuple[int, int], verdict: str, code: str
) -> None:
    """The first matching row of the machine decides."""
    result = compare(a_pair(canary, stable), POLICY)
    assert (result.verdict, result.reason_code) == (verdict, code)


@pytest.mark.parametrize(
    ("canary", "verdict", "code"),
    [
        pytest.param((0, 0), "inconclusive", "no_data", id="no-requests"),
        pytest.param((0, 299), "inconclusive", "not_enough_samples", id="one-too-few"),
        pytest.param((299, 299), "inconclusive", "not_enough_samples", id="too-few-all-bad"),
        pytest.param((6, 300), "fail", "error_rate_above_threshold", id="exactly-the-threshold"),
        pytest.param((52, 1000), "fail", "error_rate_above_threshold", id="above"),
        pytest.param((19_999, 1_000_000), "pass", "error_rate_below_threshold", id="just-below"),
        pytest.param((0, 300), "pass", "error_rate_below_threshold", id="nothing-bad"),
    ],
)
def test_guard(canary: tuple[int, int], verdict: str, code: str) -> None:
    """The threshold itself is too much, and too few requests decide nothing."""
    result = guard(a_pair(canary, (0, 0)), POLICY)
    assert (result.verdict, result.reason_code) == (verdict, code)


@pytest.mark.parametrize("bad", [0, 1, 2, 3, 5])
def test_24_requests_never_pass(bad: int) -> None:
    """A canary that hardly anybody has used is not good yet."""
    assert judge(a_pair((bad, 24), (0, 96)), POLICY).verdict is Verdict.INCONCLUSIVE


def test_a_shared_outage_shows_both_findings() -> None:
    """The guard fails the run while the comparison says that stable is no better."""
    result = judge(a_pair((30, 574), (33, 626)), POLICY)
    assert result.verdict is Verdict.FAIL
    assert result.reason_code is ReasonCode.ERROR_RATE_ABOVE_THRESHOLD
    assert "not below the threshold of 2 %" in result.reason
    assert "no difference between the arms" in result.reason


def test_a_sentence_of_both_metrics_is_said_once() -> None:
    """An empty canary is one finding, whoever noticed it."""
    result = judge(a_pair((0, 0), (5, 500)), Policy())
    assert result.reason == "no requests of the canary in the window"


def test_the_deciding_metric_comes_first_in_the_reason() -> None:
    """Whoever reads only the beginning learns why."""
    result = judge(a_pair((30, 574), (33, 626)), POLICY)
    assert result.reason.startswith("the canary's error rate of 5.2265 % (30 of 574)")


def test_a_regression_below_the_threshold_fails() -> None:
    """The comparison catches what the threshold cannot see."""
    result = judge(a_pair((72, 4000), (20, 4000)), POLICY)
    assert [metric.verdict for metric in result.metrics] == [Verdict.FAIL, Verdict.PASS]
    assert result.verdict is Verdict.FAIL


def test_a_healthy_canary_passes() -> None:
    """Both metrics pass, so the run does."""
    assert judge(a_pair((3, 574), (3, 626)), POLICY).passed


def test_the_threshold_of_the_policy_decides() -> None:
    """5.2 % passes a threshold of 6 and 0.5 % fails one of 0.1."""
    lenient, strict = (replace(POLICY, error_threshold=Fraction(text)) for text in ("6", "0.1"))
    assert guard(a_pair((52, 1000), (0, 0)), lenient).verdict is Verdict.PASS
    assert guard(a_pair((5, 1000), (0, 0)), strict).verdict is Verdict.FAIL


@pytest.mark.parametrize("method", [compare, guard])
def test_nothing_is_computed_from_no_requests(
    method: Callable[[MetricPair, Policy], MetricVerdict],
) -> None:
    """An empty arm has no effect, interval or evidence."""
    result = method(a_pair((0, 0), (0, 0)), POLICY)
    assert (result.effect, result.interval, result.evidence) == (None, None, None)


def test_effect_and_interval_are_percentage_points() -> None:
    """5 % against 2 % is three points worse."""
    result = compare(a_pair((15, 300), (24, 1200)), POLICY)
    assert result.effect == pytest.approx(3.0)
    assert result.interval is not None
    assert result.interval[0] < 3 < result.interval[1]


def test_the_same_pair_gives_the_same_answer() -> None:
    """Nothing is random."""
    pair = a_pair((8, 120), (2, 480))
    assert judge(pair, POLICY) == judge(pair, POLICY)


@pytest.mark.parametrize("code", list(ReasonCode)[:10])
def test_every_reason_code_of_one_look_has_a_sentence(code: ReasonCode) -> None:
    """No code reaches a reader without words."""
    sentence = explain(code, canary=NO_REQUESTS, stable=NO_REQUESTS, policy=POLICY, needed=100)
    assert len(sentence) > 20
    assert not sentence.endswith(".")


@pytest.mark.parametrize(("first", "second"), list(product(Verdict, Verdict)))
def test_the_worst_verdict_wins(first: Verdict, second: Verdict) -> None:
    """Fail beats inconclusive beats pass, in any order."""
    order = [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS]
    assert worst([first, second]) is min(first, second, key=order.index)


def test_no_metric_is_no_pass() -> None:
    """An empty set of metrics is inconclusive."""
    assert worst([]) is Verdict.INCONCLUSIVE
