"""The p-value against three independent references: recorded values, scipy, exact arithmetic."""

from __future__ import annotations

import json
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import pytest
from scipy.stats import hypergeom

from analyzer.domain.fisher import p_value_greater
from analyzer_bench import an_arm

VECTORS = Path(__file__).parents[2] / "vectors" / "statistics" / "two_proportion.json"


def _recorded() -> list[object]:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    return [
        pytest.param(vector, id=f"{vector['ec']}of{vector['nc']}-{vector['es']}of{vector['ns']}")
        for vector in vectors
        if "fisher_greater_p_mpmath" in vector["expected"]
    ]


def _exact(bad: int, canary: int, stable: int, total_bad: int) -> Fraction:
    tail = sum(
        math.comb(canary, x) * math.comb(stable, total_bad - x)
        for x in range(bad, min(canary, total_bad) + 1)
    )
    return Fraction(tail, math.comb(canary + stable, total_bad))


def _decimal_log_factorial(n: int) -> Decimal:
    """Stirling's series with forty digits, good for large n."""
    x = Decimal(n)
    series = 1 / (12 * x) - 1 / (360 * x**3) + 1 / (1260 * x**5) - 1 / (1680 * x**7)
    two_pi = Decimal("6.2831853071795864769252867665590057683943387987502")
    return x * x.ln() - x + (two_pi * x).ln() / 2 + series


@pytest.mark.parametrize("vector", _recorded())
def test_it_reproduces_recorded_values(vector: dict[str, object]) -> None:
    """Values computed with fifty digits elsewhere are met to twelve."""
    expected = float(vector["expected"]["fisher_greater_p_mpmath"])  # type: ignore[index]
    canary = an_arm(vector["ec"], vector["nc"])  # type: ignore[arg-type]
    stable = an_arm(vector["es"], vector["ns"])  # type: ignore[arg-type]
    assert p_value_greater(canary, stable) == pytest.approx(expected, rel=1e-12)


def test_it_is_exact_on_every_small_table() -> None:
    """All tables with up to nine requests an arm agree with integer arithmetic."""
    for canary in range(10):
        for stable in range(10):
            for bad in range(canary + 1):
                for stable_bad in range(stable + 1):
                    p = p_value_greater(an_arm(bad, canary), an_arm(stable_bad, stable))
                    exact = _exact(bad, canary, stable, bad + stable_bad)
                    assert p == pytest.approx(float(exact), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("canary", "stable"),
    [
        pytest.param((30, 574), (3, 626), id="regression"),
        pytest.param((3, 574), (3, 626), id="equal"),
        pytest.param((0, 574), (30, 626), id="better"),
        pytest.param((400, 20_000), (200, 80_000), id="many-requests"),
        pytest.param((19_000, 20_000), (79_999, 80_000), id="nearly-all-bad"),
    ],
)
def test_it_agrees_with_scipy(canary: tuple[int, int], stable: tuple[int, int]) -> None:
    """An independent implementation gives the same tail."""
    total, total_bad = canary[1] + stable[1], canary[0] + stable[0]
    expected = hypergeom.sf(canary[0] - 1, total, total_bad, canary[1])
    assert p_value_greater(an_arm(*canary), an_arm(*stable)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("bad", "stable_bad"),
    [
        pytest.param(50_500, 50_000, id="middle"),
        pytest.param(52_000, 50_000, id="far"),
        pytest.param(5_010_000, 5_000_000, id="half-bad"),
    ],
)
def test_it_keeps_nine_digits_at_ten_million_requests(bad: int, stable_bad: int) -> None:
    """Differences of log-gammas would have lost them; forty-digit arithmetic is the reference."""
    arm, total_bad = 10_000_000, bad + stable_bad
    with localcontext() as context:
        context.prec = 50
        numerator = (arm, arm, total_bad, 2 * arm - total_bad)
        denominator = (2 * arm, bad, arm - bad, stable_bad, arm - stable_bad)
        log_term = sum(map(_decimal_log_factorial, numerator), Decimal(0)) - sum(
            map(_decimal_log_factorial, denominator)
        )
        term = tail = Decimal(1)
        x = bad
        while term > Decimal("1e-30"):
            term *= Decimal((total_bad - x) * (arm - x))
            term /= Decimal((x + 1) * (arm - total_bad + x + 1))
            tail += term
            x += 1
        expected = float(tail * log_term.exp())
    assert p_value_greater(an_arm(bad, arm), an_arm(stable_bad, arm)) == pytest.approx(
        expected, rel=1e-9, abs=0
    )


@pytest.mark.parametrize(
    ("canary", "stable"),
    [
        pytest.param((0, 0), (0, 0), id="both-empty"),
        pytest.param((0, 0), (5, 9), id="canary-empty"),
        pytest.param((9, 9), (0, 0), id="stable-empty"),
        pytest.param((0, 500), (0, 500), id="nothing-bad"),
        pytest.param((500, 500), (500, 500), id="all-bad"),
        pytest.param((0, 500), (500, 500), id="only-stable-bad"),
    ],
)
def test_tables_without_information_give_one(
    canary: tuple[int, int], stable: tuple[int, int]
) -> None:
    """Where no split of the bad requests is more extreme, nothing speaks against the canary."""
    assert p_value_greater(an_arm(*canary), an_arm(*stable)) == 1.0


def test_overwhelming_evidence_becomes_zero() -> None:
    """A p-value below the smallest float is 0, never NaN."""
    assert p_value_greater(an_arm(10_000_000, 10_000_000), an_arm(0, 10_000_000)) == 0.0
