"""JUnit XML for CI: one test case per metric of an AnalysisRun, and one for the rollout itself.

Whatever is not a success is not green: JUnit's `skipped` would let an inconclusive gate pass.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from junitparser import Error, Failure, JUnitXml, TestCase, TestSuite

from rollout_runner.report.model import Outcome
from rollout_runner.report.narrative import (
    headline,
    limit_text,
    measurement_text,
    reason,
    samples,
    title,
)
from rollout_runner.report.wording import clock, timestamp

if TYPE_CHECKING:
    from rollout_runner.report.model import AnalysisRunRecord, MetricRecord, RunReport

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: RunReport) -> str:
    """Return the run as JUnit XML."""
    document = JUnitXml("gatelab")
    document.add_testsuite(_rollout_suite(report))
    for run in report.analysis_runs:
        document.add_testsuite(_analysis_suite(run))
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]  # the library has no hint
    return text.decode() + "\n"


def _rollout_suite(report: RunReport) -> TestSuite:
    suite = TestSuite("rollout")
    suite.timestamp = timestamp(report.started_at)
    case = TestCase(_clean(title(report)), classname="rollout", time=report.duration_seconds)
    text = "\n".join((headline(report), reason(report), samples(report)))
    match report.outcome:
        case Outcome.PROMOTED:
            case.system_out = _clean(text)
        case Outcome.INTERRUPTED:
            case.result = [_result(Error, headline(report), "interrupted", text)]
        case outcome:
            case.result = [_result(Failure, reason(report), outcome.value, text)]
    suite.add_testcase(case)
    return suite


def _analysis_suite(run: AnalysisRunRecord) -> TestSuite:
    suite = TestSuite(_clean(run.name))
    suite.timestamp = timestamp(run.started_at)
    for metric in run.metrics:
        suite.add_testcase(_metric_case(run, metric))
    return suite


def _metric_case(run: AnalysisRunRecord, metric: MetricRecord) -> TestCase:
    name = metric.plan.name + (" (dryRun)" if metric.plan.dry_run else "")
    case = TestCase(_clean(name), classname=_clean(run.template or run.name), time=_seconds(metric))
    text = "\n".join(
        f"#{m.number} {clock(m.started_at)}-{clock(m.finished_at)} {m.phase}:"
        f" {measurement_text(metric, m)}"
        for m in metric.measurements
    )
    if metric.phase == "Successful" or metric.plan.dry_run:
        case.system_out = _clean(text)
        return case
    message = f"{metric.plan.name} {metric.phase} ({metric.checks}; {limit_text(metric)})"
    kind = Failure if metric.phase in {"Failed", "Inconclusive"} else Error
    case.result = [_result(kind, message, metric.phase, text)]
    return case


def _seconds(metric: MetricRecord) -> float:
    if not metric.measurements:
        return 0.0
    first, last = metric.measurements[0], metric.measurements[-1]
    return (last.finished_at - first.started_at).total_seconds()


def _result(kind: type[Failure | Error], message: str, type_: str, text: str) -> Failure | Error:
    result = kind(_clean(message), _clean(type_))
    result.text = _clean(text)
    return result


def _clean(text: str) -> str:
    """Replace what XML 1.0 cannot carry, such as control characters of a hostile answer."""
    return _NOT_XML.sub("\ufffd", text)
