"""Answers as flat JSON documents: every number finite, every key always there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analyzer.domain.model import ArmCounts
from analyzer.domain.observation import LATENCY
from analyzer.domain.verdict import Verdict
from svckit.timestamps import format_timestamp, format_timestamp_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.domain.findings import Finding, MetricFinding
    from analyzer.domain.histogram import LatencyHistogram
    from analyzer.domain.model import MetricVerdict, RunVerdict, Window
    from analyzer.domain.progress import Progress
    from analyzer.domain.setup import StoredRun
    from analyzer.domain.timeline import Look, Outcome

SHOWN_QUANTILES = (0.5, 0.9, 0.95, 0.99)
"""Latencies that answers tell of each arm."""


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


def run_document(
    finding: Finding, progress: Progress, *, notes: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the answer about a run as of its last window."""
    setup = progress.setup
    ended = progress.ended if progress.started is not None else None
    document: dict[str, Any] = {
        "verdict": finding.verdict.value,
        "passed": finding.verdict is Verdict.PASS,
        "reason": finding.reason,
        "reasonCode": finding.reason_code.value,
        "run": setup.run,
        "metrics": [_finding(metric) for metric in finding.metrics],
        "window": None
        if progress.started is None
        else {"start": format_timestamp(progress.started), "end": format_timestamp(progress.ended)},
        "windows": progress.observed,
        "failedAt": _instant(finding.failed_at),
        "passedAt": _instant(finding.passed_at),
        "config": {"name": setup.config.name, "hash": setup.config.digest},
        "notes": list(notes),
        "timestamp": _instant(ended),
    }
    if LATENCY in setup.metrics and not setup.latency_counted:
        arms = progress.latencies
        document["latencyMs"] = {
            "canary": _quantiles(arms.canary),
            "stable": _quantiles(arms.stable),
        }
    return document


def outcome_document(outcome: Outcome, *, identity: str | None) -> dict[str, Any]:
    """Return the line of `replay` about one recorded run."""
    return {
        "id": identity,
        "verdict": outcome.verdict.value,
        "failedAt": outcome.failed_at,
        "passedAt": outcome.passed_at,
        "reasonCode": outcome.reason_code.value,
    }


def history_document(
    stored: StoredRun, looks: Sequence[Look], answer: dict[str, Any]
) -> dict[str, Any]:
    """Return a run's history: how it began, every look, and what it comes to now."""
    setup, origin = stored.setup, stored.origin
    blocks = [one.stable for one in setup.history if isinstance(one.stable, ArmCounts)]
    return {
        "run": setup.run,
        "app": origin.app or None,
        "canary": origin.canary or None,
        "stable": origin.stable or None,
        "source": origin.source or None,
        "config": answer["config"],
        "metrics": sorted(setup.metrics),
        "horizonSeconds": setup.horizon_s,
        "intervalSeconds": setup.interval_s,
        "weight": None if setup.weight is None else round(100 * setup.weight, 6),
        "history": {
            "blocks": len(setup.history),
            "count": sum(one.count for one in blocks),
            "bad": sum(one.bad for one in blocks),
        },
        "looks": [_look(look) for look in looks],
        "current": answer,
    }


def _look(look: Look) -> dict[str, Any]:
    window = look.observations[-1].window
    seen: dict[str, Any] = {}
    for one in look.observations:
        arms = one.arms
        pair = (("canary", arms.canary), ("stable", arms.stable))
        seen[one.metric] = {
            name: _arm(arm)
            if isinstance(arm, ArmCounts)
            else {"count": arm.count, **_quantiles(arm)}
            for name, arm in pair
        }
    return {
        "start": format_timestamp(window.start),
        "end": format_timestamp(window.end),
        "verdict": look.finding.verdict.value,
        "reasonCode": look.finding.reason_code.value,
        "observed": seen,
        "metrics": [_finding(metric) for metric in look.finding.metrics],
    }


def _finding(metric: MetricFinding) -> dict[str, Any]:
    outlook = metric.outlook
    document = {
        "name": metric.name,
        "verdict": metric.verdict.value,
        "reason": metric.reason,
        "reasonCode": metric.reason_code.value,
        "canary": _arm(metric.canary),
        "stable": _arm(metric.stable),
        "effect": _rounded(metric.effect),
        "interval": _pair(metric.interval),
        "evidence": _rounded(metric.evidence),
        "threshold": _rounded(metric.threshold),
        "method": "sequential",
        "required": metric.required,
        "oddsRatio": _rounded(metric.odds_ratio),
        "oddsInterval": _pair(metric.odds_interval),
        "passEvidence": _rounded(metric.pass_evidence),
        "passThreshold": _rounded(metric.pass_threshold),
        "failsFromBad": metric.bad_boundary,
        "forecast": None
        if outlook is None
        else {
            "passSeconds": _rounded(outlook.pass_s),
            "doubledFailsAfterSeconds": _rounded(outlook.double_s),
        },
    }
    if metric.limit_ms is not None:
        document["limitMs"] = _rounded(metric.limit_ms)
    return document


def _quantiles(latencies: LatencyHistogram) -> dict[str, float | None]:
    return {f"p{100 * one:g}": _rounded(latencies.quantile_ms(one)) for one in SHOWN_QUANTILES}


def _pair(values: tuple[float, float] | None) -> list[float | None] | None:
    return None if values is None else [_rounded(values[0]), _rounded(values[1])]


def _instant(instant: float | None) -> str | None:
    return None if instant is None else format_timestamp_ms(instant)


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
    """Return a number of six decimals; None for what is not finite, which JSON cannot say."""
    return round(value, 6) if value is not None and math.isfinite(value) else None
