"""Answers as flat JSON documents: every number finite, every key always there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from analyzer.domain.model import ArmCounts, MetricVerdict, RunVerdict, Window


def analysis_document(
    verdict: RunVerdict, *, run: str, window: Window, notes: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the answer of an analysis; `timestamp` is the end of what was looked at."""
    return {
        "verdict": verdict.verdict.value,
        "passed": verdict.passed,
        "reason": verdict.reason,
        "reasonCode": verdict.reason_code.value,
        "run": run,
        "metrics": [_metric(metric) for metric in verdict.metrics],
        "window": {"start": format_timestamp(window.start), "end": format_timestamp(window.end)},
        "notes": list(notes),
        "timestamp": format_timestamp(window.end),
    }


def _metric(metric: MetricVerdict) -> dict[str, Any]:
    return {
        "name": metric.name,
        "verdict": metric.verdict.value,
        "reason": metric.reason,
        "reasonCode": metric.reason_code.value,
        "canary": _arm(metric.canary),
        "stable": _arm(metric.stable),
        "effect": _rounded(metric.effect),
        "interval": None
        if metric.interval is None
        else [_rounded(metric.interval[0]), _rounded(metric.interval[1])],
        "evidence": metric.evidence,
        "threshold": metric.threshold,
        "method": metric.method,
    }


def _arm(arm: ArmCounts) -> dict[str, Any]:
    rate = arm.error_rate
    return {
        "count": arm.count,
        "bad": arm.bad,
        "errorRate": None if rate is None else _rounded(float(rate)),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
