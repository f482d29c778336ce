"""The result of a run in the forms that people and programs read."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

_DRAWN = ("timeline", "histogram_ms")

FORMATS = ("text", "json", "csv", "html", "prometheus")


def render(document: dict[str, Any], form: str) -> str:
    """Return a detailed result document (`domain.results.detailed_document`) in one of FORMATS."""
    if form == "json":
        return _json(document)
    # What another form needs is slow to import.
    rendered: str = import_module(f"votegen.report.{form}").render(document)
    return rendered


def _json(document: dict[str, Any]) -> str:
    """Return the figures without what only charts need."""
    plain = {name: value for name, value in document.items() if name not in _DRAWN}
    plain["targets"] = {
        name: {key: value for key, value in target.items() if key not in _DRAWN}
        for name, target in document["targets"].items()
    }
    return json.dumps(plain, indent=2)
