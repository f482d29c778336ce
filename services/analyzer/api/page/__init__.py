"""The page of a run: its verdict, every metric with its numbers, and how the evidence grew."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from svckit import webpage
from svckit.durations import short_duration
from svckit.timestamps import parse_timestamp

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = "analyzer.api.page"
_TONES = {"pass": "good", "fail": "bad", "inconclusive": "warn"}
_NOTHING = "-"


def render_run(history: dict[str, Any]) -> str:
    """Return the page of a run's history, one document that needs nothing else."""
    return (
        _environment()
        .get_template("run.html.j2")
        .render(
            run=history, current=history["current"], charts=webpage.inline_json(chart_data(history))
        )
    )


def chart_data(history: dict[str, Any]) -> dict[str, Any]:
    """Return the series of the charts; x is seconds since the run's first window began."""
    looks = history["looks"]
    start = parse_timestamp(looks[0]["start"]) if looks else 0.0
    ends = [parse_timestamp(look["end"]) - start for look in looks]
    return {
        "start": start,
        "span": ends[-1] if ends else 1.0,
        "x": ends,
        "verdicts": [look["verdict"] for look in looks],
        "errors": {
            arm: [_observed(look, "errors", arm, "errorRate") for look in looks]
            for arm in ("canary", "stable")
        },
        "latency": {
            arm: [_observed(look, "latency", arm, "p99") for look in looks]
            for arm in ("canary", "stable")
        },
        "harm": [_most(look, "evidence", "threshold", most=True) for look in looks],
        "harmless": [_most(look, "passEvidence", "passThreshold", most=False) for look in looks],
        "difference": [_difference(look) for look in looks],
    }


def _observed(look: dict[str, Any], metric: str, arm: str, name: str) -> float | None:
    seen: float | None = look["observed"].get(metric, {}).get(arm, {}).get(name)
    return seen


def _most(look: dict[str, Any], of: str, threshold: str, *, most: bool) -> float | None:
    """Return the metric that decides, as a share of what it needs, in percent.

    The one with most evidence of harm decides a fail; a pass waits for the one with least.
    """
    shares = [
        100 * max(0.0, metric[of] or 0.0) / metric[threshold]
        for metric in look["metrics"]
        if metric[threshold] and (most or metric["required"])
    ]
    if not shares:
        return None
    return round(float(max(shares) if most else min(shares)), 3)


def _difference(look: dict[str, Any]) -> list[float | None] | None:
    """Return interval and estimate of the first metric, in percentage points."""
    for metric in look["metrics"]:
        if metric["interval"] is not None:
            return [metric["interval"][0], metric["effect"], metric["interval"][1]]
    return None


def _number(value: float | None, unit: str = "", digits: int = 4) -> str:
    return _NOTHING if value is None else f"{value:.{digits}g}{unit}"


def _arm(arm: dict[str, Any]) -> str:
    if not arm["count"]:
        return "no requests"
    return f"{arm['errorRate']:.4g} % ({arm['bad']:,} of {arm['count']:,})"


def _seconds(value: float | None) -> str:
    return "never at this traffic" if value is None else short_duration(float(round(value)))


@cache
def _environment() -> Environment:
    environment = webpage.environment(_PACKAGE)
    environment.filters["tone"] = lambda verdict: _TONES[verdict]
    environment.filters["number"] = _number
    environment.filters["arm"] = _arm
    environment.filters["seconds"] = _seconds
    return environment
