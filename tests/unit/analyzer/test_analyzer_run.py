"""One rollout judged window after window: admission, verdicts, and equality with a replay."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.domain import dispersion, latency, run
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.run import Admission, RunPlan, WindowRecord
from analyzer.domain.verdict import ReasonCode, Verdict

PLAN = RunPlan(run="r", horizon_s=660, interval_s=30, weights={"errors": 1.0})


def record(
    index: int, canary: tuple[int, int], stable: tuple[int, int], metric: str = "errors"
) -> WindowRecord:
    """Record."""
    return WindowRecord(
        window=Window(start=30.0 * index, end=30.0 * (index + 1)),
        metric=metric,
        canary=ArmCounts(count=canary[0], bad=canary[1]),
        stable=ArmCounts(count=stable[0], bad=stable[1]),
    )


def records(canary: tuple[int, int], stable: tuple[int, int], number: int) -> list[WindowRecord]:
    """Records."""
    return [record(index, canary, stable) for index in range(number)]


def finding(given: list[WindowRecord], plan: RunPlan = PLAN) -> run.RunFinding:
    """Finding."""
    return run.judge(run.replay(plan, given, now=1e9))


@st.composite
def rollouts(draw: st.DrawFn) -> list[WindowRecord]:
    """Rollouts."""
    found = []
    for index in range(draw(st.integers(1, 8))):
        counts = draw(st.tuples(st.integers(0, 400), st.integers(0, 1600)))
        bad = tuple(draw(st.integers(0, min(count, 60))) for count in counts)
        found.append(record(index, (counts[0], bad[0]), (counts[1], bad[1])))
    return found


class TestVerdicts:
    """Verdicts."""

    def test_no_window_at_all_is_inconclusive(self) -> None:
        """No window at all is inconclusive."""
        found = finding([])
        assert (found.verdict, found.reason_code) == (Verdict.INCONCLUSIVE, ReasonCode.NO_DATA)

    @pytest.mark.parametrize(
        ("canary", "stable", "code"),
        [((0, 0), (1200, 24), ReasonCode.NO_DATA), ((300, 6), (0, 0), ReasonCode.NO_BASELINE)],
    )
    def test_an_arm_without_requests_never_passes(
        self, canary: tuple[int, int], stable: tuple[int, int], code: ReasonCode
    ) -> None:
        """An arm without requests never passes."""
        found = finding(records(canary, stable, 22))
        assert (found.verdict, found.reason_code) == (Verdict.INCONCLUSIVE, code)

    def test_equal_arms_pass_once_the_margin_is_excluded(self) -> None:
        """Equal arms pass once the margin is excluded."""
        assert finding(records((300, 6), (1200, 24), 2)).verdict is Verdict.INCONCLUSIVE
        found = finding(records((300, 6), (1200, 24), 22))
        assert found.verdict is Verdict.PASS
        assert found.passed_at is not None
        assert 60 < found.passed_at < 660

    def test_a_regression_fails_for_good(self) -> None:
        """A regression fails for good."""
        bad = records((300, 15), (1200, 24), 4)
        found = finding(bad)
        assert (found.verdict, found.metric) == (Verdict.FAIL, "errors")
        good = [record(index, (300, 0), (1200, 24)) for index in range(4, 22)]
        assert finding([*bad, *good]).failed_at == found.failed_at

    def test_one_window_fails_only_when_it_is_an_obvious_outage(self) -> None:
        """One window fails only when it is an obvious outage."""
        assert finding([record(0, (300, 22), (1200, 24))]).verdict is Verdict.INCONCLUSIVE
        assert finding([record(0, (300, 250), (1200, 24))]).verdict is Verdict.FAIL

    def test_a_trifle_fails_nobody_however_many_requests_prove_it(self) -> None:
        """A trifle fails nobody however many requests prove it."""
        tiny = records((1_000_000, 1300), (4_000_000, 4000), 5)
        assert finding(tiny).verdict is not Verdict.FAIL

    def test_zero_errors_everywhere_pass_by_the_absolute_margin(self) -> None:
        """Zero errors everywhere pass by the absolute margin."""
        assert finding(records((300, 0), (1200, 0), 22)).verdict is Verdict.PASS

    def test_a_wrong_traffic_split_is_no_pass(self) -> None:
        """A wrong traffic split is no pass."""
        plan = replace(PLAN, planned_weight=0.2)
        assert finding(records((300, 6), (1200, 24), 22), plan).verdict is Verdict.PASS
        assert finding(records((150, 3), (1350, 27), 22), plan).verdict is Verdict.INCONCLUSIVE

    def test_every_metric_must_pass_and_one_that_fails_is_named(self) -> None:
        """Every metric must pass and one that fails is named."""
        plan = replace(PLAN, weights={"errors": 1.0, "slow": 1.0})
        errors = records((300, 6), (1200, 24), 22)
        assert finding(errors, plan).metric == "slow"
        slow = [record(index, (300, 60), (1200, 60), "slow") for index in range(5)]
        found = finding([*errors, *slow], plan)
        assert (found.verdict, found.metric) == (Verdict.FAIL, "slow")


class TestAdmission:
    """Admission."""

    def test_only_closed_ordered_disjoint_windows_count_and_each_once(self) -> None:
        """Only closed ordered disjoint windows count and each once."""
        first, second = records((300, 6), (1200, 24), 2)
        state, admissions = run.advance(run.begin(PLAN), [first, first, second, first], now=1e9)
        assert admissions == ["accepted", "duplicate", "accepted", "duplicate"]
        assert state.windows == (first, second)
        other = replace(first, canary=ArmCounts(count=300, bad=7))
        assert run.admit(state, other, now=1e9) is Admission.LATE
        overlapping = replace(second, window=Window(start=45.0, end=75.0))
        assert run.admit(state, overlapping, now=1e9) is Admission.OVERLAPS
        assert run.admit(state, record(2, (1, 0), (1, 0)), now=89.0) is Admission.OPEN

    @given(rollouts(), st.integers(0, 8))
    @settings(max_examples=25, deadline=None)
    def test_a_restart_at_any_point_and_repeats_change_no_bit(
        self, given_records: list[WindowRecord], cut: int
    ) -> None:
        """A restart at any point and repeats change no bit."""
        whole = run.replay(PLAN, given_records, now=1e9)
        part, _ = run.advance(run.begin(PLAN), given_records[:cut], now=1e9)
        resumed, _ = run.advance(part, [*given_records[:cut], *given_records], now=1e9)
        assert resumed.windows == whole.windows
        assert (resumed.failed_at, resumed.passed_at) == (whole.failed_at, whole.passed_at)
        mine, other = resumed.evidence["errors"], whole.evidence["errors"]
        assert np.array_equal(mine.curve, other.curve)
        assert (mine.harm, mine.highest_pass) == (other.harm, other.highest_pass)

    @given(rollouts())
    @settings(max_examples=25, deadline=None)
    def test_accepted_windows_never_crash_and_a_failed_run_never_passes(
        self, given_records: list[WindowRecord]
    ) -> None:
        """Accepted windows never crash and a failed run never passes."""
        found = finding(given_records)
        if found.failed_at is not None:
            assert found.verdict is Verdict.FAIL

    @pytest.mark.parametrize(
        "change", [{"interval_s": 0.0}, {"interval_s": 700.0}, {"weights": {}}]
    )
    def test_a_plan_that_cannot_be_is_refused(self, change: dict[str, object]) -> None:
        """A plan that cannot be is refused."""
        with pytest.raises(ValueError, match="expected"):
            replace(PLAN, **change)


class TestDispersion:
    """Dispersion."""

    @staticmethod
    def history(kappa: float) -> list[tuple[int, int]]:
        """History."""
        rng = np.random.default_rng(3)
        counts = rng.poisson(1500, 120)
        factors = rng.gamma(kappa, 1 / kappa, 120) if kappa else np.ones(120)
        return [
            (int(n), int(rng.binomial(n, 0.02 * f))) for n, f in zip(counts, factors, strict=True)
        ]

    def test_independent_requests_are_not_tempered(self) -> None:
        """Independent requests are not tempered."""
        learned = dispersion.learn(self.history(0))
        assert (learned.tau2, learned.bursty, learned.known) == (0.0, False, True)
        assert learned.phi(300, 1200, 30) == 1.0

    def test_bursts_are_measured(self) -> None:
        """Bursts are measured."""
        learned = dispersion.learn(self.history(2.0))
        assert learned.tau2 == pytest.approx(0.5, rel=0.4)
        assert learned.phi(300, 1200, 90) == pytest.approx(1 + 2 * learned.tau2 * 0.16 * 90)

    def test_a_lull_of_both_arms_is_no_reason_to_trust_a_window_more(self) -> None:
        """A lull of both arms is no reason to trust a window more."""
        learned = dispersion.learn(self.history(2.0))
        usual = learned.rate * 1500
        assert learned.phi(300, 1200, 3) == pytest.approx(1 + 2 * learned.tau2 * 0.16 * usual)

    def test_bursts_that_outlast_a_block_count_for_more(self) -> None:
        """Bursts that outlast a block count for more."""
        rng = np.random.default_rng(5)
        counts = rng.poisson(1500, 120)
        factors = rng.gamma(2.0, 0.5, 120)
        long = np.repeat(factors[:30], 4)
        one, four = (
            dispersion.learn(
                [(int(n), int(rng.binomial(n, 0.02 * f))) for n, f in zip(counts, f, strict=True)]
            )
            for f in (factors, long)
        )
        assert four.tau2 > 2 * one.tau2

    @pytest.mark.parametrize("bad", [0, 1000])
    def test_a_history_without_any_variation_says_that_there_are_no_bursts(self, bad: int) -> None:
        """A history without any variation says that there are no bursts."""
        assert dispersion.learn([(1000, bad)] * 120).tau2 == 0.0

    def test_a_short_history_says_nothing(self) -> None:
        """A short history says nothing."""
        assert not dispersion.learn(self.history(2.0)[:10]).known

    def test_a_burst_that_fails_an_untempered_run_does_not_fail_a_tempered_one(self) -> None:
        """A burst that fails an untempered run does not fail a tempered one."""
        burst = [record(0, (300, 6), (1200, 24)), record(1, (300, 24), (1200, 20))]
        bursty = replace(PLAN, history={"errors": tuple(self.history(1.0))})
        assert finding(burst).verdict is Verdict.FAIL
        assert finding(burst, bursty).verdict is Verdict.INCONCLUSIVE


class TestLatency:
    """Latency."""

    HISTOGRAM = np.bincount(np.arange(100_000) % 1000, minlength=1001)

    def test_thresholds_are_the_quantiles_of_the_history(self) -> None:
        """Thresholds are the quantiles of the history."""
        found = latency.thresholds(self.HISTOGRAM, expected_canary=6600)
        assert [one.quantile for one in found] == list(latency.QUANTILES)
        count, slow = latency.slow_requests(self.HISTOGRAM, found)
        assert count == 100_000
        assert [bad / count for bad in slow] == pytest.approx(
            [1 - one.quantile for one in found], abs=0.0011
        )

    def test_a_threshold_that_few_will_exceed_is_left_out(self) -> None:
        """A threshold that few will exceed is left out."""
        found = latency.thresholds(self.HISTOGRAM, expected_canary=600)
        assert max(one.quantile for one in found) == 0.99

    def test_no_history_gives_no_threshold(self) -> None:
        """No history gives no threshold."""
        assert latency.thresholds([0, 0], expected_canary=math.inf) == ()
