"""Methods of peers against SciPy on inputs that no vector file has, and at the ends of ranges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analyzer.domain.contenders import boundaries, multinomial, proportions
from analyzer.domain.contenders.rank_tests import (
    Alternative,
    ks_2samp,
    mann_whitney,
    mann_whitney_exact,
)
from analyzer.domain.contenders.solving import bisect, minimum
from analyzer.domain.contenders.stratified import mantel_haenszel

ALTERNATIVES = tuple(Alternative)


def samples(seed: int, *, ties: bool) -> tuple[list[float], list[float]]:
    """Samples."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0.3, 1, 23), rng.normal(0, 1.5, 31)
    if ties:
        x, y = np.round(x), np.round(y)
    return x.tolist(), y.tolist()


class TestRankTests:
    """Rank tests."""

    @pytest.mark.parametrize("alternative", ALTERNATIVES)
    @pytest.mark.parametrize("seed", range(5))
    def test_mann_whitney_is_scipys(self, alternative: Alternative, seed: int) -> None:
        """Mann whitney is scipys."""
        for ties in (False, True):
            x, y = samples(seed, ties=ties)
            found = mann_whitney(x, y, alternative=alternative)
            wanted = stats.mannwhitneyu(x, y, alternative=alternative.value, method="asymptotic")
            assert found.p_value == pytest.approx(wanted.pvalue, rel=1e-12)

    @pytest.mark.parametrize("alternative", ALTERNATIVES)
    def test_the_exact_form_is_scipys(self, alternative: Alternative) -> None:
        """The exact form is scipys."""
        x, y = samples(3, ties=False)
        found = mann_whitney_exact(x[:9], y[:12], alternative=alternative)
        wanted = stats.mannwhitneyu(x[:9], y[:12], alternative=alternative.value, method="exact")
        assert found.p_value == pytest.approx(wanted.pvalue, rel=1e-12)

    @pytest.mark.parametrize("alternative", ALTERNATIVES)
    @pytest.mark.parametrize("seed", range(5))
    def test_kolmogorov_smirnov_is_scipys(self, alternative: Alternative, seed: int) -> None:
        """Kolmogorov smirnov is scipys."""
        for ties in (False, True):
            x, y = samples(seed, ties=ties)
            found = ks_2samp(x, y, alternative=alternative)
            wanted = stats.ks_2samp(x, y, alternative=alternative.value, method="exact")
            assert found.statistic == pytest.approx(wanted.statistic, rel=1e-12)
            assert found.p_value == pytest.approx(wanted.pvalue, rel=1e-9)

    def test_large_samples_take_the_limit(self) -> None:
        """Large samples take the limit."""
        rng = np.random.default_rng(1)
        x, y = rng.normal(0, 1, 12_000), rng.normal(0.02, 1, 15_000)
        found = ks_2samp(x.tolist(), y.tolist(), alternative=Alternative.TWO_SIDED)
        wanted = stats.ks_2samp(x, y, method="asymp").pvalue
        assert found.p_value == pytest.approx(wanted, rel=0.02)

    def test_all_tied_is_no_evidence(self) -> None:
        """All tied is no evidence."""
        found = mann_whitney([1.0, 1.0], [1.0], alternative=Alternative.GREATER)
        assert found.p_value == 1.0

    def test_an_empty_sample_is_refused(self) -> None:
        """An empty sample is refused."""
        with pytest.raises(ValueError, match="empty"):
            ks_2samp([], [1.0], alternative=Alternative.LESS)


class TestProportions:
    """Proportions."""

    @pytest.mark.parametrize(
        ("bad_canary", "count_canary", "bad_stable", "count_stable"),
        [(0, 10, 0, 10), (3, 10, 1, 12), (10, 10, 0, 10), (40, 3000, 90, 9000), (700, 1000, 1, 9)],
    )
    def test_fisher_is_scipys_even_far_in_the_tail(
        self, bad_canary: int, count_canary: int, bad_stable: int, count_stable: int
    ) -> None:
        """Fisher is scipys even far in the tail."""
        table = proportions.Table(bad_canary, count_canary, bad_stable, count_stable)
        square = [
            [bad_canary, count_canary - bad_canary],
            [bad_stable, count_stable - bad_stable],
        ]
        greater = stats.fisher_exact(square, alternative="greater").pvalue
        assert proportions.fisher_greater(table) == pytest.approx(greater, rel=1e-9)
        both = stats.fisher_exact(square).pvalue
        assert proportions.fisher_two_sided(table) == pytest.approx(both, rel=1e-9)

    def test_boschloo_is_scipys_with_the_arms_as_groups(self) -> None:
        """Boschloo is scipys with the arms as groups."""
        table = proportions.Table(7, 30, 2, 45)
        wanted = stats.boschloo_exact([[7, 2], [23, 43]], alternative="greater", n=64).pvalue
        assert proportions.boschloo_greater(table) == pytest.approx(wanted, rel=1e-6)

    def test_a_score_interval_excludes_exactly_what_its_test_rejects(self) -> None:
        """A score interval excludes exactly what its test rejects."""
        table = proportions.Table(15, 300, 24, 1200)
        for effect in proportions.Effect:
            low, high = proportions.score_interval(table, effect, confidence=0.9)
            z = stats.norm.ppf(0.95)
            assert proportions.score_z(table, effect, low) == pytest.approx(z, rel=1e-6)
            assert proportions.score_z(table, effect, high) == pytest.approx(-z, rel=1e-6)

    def test_a_ratio_over_an_empty_cell_has_no_upper_limit(self) -> None:
        """A ratio over an empty cell has no upper limit."""
        table = proportions.Table(5, 300, 0, 1200)
        low, high = proportions.score_interval(table, proportions.Effect.RATIO, confidence=0.95)
        assert math.isnan(low)
        assert high == math.inf

    def test_one_proportion_at_its_ends(self) -> None:
        """One proportion at its ends."""
        assert proportions.clopper_pearson(0, 60, confidence=0.95)[0] == 0.0
        assert proportions.clopper_pearson(60, 60, confidence=0.95)[1] == 1.0

    def test_an_empty_arm_is_refused(self) -> None:
        """An empty arm is refused."""
        with pytest.raises(ValueError, match="non-empty arm"):
            proportions.Table(0, 0, 1, 10)


def test_one_stratum_is_the_uncorrected_chi_square_but_for_n_over_n_minus_1() -> None:
    """With one window, Cochran-Mantel-Haenszel is Pearson's chi-square times (n-1)/n."""
    found = mantel_haenszel([[[15, 285], [24, 1176]]], correction=False)
    pearson = stats.chi2_contingency([[15, 285], [24, 1176]], correction=False).statistic
    assert found.chi_square == pytest.approx(pearson * 1499 / 1500, rel=1e-12)


class TestSequential:
    """Sequential."""

    def test_a_confidence_sequence_covers_at_all_times_at_once(self) -> None:
        """In 400 coin-tossing runs of 1000 steps the 90 % sequence leaves 0.3 at most 40 times."""
        rng = np.random.default_rng(7)
        left = 0
        for _ in range(400):
            heads = np.cumsum(rng.random(1000) < 0.3)
            for n in (10, 30, 100, 300, 1000):
                low, high = boundaries.bernoulli_interval(
                    int(heads[n - 1]), n, alpha=0.1, t_opt=300
                )
                if not low <= 0.3 <= high:
                    left += 1
                    break
        assert left <= 40

    def test_the_mixture_of_the_multinomial_test_has_mean_1_under_the_null(self) -> None:
        """The mixture of the multinomial test has mean 1 under the null."""
        total = sum(
            math.comb(12, bad)
            * 0.2**bad
            * 0.8 ** (12 - bad)
            * math.exp(multinomial.log_e([bad, 12 - bad], [0.2, 0.8], k=10))
            for bad in range(13)
        )
        assert total == pytest.approx(1.0, rel=1e-12)

    def test_a_share_at_the_end_of_its_range_keeps_a_one_sided_sequence(self) -> None:
        """A share at the end of its range keeps a one sided sequence."""
        (low, high), _ = multinomial.confidence_sequence([0, 20], [0.2, 0.8], k=10, alpha=0.05)
        assert low == 0.0
        assert 0.0 < high < 1.0

    def test_the_bound_of_a_bounded_sum_never_exceeds_what_is_possible(self) -> None:
        """The bound of a bounded sum never exceeds what is possible."""
        bound = boundaries.beta_binomial_mixture(1.0, alpha=1e-9, v_opt=1.0, g=0.5, h=0.5)
        assert bound == 2.0


class TestSolving:
    """Solving."""

    def test_bisection_ends_at_neighbouring_floats(self) -> None:
        """Bisection ends at neighbouring floats."""
        assert bisect(lambda x: x * x - 2, 0.0, 2.0) == pytest.approx(2**0.5, rel=1e-15)

    def test_no_change_of_sign_is_refused(self) -> None:
        """No change of sign is refused."""
        with pytest.raises(ValueError, match="no change of sign"):
            bisect(lambda _: 1.0, 0.0, 1.0)

    def test_the_minimum_of_a_parabola(self) -> None:
        """The minimum of a parabola."""
        assert minimum(lambda x: (x - 0.3) ** 2, 0.0, 1.0) == pytest.approx(0.3, abs=1e-6)
