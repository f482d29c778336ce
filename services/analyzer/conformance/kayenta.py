"""Replays of Kayenta's judge and its parts."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.conformance.record import Check, UnsupportedRecord, checks
from analyzer.domain.kayenta import scorer, stats
from analyzer.domain.kayenta.classifiers import (
    classify_mann_whitney,
    classify_mean_inequality,
    compare,
)
from analyzer.domain.kayenta.judge import prepare
from analyzer.domain.kayenta.mannwhitney import shift_interval, wilcoxon_z
from analyzer.domain.kayenta.model import (
    Classification,
    Direction,
    EffectLimits,
    EffectMeasure,
    MetricClassification,
    MetricConfig,
    MetricResult,
    MetricSetPair,
    NanStrategy,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from analyzer.conformance.record import Record
    from analyzer.domain.kayenta.stats import Values

_DIGITS = 1e-9
"""Agreement of a deterministic computation in floats, where a file states none."""
_NOISE = 1e-4
"""Ten standard deviations of the noise that the original adds to constant arms, relative."""


def replay_classifier(record: Record) -> Iterator[Check]:
    """Replay one classification, and the numbers behind it where the file has them."""
    config = _config(record)
    experiment = prepare(_points(record["experiment"]), config)
    control = prepare(_points(record["control"]), config)
    name = record.get("classifier", "MannWhitneyClassifier")
    if name == "MannWhitneyClassifier":
        found = classify_mann_whitney(
            experiment,
            control,
            config,
            tolerance=record["tolerance"],
            confidence=record["confLevel"],
        )
    elif name == "MeanInequalityClassifier":
        found = classify_mean_inequality(experiment, control, config)
    else:
        raise UnsupportedRecord(f"no function for {name}")
    expected = {
        # A record that is about the reason alone leaves the class open.
        key: value
        for key, value in record["expected"].items()
        if key != "classification" or value is not None
    }
    values: dict[str, Callable[[], Any]] = {
        "classification": lambda: found.classification,
        "critical": lambda: found.critical,
        "deviation": lambda: found.deviation,
        "reason_non_empty": lambda: bool(found.reason),
    }
    yield from checks(expected, values, _DIGITS)
    if "port_values" in record:
        yield from _numbers(experiment, control, config, record, record["port_values"])


def replay_issue(record: Record) -> Iterator[Check]:
    """Replay one reported misjudgement: the port must make the original's mistake."""
    config = _config(record)
    experiment, control = _points(record["experiment"]), _points(record["control"])
    found = classify_mann_whitney(
        experiment, control, config, tolerance=record["tolerance"], confidence=record["confLevel"]
    )
    yield Check("classification", found.classification, record["kayenta"])
    if "kayenta_values" in record:
        yield from _numbers(experiment, control, config, record, record["kayenta_values"])


def _numbers(
    experiment: Values, control: Values, config: MetricConfig, record: Record, expected: Record
) -> Iterator[Check]:
    found = compare(experiment, control, config=config, confidence=record["confLevel"])
    tolerance = _DIGITS
    if np.ptp(experiment) == 0 and np.ptp(control) == 0:
        tolerance = _NOISE
    values: dict[str, Callable[[], Any]] = {
        "lo": lambda: found.shift.low,
        "hi": lambda: found.shift.high,
        "est": lambda: found.shift.estimate,
        "deviation": lambda: found.deviation,
        "effect": lambda: found.effect,
    }
    yield from checks(expected, values, tolerance)


def replay_mann_whitney(record: Record) -> Iterator[Check]:
    """Replay the rank statistic, an interval, or the steps towards one."""
    experiment, control = _points(record["experiment"]), _points(record["control"])
    if record["kind"] == "wilcoxonDiff":
        for case in record["cases"]:
            z = wilcoxon_z(case["mu"], experiment, control) - case["quantile"]
            yield Check(f"mu {case['mu']}", z, case["expected"], case["tol"])
        return
    found = shift_interval(experiment, control, confidence=record["confLevel"])
    if record["kind"] == "ci":
        for key, value in (("lo", found.low), ("hi", found.high), ("est", found.estimate)):
            if key in record["expected"]:
                yield Check(key, value, record["expected"][key], record["tol"][key])
        return
    if record["kind"] != "intermediate":
        raise UnsupportedRecord(f"no function for kind {record['kind']!r}")
    least = float(experiment.min() - control.max())
    most = float(experiment.max() - control.min())
    quantile = NormalDist().inv_cdf((1 + record["confLevel"]) / 2)
    at_least = wilcoxon_z(least, experiment, control)
    at_most = wilcoxon_z(most, experiment, control)
    values: dict[str, Callable[[], Any]] = {
        "rMumin": lambda: least,
        "rMumax": lambda: most,
        "rZqLower": lambda: quantile,
        "rZqUpper": lambda: -quantile,
        "rFlower1": lambda: at_least - quantile,
        "rFupper1": lambda: at_most - quantile,
        "rFlower2": lambda: at_least + quantile,
        "rFupper2": lambda: at_most + quantile,
        "rCil": lambda: found.low,
        "rCiu": lambda: found.high,
        "rEst": lambda: found.estimate,
    }
    yield from checks(record["expected"], values, record["tol"])


def replay_scorer(record: Record) -> Iterator[Check]:
    """Replay one score of metrics that are already classified."""
    results = [
        MetricResult(
            pair=MetricSetPair(name=metric["name"], id=metric["name"], experiment=(), control=()),
            groups=tuple(metric["groups"]),
            classified=MetricClassification(
                classification=Classification(metric["classification"]),
                reason=None,
                deviation=1.0,
                critical=metric["critical"],
            ),
            experiment=stats.summary([]),
            control=stats.summary([]),
            muted=metric.get("muted", False),
        )
        for metric in record["metrics"]
    ]
    found = scorer.score(results, record["groupWeights"])
    yield Check("summaryScore", found.score, record["expected_summaryScore"])


def replay_statistics(record: Record) -> Iterator[Check]:
    """Replay one descriptive statistic, effect size or transform."""
    function = _STATISTICS.get(record["fn"])
    if function is None:
        raise UnsupportedRecord(f"no function for {record['fn']!r}")
    yield Check(record["fn"], function(record["input"]), record["expected"], record["tol"])


def _summary(data: Sequence[float]) -> dict[str, float]:
    found = stats.summary(_points(data).tolist())
    return {
        "min": found.minimum,
        "max": found.maximum,
        "mean": found.mean,
        "std": found.std,
        "count": found.count,
    }


_STATISTICS: dict[str, Callable[[Any], Any]] = {
    "summary": _summary,
    "percentile": lambda data: stats.percentile(_points(data["data"]), data["p"]),
    "meanRatio": lambda data: stats.mean_ratio(data["experiment"], data["control"]),
    "cohenD": lambda data: stats.cohen_d(
        stats.summary(data["experiment"]), stats.summary(data["control"])
    ),
    "cles": lambda data: stats.cles(data["experiment"], data["control"]),
    "ksigma_outliers": lambda data: stats.ksigma_outliers(
        _points(data["data"]), k=data["k"]
    ).tolist(),
    "iqr_outliers": lambda data: stats.iqr_outliers(
        _points(data["data"]),
        factor=data["factor"],
        wide=data.get("reduceSensitivity", False),
    ).tolist(),
    "removeNaNs": lambda data: stats.without_nans(_points(data)).tolist(),
    "replaceNaNs": lambda data: stats.with_nans_as(_points(data["data"]), data["value"]).tolist(),
}


def _points(values: Sequence[float | None]) -> Values:
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def _config(record: Record) -> MetricConfig:
    def limits(key: str) -> EffectLimits:
        decrease, increase = record.get(key, (1.0, 1.0))
        return EffectLimits(decrease=decrease, increase=increase)

    return MetricConfig(
        name="metric",
        direction=Direction(record.get("direction", "either")),
        nan_strategy=NanStrategy(record.get("nanStrategy", "remove")),
        critical=record.get("isCritical", False),
        must_have_data=record.get("isDataRequired", False),
        effect_measure=EffectMeasure(record.get("effectSizeMeasure", "meanRatio")),
        allowed=limits("effectSizeThresholds"),
        critical_limits=limits("criticalThresholds"),
    )
