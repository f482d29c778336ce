"""An audit as one HTML page that needs nothing else; every cell opens to its explanation."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rollout_runner.audit.matrix import Verdict
from rollout_runner.audit.wording import (
    CANARIES,
    VERDICTS,
    explanation,
    fault_says,
    fixes,
    gate_title,
    mark,
    summary,
)
from svckit import webpage

if TYPE_CHECKING:
    from rollout_runner.audit.matrix import Matrix

_TONES = {
    Verdict.FAIL_OPEN: "bad",
    Verdict.LIE: "warn",
    Verdict.WARNING: "warn",
    Verdict.HOLDS: "good",
    Verdict.UNTOUCHED: "faint",
}


def render_html(matrix: Matrix) -> str:
    """Return the page."""
    groups = [
        (
            group,
            [
                [cell for gate in matrix.gates if (cell := matrix.cell(fault.name, gate.name))]
                for fault in faults
            ],
        )
        for group, faults in groupby(matrix.faults, key=lambda fault: fault.group)
    ]
    template = webpage.environment("rollout_runner.audit").get_template("audit.html.j2")
    return template.render(
        matrix=matrix,
        groups=groups,
        summary=summary(matrix),
        verdicts=VERDICTS.values(),
        canaries=CANARIES.values(),
        tone=lambda cell: _TONES[cell.verdict],
        mark=mark,
        explanation=explanation,
        fault_says=fault_says,
        fixes=fixes,
        gate_title=gate_title,
    )
