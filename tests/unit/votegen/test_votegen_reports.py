"""One result in every form."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from votegen.domain.outcome import Outcome
from votegen.domain.results import Progress, Tally, TargetTally, detailed_document
from votegen.report import FORMATS, render
from votegen.report.text import Teller


@pytest.fixture(name="document")
def _document() -> dict[str, Any]:
    """Return the result of 10 requests in two seconds, two of them failed, and an idle target."""
    canary = TargetTally()
    canary.record(Outcome(status=200, pod_hash="7cd75c6d7c"), 8)
    canary.record(Outcome(status=503, pod_hash="7cd75c6d7c"), 2)
    canary.latency.record([0.010] * 9 + [0.5])
    canary.service.record([0.010] * 10)
    tally = Tally(planned=10, completed=10, targets={"canary": canary, "idle": TargetTally()})
    tally.record_sent([0.0] * 9 + [0.25])
    tally.timeline.add(0.5, "canary", errors=0, latencies=[0.010] * 9)
    tally.timeline.add(1.5, "canary", errors=2, latencies=[0.5])
    return detailed_document(tally, Progress(duration_seconds=2.0, real_seconds=2.0))


def test_json_has_the_figures_without_what_only_charts_need(document: dict[str, Any]) -> None:
    """The contract's members are there, and the document stays small."""
    result = json.loads(render(document, "json"))
    assert (result["planned"], result["sent"], result["late"]["count"]) == (10, 10, 1)
    assert result["targets"]["canary"]["errors"]["http_5xx"] == 2
    assert "timeline" not in result
    assert "histogram_ms" not in result["targets"]["canary"]


def test_csv_has_a_row_for_each_step_and_target(document: dict[str, Any]) -> None:
    """A spreadsheet reads it without help."""
    rows = list(csv.DictReader(io.StringIO(render(document, "csv"))))
    assert [(row["at_s"], row["target"], row["requests"], row["errors"]) for row in rows] == [
        ("0", "canary", "9", "0"),
        ("1", "canary", "1", "2"),
    ]
    assert float(rows[1]["p99_ms"]) == pytest.approx(500, rel=0.044)


def test_prometheus_text_is_what_its_own_parser_reads(document: dict[str, Any]) -> None:
    """Counts by outcome; a target without data has no latency sample, not a zero."""
    families = {
        family.name: family
        for family in text_string_to_metric_families(render(document, "prometheus"))
    }
    requests = {
        (sample.labels["target"], sample.labels["code"]): sample.value
        for sample in families["votegen_requests"].samples
    }
    assert requests["canary", "ok"] == 8
    assert requests["canary", "http_5xx"] == 2
    latency = families["votegen_latency_seconds"].samples
    assert {sample.labels["target"] for sample in latency} == {"canary"}
    assert families["votegen_late_starts"].samples[0].value == 1


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [
            value or "" for name, value in attrs if name in {"src", "href"} and tag != "a"
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "file"])
def test_progress_is_a_line_that_changes_or_one_now_and_then(
    document: dict[str, Any], *, terminal: bool
) -> None:
    """A log file gets a line every half minute, not one a second; a terminal gets no new lines."""
    stream = io.StringIO()
    stream.isatty = lambda: terminal  # type: ignore[method-assign]
    teller = Teller(stream)
    for second in range(1, 71):
        teller.tell({**document, "duration_s": float(second)})
    teller.finish()
    lines = stream.getvalue().splitlines()
    if terminal:
        assert stream.getvalue().count("\r") == 70
        assert lines[-1].startswith("\x1b[K70s  planned ")
    else:
        assert [line.split()[0] for line in lines] == ["30s", "60s"]


def test_the_page_stands_alone_and_shows_the_figures(document: dict[str, Any]) -> None:
    """Nothing is loaded from elsewhere, so the file can be mailed."""
    page = _Page()
    page.feed(render(document, "html"))
    assert page.loads == []
    for part in ("canary", "7cd75c6d7c", "http_5xx", "idle"):
        assert part in page.text


def test_names_of_targets_are_no_markup(document: dict[str, Any]) -> None:
    """What somebody calls a target stays text, in the page and in its data."""
    evil = "</script><img src=x onerror=alert(1)>"
    document["targets"][evil] = document["targets"].pop("idle")
    page = render(document, "html")
    assert evil not in page
    assert "<img" not in page


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_without_requests_has_a_report(form: str) -> None:
    """A generator that was stopped at once still writes something readable."""
    empty = detailed_document(Tally(), Progress(duration_seconds=0.0, real_seconds=0.0))
    assert render(empty, form)
