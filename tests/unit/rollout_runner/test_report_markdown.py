from __future__ import annotations

import re
from typing import Any

import pytest
from markdown_it import MarkdownIt
from report_logs import (
    ABORT_MESSAGE,
    CANARY,
    ERROR_RATE,
    FAILED_METRIC,
    RUN,
    Log,
    aborted_log,
    error_rate_value,
    paused_log,
    promoted_log,
    upto,
)

from rollout_runner import events as ev
from rollout_runner.report import build_report, render_markdown
from rollout_runner.report.gfm import anchor, code, escape
from rollout_runner.report.markdown import MAX_BYTES


def markdown(log: Log) -> str:
    """Return the report of a run."""
    return render_markdown(build_report(log.events))


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    level = heading.index(" ")
    start = text.index(f"\n{heading}\n") + len(heading) + 2
    following = re.search(rf"^#{{1,{level}}} ", text[start:], re.MULTILINE)
    return text[start : start + following.start()] if following else text[start:]


def tables(text: str) -> list[list[list[str]]]:
    """Return the tables of a text as rows of cells, headers included, rulers not."""
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        if not inside:
            found.append([])
        inside = True
        if not set(line) <= {"|", "-"}:
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def test_every_row_has_as_many_cells_as_its_header() -> None:
    """No value breaks a table."""
    for log in (promoted_log(), aborted_log(), paused_log()):
        for table in tables(markdown(log)):
            assert {len(row) for row in table} == {len(table[0])}


def test_steps_table() -> None:
    """Nine steps with their real times; the analysis of two minutes is not done in seconds."""
    (steps,) = tables(section(markdown(promoted_log()), "## Steps"))
    assert len(steps) == 1 + 9
    assert steps[3][:7] == [
        "2",
        "analysis: voting01-health-check",
        "✅ completed",
        "01:56:59",
        "01:59:00",
        "2m1s",
        "20 %",
    ]
    assert steps[3][9] == f"`{RUN}-2`"


def test_analysis_runs_summary() -> None:
    """One row an AnalysisRun, with successful checks of planned ones and the result."""
    summary = tables(section(markdown(promoted_log()), "## Analysis runs"))[0]
    assert [(row[0], row[5], row[6]) for row in summary[1:]] == [
        (f"`{RUN}-2`", "http-health-check 5/5", "✅ Successful"),
        (f"`{RUN}-5`", "http-health 3/3, error-rate 2/2", "✅ Successful"),
        (f"`{RUN}-8`", "http-health 3/3, error-rate 2/2", "✅ Successful"),
    ]


def test_every_measurement_has_start_and_end() -> None:
    """The table of a run has one row a measurement, with start, end, value and phase."""
    _, measurements = tables(section(markdown(aborted_log()), f"### {RUN}-5"))
    assert len(measurements) == 1 + 5
    assert measurements[4] == [
        "`error-rate`",
        "1",
        "02:02:00",
        "02:02:01",
        "`errorRate = 5.18`",
        "❌ Failed",
        "",
    ]


def test_rollback_section() -> None:
    """A rollback has its run, both measurements, message, weights, times and downtime."""
    (facts,) = tables(section(markdown(aborted_log()), "## Rollback"))
    rows = [(row[0], row[1]) for row in facts]
    assert ("Failed AnalysisRun", f"`{RUN}-5`") in rows
    measurements = [value for name, value in rows if name == "Measurement"]
    assert len(measurements) == 2
    assert "5.18" in measurements[0]
    assert "5.23" in measurements[1]
    values = dict(rows)
    assert values["Message"] == escape(ABORT_MESSAGE)
    assert values["Weight before"] == "50 %"
    assert values["Weight back to 0"] == "02:03:01"
    assert values["Time to rollback"] == "1m1s"
    assert values["Phase"] == "Degraded"
    assert values["Failed requests on stable (v16)"] == "18 of 3,663 requests"
    assert values["Downtime"] == "0 seconds"


def test_the_first_screen_answers() -> None:
    """Before the summary table: what, at which step, which metric, and what to do next."""
    first = markdown(aborted_log()).partition("\n|")[0]
    assert "❌ Rolled back" in first
    assert "index 5 (step 6 of 9: analysis: voting01-canary-analysis)" in first
    assert escape(FAILED_METRIC) in first
    assert "errorRate = 5.18" in first
    assert "kubectl argo rollouts undo vote -n voting01-qa" in first


def test_summary_names_samples_and_weights() -> None:
    """The summary has the requests of both versions and the weights that were reached."""
    summary = tables(markdown(aborted_log()))[0]
    rows = {row[0].strip("*"): row[1] for row in summary}
    assert "canary v17 1,687 requests, 87 failed (5.2 %)" in rows["Requests"]
    assert rows["Weights"] == "0 % → 20 % → 50 % → 0 %"
    assert rows["Strategy"] == "Canary, 9 steps, 2 replicas"
    assert rows["Duration"] == "8m55s"


def test_contents_link_to_headings() -> None:
    """Every entry of the contents has its heading."""
    text = markdown(promoted_log())
    links = re.findall(r"^\d+\. \[(.+)\]\((.+)\)$", text, re.MULTILINE)
    assert [name for name, _ in links] == [
        "Steps",
        "Analysis runs",
        "Traffic",
        "Timeline",
        "Rollback",
    ]
    for name, target in links:
        assert f"\n## {name}\n" in text
        assert target == anchor(name)


@pytest.mark.parametrize(
    ("make", "commands"),
    [
        pytest.param(promoted_log, ["undo vote"], id="promoted"),
        pytest.param(aborted_log, ["undo vote", "retry rollout vote"], id="aborted"),
        pytest.param(paused_log, ["promote vote", "abort vote", "undo vote"], id="paused"),
    ],
)
def test_commands_fit_the_outcome(make: Any, commands: list[str]) -> None:
    """The rollback section offers the commands that make sense after this outcome."""
    body = section(markdown(make()), "## Rollback")
    found = re.findall(r"^kubectl argo rollouts (.+?) -n voting01-qa", body, re.MULTILINE)
    assert found == commands


def test_traffic_table_counts_per_version() -> None:
    """Stable and canary have their requests, failures and rate; gaps are dots."""
    (traffic,) = tables(section(markdown(aborted_log()), "## Traffic"))
    canary = traffic[2]
    assert canary[:6] == ["v17", "canary", f"`{CANARY.hash}`", "1,687", "87", "5.2 %"]
    assert canary[6].startswith("`·")


def test_no_traffic_is_said() -> None:
    """Without samples there is no table of zeros."""
    log = Log(traffic=False)
    log.start()
    body = section(markdown(log), "## Traffic")
    assert body.strip() == "The load generator reported no traffic."


def test_warnings_and_lost_programs_are_shown() -> None:
    """What a reader must know stands above the summary."""
    log = Log()
    log.start()
    log.add(ev.Warned, message="a plain-text answer would pass this gate in a cluster")
    log.add(ev.ProcessExited, name="mock-newrelic", exit_code=-9, expected=False)
    first = markdown(log).partition("\n|")[0]
    assert "would pass this gate" in first
    assert "mock-newrelic ended with code -9" in first


def test_interrupted_run_has_no_verdict() -> None:
    """A killed run is reported as interrupted, without a success anywhere in its status."""
    log = promoted_log()
    log.events = upto(log.events, ev.RunFinished)
    text = markdown(log)
    assert "**⚠️ Interrupted**" in text
    assert "no end in the log" in text
    assert "Promoted" not in text


def test_hostile_text_stays_text() -> None:
    """Markup, table bars, line breaks and code marks in a message cannot leave their cell."""
    log = Log()
    hostile = "<img src=x onerror=alert(1)> | `x` [a](http://b)\n# heading\u2028\x00"
    log.start(description=hostile)
    run = log.begin_analysis(5, "t", ERROR_RATE)
    log.measure(run, "error-rate", 1, "Error", value=hostile, message=hostile)
    text = markdown(log)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<img" not in html
    assert "http://b" not in re.findall(r'href="([^"]*)"', html)
    assert html.count("<h1>") == 1
    assert {len(row) for row in tables(section(text, f"### {run}"))[1]} == {7}


def test_a_long_run_fits_a_job_summary() -> None:
    """Tens of thousands of measurements keep the last rows and say what was left out."""
    log = Log(traffic=False)
    log.start()
    run = log.begin_analysis(5, "t", ERROR_RATE)
    for number in range(1, 20_001):
        log.measure(run, "error-rate", number, "Successful", value=error_rate_value(0.5))
    text = markdown(log)
    assert len(text.encode()) <= MAX_BYTES
    assert "19,800 earlier rows are in the JSON report only" in text
    assert "| `error-rate` | 20000 |" in text


def test_text_is_clean_utf_8() -> None:
    """No replacement character, no control character, no double encoding."""
    for log in (promoted_log(), aborted_log()):
        text = markdown(log)
        assert "\ufffd" not in text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
        assert not re.search("Ã.|â€|ğŸ", text)
        assert text.encode().decode() == text


def test_same_log_same_bytes() -> None:
    """Rendering knows no clock."""
    assert markdown(aborted_log()) == markdown(aborted_log())


def test_code_cuts_long_text() -> None:
    """A very long value is cut with an ellipsis."""
    assert code("x" * 500) == "`" + "x" * 119 + "…`"
