from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from report_logs import (
    ERROR_RATE,
    FAILED_METRIC,
    RUN,
    Log,
    aborted_log,
    paused_log,
    promoted_log,
    upto,
)

from rollout_runner import events as ev
from rollout_runner.report import IndexEntry, build_report, render_html, render_index

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Checks nesting and collects tables, scripts, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tables: list[list[list[str]]] = []
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last."""
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Sort text by where it stands."""
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
            return
        if self.open and self.open[-1] == "style":
            return
        self.text.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    @property
    def chart_data(self) -> dict[str, Any]:
        """Return what the charts draw."""
        parsed: dict[str, Any] = json.loads(self.scripts[0])
        return parsed

    def table(self, first_header: str, second_header: str) -> list[list[str]]:
        """Return the first table that begins with these headers."""
        return next(t for t in self.tables if t and t[0][:2] == [first_header, second_header])


def page(log: Log) -> Page:
    """Return the parsed page of a run."""
    return Page(render_html(build_report(log.events)))


LOGS = [
    pytest.param(promoted_log, id="promoted"),
    pytest.param(aborted_log, id="aborted"),
    pytest.param(paused_log, id="paused"),
]


@pytest.mark.parametrize("make", LOGS)
def test_the_page_is_well_formed(make: Any) -> None:
    """Every element is closed where it should be."""
    assert page(make()).open == []


@pytest.mark.parametrize("make", LOGS)
def test_the_page_needs_no_network(make: Any) -> None:
    """No attribute and no style loads anything, and the policy forbids it as well."""
    html = render_html(build_report(make().events))
    parsed = Page(html)
    loading = {"src", "href", "srcset", "action", "data", "poster"}
    values = [value for _, name, value in parsed.attributes if name in loading]
    assert all(value.startswith("#") for value in values)
    assert not re.search(r"@import|url\(", html)
    policies = [value for _, name, value in parsed.attributes if name == "content"]
    assert any(policy.startswith("default-src 'none'") for policy in policies)


def test_banner_of_an_abort() -> None:
    """The first screen says what, where, why, with which values and what to do next."""
    text = "".join(page(aborted_log()).text)
    first = text[: text.index("Weight and error rate")]
    assert "Rolled back" in first
    assert "index 5 (step 6 of 9: analysis: voting01-canary-analysis) at weight 50 %" in first
    assert FAILED_METRIC in first
    assert "errorRate = 5.18" in first
    assert "87 of 1,687 requests failed" in first
    assert "kubectl argo rollouts undo vote -n voting01-qa" in first


def test_steps_table() -> None:
    """The aborted step has its times, weight and the errors of both versions."""
    steps = page(aborted_log()).table("Index", "Step")
    assert len(steps) == 10
    assert steps[6] == [
        "5",
        "analysis: voting01-canary-analysis",
        "aborted",
        "02:02:00",
        "02:03:01",
        "1m1s",
        "50 %",
        "5.2 % of 325",
        "0.31 % of 325",
        f"{RUN}-5",
    ]


def test_every_measurement_is_in_a_table() -> None:
    """The tables of measurements hold all ten of them, with phase and reading."""
    tables = [t for t in page(aborted_log()).tables if t[0][:3] == ["#", "Start", "End"]]
    assert [len(table) - 1 for table in tables] == [5, 3, 2]
    assert tables[2][1][:5] == ["1", "02:02:00", "02:02:01", "Failed", "5.18"]


def test_charts_have_weights_and_bands() -> None:
    """The weight chart starts at 0 and has one band an AnalysisRun, with its phase."""
    data = page(aborted_log()).chart_data
    assert data["weights"] == [[0, 0], [23.0, 20], [264.0, 50], [505.0, 0], [535.0, 0]]
    assert [band["phase"] for band in data["bands"]] == ["Successful", "Failed"]
    assert data["bands"][1]["from"] == 444.0


def test_charts_have_rates_threshold_and_readings() -> None:
    """The error-rate chart has both versions, the limit of 2 percent and what the gate read."""
    data = page(aborted_log()).chart_data
    assert [version["role"] for version in data["versions"]] == ["stable", "canary"]
    assert data["thresholds"] == [{"limit": 2.0, "label": "error-rate"}]
    assert [reading["value"] for reading in data["readings"]] == [5.18, 5.23]
    canary = data["versions"][1]
    assert len(canary["rate"]) == len(data["x"])
    assert canary["rate"][0] is None, "before its first request the canary has no rate"
    assert canary["rate"][-1] is None, "nor after its last one"


def test_a_condition_that_is_no_comparison_draws_no_line() -> None:
    """Without a plain comparison there is no threshold and no reading."""
    log = Log()
    log.start()
    plan = ev.MetricPlan(
        name="m", provider="web", success_condition="result.errorRate < 2 && result.count > 9"
    )
    run = log.begin_analysis(5, "t", plan)
    log.measure(run, "m", 1, "Successful", value='{"errorRate":1,"count":10}')
    data = page(log).chart_data
    assert (data["thresholds"], data["readings"]) == ([], [])


def test_hostile_text_stays_text() -> None:
    """Markup in names and messages is shown, never run, in the page as in its data."""
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u2028"
    log = Log()
    canary = ev.Revision(hash="7cd75c6d7c", version=hostile, revision=34)
    log.start(canary=canary, description=hostile, rollout=hostile)
    log.weight_step(0, 20)
    plan = ev.MetricPlan(name=hostile, provider=hostile, success_condition="result.errorRate < 2")
    run = log.begin_analysis(5, hostile, plan)
    log.wait(10)
    log.measure(run, hostile, 1, "Error", value=hostile, message=hostile)
    html = render_html(build_report(log.events))
    parsed = Page(html)
    assert "<script>alert(1)" not in html
    assert "<img" not in html
    assert len(parsed.scripts) == 3
    assert parsed.open == []
    assert any(hostile in version["label"] for version in parsed.chart_data["versions"])


def test_interrupted_and_empty_runs_render() -> None:
    """A run killed at once has a page without charts' data and without a verdict."""
    log = Log()
    log.start()
    text = "".join(page(log).text)
    assert "Interrupted" in text
    assert "nothing judged this version" in text
    assert "The load generator reported no traffic." in text


def test_lost_program_is_the_reason() -> None:
    """A run that broke off because a program died says which."""
    log = aborted_log()
    log.events = upto(log.events, ev.AnalysisRunCompleted)
    log.add(ev.ProcessExited, name="mock-newrelic", exit_code=-9, expected=False)
    assert "The run lost mock-newrelic." in "".join(page(log).text)


@pytest.mark.parametrize("make", LOGS)
def test_same_log_same_bytes(make: Any) -> None:
    """Rendering knows no clock."""
    assert render_html(build_report(make().events)) == render_html(build_report(make().events))


class TestIndexPage:
    """The page that leads to several runs."""

    @staticmethod
    def entries() -> list[IndexEntry]:
        """Return the two runs of a demo."""
        return [
            IndexEntry(
                name=name,
                report=build_report(log.events),
                href=f"{name}/report.html",
                others=(("JSON", f"{name}/result.json"),),
            )
            for name, log in (("healthy", promoted_log()), ("bad-canary", aborted_log()))
        ]

    def test_links_to_every_report(self) -> None:
        """Each run has a link to its page and to its other files."""
        parsed = Page(render_index(self.entries()))
        hrefs = {value for tag, name, value in parsed.attributes if (tag, name) == ("a", "href")}
        assert hrefs == {
            "healthy/report.html",
            "healthy/result.json",
            "bad-canary/report.html",
            "bad-canary/result.json",
        }
        assert parsed.open == []

    def test_says_how_each_run_ended(self) -> None:
        """The page answers without a click: promoted and why, rolled back and why."""
        text = "".join(Page(render_index(self.entries())).text)
        assert "Promoted" in text
        assert "3 of 3 AnalysisRuns Successful." in text
        assert "Rolled back" in text
        assert FAILED_METRIC in text

    def test_hostile_names_stay_text(self) -> None:
        """A name with markup is shown as text."""
        entry = IndexEntry(
            name="<b>x</b>", report=build_report(promoted_log().events), href='"><script>'
        )
        html = render_index([entry])
        assert "<b>x" not in html
        assert "<script>" not in html


def test_an_error_ratio_is_drawn_in_percent() -> None:
    """Ratios of 0 to 1 stand on the same scale as error rates."""
    log = Log()
    log.start()
    plan = ev.MetricPlan(name="ratio", provider="web", success_condition="result.errorRatio < 0.02")
    run = log.begin_analysis(5, "t", plan, ERROR_RATE)
    log.measure(run, "ratio", 1, "Failed", value='{"errorRatio":0.052}')
    data = page(log).chart_data
    assert data["thresholds"] == [{"limit": 2.0, "label": "ratio"}]
    assert data["readings"][0]["value"] == 5.2
