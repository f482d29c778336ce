"""Classifiers: is the experiment High, Low or fine, and is there anything to judge at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyzer.domain.kayenta.mannwhitney import ShiftInterval, shift_interval
from analyzer.domain.kayenta.model import (
    Classification,
    Direction,
    EffectMeasure,
    MetricClassification,
    NanStrategy,
)
from analyzer.domain.kayenta.stats import cles, mean, mean_ratio

if TYPE_CHECKING:
    from analyzer.domain.kayenta.model import EffectLimits, MetricConfig
    from analyzer.domain.kayenta.stats import Values

TOLERANCE = 0.25
CONFIDENCE = 0.98
"""What Kayenta's judge uses whatever its configuration says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the test found: the shift, the ratio of means, and the configured effect (or NaN)."""

    shift: ShiftInterval
    deviation: float
    effect: float


def compare(
    experiment: Values, control: Values, *, config: MetricConfig, confidence: float
) -> Comparison:
    """Return shift and effect sizes of two arms; neither may be empty."""
    deviation = mean_ratio(experiment, control)
    effect = cles(experiment, control) if config.effect_measure is EffectMeasure.CLES else deviation
    shift = shift_interval(experiment, control, confidence=confidence)
    return Comparison(shift=shift, deviation=deviation, effect=effect)


def classify_mann_whitney(
    experiment: Values,
    control: Values,
    config: MetricConfig,
    *,
    tolerance: float = TOLERANCE,
    confidence: float = CONFIDENCE,
) -> MetricClassification:
    """Classify by the interval of the shift, `tolerance` of the estimated shift being free.

    An effect that cannot be computed (NaN) does not hold a finding back.
    """
    missing = _without_data(experiment, control, config)
    if missing is not None:
        return missing
    if np.array_equal(np.sort(experiment), np.sort(control)):
        return _passed(1.0, f"{config.name}: both arms have identical data")
    if experiment.min() == experiment.max() == control.min() == control.max():
        return _passed(1.0)
    found = compare(experiment, control, config=config, confidence=confidence)
    free = tolerance * abs(found.shift.estimate)
    allowed, critical = config.limits()
    if (
        config.direction is not Direction.DECREASE
        and found.shift.low > free
        and _at_least(found.effect, allowed)
    ):
        label, is_critical = Classification.HIGH, _at_least(found.effect, critical)
    elif (
        config.direction is not Direction.INCREASE
        and found.shift.high < -free
        and _at_most(found.effect, allowed)
    ):
        label, is_critical = Classification.LOW, _at_most(found.effect, critical)
    else:
        return _passed(found.deviation)
    is_critical = config.critical and is_critical
    return MetricClassification(
        classification=label,
        reason=f"{config.name} was classified as {label}" + " (critical)" * is_critical,
        deviation=found.deviation,
        critical=is_critical,
    )


def classify_mean_inequality(
    experiment: Values, control: Values, config: MetricConfig
) -> MetricClassification:
    """Classify by the means alone, without any test: a benchmark, not a judge."""
    missing = _without_data(experiment, control, config)
    if missing is not None:
        return missing
    above, below = mean(experiment), mean(control)
    if config.direction is not Direction.DECREASE and above > below:
        label = Classification.HIGH
    elif config.direction is not Direction.INCREASE and above < below:
        label = Classification.LOW
    else:
        return _passed(1.0)
    return MetricClassification(
        classification=label,
        reason=f"{config.name}: the canary's mean is {above:g}, the baseline's {below:g}",
        deviation=above / below if below else math.nan,
        critical=config.critical,
    )


def _without_data(
    experiment: Values, control: Values, config: MetricConfig
) -> MetricClassification | None:
    if len(experiment) and len(control):
        return None
    if config.nan_strategy is NanStrategy.REPLACE:
        # Who asks for missing points to count as 0 says that silence is normal for this metric.
        return _passed(1.0)
    required = config.must_have_data and not config.critical
    return MetricClassification(
        classification=Classification.NODATA_FAIL if required else Classification.NODATA,
        reason=f"missing data for {config.name}",
        deviation=1.0,
        critical=config.critical,
    )


def _passed(deviation: float, reason: str | None = None) -> MetricClassification:
    return MetricClassification(
        classification=Classification.PASS, reason=reason, deviation=deviation, critical=False
    )


def _at_least(effect: float, limits: EffectLimits) -> bool:
    return math.isnan(effect) or effect >= limits.increase


def _at_most(effect: float, limits: EffectLimits) -> bool:
    return math.isnan(effect) or effect <= limits.decrease
