"""What the charts of the HTML report draw, as plain values; x is virtual seconds since the start.

weight      ▁▁▂▂▂▂▅▅▅▅▅█████   bands: AnalysisRuns, coloured by their phase
error rate  ╌╌╌╌╌╌╌╌╌╌╌◆╌╌╌◆   threshold of a plain comparison, ◆ what the gate read
            ▁▁▁▂▁▁▁▁▂▁▁▁▁▁▁▁   one line per version, over the minute before each point
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rollout_runner.report.narrative import versions
from rollout_runner.report.traffic import ZERO

if TYPE_CHECKING:
    from datetime import datetime

    from rollout_runner.report.model import AnalysisRunRecord, RunReport

_POINTS = 80
_WINDOW = timedelta(seconds=60)  # a single failed request should not look like an outage


def chart_data(report: RunReport) -> dict[str, Any]:
    """Return the series, bands, thresholds and readings of one run, ready for JSON."""
    return {
        "start": report.started_at.timestamp(),
        "span": report.duration_seconds,
        "weights": _weights(report),
        "bands": [_band(report, run) for run in report.analysis_runs],
        **_rates(report),
        "thresholds": _thresholds(report),
        "readings": _readings(report),
    }


def _weights(report: RunReport) -> list[list[float]]:
    changes = [[_x(report, change.at), change.weight] for change in report.weights]
    last = changes[-1][1] if changes else 0
    return [[0, 0], *changes, [report.duration_seconds, last]]


def _band(report: RunReport, run: AnalysisRunRecord) -> dict[str, Any]:
    end = run.finished_at or report.last_event_at
    suffix = run.name.rpartition("-")[2]
    return {
        "from": _x(report, run.started_at),
        "to": _x(report, end),
        "phase": run.phase,
        "label": f"…-{suffix} {run.phase}",
    }


def _rates(report: RunReport) -> dict[str, Any]:
    """Return the error rate per version over the minute before each point.

    A version without a request since the point before has no rate, be its past ever so rich.
    """
    intervals = report.traffic.intervals(limit=_POINTS)
    windows = [report.traffic.between(min(i.start, i.end - _WINDOW), i.end) for i in intervals]
    series = []
    for hash_ in versions(report):
        counts = [
            window[hash_] if interval.versions.get(hash_, ZERO).requests else ZERO
            for interval, window in zip(intervals, windows, strict=True)
        ]
        if not any(c.requests for c in counts):
            continue
        series.append(
            {
                "label": f"{report.meta.role(hash_)} {report.meta.version(hash_)}",
                "role": report.meta.role(hash_),
                "rate": [_rounded(c.error_rate) for c in counts],
                "requests": [c.requests for c in counts],
                "errors": [c.errors for c in counts],
            }
        )
    return {"x": [_x(report, interval.end) for interval in intervals], "versions": series}


def _thresholds(report: RunReport) -> list[dict[str, Any]]:
    """Return each error-rate limit once, in percent, with the metric that first has it."""
    limits: dict[float, str] = {}
    for run in report.analysis_runs:
        for metric in run.metrics:
            comparison = metric.comparison
            limit = comparison.error_rate_limit if comparison else None
            if limit is not None:
                limits.setdefault(limit, metric.plan.name)
    return [{"limit": limit, "label": name} for limit, name in sorted(limits.items())]


def _readings(report: RunReport) -> list[dict[str, Any]]:
    """Return what the gate read, for the metrics that have such a limit."""
    found = []
    for run in report.analysis_runs:
        for metric in run.metrics:
            comparison = metric.comparison
            if comparison is None or comparison.error_rate_limit is None:
                continue
            scale = 100 if comparison.subject.lower().endswith("ratio") else 1
            found += [
                {
                    "x": _x(report, m.finished_at),
                    "value": round(m.reading * scale, 4),
                    "phase": m.phase,
                    "label": f"{metric.plan.name} #{m.number}",
                }
                for m in metric.measurements
                if isinstance(m.reading, float)
            ]
    return found


def _x(report: RunReport, at: datetime) -> float:
    return round((at - report.started_at).total_seconds(), 1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
