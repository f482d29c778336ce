"""The page of a run in a real browser: its charts are drawn from the one file alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.browser import browsing
from votegen.domain.outcome import Outcome
from votegen.domain.results import Progress, Tally, TargetTally, detailed_document
from votegen.report import render

pytestmark = pytest.mark.external


def test_all_charts_of_a_run_are_drawn(tmp_path: Path) -> None:
    """Rate, errors, latency and its distribution, without a word on the console."""
    target = TargetTally()
    target.record(Outcome(status=200, pod_hash="7cd75c6d7c"), 100)
    latencies = [0.002 * (1 + n / 10) for n in range(99)] + [1.5]
    target.latency.record(latencies)
    tally = Tally(planned=100, completed=100, targets={"canary": target})
    for second in range(10):
        part = latencies[second::10]
        tally.timeline.add(second + 0.5, "canary", errors=second % 2, latencies=part)
    document = detailed_document(tally, Progress(duration_seconds=10.0, real_seconds=10.0))
    file = tmp_path / "run.html"
    file.write_text(render(document, "html"), encoding="utf-8")
    with browsing() as page:
        page.goto(file.as_uri())
        page.wait_for_selector(".uplot")
        assert page.locator(".uplot canvas").count() == 4
        assert page.problems == []
