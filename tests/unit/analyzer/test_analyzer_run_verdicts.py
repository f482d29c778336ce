"""The verdict machine: every way to fail, to pass and to remain open, each with its own reason."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analyzer.domain import latency_rank, run
from analyzer.domain.burn_rate import BurnRule
from analyzer.domain.histogram import from_samples
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.run import RunPlan, WindowRecord
from analyzer.domain.verdict import ReasonCode, Verdict

PLAN = RunPlan(run="r", horizon_s=660, interval_s=30, weights={"errors": 1.0})
CALM = tuple((1500, 30 + 5 * (i % 3 - 1)) for i in range(120))
GOOD, BAD = (300, 6, 1200, 24), (300, 18, 1200, 24)
Table = tuple[int, int, int, int]


def record(index: int, table: Table, metric: str = "errors") -> WindowRecord:
    """Return window number `index`."""
    return WindowRecord(
        window=Window(start=30.0 * index, end=30.0 * (index + 1)),
        metric=metric,
        canary=ArmCounts(count=table[0], bad=table[1]),
        stable=ArmCounts(count=table[2], bad=table[3]),
    )


def finding(
    tables: list[Table], plan: RunPlan = PLAN, *, now: float | None = None
) -> run.RunFinding:
    """Return what a run comes to."""
    state = run.replay(plan, [record(i, one) for i, one in enumerate(tables)], now=1e9)
    return run.judge(state, now=now)


def changed(**changes: object) -> RunPlan:
    """Return the plan with some things changed."""
    return replace(PLAN, **changes)


SILENT_CANARY, SILENT_STABLE = (0, 0, 1500, 30), (300, 6, 0, 0)
CASES = {
    "nothing yet": (PLAN, [], "inconclusive", "no_data"),
    "canary never there": (PLAN, [SILENT_CANARY] * 22, "inconclusive", "no_data"),
    "stable never there": (PLAN, [SILENT_STABLE] * 22, "inconclusive", "no_baseline"),
    "canary fell silent": (
        PLAN,
        [GOOD] * 20 + [SILENT_CANARY] * 3,
        "inconclusive",
        "canary_silent",
    ),
    "stable fell silent": (
        PLAN,
        [GOOD] * 20 + [SILENT_STABLE] * 3,
        "inconclusive",
        "baseline_silent",
    ),
    "silence that fails": (
        changed(no_data_fail_after_s=120.0),
        [GOOD] * 4 + [SILENT_CANARY] * 4,
        "fail",
        "no_data_too_long",
    ),
    "warming up": (changed(warmup_s=60.0), [BAD] * 2, "inconclusive", "warming_up"),
    "came back cold": (
        changed(warmup_s=60.0),
        [GOOD] * 20 + [SILENT_CANARY] * 2 + [GOOD],
        "inconclusive",
        "canary_restarted",
    ),
    "one window": (PLAN, [GOOD], "inconclusive", "not_enough_samples"),
    "few requests": (PLAN, [(4, 0, 16, 0)] * 22, "inconclusive", "not_enough_samples"),
    "too early": (
        changed(minimum_duration_s=900.0),
        [GOOD] * 22,
        "inconclusive",
        "too_early",
    ),
    "split is wrong": (
        changed(planned_weight=0.2),
        [(150, 3, 1350, 27)] * 22,
        "inconclusive",
        "traffic_split",
    ),
    "both degraded": (
        changed(history={"errors": CALM}),
        [(300, 30, 1200, 120)] * 22,
        "inconclusive",
        "both_degraded",
    ),
    "budget burns": (
        changed(burn={"errors": BurnRule(objective=0.001, factor=10.0)}),
        [GOOD] * 22,
        "inconclusive",
        "budget_burning",
    ),
    "margin not excluded": (PLAN, [(300, 7, 1200, 24)] * 5, "inconclusive", "margin_not_excluded"),
    "limit not cleared": (
        changed(limits={"errors": 0.02}),
        [GOOD] * 22,
        "inconclusive",
        "threshold_not_cleared",
    ),
    "above the limit": (
        changed(limits={"errors": 0.01}),
        [GOOD] * 22,
        "fail",
        "error_rate_above_threshold",
    ),
    "worse": (PLAN, [BAD] * 22, "fail", "error_rate_higher"),
    "no difference": (PLAN, [GOOD] * 22, "pass", "no_difference"),
    "better": (PLAN, [(300, 1, 1200, 24)] * 22, "pass", "no_difference"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_state_has_its_own_reason(case: str) -> None:
    """Every state has its own reason."""
    plan, tables, verdict, code = CASES[case]
    found = finding(tables, plan)
    assert (found.verdict, found.reason_code) == (verdict, code)


def test_a_slower_canary_is_told_from_one_with_more_errors() -> None:
    """A slower canary is told from one with more errors."""
    plan = changed(weights={"latency_over_p99": 1.0})
    state = run.replay(plan, [record(i, BAD, "latency_over_p99") for i in range(22)], now=1e9)
    assert run.judge(state).reason_code is ReasonCode.LATENCY_HIGHER


def test_a_run_whose_last_window_is_old_passes_no_more_but_a_fail_stays() -> None:
    """A run whose last window is old passes no more, but a fail stays."""
    assert finding([GOOD] * 22, now=700.0).verdict is Verdict.PASS
    old = finding([GOOD] * 22, now=1000.0)
    assert (old.verdict, old.reason_code) == (Verdict.INCONCLUSIVE, ReasonCode.STALE)
    assert finding([BAD] * 22, now=1e6).verdict is Verdict.FAIL


def test_a_pass_is_not_final_and_a_fail_is() -> None:
    """A pass is not final and a fail is."""
    passed = finding([GOOD] * 15)
    assert passed.verdict is Verdict.PASS
    later = finding([GOOD] * 15 + [(300, 60, 1200, 24)] * 5)
    assert later.verdict is Verdict.FAIL
    assert later.passed_at == passed.passed_at
    assert later.failed_at is not None
    assert finding([BAD] * 5 + [(300, 0, 1200, 24)] * 100).verdict is Verdict.FAIL


def test_a_hold_does_not_hide_a_fail() -> None:
    """A hold does not hide a fail."""
    found = finding([(300, 120, 1200, 120)] * 5, changed(history={"errors": CALM}))
    assert found.verdict is Verdict.FAIL


class TestRanks:
    """Slower ranks fail a run, and never pass one."""

    @staticmethod
    def state(slower: float) -> run.RunState:
        """Return a run of errors without difference and of latencies."""
        rng = np.random.default_rng(3)

        def drawn(count: int, scale: float) -> np.ndarray:
            return 80 * scale * np.exp(0.6 * rng.standard_normal(count))

        scale = latency_rank.scale(from_samples(drawn(20_000, 1.0)))
        assert scale is not None
        plan = changed(weights={"errors": 0.8, "latency_rank": 0.2}, ranks={"latency_rank": scale})
        records = []
        for i in range(10):
            canary, stable = (
                scale.classes(from_samples(one)) for one in (drawn(300, slower), drawn(1200, 1.0))
            )
            ranked = record(i, (300, 0, 1200, 0), "latency_rank")
            classes = (tuple(canary.tolist()), tuple(stable.tolist()))
            records += [record(i, GOOD), replace(ranked, classes=classes)]
        return run.replay(plan, records, now=1e9)

    def test_a_shift_of_everything_fails(self) -> None:
        """A shift of everything fails."""
        found = run.judge(self.state(1.2))
        assert (found.metric, found.reason_code) == ("latency_rank", ReasonCode.LATENCY_HIGHER)

    def test_no_shift_leaves_the_verdict_to_the_other_metrics(self) -> None:
        """No shift leaves the verdict to the other metrics."""
        state = self.state(1.0)
        assert run.judge(state).verdict is Verdict.PASS
        assert state.ranks["latency_rank"].log_e < math.log(100)
