"""What holds a rollout besides the comparison: shared damage, a burning budget, slower ranks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analyzer.domain import common_mode, latency_rank, limit
from analyzer.domain.burn_rate import BurnRule, burn_rate
from analyzer.domain.histogram import LatencyHistogram, from_samples
from analyzer.domain.model import ArmCounts, Window

ALARM = math.log(1 / 0.001)


def history(rng: np.random.Generator, rate: float, blocks: int = 120) -> list[tuple[int, int]]:
    """Blocks of independent requests."""
    counts = rng.poisson(1500, blocks)
    return [(int(n), int(rng.binomial(n, rate))) for n in counts]


class TestCommonMode:
    """Stable against its own history."""

    @staticmethod
    def evidence(windows: list[tuple[int, int]], before: list[tuple[int, int]]) -> float:
        """Evidence after all windows."""
        state = common_mode.start(before, planned=22)
        assert state is not None
        for count, bad in windows:
            state = state.after(count, bad)
        return state.log_e

    def test_a_short_history_is_nothing_to_compare_with(self) -> None:
        """A short history is nothing to compare with."""
        assert common_mode.start([(1000, 10)] * 5, planned=22) is None

    @pytest.mark.parametrize("rate", [0.0, 0.02])
    def test_stable_as_before_gives_no_alarm(self, rate: float) -> None:
        """Stable as before gives no alarm."""
        rng = np.random.default_rng(1)
        alarms = 0
        for _ in range(100):
            now = [(1200, int(rng.binomial(1200, rate))) for _ in range(22)]
            alarms += self.evidence(now, history(rng, rate)) >= ALARM
        assert alarms == 0

    def test_stable_three_times_worse_than_before_is_seen_also_late(self) -> None:
        """Stable three times worse than before is seen, also late."""
        rng = np.random.default_rng(2)
        before = history(rng, 0.02)
        late = [(1200, 24)] * 12 + [(1200, 72)] * 2
        assert self.evidence(late, before) >= ALARM
        assert self.evidence(late[:12], before) < 0

    def test_a_window_without_stable_tells_nothing(self) -> None:
        """A window without stable tells nothing."""
        before = history(np.random.default_rng(3), 0.02)
        windows = [(1200, 60), (1200, 24)]
        assert self.evidence([windows[0], (0, 0), windows[1]], before) == self.evidence(
            windows, before
        )

    @pytest.mark.parametrize("window", [(10**9, 0), (10**9, 10**9), (1, 1)])
    def test_extreme_windows_give_a_number(self, window: tuple[int, int]) -> None:
        """Extreme windows give a number."""
        for before in ([(1000, 0)] * 30, [(1000, 1000)] * 30, [(1000, 10)] * 30):
            assert math.isfinite(self.evidence([window] * 25, before))

    def test_bursts_that_history_knows_are_tempered(self) -> None:
        """Bursts that history knows are tempered."""
        rng = np.random.default_rng(4)
        calm = history(rng, 0.02)
        wild = [(n, int(rng.binomial(n, min(1.0, 0.02 * rng.gamma(1.0, 1.0))))) for n, _ in calm]
        burst = [(1200, 24)] * 3 + [(1200, 80)] * 2
        assert self.evidence(burst, wild) < self.evidence(burst, calm)


class TestBurnRate:
    """Budget over two windows."""

    RULE = BurnRule(objective=0.001, factor=10, long_s=300, short_s=60)

    @staticmethod
    def windows(bad: list[int]) -> list[tuple[Window, ArmCounts]]:
        """Windows of 30 s with 300 requests each."""
        return [
            (Window(start=30.0 * i, end=30.0 * (i + 1)), ArmCounts(count=300, bad=one))
            for i, one in enumerate(bad)
        ]

    def test_no_window_is_no_alarm_and_no_rate(self) -> None:
        """No window is no alarm and no rate."""
        found = burn_rate([], self.RULE)
        assert (found.long, found.short, found.too_fast) == (None, None, False)

    def test_both_windows_must_burn(self) -> None:
        """Both windows must burn."""
        assert burn_rate(self.windows([9] * 10), self.RULE).too_fast
        over = burn_rate(self.windows([9] * 8 + [0, 0]), self.RULE)
        assert over.long is not None
        assert (over.short, over.too_fast) == (0.0, False)
        began = burn_rate(self.windows([0] * 8 + [5, 5]), self.RULE)
        assert began.short == pytest.approx(5 / 300 / 0.001)
        assert not began.too_fast

    def test_few_requests_are_no_alarm(self) -> None:
        """Few requests are no alarm."""
        few = [(Window(start=0.0, end=30.0), ArmCounts(count=50, bad=50))]
        assert not burn_rate(few, self.RULE).too_fast

    @pytest.mark.parametrize(
        "change", [{"objective": 0.0}, {"objective": 1.0}, {"short_s": 400.0, "long_s": 300.0}]
    )
    def test_a_rule_that_cannot_be_is_refused(self, change: dict[str, float]) -> None:
        """A rule that cannot be is refused."""
        with pytest.raises(ValueError, match="expected"):
            BurnRule(**({"objective": 0.001} | change))


class TestLatencyRank:
    """Rank scores of log bins."""

    @staticmethod
    def latencies(rng: np.random.Generator, count: int, scale: float = 1.0) -> LatencyHistogram:
        """Log-normal latencies."""
        return from_samples(scale * 80 * np.exp(0.6 * rng.standard_normal(count)))

    def scale(self) -> latency_rank.Scale:
        """Scale of a history."""
        found = latency_rank.scale(self.latencies(np.random.default_rng(0), 20_000))
        assert found is not None
        return found

    def evidence(self, slower: float, *, windows: int = 6, allowed: float = 1.0) -> float:
        """Evidence after some windows of 300 and 1200 requests."""
        rng = np.random.default_rng(7)
        scale = self.scale()
        state = latency_rank.RankEvidence.start(scale)
        for _ in range(windows):
            canary = self.latencies(rng, 300, slower)
            stable = self.latencies(rng, 1200)
            state = state.after(scale.classes(canary, slower_by=allowed), scale.classes(stable))
        return state.log_e

    def test_classes_are_about_equal_and_scores_rise_around_zero(self) -> None:
        """Classes are about equal and scores rise around zero."""
        scale = self.scale()
        assert list(scale.scores) == sorted(scale.scores)
        assert sum(scale.scores) == pytest.approx(0, abs=0.5)
        counts = scale.classes(self.latencies(np.random.default_rng(1), 32_000))
        assert counts.sum() == 32_000
        assert counts.max() < 1700

    def test_no_latency_gives_no_scale(self) -> None:
        """No latency gives no scale."""
        assert latency_rank.scale(LatencyHistogram(le_ms=(), counts=())) is None

    def test_small_shifts_of_everything_are_found_and_a_faster_canary_is_not(self) -> None:
        """Small shifts of everything are found and a faster canary is not."""
        assert self.evidence(1.15) > math.log(100)
        assert self.evidence(1.0) < math.log(100)
        assert self.evidence(0.9) < 0

    def test_a_shift_within_the_margin_is_no_evidence(self) -> None:
        """A shift within the margin is no evidence."""
        assert self.evidence(1.15, allowed=1.2) < 0
        assert self.evidence(1.5, allowed=1.2) > math.log(100)

    def test_its_mean_under_equal_arms_is_1_by_enumeration(self) -> None:
        """Its mean under equal arms is 1 by enumeration."""
        scale = latency_rank.Scale((1.0, 2.0), (-0.6, 0.1, 0.8))
        pooled, drawn = (4, 3, 2), 4
        state, total, mean = latency_rank.RankEvidence.start(scale), 0, 0.0
        for a in range(min(drawn, pooled[0]) + 1):
            for b in range(min(drawn - a, pooled[1]) + 1):
                c = drawn - a - b
                if c > pooled[2]:
                    continue
                canary = np.array([a, b, c])
                ways = math.prod(math.comb(n, k) for n, k in zip(pooled, (a, b, c), strict=True))
                after = state.after(canary, np.array(pooled) - canary)
                total += ways
                mean += ways * math.exp(after.log_e)
        assert mean / total == pytest.approx(1.0, abs=1e-9)

    def test_an_arm_without_requests_tells_nothing(self) -> None:
        """An arm without requests tells nothing."""
        scale = self.scale()
        state = latency_rank.RankEvidence.start(scale)
        none = np.zeros(len(scale.scores), dtype=np.int64)
        some = scale.classes(self.latencies(np.random.default_rng(1), 100))
        assert state.after(none, some) is state
        assert state.after(some, none) is state


class TestLimit:
    """The canary alone against a limit."""

    @pytest.mark.parametrize(("count", "highest"), [(1, 0.5), (20, 0.05), (200, 0.02)])
    def test_at_the_limit_the_evidence_has_a_mean_of_1(self, count: int, highest: float) -> None:
        """At the limit the evidence has a mean of 1."""
        mean = math.fsum(
            math.exp(
                math.log(math.comb(count, bad))
                + bad * math.log(highest)
                + (count - bad) * math.log1p(-highest)
                + limit.log_e(count, bad, highest)
            )
            for bad in range(count + 1)
        )
        assert mean == pytest.approx(1.0, abs=1e-9)

    def test_it_grows_above_the_limit_and_falls_below(self) -> None:
        """It grows above the limit and falls below."""
        assert limit.log_e(0, 0, 0.02) == 0.0
        assert limit.log_e(3000, 120, 0.02) > ALARM
        assert limit.log_e(3000, 30, 0.02) < 0

    @pytest.mark.parametrize("bad", [0, 1, 10**9])
    def test_a_thousand_million_requests_give_an_answer(self, bad: int) -> None:
        """A thousand million requests give an answer."""
        assert not math.isnan(limit.log_e(10**9, bad, 0.02))
