"""The results of gate tests: text, JSON, JUnit, and Markdown for a job summary."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from rollout_runner.report import gfm, result_document
from rollout_runner.report.paint import Painter
from rollout_runner.report.wording import plural
from rollout_runner.simulation.gate_test import GateTest, explain
from svckit.durations import short_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_text(tests: Sequence[GateTest], *, color: bool = False) -> str:
    """Return one line a test, what decided under those that failed, and a last line of sums."""
    paint = Painter(enabled=color)
    width = max((len(test.scenario.name) for test in tests), default=0)
    lines = []
    for test in tests:
        mark = paint.tone("good", "ok  ") if test.passed else paint.tone("bad", "FAIL")
        lines.append(f"{mark}  {test.scenario.name:<{width}}  {_came_of(test)}")
        if not test.passed:
            lines.append(f"      {test.problem}")
            lines.extend(f"      {line}" for line in explanation(test))
    failed = sum(not test.passed for test in tests)
    lines += ["", f"{plural(len(tests), 'test')}, {failed} failed"]
    return "\n".join(lines) + "\n"


def as_json(tests: Sequence[GateTest]) -> str:
    """Return every test with its expectation, its end and its runs."""
    document = {
        "tests": len(tests),
        "failed": sum(not test.passed for test in tests),
        "results": [_document(test) for test in tests],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_junit(tests: Sequence[GateTest]) -> str:
    """Return one test case a scenario; its time is virtual."""
    suite = TestSuite("gatelab test")
    for test in tests:
        case = TestCase(
            _clean(test.scenario.name), classname=_clean(test.path), time=_seconds(test)
        )
        text = _clean("\n".join(explanation(test)))
        if test.passed:
            case.system_out = text
        else:
            kind = Error if test.error else Failure
            result = kind(_clean(test.problem), "error" if test.error else "expectation")
            result.text = text
            case.result = [result]
        suite.add_testcase(case)
    document = JUnitXml("gatelab test")
    document.add_testsuite(suite)
    written: bytes = document.tostring()  # type: ignore[no-untyped-call]  # the library has no hint
    return written.decode() + "\n"


def as_markdown(tests: Sequence[GateTest]) -> str:
    """Return a job summary: a table of all tests, and what decided in those that failed."""
    failed = [test for test in tests if not test.passed]
    verdict = f"{len(failed)} of {len(tests)} gate tests failed" if failed else "all passed"
    lines = [f"## Gate tests: {verdict}", ""]
    rows = [
        (
            "✅" if test.passed else "❌",
            gfm.escape(test.scenario.name),
            gfm.escape(_wanted(test)),
            gfm.escape(_came_of(test)),
            test.scenario.mode,
        )
        for test in tests
    ]
    lines += gfm.table(("", "scenario", "expected", "was", "mode"), rows)
    for test in failed:
        lines += ["", f"### {gfm.escape(test.scenario.name)}", "", gfm.escape(test.problem), ""]
        lines.extend(f"- {gfm.escape(line)}" for line in explanation(test))
    return "\n".join(lines) + "\n"


def explanation(test: GateTest) -> tuple[str, ...]:
    """Return what decided in the run to look at."""
    report = test.telling
    return () if report is None else explain(report)


def _document(test: GateTest) -> dict[str, Any]:
    expected = test.scenario.expect
    report = test.telling
    return {
        "name": test.scenario.name,
        "path": test.path,
        "description": test.scenario.description,
        "mode": test.scenario.mode,
        "seed": test.scenario.seed,
        "passed": test.passed,
        "problem": test.problem,
        "expect": expected.model_dump(mode="json", by_alias=True, exclude_none=True)
        if expected
        else None,
        "runs": len(test.reports),
        "met": test.met,
        "outcomes": test.outcomes,
        "explanation": list(explanation(test)),
        "result": None if report is None else result_document(report),
    }


def _came_of(test: GateTest) -> str:
    if test.error:
        return "could not be run"
    if len(test.reports) > 1:
        told = ", ".join(f"{name} {count}" for name, count in test.outcomes.items())
        return f"{told} of {len(test.reports)} runs"
    report = test.telling
    if report is None:
        return ""
    step = "" if report.aborted_at_step is None else f" at step {report.aborted_at_step}"
    return f"{report.outcome}{step} after {short_duration(report.duration_seconds)}"


def _wanted(test: GateTest) -> str:
    expected = test.scenario.expect
    if expected is None:
        return ""
    step = "" if expected.aborted_at_step is None else f" at step {expected.aborted_at_step}"
    share = "" if test.scenario.runs == 1 else f" in {100 * expected.share:g} % of the runs"
    return f"{expected.outcome}{step}{share}"


def _seconds(test: GateTest) -> float:
    return sum(report.duration_seconds for report in test.reports)


def _clean(text: str) -> str:
    """Replace what XML 1.0 cannot carry."""
    return _NOT_XML.sub("\ufffd", text)
