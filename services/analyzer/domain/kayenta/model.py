"""What Kayenta's judge takes and gives, in its own words (experiment is the canary)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Classification(StrEnum):
    """What a metric comes to; the wire words."""

    PASS = "Pass"  # noqa: S105 - the wire word
    HIGH = "High"
    LOW = "Low"
    NODATA = "Nodata"
    NODATA_FAIL = "NodataFailMetric"


class Summary(StrEnum):
    """What the score comes to; the wire words."""

    PASS = "Pass"  # noqa: S105 - the wire word
    MARGINAL = "Marginal"
    FAIL = "Fail"


class Direction(StrEnum):
    """Which change of a metric is bad."""

    INCREASE = "increase"
    DECREASE = "decrease"
    EITHER = "either"


class NanStrategy(StrEnum):
    """What happens to points without a value: left out, or counted as 0."""

    REMOVE = "remove"
    REPLACE = "replace"


class OutlierStrategy(StrEnum):
    """What happens to points beyond the fences."""

    KEEP = "keep"
    REMOVE = "remove"


class EffectMeasure(StrEnum):
    """How large a difference is: ratio of means, or P(experiment > control)."""

    MEAN_RATIO = "meanRatio"
    CLES = "cles"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectLimits:
    """Effect from which a difference counts: `decrease` or below, `increase` or above."""

    decrease: float = 1.0
    increase: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricConfig:
    """How one metric is judged: `analysisConfigurations.canary` of a canary configuration.

    `allowed` and `critical_limits` of None mean the neutral effect of the measure: 1 for a ratio of
    means, 0.5 for P(experiment > control).
    """

    name: str
    groups: tuple[str, ...] = ()
    direction: Direction = Direction.EITHER
    nan_strategy: NanStrategy = NanStrategy.REMOVE
    outlier_strategy: OutlierStrategy = OutlierStrategy.KEEP
    outlier_factor: float = 3.0
    critical: bool = False
    must_have_data: bool = False
    muted: bool = False
    effect_measure: EffectMeasure = EffectMeasure.MEAN_RATIO
    allowed: EffectLimits | None = None
    critical_limits: EffectLimits | None = None

    def __post_init__(self) -> None:
        if not self.outlier_factor > 0:
            raise ValueError(f"outlierFactor is {self.outlier_factor}, expected more than 0")

    def limits(self) -> tuple[EffectLimits, EffectLimits]:
        """Return the limits for a difference to count and to be critical."""
        neutral = 0.5 if self.effect_measure is EffectMeasure.CLES else 1.0
        default = EffectLimits(decrease=neutral, increase=neutral)
        return self.allowed or default, self.critical_limits or default


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryConfig:
    """The metrics and the weights of their groups, in percent."""

    metrics: tuple[MetricConfig, ...]
    group_weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreThresholds:
    """Scores from which a canary passes, or is marginal."""

    passing: float
    marginal: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSetPair:
    """The points of both arms for one metric; a missing point is NaN.

    Raises:
        ValueError: a value is infinite, which no arithmetic on ranks and means survives.
    """

    name: str
    id: str
    experiment: tuple[float, ...]
    control: tuple[float, ...]
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for arm, values in (("experiment", self.experiment), ("control", self.control)):
            if any(math.isinf(value) for value in values):
                raise ValueError(
                    f"metric {self.name}: {arm} has an infinite value, expected numbers or NaN"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Summary of the points that were judged; all 0 when there are none."""

    minimum: float
    maximum: float
    mean: float
    std: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricClassification:
    """The class of one metric; `deviation` is the ratio of means, NaN when one mean is 0."""

    classification: Classification
    reason: str | None
    deviation: float
    critical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """One metric of a result, with what was judged."""

    pair: MetricSetPair
    groups: tuple[str, ...]
    classified: MetricClassification
    experiment: Statistics
    control: Statistics
    muted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScore:
    """Share of a group's counted metrics that passed, in percent; 0 when none counted."""

    name: str
    score: float
    no_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score over all groups, 0 to 100, with the reason when it was forced to 0."""

    score: float
    groups: tuple[GroupScore, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeResult:
    """The judgement: every metric, every group, the score and its class."""

    results: tuple[MetricResult, ...]
    score: Score
    classification: Summary
