"""Findings as JUnit XML: a test case for each rule, which fails where it found something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from junitparser import Failure, JUnitXml, TestCase, TestSuite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rollout_runner.lint.finding import Finding, Severity
    from rollout_runner.lint.rule import Rule

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(
    findings: Sequence[Finding], rules: Mapping[str, Rule], *, threshold: Severity
) -> str:
    """Return the findings as JUnit XML; those below the threshold are output of a passed case."""
    suite = TestSuite("gatelab lint")
    for each in rules.values():
        case = TestCase(_clean(f"{each.code} {each.title}"), classname="gatelab.lint")
        found = [finding for finding in findings if finding.code == each.code]
        text = "\n".join(f"{one.place}: {one.reason}; fix: {one.fix}" for one in found)
        if found and each.severity.reaches(threshold):
            failure = Failure(_clean(f"{len(found)} x {each.title}"), each.code)
            failure.text = _clean(text)
            case.result = [failure]
        elif found:
            case.system_out = _clean(text)
        suite.add_testcase(case)
    document = JUnitXml("gatelab")
    document.add_testsuite(suite)
    written: bytes = document.tostring()  # type: ignore[no-untyped-call]  # the library has no hint
    return written.decode() + "\n"


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
