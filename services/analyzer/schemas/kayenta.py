"""Kayenta's own JSON: what a remote judge is sent and answers, and what a canary config holds.

Unknown members are Kayenta's business and stay unread. What the judgement depends on is read
strictly: a word that Kayenta would quietly take for another one is refused.

Source: spinnaker/kayenta, `RemoteJudgeRequest`, `CanaryConfig`, `CanaryJudgeResult`.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from analyzer.domain.kayenta.model import (
    CanaryConfig,
    Direction,
    EffectLimits,
    EffectMeasure,
    MetricConfig,
    MetricSetPair,
    NanStrategy,
    OutlierStrategy,
    ScoreThresholds,
)
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from analyzer.domain.kayenta.model import JudgeResult, MetricResult, Statistics

JUDGE_NAME = "RemoteJudge-v1.0"
"""What Kayenta calls the judge that it asks over HTTP."""
_Word = TypeVar("_Word", bound=StrEnum)
_Number = float | str | None


class _Effect(msgspec.Struct, rename="camel"):
    measure: str = "meanRatio"
    allowed_increase: float | None = None
    allowed_decrease: float | None = None
    critical_increase: float | None = None
    critical_decrease: float | None = None


class _Outliers(msgspec.Struct, rename="camel"):
    strategy: str = "none"
    outlier_factor: float = 3.0


class _Analysis(msgspec.Struct, rename="camel"):
    direction: str = "either"
    nan_strategy: str = "none"
    outliers: _Outliers = msgspec.field(default_factory=_Outliers)
    critical: bool = False
    must_have_data: bool = False
    muted: bool = False
    effect_size: _Effect = msgspec.field(default_factory=_Effect)


class _Metric(msgspec.Struct, rename="camel"):
    name: str
    groups: list[str] = []
    query: dict[str, Any] = {}
    analysis_configurations: dict[str, Any] = {}


class _Classifier(msgspec.Struct, rename="camel"):
    group_weights: dict[str, float] = {}


class _Config(msgspec.Struct, rename="camel"):
    metrics: list[_Metric]
    name: str = ""
    classifier: _Classifier = msgspec.field(default_factory=_Classifier)


class _Thresholds(msgspec.Struct):
    passing: float = msgspec.field(name="pass")
    marginal: float


class _Pair(msgspec.Struct):
    name: str
    values: dict[str, list[_Number]]
    id: str = ""
    tags: dict[str, str] = {}


class _Request(msgspec.Struct, rename="camel"):
    canary_config: _Config
    score_thresholds: _Thresholds
    metric_set_pair_list: list[_Pair]


def read_judge_request(
    content: bytes,
) -> tuple[CanaryConfig, ScoreThresholds, tuple[MetricSetPair, ...]]:
    """Read what Kayenta posts to a remote judge.

    Raises:
        InvalidInput: not JSON (status 400), or a member is wrong or missing.
    """
    request = _decode(content, _Request)
    thresholds = request.score_thresholds
    if not request.metric_set_pair_list:
        raise _refused("metricSetPairList", "expected at least one pair, there is nothing to judge")
    return (
        _config(request.canary_config, "canaryConfig."),
        ScoreThresholds(passing=thresholds.passing, marginal=thresholds.marginal),
        tuple(
            _pair(pair, f"metricSetPairList[{index}]")
            for index, pair in enumerate(request.metric_set_pair_list)
        ),
    )


def judge_answer(result: JudgeResult) -> dict[str, Any]:
    """Return a `CanaryJudgeResult`."""
    return {
        "judgeName": JUDGE_NAME,
        "results": [_metric_answer(one) for one in result.results],
        "groupScores": [
            {
                "name": group.name,
                "score": group.score,
                "classification": "",
                "classificationReason": "no metric of the group has data" if group.no_data else "",
            }
            for group in result.score.groups
        ],
        "score": {
            "score": result.score.score,
            "classification": result.classification.value,
            "classificationReason": result.score.reason,
        },
    }


def _decode(content: bytes, shape: Any) -> Any:
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        raise _refused(place.rstrip("`") or "body", message) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"body: not JSON: {error}", code="invalid_request", status=400) from None


def _config(config: _Config, place: str) -> CanaryConfig:
    return CanaryConfig(
        metrics=tuple(
            _metric(metric, f"{place}metrics[{index}]")
            for index, metric in enumerate(config.metrics)
        ),
        group_weights=config.classifier.group_weights,
    )


def _metric(metric: _Metric, place: str) -> MetricConfig:
    place += ".analysisConfigurations.canary"
    try:
        rules = msgspec.convert(metric.analysis_configurations.get("canary", {}), _Analysis)
    except msgspec.ValidationError as error:
        raise _refused(place, str(error)) from None
    effect = rules.effect_size
    measure = _word(EffectMeasure, effect.measure, f"{place}.effectSize.measure")
    neutral = 0.5 if measure is EffectMeasure.CLES else 1.0

    def limits(decrease: float | None, increase: float | None) -> EffectLimits:
        return EffectLimits(
            decrease=neutral if decrease is None else decrease,
            increase=neutral if increase is None else increase,
        )

    nan_word = "remove" if rules.nan_strategy == "none" else rules.nan_strategy
    outlier_word = "keep" if rules.outliers.strategy == "none" else rules.outliers.strategy
    try:
        return MetricConfig(
            name=metric.name,
            groups=tuple(metric.groups),
            direction=_word(Direction, rules.direction, f"{place}.direction"),
            nan_strategy=_word(NanStrategy, nan_word, f"{place}.nanStrategy"),
            outlier_strategy=_word(OutlierStrategy, outlier_word, f"{place}.outliers.strategy"),
            outlier_factor=rules.outliers.outlier_factor,
            critical=rules.critical,
            must_have_data=rules.must_have_data,
            muted=rules.muted,
            effect_measure=measure,
            allowed=limits(effect.allowed_decrease, effect.allowed_increase),
            critical_limits=limits(effect.critical_decrease, effect.critical_increase),
        )
    except ValueError as error:
        raise _refused(place, str(error)) from None


def _word(words: type[_Word], text: str, place: str) -> _Word:
    for word in words:
        if word.value.lower() == text.lower():
            return word
    raise _refused(place, f"expected one of {', '.join(word.value for word in words)}")


def _pair(pair: _Pair, place: str) -> MetricSetPair:
    for arm in ("experiment", "control"):
        if arm not in pair.values:
            raise _refused(f"{place}.values", f"expected {arm}")
    try:
        return MetricSetPair(
            name=pair.name,
            id=pair.id,
            tags=pair.tags,
            experiment=tuple(map(_number, pair.values["experiment"])),
            control=tuple(map(_number, pair.values["control"])),
        )
    except ValueError as error:
        raise _refused(place, str(error)) from None


def _number(value: _Number) -> float:
    """Return a point; Java's JSON writes NaN as a text, and others write null for it."""
    if value is None or value == "NaN":
        return math.nan
    if isinstance(value, str):
        raise ValueError("expected numbers, null or NaN")  # noqa: TRY004 - bad data, not a bad call
    return value


def _metric_answer(result: MetricResult) -> dict[str, Any]:
    found = result.classified
    return {
        "name": result.pair.name,
        "tags": dict(result.pair.tags),
        "id": result.pair.id,
        "classification": found.classification.value,
        "classificationReason": found.reason or "",
        "groups": list(result.groups),
        "experimentMetadata": {"stats": _statistics(result.experiment)},
        "controlMetadata": {"stats": _statistics(result.control)},
        "resultMetadata": {"ratio": _told(found.deviation)},
        "critical": found.critical,
        "muted": result.muted,
    }


def _statistics(stats: Statistics) -> dict[str, Any]:
    return {
        "min": _told(stats.minimum),
        "max": _told(stats.maximum),
        "mean": _told(stats.mean),
        "std": _told(stats.std),
        "count": stats.count,
    }


def _told(value: float) -> float | str:
    """Return a number as Java's JSON has it: NaN is a text."""
    return value if math.isfinite(value) else "NaN"


def _refused(place: str, message: str) -> InvalidInput:
    return InvalidInput(
        f"{place}: {message}",
        code="invalid_request",
        errors=({"loc": f"body.{place}", "msg": message},),
    )
