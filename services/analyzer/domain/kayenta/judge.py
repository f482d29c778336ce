"""The judge: a function of configuration, score thresholds and metric pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.domain.kayenta.classifiers import classify_mann_whitney
from analyzer.domain.kayenta.model import (
    JudgeResult,
    MetricResult,
    NanStrategy,
    OutlierStrategy,
)
from analyzer.domain.kayenta.scorer import classify, score
from analyzer.domain.kayenta.stats import iqr_outliers, summary, with_nans_as, without_nans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.domain.kayenta.model import (
        CanaryConfig,
        MetricConfig,
        MetricSetPair,
        ScoreThresholds,
    )
    from analyzer.domain.kayenta.stats import Values


class UnknownMetric(ValueError):  # noqa: N818 - says what it is
    """A pair names a metric that the configuration does not have."""


def judge_pairs(
    config: CanaryConfig, thresholds: ScoreThresholds, pairs: Sequence[MetricSetPair]
) -> JudgeResult:
    """Judge every pair and score them together.

    Raises:
        UnknownMetric: a pair has no metric of its name in the configuration.
    """
    by_name = {metric.name: metric for metric in reversed(config.metrics)}
    results = tuple(_judge_pair(_config_of(pair, by_name), pair) for pair in pairs)
    scored = score(results, config.group_weights)
    return JudgeResult(
        results=results, score=scored, classification=classify(scored.score, thresholds)
    )


def _config_of(pair: MetricSetPair, by_name: dict[str, MetricConfig]) -> MetricConfig:
    try:
        return by_name[pair.name]
    except KeyError:
        raise UnknownMetric(
            f"metric {pair.name!r} is not in canaryConfig.metrics ({', '.join(by_name) or 'empty'})"
        ) from None


def _judge_pair(config: MetricConfig, pair: MetricSetPair) -> MetricResult:
    experiment, control = prepare(pair.experiment, config), prepare(pair.control, config)
    return MetricResult(
        pair=pair,
        groups=config.groups,
        classified=classify_mann_whitney(experiment, control, config),
        experiment=summary(experiment.tolist()),
        control=summary(control.tolist()),
        muted=config.muted,
    )


def prepare(values: Sequence[float] | Values, config: MetricConfig) -> Values:
    """Return the points of one arm that are judged: missing ones handled first, then outliers."""
    if config.nan_strategy is NanStrategy.REMOVE:
        points = without_nans(values)
    else:
        points = with_nans_as(values, 0.0)
    if config.outlier_strategy is OutlierStrategy.REMOVE:
        points = points[~iqr_outliers(points, factor=config.outlier_factor, wide=True)]
    return points
