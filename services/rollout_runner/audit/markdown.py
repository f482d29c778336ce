"""An audit as Markdown, for a job summary or a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.audit.matrix import Verdict
from rollout_runner.audit.wording import CANARIES, VERDICTS, fault_says, gate_title, mark, summary
from rollout_runner.report.gfm import code, escape, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.audit.matrix import Matrix

_SECTIONS = (
    (Verdict.FAIL_OPEN, "Fails open"),
    (Verdict.LIE, "Believes a lie"),
    (Verdict.WARNING, "Held by another metric"),
)


def render_markdown(matrix: Matrix) -> str:
    """Return the matrix as a table, and why each metric passed."""
    return "\n".join(_lines(matrix)) + "\n"


def _lines(matrix: Matrix) -> Iterator[str]:
    yield f"# Fail-open audit: {escape(matrix.rollout)}, Argo Rollouts {matrix.argo_version}"
    yield ""
    yield f"**{escape(summary(matrix))}**"
    yield ""
    yield from (f"- {escape(gate_title(gate))}" for gate in matrix.gates)
    yield ""
    names = [gate.name for gate in matrix.gates]
    controls = [
        [
            f"no fault, {control.canary} canary",
            "",
            *(str(g.controls[at].outcome) for g in matrix.gates),
        ]
        for at, control in enumerate(matrix.gates[0].controls)
    ]
    rows = []
    for fault in matrix.faults:
        cells = [cell for name in names if (cell := matrix.cell(fault.name, name)) is not None]
        marks = [
            f"**{mark(cell)}**" if cell.verdict is Verdict.FAIL_OPEN else mark(cell)
            for cell in cells
        ]
        rows.append([code(fault.name), escape(fault_says(cells[0])), *marks])
    yield from table(["Fault", "", *map(escape, names)], [*controls, *rows])
    yield ""
    yield from (f"- {escape(text)}" for text in (*VERDICTS.values(), *CANARIES.values()))
    for verdict, title in _SECTIONS:
        found = [
            [
                escape(cell.gate),
                code(cell.fault.name),
                code(f.metric),
                escape(f.mechanism),
                escape(f.fix),
            ]
            for cell in matrix.of(verdict)
            for f in cell.open_findings
        ]
        if found:
            yield ""
            yield f"## {title}"
            yield ""
            yield from table(["Gate", "Fault", "Metric", "Why it passes", "Fix"], found)
