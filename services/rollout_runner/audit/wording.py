"""The words that all forms of an audit share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rollout_runner.audit.matrix import Canary, Verdict

if TYPE_CHECKING:
    from rollout_runner.audit.matrix import Cell, GateRecord, Matrix

CANARIES: Final = {
    Canary.GOOD: "good canary: nothing fails",
    Canary.FAILING: "failing canary: half of its votes fail, 2 s slower; its page answers 200",
    Canary.DOWN: "canary that is down: 503 to everything",
}
VERDICTS: Final = {
    Verdict.FAIL_OPEN: "FAIL-OPEN: the fault makes the analysis pass a bad canary",
    Verdict.LIE: "lie: it passes a bad canary on a plausible answer that no condition could tell",
    Verdict.WARNING: "(!): the analysis holds, but one of its metrics would have passed alone",
    Verdict.HOLDS: "aborts, pauses, waits: the analysis stops the bad canary, by each metric that"
    " sees it",
    Verdict.UNTOUCHED: "·: the analysis does not ask what is broken",
}
_SUBJECTS: Final = {
    "apm": "the APM",
    "analyzer": "the analyzer",
    "application": "the application",
    "gate": "",
}


def mark(cell: Cell) -> str:
    """Return the cell in a word or two."""
    match cell.verdict:
        case Verdict.FAIL_OPEN:
            return "FAIL-OPEN"
        case Verdict.LIE:
            return "lie"
        case Verdict.WARNING:
            return f"{cell.outcome} (!)"
        case Verdict.HOLDS:
            return str(cell.outcome)
        case Verdict.UNTOUCHED:
            return "·"


def fault_says(cell: Cell) -> str:
    """Say what the fault does: `the APM answers 503 Service Unavailable`."""
    return f"{_SUBJECTS[cell.fault.target]} {cell.fault.says}".strip()


def explanation(cell: Cell) -> str:
    """Say why the cell ended as it did."""
    if cell.verdict is Verdict.UNTOUCHED:
        return "the analysis does not ask what is broken"
    if cell.message:
        return f"the analysis cannot start: {cell.message}"
    stopping = "; ".join(
        f"{each.metric} is {each.phase}" + (f": {each.reading}" if each.reading else "")
        for each in cell.findings
        if not each.passes and each.canary is not None and each.phase != "Successful"
    )
    passing = "; ".join(f"{each.metric} passes: {each.mechanism}" for each in cell.open_findings)
    return "; ".join(filter(None, (passing, stopping)))


def fixes(cell: Cell) -> str:
    """Say what to do, once for each kind of fix."""
    return "; ".join(dict.fromkeys(each.fix for each in cell.open_findings))


def gate_title(gate: GateRecord) -> str:
    """Return the gate with its templates and metrics."""
    metrics = ", ".join(f"{name} ({provider})" for name, provider in gate.metrics)
    return f"{gate.name}: {', '.join(gate.templates)} [{metrics}]"


def summary(matrix: Matrix) -> str:
    """Say in one sentence what was found."""
    counts = {verdict: len(matrix.of(verdict)) for verdict in Verdict}
    tried = len(matrix.cells) - counts[Verdict.UNTOUCHED]
    rest = (
        f"{counts[Verdict.LIE]} lie(s) that no condition could tell,"
        f" {counts[Verdict.WARNING]} where a metric alone would have passed,"
        f" {counts[Verdict.HOLDS]} hold"
    )
    if matrix.open_gates:
        names = ", ".join(gate.name for gate in matrix.open_gates)
        return f"FAIL-OPEN with no fault at all: {names} stops neither bad canary; {rest}"
    if matrix.of(Verdict.FAIL_OPEN):
        return f"FAIL-OPEN in {counts[Verdict.FAIL_OPEN]} of {tried} cells; {rest}"
    return f"clean: none of {tried} cells fails open; {rest}"
