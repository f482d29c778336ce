"""The result as CSV: one row a step and target, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import Any

COLUMNS = ("at_s", "target", "requests", "errors", "p50_ms", "p99_ms")


def render(document: dict[str, Any]) -> str:
    """Return the timeline of a detailed result document; a number without data is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for point in document["timeline"]["points"]:
        for name, step in point["targets"].items():
            writer.writerow({"at_s": f"{point['at_s']:g}", "target": name, **step})
    return out.getvalue()
