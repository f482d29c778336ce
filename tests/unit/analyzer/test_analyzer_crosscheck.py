"""The judge's engines against exact enumeration and simulation that share no code with them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.domain import multiplicity, noncentral, posterior, ripr, scme, spending, traffic_split
from unit.analyzer.exact_tables import (
    Window,
    all_paths,
    log_z,
    null_tables,
    spending_boundaries,
    tilted_tables,
)

ALPHA = 0.1
SEQUENCES: tuple[tuple[Window, ...], ...] = (
    ((4, 1, 8, 2), (5, 2, 6, 1), (6, 1, 6, 1)),
    ((2, 1, 9, 1), (0, 0, 10, 2), (7, 3, 3, 0), (10, 1, 0, 0), (3, 1, 3, 1)),
    ((1, 0, 1, 1), (20, 2, 2, 1), (2, 1, 20, 3)),
)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Windows."""
    count_canary, count_stable = draw(st.integers(0, 30)), draw(st.integers(0, 30))
    return (
        count_canary,
        draw(st.integers(0, count_canary)),
        count_stable,
        draw(st.integers(0, count_stable)),
    )


class TestNoncentral:
    """Noncentral."""

    @given(windows(), st.floats(-4, 4))
    def test_the_normaliser_is_the_sum_over_all_tables(self, window: Window, beta: float) -> None:
        """The normaliser is the sum over all tables."""
        count_canary, bad_canary, count_stable, bad_stable = window
        found = noncentral.log_z(count_canary, count_stable, bad_canary + bad_stable, [beta])[0]
        assert found == pytest.approx(log_z(window, beta), abs=1e-11)

    @pytest.mark.parametrize("counts", [(300, 700, 450), (999, 5000, 400), (4000, 4000, 900)])
    def test_the_integral_agrees_with_the_sum_where_both_are_possible(
        self, counts: tuple[int, int, int]
    ) -> None:
        """The integral agrees with the sum where both are possible."""
        betas = np.linspace(-4, 4, 17)
        whole = noncentral.log_z(*counts, betas)
        x, log_p = noncentral.log_null(*counts)
        direct = [scme.log_sum(log_p + beta * x) for beta in betas]
        assert whole == pytest.approx(direct, abs=1e-10)

    def test_rank_scores_of_two_bins_are_a_2x2_table(self) -> None:
        """Rank scores of two bins are a 2x2 table."""
        found = noncentral.tilt_log_z([400, 90], [0.0, 1.0], 120, [0.7])[0]
        assert found == pytest.approx(noncentral.log_z(120, 370, 90, [0.7])[0], abs=1e-11)

    @given(windows())
    def test_the_likelihood_of_one_arm_alone_tells_nothing(self, window: Window) -> None:
        """The likelihood of one arm alone tells nothing."""
        count_canary, bad_canary, count_stable, bad_stable = window
        for lonely in ((count_canary, bad_canary, 0, 0), (0, 0, count_stable, bad_stable)):
            assert np.all(noncentral.log_likelihood(*lonely, [-1.0, 0.5]) == 0.0)


class TestEvidence:
    """Evidence."""

    @pytest.mark.parametrize("sequence", SEQUENCES)
    def test_its_mean_over_all_tables_is_1_under_equal_odds(
        self, sequence: tuple[Window, ...]
    ) -> None:
        """Its mean over all tables is 1 under equal odds."""
        means = np.zeros(3)
        for tables, probability in all_paths(sequence):
            last = scme.fail_series(tables, margin=0.0, planned=2)[-1]
            means += float(probability) * np.exp(last)
        assert means == pytest.approx([1.0, 1.0, 1.0], rel=1e-10)

    @pytest.mark.parametrize("beta", [-1.0, -0.2, 0.3])
    def test_its_mean_is_at_most_1_anywhere_below_the_margin(self, beta: float) -> None:
        """Its mean is at most 1 anywhere below the margin."""
        window: Window = (12, 3, 30, 4)
        mean = 0.0
        for x, probability in tilted_tables(window, beta).items():
            table = (window[0], x, window[2], 7 - x)
            mean += probability * math.exp(scme.fail_series([table], margin=0.3, planned=1)[0][0])
        assert mean <= 1.0 + 1e-12
        assert (mean > 1.0 - 1e-9) is (beta == 0.3)

    @pytest.mark.parametrize("beta", [0.5, 1.5])
    def test_the_evidence_for_a_pass_has_mean_1_at_its_margin_and_less_beyond(
        self, beta: float
    ) -> None:
        """The evidence for a pass has mean 1 at its margin and less beyond."""
        window: Window = (12, 3, 30, 4)
        mean = sum(
            probability * math.exp(scme.pass_series([(12, x, 30, 7 - x)], margin=0.5)[0])
            for x, probability in tilted_tables(window, beta).items()
        )
        assert mean == pytest.approx(1.0, rel=1e-10) if beta == 0.5 else mean < 1.0

    @given(windows(), st.floats(0.01, 0.2), st.floats(0.1, 4))
    @settings(max_examples=60)
    def test_boosting_gives_back_no_more_than_what_was_overshot(
        self, window: Window, alpha: float, before: float
    ) -> None:
        """The mean of min(b E M(X), 1/alpha) is at most E, and b is never below 1."""
        factor = scme.boost(window, alpha=alpha, before=before)
        assert factor >= 1.0
        mean = 0.0
        bad = window[1] + window[3]
        for x, probability in null_tables(window).items():
            table = (window[0], x, window[2], bad - x)
            gain = math.exp(scme.fail_series([table], margin=0.0, planned=1)[0][0])
            mean += float(probability) * min(factor * before * gain, 1 / alpha)
        assert mean <= before * (1 + 1e-9)

    def test_it_rarely_reaches_1_over_alpha_while_weights_ramp_and_the_base_drifts(self) -> None:
        """In 300 rollouts without a difference evidence of 1/0.1 comes up in 10 % at most."""
        rng = np.random.default_rng(5)
        fired = 0
        for _ in range(300):
            tables = []
            for step in range(8):
                total = int(rng.poisson(400))
                canary = int(rng.binomial(total, (0.05, 0.2, 0.5, 0.8)[step // 2]))
                rate = 0.01 * (1 + step / 2)
                bad = int(rng.binomial(canary, rate)), int(rng.binomial(total - canary, rate))
                tables.append((canary, bad[0], total - canary, bad[1]))
            series = scme.fail_series(tables, margin=0.0, planned=8)
            fired += max(both for _, _, both in series) >= math.log(1 / ALPHA)
        assert fired <= 300 * ALPHA + 4 * math.sqrt(300 * ALPHA * (1 - ALPHA))


class TestSpending:
    """Spending."""

    @pytest.mark.parametrize("sequence", SEQUENCES)
    @pytest.mark.parametrize("alpha", [0.02, 0.1, 0.4])
    def test_boundaries_follow_the_definition(
        self, sequence: tuple[Window, ...], alpha: float
    ) -> None:
        """Boundaries follow the definition."""
        allowed = spending.planned_spending(alpha, len(sequence))
        for look, (boundary, spent) in zip(
            spending.looks(sequence, allowed), spending_boundaries(sequence, allowed), strict=True
        ):
            assert look.boundary == boundary
            assert look.spent == pytest.approx(float(spent), abs=1e-12)

    @pytest.mark.parametrize("sequence", SEQUENCES)
    def test_all_tables_that_fail_have_the_spent_probability_together(
        self, sequence: tuple[Window, ...]
    ) -> None:
        """All tables that fail have the spent probability together."""
        allowed = spending.spending_with_overtime(0.3, 2, power=0.5)
        failed = 0.0
        for tables, probability in all_paths(sequence):
            states = spending.looks(tables, allowed)
            failed += float(probability) * any(state.crossed for state in states)
        assert failed == pytest.approx(states[-1].spent, abs=1e-12)
        assert failed <= 0.3

    def test_overtime_never_spends_more_than_alpha(self) -> None:
        """Overtime never spends more than alpha."""
        allowed = spending.spending_with_overtime(0.01, 22, power=0.5)
        spent = [allowed(look) for look in (1, 22, 23, 100, 10**6)]
        assert spent == sorted(spent)
        assert spent[1] == pytest.approx(0.0095)
        assert spent[-1] < 0.01


class TestMargins:
    """Margins."""

    @pytest.mark.parametrize("kind", list(ripr.Margin))
    def test_evidence_against_a_margin_has_a_mean_of_at_most_1_beyond_it(
        self, kind: ripr.Margin
    ) -> None:
        """Evidence against a margin has a mean of at most 1 beyond it."""
        margin = 0.05 if kind is ripr.Margin.DIFFERENCE else 2.0
        n_canary, n_stable = 8, 15
        canary_of, _, _ = ripr.at_margin(kind, margin)
        for stable in (0.02, 0.1, 0.3):
            for canary in (canary_of(stable), canary_of(stable) * 0.6):
                mean = 0.0
                for x in range(n_canary + 1):
                    for y in range(n_stable + 1):
                        chance = _binomial(x, n_canary, canary) * _binomial(y, n_stable, stable)
                        table = (n_canary, x, n_stable, y)
                        mean += chance * math.exp(ripr.log_e(table, (0.4, 0.1), kind, margin))
                assert mean <= 1 + 1e-9

    @pytest.mark.parametrize("share", [0.15, 0.2, 0.25])
    def test_a_split_within_its_tolerance_gives_evidence_of_mean_1_at_most(
        self, share: float
    ) -> None:
        """A split within its tolerance gives evidence of mean 1 at most."""
        mean = sum(
            _binomial(x, 40, share)
            * math.exp(traffic_split.split_evidence(x, 40, weight=0.2, tolerance=0.05).either)
            for x in range(41)
        )
        assert mean <= 1 + 1e-9

    def test_a_posterior_probability_is_what_sampling_says(self) -> None:
        """A posterior probability is what sampling says."""
        rng = np.random.default_rng(11)
        canary = rng.beta(15.5, 285.5, 400_000)
        stable = rng.beta(24.5, 1176.5, 400_000)
        for ratio in (1.0, 1.5):
            found = posterior.probability_worse((300, 15, 1200, 24), ratio=ratio)
            assert found == pytest.approx(float((canary > ratio * stable).mean()), abs=0.003)

    def test_blamed_metrics_grow_with_the_evidence_of_others(self) -> None:
        """e-BH: two metrics of 25 are blamed at 0.1 among four, one of 25 alone is not."""
        assert multiplicity.e_bh([25, 1, 1, 1], alpha=0.1) == []
        assert multiplicity.e_bh([25, 1, 25, 1], alpha=0.1) == [0, 2]


def _binomial(x: int, n: int, p: float) -> float:
    return math.comb(n, x) * p**x * (1 - p) ** (n - x)
