"""From classes to a score: share of metrics that passed per group, groups weighted."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from analyzer.domain.kayenta.model import (
    Classification,
    GroupScore,
    Score,
    ScoreThresholds,
    Summary,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from analyzer.domain.kayenta.model import MetricResult

NODATA_PERCENT = 50
_COUNTED = frozenset(
    {Classification.PASS, Classification.HIGH, Classification.LOW, Classification.NODATA_FAIL}
)


def score(results: Sequence[MetricResult], group_weights: Mapping[str, float]) -> Score:
    """Return the score of the metrics that are not muted.

    A critical metric that did not pass, or half of the metrics without data, forces it to 0. Groups
    without a weight share what the weights leave of 100. A group in which no metric had data counts
    as 100; the rule before it keeps a canary without data from passing.
    """
    counted = [result for result in results if not result.muted]
    groups = tuple(_group_scores(counted))
    failed = [
        result
        for result in counted
        if result.classified.critical
        and result.classified.classification is not Classification.PASS
    ]
    if failed:
        return Score(
            score=0.0, groups=groups, reason=f"canary failed: {failed[0].classified.reason}"
        )
    silent = sum(result.classified.classification is Classification.NODATA for result in counted)
    if counted and 100 * silent >= NODATA_PERCENT * len(counted):
        reason = f"canary failed: {NODATA_PERCENT}% or more of the metrics have no data"
        return Score(score=0.0, groups=groups, reason=reason)
    return Score(score=_summary(groups, group_weights), groups=groups)


def classify(score: float, thresholds: ScoreThresholds) -> Summary:
    """Return what a score comes to."""
    if score >= thresholds.passing:
        return Summary.PASS
    return Summary.MARGINAL if score >= thresholds.marginal else Summary.FAIL


def _group_scores(results: Iterable[MetricResult]) -> Iterable[GroupScore]:
    labels: dict[str, list[Classification]] = {}
    for result in results:
        for group in result.groups:
            labels.setdefault(group, []).append(result.classified.classification)
    for name, classes in labels.items():
        total = sum(one in _COUNTED for one in classes)
        passed = classes.count(Classification.PASS)
        share = 100 * (passed / total) if total else 0.0
        yield GroupScore(name=name, score=share, no_data=total == 0)


def _summary(groups: Sequence[GroupScore], weights: Mapping[str, float]) -> float:
    unweighted = {group.name for group in groups} - weights.keys()
    rest = (100 - math.fsum(weights.values())) / len(unweighted) if unweighted else 0.0
    total = 0.0
    for group in groups:
        total += (100.0 if group.no_data else group.score) * (weights.get(group.name, rest) / 100)
    return float(Decimal(repr(total)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))
