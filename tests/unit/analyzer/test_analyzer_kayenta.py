"""Kayenta's judge as a whole; its parts are held against Kayenta's own cases in tests/vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.domain.kayenta.classifiers import classify_mann_whitney
from analyzer.domain.kayenta.judge import UnknownMetric, judge_pairs
from analyzer.domain.kayenta.mannwhitney import brent, shift_interval
from analyzer.domain.kayenta.model import (
    CanaryConfig,
    Classification,
    EffectLimits,
    EffectMeasure,
    MetricConfig,
    MetricSetPair,
    NanStrategy,
    OutlierStrategy,
    ScoreThresholds,
    Summary,
)

THRESHOLDS = ScoreThresholds(passing=95, marginal=75)
LOW = (1.0, 1.2, 0.9, 1.1, 1.0, 1.3, 0.8, 1.1)
HIGH = (9.0, 9.2, 8.9, 9.1, 9.0, 9.3, 8.8, 9.1)
NOTHING = (math.nan,) * 8


def pair(name: str, experiment: tuple[float, ...], control: tuple[float, ...]) -> MetricSetPair:
    """Pair."""
    return MetricSetPair(name=name, id=f"id-{name}", experiment=experiment, control=control)


def config(*metrics: MetricConfig, **weights: float) -> CanaryConfig:
    """Config."""
    return CanaryConfig(metrics=metrics, group_weights=weights)


class TestJudge:
    """Judge."""

    def test_equal_arms_pass_with_100(self) -> None:
        """Equal arms pass with 100."""
        metric = MetricConfig(name="errors", groups=("g",))
        result = judge_pairs(config(metric), THRESHOLDS, [pair("errors", LOW, LOW[::-1])])
        assert (result.score.score, result.classification) == (100.0, Summary.PASS)
        assert result.results[0].classified.reason == "errors: both arms have identical data"

    def test_a_higher_metric_of_two_makes_half_of_its_group(self) -> None:
        """A higher metric of two makes half of its group."""
        metrics = [MetricConfig(name=name, groups=("g",)) for name in ("a", "b")]
        result = judge_pairs(
            config(*metrics), THRESHOLDS, [pair("a", HIGH, LOW), pair("b", LOW, LOW)]
        )
        assert [one.classified.classification for one in result.results] == ["High", "Pass"]
        assert (result.score.score, result.classification) == (50.0, Summary.FAIL)

    @pytest.mark.parametrize(("score", "expected"), [(96, "Pass"), (95, "Pass"), (75, "Marginal")])
    def test_thresholds_belong_to_the_better_class(self, score: float, expected: str) -> None:
        """Thresholds belong to the better class."""
        metrics = [MetricConfig(name=name, groups=(name,)) for name in ("a", "b")]
        result = judge_pairs(
            config(*metrics, a=score, b=100 - score),
            THRESHOLDS,
            [pair("a", LOW, LOW), pair("b", HIGH, LOW)],
        )
        assert result.classification == expected

    def test_a_muted_metric_is_told_but_not_counted(self) -> None:
        """A muted metric is told but not counted."""
        metrics = [
            MetricConfig(name="a", groups=("g",), muted=True, critical=True),
            MetricConfig(name="b", groups=("g",)),
        ]
        result = judge_pairs(
            config(*metrics), THRESHOLDS, [pair("a", HIGH, LOW), pair("b", LOW, LOW)]
        )
        assert result.results[0].classified.classification is Classification.HIGH
        assert result.classification is Summary.PASS

    def test_no_metric_at_all_fails(self) -> None:
        """No metric at all fails."""
        result = judge_pairs(config(), THRESHOLDS, [])
        assert (result.score.score, result.classification) == (0.0, Summary.FAIL)

    def test_only_silent_metrics_fail(self) -> None:
        """Only silent metrics fail."""
        metric = MetricConfig(name="a", groups=("g",))
        result = judge_pairs(config(metric), THRESHOLDS, [pair("a", NOTHING, LOW)])
        assert result.classification is Summary.FAIL
        assert "no data" in result.score.reason

    def test_a_required_metric_without_data_counts_against_its_group(self) -> None:
        """A required metric without data counts against its group."""
        metrics = [
            MetricConfig(name="a", groups=("g",), must_have_data=True),
            MetricConfig(name="b", groups=("g",)),
        ]
        pairs = [pair("a", NOTHING, LOW), pair("b", LOW, LOW)]
        result = judge_pairs(config(*metrics), THRESHOLDS, pairs)
        assert result.results[0].classified.classification is Classification.NODATA_FAIL
        assert result.score.score == 50.0

    def test_a_pair_without_configuration_is_refused_by_name(self) -> None:
        """A pair without configuration is refused by name."""
        with pytest.raises(UnknownMetric, match=r"'b' is not in canaryConfig.metrics \(a\)"):
            judge_pairs(config(MetricConfig(name="a")), THRESHOLDS, [pair("b", LOW, LOW)])

    def test_an_infinite_value_is_refused(self) -> None:
        """An infinite value is refused."""
        with pytest.raises(ValueError, match="experiment has an infinite value"):
            pair("a", (math.inf,), LOW)

    def test_missing_points_are_left_out_or_counted_as_0(self) -> None:
        """Missing points are left out or counted as 0."""
        points = (*LOW, math.nan)
        removed = MetricConfig(name="a")
        replaced = MetricConfig(name="a", nan_strategy=NanStrategy.REPLACE)
        counts = [
            judge_pairs(config(one), THRESHOLDS, [pair("a", points, LOW)]).results[0].experiment
            for one in (removed, replaced)
        ]
        assert [(one.count, one.minimum) for one in counts] == [(8, 0.8), (9, 0.0)]

    def test_outliers_are_removed_only_when_asked(self) -> None:
        """Outliers are removed only when asked."""
        points = (*LOW * 20, 1000.0)
        kept = MetricConfig(name="a")
        removed = MetricConfig(name="a", outlier_strategy=OutlierStrategy.REMOVE)
        maxima = [
            judge_pairs(config(one), THRESHOLDS, [pair("a", points, LOW)]).results[0].experiment
            for one in (kept, removed)
        ]
        assert [one.maximum for one in maxima] == [1000.0, 1.3]

    def test_an_allowed_effect_holds_a_finding_back(self) -> None:
        """An allowed effect holds a finding back."""
        allowed = MetricConfig(name="a", allowed=EffectLimits(decrease=0.5, increase=20.0))
        result = judge_pairs(config(allowed), THRESHOLDS, [pair("a", HIGH, LOW)])
        assert result.results[0].classified.classification is Classification.PASS

    def test_the_neutral_effect_of_cles_is_one_half(self) -> None:
        """The neutral effect of cles is one half."""
        metric = MetricConfig(name="a", effect_measure=EffectMeasure.CLES)
        assert metric.limits()[0] == EffectLimits(decrease=0.5, increase=0.5)


class TestConstantArms:
    """Constant arms."""

    @pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 5), (5, 1), (5, 5)])
    def test_the_interval_is_their_difference_and_always_the_same(self, m: int, n: int) -> None:
        """The interval is their difference and always the same."""
        found = shift_interval(np.full(m, 10.0), np.full(n, 4.0), confidence=0.98)
        assert (found.low, found.high, found.estimate) == (6.0, 6.0, 6.0)

    @given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(1, 6), st.integers(1, 6))
    def test_they_never_crash_and_a_higher_canary_is_never_low(
        self, above: float, below: float, m: int, n: int
    ) -> None:
        """They never crash and a higher canary is never low."""
        found = classify_mann_whitney(np.full(m, above), np.full(n, below), MetricConfig(name="a"))
        wrong = Classification.LOW if above >= below else Classification.HIGH
        assert found.classification is not wrong


class TestBrent:
    """Brent."""

    @given(st.floats(-50, 50), st.floats(0.01, 100))
    def test_it_finds_the_zero_of_a_line_to_its_tolerance(self, zero: float, slope: float) -> None:
        """It finds the zero of a line to its tolerance."""

        def line(x: float) -> float:
            """Line."""
            return slope * (x - zero)

        assert abs(brent(line, -100.0, 100.0, line(-100.0), line(100.0)) - zero) <= 1e-4

    def test_a_zero_at_an_end_is_taken_at_once(self) -> None:
        """A zero at an end is taken at once."""

        def never(x: float) -> float:
            """Never."""
            raise AssertionError(x)

        assert brent(never, 1.0, 2.0, 0.0, 5.0) == 1.0
        assert brent(never, 1.0, 2.0, 5.0, 0.0) == 2.0
