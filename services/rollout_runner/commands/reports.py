"""Renderers by name, and the files that a run leaves behind."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from rollout_runner.report import (
    render_html,
    render_json,
    render_junit,
    render_markdown,
    render_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rollout_runner.report import RunReport


class ReportFormat(StrEnum):
    """Forms in which a run can be reported."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    MARKDOWN = "markdown"
    HTML = "html"


RENDERERS: dict[ReportFormat, Callable[[RunReport], str]] = {
    ReportFormat.TEXT: render_text,
    ReportFormat.JSON: render_json,
    ReportFormat.JUNIT: render_junit,
    ReportFormat.MARKDOWN: render_markdown,
    ReportFormat.HTML: render_html,
}
FILES = {
    "report.html": ReportFormat.HTML,
    "report.md": ReportFormat.MARKDOWN,
    "result.json": ReportFormat.JSON,
}
EVENTS_FILE = "events.jsonl"


def write_reports(report: RunReport, folder: Path) -> None:
    """Write the report's files into the folder."""
    for name, form in FILES.items():
        (folder / name).write_text(RENDERERS[form](report), encoding="utf-8")
