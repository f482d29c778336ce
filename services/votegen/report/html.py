"""The result as one HTML file: what was sent, how long it took, when, and from whom."""

from __future__ import annotations

from typing import Any

from svckit import webpage
from votegen.report.text import number

_PACKAGE = "votegen.report"


def render(document: dict[str, Any]) -> str:
    """Return the page for a detailed result document; it needs nothing else, not even a network."""
    template = webpage.environment(_PACKAGE).get_template("run.html.j2")
    return template.render(
        run=document,
        number=number,
        charts=webpage.inline_json(_charts(document)),
        failed=sum(
            count for target in document["targets"].values() for count in target["errors"].values()
        ),
    )


def _charts(document: dict[str, Any]) -> dict[str, Any]:
    """Return columns for the charts: one x, and one series a target."""
    timeline = document["timeline"]
    points = timeline["points"]
    step = timeline["step_s"]
    series = {
        name: {
            "rate": [_rate(point, name, step) for point in points],
            "errors": [_of(point, name, "errors") for point in points],
            "p50": [_of(point, name, "p50_ms") for point in points],
            "p99": [_of(point, name, "p99_ms") for point in points],
        }
        for name in document["targets"]
    }
    histograms = {
        name: target.get("histogram_ms", []) for name, target in document["targets"].items()
    }
    return {"x": [point["at_s"] for point in points], "series": series, "histograms": histograms}


def _of(point: dict[str, Any], name: str, key: str) -> float | None:
    step = point["targets"].get(name)
    return None if step is None else step[key]


def _rate(point: dict[str, Any], name: str, seconds: float) -> float:
    requests = _of(point, name, "requests")
    return 0.0 if requests is None else round(requests / seconds, 3)
