"""The result of a study as one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from rollout_runner.simulation.tables import advice, headline, tables
from svckit import webpage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

_PACKAGE = "rollout_runner.simulation"


def as_html(document: Mapping[str, Any]) -> str:
    """Return the page: what was tried, the curve of a sweep, every table, the advice."""
    return (
        _environment()
        .get_template("study.html.j2")
        .render(
            document=document,
            headline=headline(document),
            tables=tables(document),
            advice=advice(document),
            curve=webpage.inline_json(_curve(document)),
        )
    )


@cache
def _environment() -> Environment:
    return webpage.environment(_PACKAGE)


def _curve(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the columns of the operating characteristic: x, P(stopped), its bounds, the other."""
    sweep = document.get("sweep")
    if sweep is None:
        return None
    points = sweep["points"]
    scale = 100 if sweep["field"] == "errors" else 1
    promoted = [point["probabilities"]["promoted"] for point in points]
    bounds = [point["intervals"]["promoted"] for point in points]
    other = [
        point["against"]["probabilities"]["promoted"] for point in points if "against" in point
    ]
    unit = {"errors": "%", "latency": "times"}.get(sweep["field"], "s")
    return {
        "label": f"canary {sweep['field']} ({unit})",
        "x": [scale * point["value"] for point in points],
        "stopped": [100 * (1 - each) for each in promoted],
        "low": [100 * (1 - high) for _, high in bounds],
        "high": [100 * (1 - low) for low, _ in bounds],
        "other": [100 * (1 - each) for each in other] or None,
    }
