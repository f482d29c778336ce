"""The result of a run in the forms that people and programs read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from votegen.report import csv, html, prometheus, text

if TYPE_CHECKING:
    from collections.abc import Callable

_DRAWN = ("timeline", "histogram_ms")

FORMATS = ("text", "json", "csv", "html", "prometheus")


def render(document: dict[str, Any], form: str) -> str:
    """Return a detailed result document (`domain.results.detailed_document`) in one of FORMATS."""
    renderers: dict[str, Callable[[dict[str, Any]], str]] = {
        "text": text.summary,
        "json": _json,
        "csv": csv.rows,
        "html": html.page,
        "prometheus": prometheus.exposition,
    }
    return renderers[form](document)


def _json(document: dict[str, Any]) -> str:
    """Return the figures without what only charts need."""
    plain = {name: value for name, value in document.items() if name not in _DRAWN}
    plain["targets"] = {
        name: {key: value for key, value in target.items() if key not in _DRAWN}
        for name, target in document["targets"].items()
    }
    return json.dumps(plain, indent=2)
