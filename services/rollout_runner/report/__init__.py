"""Reports of a run: event log -> one model -> renderers, all pure.

>>> render_text(build_report(decode_log(open("events.jsonl"))))  # doctest: +SKIP
"""

from __future__ import annotations

from rollout_runner.report.build import build_report
from rollout_runner.report.html import render_html
from rollout_runner.report.index_page import IndexEntry, render_index
from rollout_runner.report.junit import render_junit
from rollout_runner.report.markdown import render_markdown
from rollout_runner.report.model import Outcome, RunReport
from rollout_runner.report.progress import Progress
from rollout_runner.report.result import render_json, result_document
from rollout_runner.report.text import render_text

__all__ = [
    "IndexEntry",
    "Outcome",
    "Progress",
    "RunReport",
    "build_report",
    "render_html",
    "render_index",
    "render_json",
    "render_junit",
    "render_markdown",
    "render_text",
    "result_document",
]
