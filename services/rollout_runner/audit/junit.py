"""An audit as JUnit XML: a suite for each gate, a test case for each fault that reaches it.

Only what fails open is a failure. A lie that no condition could tell, and a metric that another one
made up for, stand in the case's output.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from rollout_runner.audit.matrix import Verdict
from rollout_runner.audit.wording import explanation, fault_says, fixes, mark

if TYPE_CHECKING:
    from rollout_runner.audit.matrix import Cell, GateRecord, Matrix

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(matrix: Matrix) -> str:
    """Return the audit as JUnit XML."""
    document = JUnitXml("gatelab audit")
    for gate in matrix.gates:
        suite = TestSuite(_clean(f"{matrix.rollout} {gate.name}"))
        suite.add_testcase(_control_case(gate))
        for cell in matrix.cells:
            if cell.gate == gate.name and cell.verdict is not Verdict.UNTOUCHED:
                suite.add_testcase(_case(cell))
        document.add_testsuite(suite)
    text: bytes = document.tostring()  # type: ignore[no-untyped-call]  # the library has no hint
    return text.decode() + "\n"


def _control_case(gate: GateRecord) -> TestCase:
    case = TestCase("no fault", classname=_clean(gate.name))
    if gate.canary is None:
        case.result = [Failure("the gate stops neither bad canary, with no fault at all", "open")]
    return case


def _case(cell: Cell) -> TestCase:
    case = TestCase(cell.fault.name, classname=_clean(cell.gate))
    text = f"{fault_says(cell)}\n{mark(cell)}: {explanation(cell)}\nfix: {fixes(cell)}"
    if cell.verdict is Verdict.FAIL_OPEN:
        failure = Failure(_clean(f"promotes a bad canary when {fault_says(cell)}"), "fail-open")
        failure.text = _clean(text)
        case.result = [failure]
    else:
        case.system_out = _clean(text.removesuffix("\nfix: "))
    return case


def _clean(text: str) -> str:
    """Replace what XML 1.0 cannot carry."""
    return _NOT_XML.sub("\ufffd", text)
