from __future__ import annotations

from xml.etree import ElementTree as ET

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
from rollout_runner.report import build_report, render_junit


def suites(log: Log) -> dict[str, ET.Element]:
    """Return the test suites of a run by name."""
    root = ET.fromstring(render_junit(build_report(log.events)))  # noqa: S314 - our own output
    return {suite.attrib["name"]: suite for suite in root.findall("testsuite")}


def problems(suite: ET.Element) -> dict[str, list[str]]:
    """Return the problem elements of each test case."""
    return {
        case.attrib["name"]: [child.tag for child in case if child.tag != "system-out"]
        for case in suite.findall("testcase")
    }


def test_one_case_per_metric_of_each_run() -> None:
    """Each AnalysisRun is a suite, each of its metrics a case; all green when promoted."""
    found = suites(promoted_log())
    assert list(found) == ["rollout", f"{RUN}-2", f"{RUN}-5", f"{RUN}-8"]
    assert problems(found[f"{RUN}-5"]) == {"http-health": [], "error-rate": []}
    assert problems(found["rollout"]) == {"vote in voting01-qa: v16 → v17": []}


def test_a_failed_metric_is_a_failure() -> None:
    """The failed metric and the rollout are red, with the values and the message."""
    found = suites(aborted_log())
    assert problems(found[f"{RUN}-5"]) == {"http-health": [], "error-rate": ["failure"]}
    failure = found[f"{RUN}-5"].find(".//failure")
    assert failure is not None
    assert failure.attrib["message"] == "error-rate Failed (0/2; needs result.errorRate < 2)"
    assert "errorRate = 5.23" in (failure.text or "")
    rollout = found["rollout"].find(".//failure")
    assert rollout is not None
    assert FAILED_METRIC in rollout.attrib["message"]


def test_inconclusive_is_not_green() -> None:
    """An inconclusive metric fails the build: a skipped case would let it pass."""
    found = suites(paused_log())
    assert problems(found[f"{RUN}-2"]) == {"http-health-check": ["failure"]}
    assert list(problems(found["rollout"]).values()) == [["failure"]]


def test_an_interrupted_run_is_an_error() -> None:
    """No verdict is an error, of the rollout and of what was still running."""
    log = aborted_log()
    log.events = upto(log.events, ev.AnalysisRunCompleted)
    found = suites(log)
    assert list(problems(found["rollout"]).values()) == [["error"]]
    assert problems(found[f"{RUN}-2"]) == {"http-health-check": ["error"]}


def test_times_are_those_of_the_run() -> None:
    """A case takes from its first measurement's start to its last one's end."""
    case = suites(promoted_log())[f"{RUN}-2"].find("testcase")
    assert case is not None
    assert float(case.attrib["time"]) == pytest.approx(121)


def test_a_dry_run_metric_cannot_fail() -> None:
    """A dryRun metric does not count in Argo, so it is green, and marked."""
    log = Log()
    log.start()
    plan = ev.MetricPlan(name="trial", provider="web", dry_run=True)
    run = log.begin_analysis(5, "t", plan)
    log.measure(run, "trial", 1, "Failed")
    log.end_analysis(run, "Successful", "", {"name": "trial", "phase": "Failed", "failed": 1})
    assert problems(suites(log)[run]) == {"trial (dryRun)": []}


def test_control_characters_cannot_break_the_xml() -> None:
    """A hostile answer of a source still gives XML that parses."""
    log = Log()
    log.start()
    run = log.begin_analysis(5, "t", ERROR_RATE)
    log.measure(run, "error-rate", 1, "Error", value="\x00\x1b]]><x>\ufffe", message="\x08")
    assert problems(suites(log)[run]) == {"error-rate": ["error"]}
