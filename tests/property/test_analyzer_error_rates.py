"""How often the judge is wrong: enumerated exactly where it can be, simulated where not.

Sizes are those of the QA canary at 5 requests a second: 120/480 at weight 20 after two minutes,
574/626 at the analysis after weight 50.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest
from scipy.stats import binom

from analyzer.domain.fisher import p_value_greater
from analyzer.domain.judge import compare, guard, judge
from analyzer.domain.policy import Policy
from analyzer.domain.verdict import Verdict
from analyzer_bench import a_pair, an_arm

POLICY = Policy()
NEGLIGIBLE = 1e-12


def _likely(count: int, rate: float) -> list[tuple[int, float]]:
    chances = binom.pmf(range(count + 1), count, rate)
    return [(bad, float(chance)) for bad, chance in enumerate(chances) if chance > NEGLIGIBLE]


@cache
def _power(canary: int, stable: int, canary_rate: float, alpha: float) -> float:
    """P(p <= alpha) with stable at 0.5 %, summed over all tables."""
    return sum(
        chance * stable_chance
        for bad, chance in _likely(canary, canary_rate)
        for stable_bad, stable_chance in _likely(stable, 0.005)
        if p_value_greater(an_arm(bad, canary), an_arm(stable_bad, stable)) <= alpha
    )


def _verdicts(
    canary: tuple[int, float], stable: tuple[int, float], policy: Policy = POLICY
) -> dict[Verdict, float]:
    """P(verdict of the comparison), summed over all tables; arms as (requests, true ratio)."""
    chances: Counter[Verdict] = Counter()
    for bad, chance in _likely(*canary):
        for stable_bad, stable_chance in _likely(*stable):
            pair = a_pair((bad, canary[0]), (stable_bad, stable[0]))
            chances[compare(pair, policy).verdict] += chance * stable_chance  # type: ignore[assignment]
    return dict(chances)


@pytest.mark.parametrize(
    ("canary", "stable", "rate", "alpha", "percent"),
    [
        pytest.param(120, 480, 0.005, 0.05, 1.75, id="false-alarm-120-480"),
        pytest.param(574, 626, 0.005, 0.05, 1.9, id="false-alarm-574-626"),
        pytest.param(120, 480, 0.052, 0.05, 87, id="power-120-480"),
        pytest.param(574, 626, 0.052, 0.05, 100, id="power-574-626"),
        pytest.param(24, 96, 0.052, 0.05, 26, id="power-24-96"),
        pytest.param(120, 480, 0.052, 0.01, 75, id="power-120-480-alpha-1"),
        pytest.param(574, 626, 0.052, 0.01, 99.9, id="power-574-626-alpha-1"),
        pytest.param(24, 96, 0.052, 0.01, 9, id="power-24-96-alpha-1"),
    ],
)
def test_the_test_has_its_published_power(
    canary: int, stable: int, rate: float, alpha: float, percent: float
) -> None:
    """The enumerated chance rounds to the figure that the defaults were chosen by."""
    digits = len(f"{percent:g}".partition(".")[2])
    assert round(100 * _power(canary, stable, rate, alpha), digits) == percent


@pytest.mark.parametrize(("requests", "percent"), [(50, 22.2), (100, 9.0), (300, 0.4), (500, 0.03)])
def test_a_bare_threshold_needs_its_minimum(requests: int, percent: float) -> None:
    """At a true 0.5 % a bare `< 2 %` fails this often, hence the guard's 300 requests."""
    bare = replace(POLICY, threshold_minimum_samples=1)
    chance = sum(
        probability
        for bad, probability in _likely(requests, 0.005)
        if guard(a_pair((bad, requests), (0, 0)), bare).verdict is Verdict.FAIL
    )
    digits = len(f"{percent:g}".partition(".")[2])
    assert round(100 * chance, digits) == percent


@pytest.mark.parametrize(("canary", "stable"), [(120, 480), (574, 626)])
@pytest.mark.parametrize("rate", [0.005, 0.02, 0.2])
def test_equal_arms_fail_at_most_by_alpha(canary: int, stable: int, rate: float) -> None:
    """The comparison's false alarm is below alpha at any common rate."""
    assert _verdicts((canary, rate), (stable, rate))[Verdict.FAIL] <= POLICY.alpha


@pytest.mark.parametrize(("canary", "stable", "at_least"), [(300, 1200, 0.99), (574, 626, 0.998)])
def test_equal_arms_pass(canary: int, stable: int, at_least: float) -> None:
    """With the guard's minimum of requests a healthy canary is let through."""
    assert _verdicts((canary, 0.005), (stable, 0.005))[Verdict.PASS] >= at_least


@pytest.mark.parametrize(("canary", "stable"), [(120, 480), (300, 1200), (574, 626)])
def test_a_canary_at_the_margin_seldom_passes(canary: int, stable: int) -> None:
    """Three points worse passes in at most five of a hundred windows."""
    passed = _verdicts((canary, 0.035), (stable, 0.005)).get(Verdict.PASS, 0.0)
    assert passed <= POLICY.pass_alpha


def test_a_narrow_margin_would_hold_healthy_canaries() -> None:
    """The reason for three points: with two, one window in eight at 300/1200 stays open."""
    narrow = replace(POLICY, margin=Fraction(2))
    assert _verdicts((300, 0.005), (1200, 0.005), narrow)[Verdict.PASS] == pytest.approx(
        0.88, abs=0.005
    )


@pytest.mark.parametrize(
    ("canary", "stable"),
    [pytest.param(574, 626, id="574-626"), pytest.param(120, 480, id="120-480")],
)
def test_simulated_equal_arms_rarely_fail(canary: int, stable: int) -> None:
    """Of 2,000 seeded A/A runs no more fail than alpha allows, guard included."""
    rng = random.Random(20260204)  # noqa: S311 - simulation
    runs = 2000
    fails = sum(
        judge(
            a_pair((_draw(rng, canary, 0.005), canary), (_draw(rng, stable, 0.005), stable)), POLICY
        ).verdict
        is Verdict.FAIL
        for _ in range(runs)
    )
    assert fails <= binom.ppf(0.999, runs, POLICY.alpha)


def test_simulated_regressions_fail() -> None:
    """5.2 % against 0.5 % at 574/626 fails in at least 99 of 100 seeded runs."""
    rng = random.Random(20260204)  # noqa: S311 - simulation
    runs = 1000
    fails = sum(
        judge(a_pair((_draw(rng, 574, 0.052), 574), (_draw(rng, 626, 0.005), 626)), POLICY).verdict
        is Verdict.FAIL
        for _ in range(runs)
    )
    assert fails >= 0.99 * runs


def _draw(rng: random.Random, count: int, rate: float) -> int:
    return sum(rng.random() < rate for _ in range(count))
