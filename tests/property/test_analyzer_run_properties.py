"""What holds for every run: monotone, symmetric, indifferent to order, always a number."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analyzer.domain import dispersion, run, scme, sequential
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.run import RunPlan, WindowRecord
from analyzer.domain.verdict import Verdict

Table = tuple[int, int, int, int]
PLAN = RunPlan(run="r", horizon_s=660, interval_s=30, weights={"errors": 1.0, "slow": 2.0})
BETAS = scme.nodes(0.0, math.log(1.5))
BADNESS = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)


def record(index: int, table: Table, metric: str = "errors") -> WindowRecord:
    """Return window number `index`."""
    return WindowRecord(
        window=Window(start=30.0 * index, end=30.0 * (index + 1)),
        metric=metric,
        canary=ArmCounts(count=table[0], bad=table[1]),
        stable=ArmCounts(count=table[2], bad=table[3]),
    )


def replay(tables: list[Table], plan: RunPlan) -> run.RunState:
    """Return the state of a run of one metric."""
    return run.replay(plan, [record(i, one) for i, one in enumerate(tables)], now=1e9)


ONE = replace(PLAN, weights={"errors": 1.0})


@st.composite
def tables(draw: st.DrawFn, *, most: int = 2000, highest: float = 0.3) -> Table:
    """Windows with few and with many bad requests, also of empty arms."""
    canary, stable = draw(st.integers(0, most)), draw(st.integers(0, 4 * most))
    share = draw(st.floats(0, highest))
    bad_canary = draw(st.integers(0, math.ceil(share * canary)))
    bad_stable = draw(st.integers(0, math.ceil(share * stable)))
    return canary, bad_canary, stable, bad_stable


class TestMonotone:
    """More bad requests of the canary never help it."""

    @given(st.lists(tables(most=400), max_size=6), tables(most=400))
    @settings(max_examples=60, deadline=None)
    def test_one_more_bad_request_now_makes_no_verdict_better(
        self, before: list[Table], last: Table
    ) -> None:
        """One more bad request now makes no verdict better."""
        if last[1] >= last[0]:
            return
        worse = (last[0], last[1] + 1, last[2], last[3])
        state = replay(before, ONE)
        found = [
            run.advance(state, [record(len(before), one)], now=1e9)[0] for one in (last, worse)
        ]
        verdicts = [run.judge(one).verdict for one in found]
        assert BADNESS.index(verdicts[1]) >= BADNESS.index(verdicts[0])

    @given(tables())
    @settings(max_examples=100, deadline=None)
    def test_every_worse_effect_gains_and_every_better_one_loses(self, table: Table) -> None:
        """Every worse effect gains and every better one loses."""
        if table[1] >= table[0]:
            return
        more = scme.curve((table[0], table[1] + 1, table[2], table[3]), BETAS)
        gained = more - scme.curve(table, BETAS)
        assert np.all(np.diff(gained) >= -1e-8)


class TestCuts:
    """How requests are cut into windows matters little, or not at all."""

    @given(
        st.integers(200, 4000),
        st.integers(1, 60),
        st.integers(1, 4),
        st.integers(0, 60),
        st.integers(2, 4),
    )
    @settings(max_examples=60, deadline=None)
    def test_cutting_a_window_where_rates_are_equal_moves_the_evidence_by_a_part_in_its_requests(
        self, count: int, bad_canary: int, ratio: int, bad_stable: int, parts: int
    ) -> None:
        """Cutting a window where rates are equal moves the evidence by a part in its requests."""
        part = (count, bad_canary, ratio * count, bad_stable)
        whole = (parts * count, parts * bad_canary, parts * ratio * count, parts * bad_stable)
        near = np.abs(BETAS) <= 2
        together = scme.curve(whole, BETAS)[near]
        cut = parts * scme.curve(part, BETAS)[near]
        # Given margins, the variance of the parts exceeds that of the whole by N / (N - 1).
        allowed = 4 * parts / count * (1 + np.abs(together)) + 0.5 * (parts - 1) / count * (
            BETAS[near] ** 2 * parts * (bad_canary + bad_stable)
        )
        assert np.all(np.abs(cut - together) <= allowed)

    @given(st.lists(tables(), min_size=1, max_size=5), st.integers(0, 5))
    @settings(max_examples=40, deadline=None)
    def test_a_window_without_requests_anywhere_changes_no_evidence(
        self, given_tables: list[Table], at: int
    ) -> None:
        """A window without requests anywhere changes no evidence."""
        with_empty = [*given_tables[:at], (0, 0, 0, 0), *given_tables[at:]]
        mine, other = (replay(one, ONE).evidence["errors"] for one in (given_tables, with_empty))
        assert np.array_equal(mine.curve, other.curve)
        assert (mine.harm, mine.highest_pass) == (other.harm, other.highest_pass)


class TestOrder:
    """Order of arrival between metrics does not matter; of windows within one hardly."""

    @given(st.lists(st.tuples(tables(), tables()), min_size=1, max_size=5))
    @settings(max_examples=40, deadline=None)
    def test_metrics_may_arrive_in_any_order(self, pairs: list[tuple[Table, Table]]) -> None:
        """Metrics may arrive in any order."""
        errors = [record(i, pair[0], "errors") for i, pair in enumerate(pairs)]
        slow = [record(i, pair[1], "slow") for i, pair in enumerate(pairs)]
        one, other = (
            run.replay(PLAN, order, now=1e9) for order in ([*errors, *slow], [*slow, *errors])
        )
        for metric in PLAN.weights:
            assert np.array_equal(one.evidence[metric].curve, other.evidence[metric].curve)
            assert one.evidence[metric].harm == other.evidence[metric].harm
        assert run.judge(one).verdict == run.judge(other).verdict

    @given(st.lists(tables(), min_size=2, max_size=6))
    @settings(max_examples=40, deadline=None)
    def test_the_curve_does_not_depend_on_the_order_of_windows(
        self, given_tables: list[Table]
    ) -> None:
        """The curve does not depend on the order of windows."""
        forth = replay(given_tables, ONE).evidence["errors"].curve
        back = replay(given_tables[::-1], ONE).evidence["errors"].curve
        assert forth == pytest.approx(back, rel=1e-12, abs=1e-9)


class TestSymmetry:
    """Arms swapped and direction reversed is the same comparison."""

    @given(tables())
    @settings(max_examples=100, deadline=None)
    def test_the_curve_is_mirrored(self, table: Table) -> None:
        """The curve is mirrored."""
        betas = scme.GRID
        swapped = (table[2], table[3], table[0], table[1])
        mine, other = scme.curve(table, betas), scme.curve(swapped, -betas)
        assert mine == pytest.approx(other, rel=1e-9, abs=1e-7)

    @given(st.lists(tables(), min_size=1, max_size=4))
    @settings(max_examples=40, deadline=None)
    def test_the_interval_of_the_odds_ratio_is_mirrored(self, given_tables: list[Table]) -> None:
        """The interval of the odds ratio is mirrored."""
        betas = scme.GRID
        mine = sum((scme.curve(one, betas) for one in given_tables), np.zeros(len(betas)))
        other = sum(
            (scme.curve((c, d, a, b), betas) for a, b, c, d in given_tables), np.zeros(len(betas))
        )
        low, high = scme.confidence(mine, betas, alpha=0.05)
        mirrored_low, mirrored_high = scme.confidence(other, betas, alpha=0.05)
        assert low == pytest.approx(-mirrored_high, abs=1e-4)
        assert high == pytest.approx(-mirrored_low, abs=1e-4)
        assert low <= high


HUGE = st.integers(0, 10**9)
HISTORIES = ((), ((1000, 10), (1000, 90)) * 30)


@st.composite
def extreme_tables(draw: st.DrawFn) -> Table:
    """Anything that is accepted: nothing, everything bad, a thousand million requests."""
    canary, stable = draw(HUGE), draw(HUGE)
    share = st.sampled_from((0.0, 1e-9, 1e-6, 0.01, 0.5, 0.99, 1.0))
    return canary, round(draw(share) * canary), stable, round(draw(share) * stable)


class TestAlwaysANumber:
    """Accepted windows never raise and never give what is not a number."""

    @given(st.lists(extreme_tables(), min_size=1, max_size=3), st.sampled_from(HISTORIES))
    @settings(max_examples=40, deadline=None)
    @example([(10**9, 10**9, 10**9, 10**9)] * 3, ())
    @example([(10**9, 10**9, 10**9, 0)] * 3, HISTORIES[1])
    @example([(10**9, 10**8, 10**9, 10**8), (1, 1, 10**9, 0), (10**9, 0, 1, 1)], ())
    @example([(1, 0, 1, 0), (0, 0, 0, 0), (1, 1, 1, 1)], ())
    def test_extreme_windows_give_numbers(
        self, given_tables: list[Table], history: tuple[tuple[int, int], ...]
    ) -> None:
        """Extreme windows give numbers."""
        state = replay(given_tables, replace(ONE, history={"errors": history}))
        one = state.evidence["errors"]
        assert np.all(np.isfinite(one.curve))
        assert not any(math.isnan(x) for x in (one.harm, one.highest_pass, one.absolute, one.phi))
        assert run.judge(state).verdict in BADNESS
        low, high = scme.confidence(
            one.curve, scme.nodes(one.rules.fail_margin, one.rules.pass_margin), alpha=0.05
        )
        assert low <= high

    @given(st.lists(st.tuples(HUGE, st.floats(0, 1)), max_size=40))
    @settings(max_examples=60, deadline=None)
    def test_any_history_can_be_learned_from(self, given_blocks: list[tuple[int, float]]) -> None:
        """Any history can be learned from."""
        blocks = [(count, round(count * share)) for count, share in given_blocks]
        learned = dispersion.learn(blocks)
        assert learned.tau2 >= 0
        assert math.isfinite(learned.phi(300, 1200, 30))
        assert json.dumps(learned.known)


class TestEvidenceIsHonest:
    """The mean of the evidence under equal arms is at most 1, whatever windows came before."""

    @given(tables(most=60), tables(most=60))
    @settings(max_examples=40, deadline=None)
    def test_the_boosted_mixture_keeps_its_mean_when_cut_at_the_cap(
        self, before: Table, shape: Table
    ) -> None:
        """The boosted mixture keeps its mean when cut at the cap."""
        rules = sequential.Rules(alpha_fail=0.05)
        state = sequential.start(rules, dispersion.Dispersion())
        state = sequential.advance(state, before)
        count_canary, count_stable, bad = shape[0], shape[2], shape[1] + shape[3]
        if not count_canary or not count_stable or state.harm >= rules.mixture_cap:
            return
        mean = 0.0
        for x in range(max(0, bad - count_stable), min(bad, count_canary) + 1):
            chance = (
                math.comb(bad, x)
                * math.comb(count_canary + count_stable - bad, count_canary - x)
                / math.comb(count_canary + count_stable, count_canary)
            )
            after = sequential.advance(state, (count_canary, x, count_stable, bad - x))
            mean += chance * math.exp(min(after.harm, rules.mixture_cap))
        assert mean == pytest.approx(math.exp(state.harm), rel=1e-6)
