"""An audit as text for a terminal."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rollout_runner.audit.matrix import Verdict
from rollout_runner.audit.wording import (
    CANARIES,
    VERDICTS,
    fault_says,
    gate_title,
    mark,
    summary,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rollout_runner.audit.matrix import Cell, Matrix

_NAME_WIDTH = 32


def render_text(matrix: Matrix) -> str:
    """Return the matrix and the explanation of every cell that lets a bad canary through."""
    return "\n".join(_lines(matrix)) + "\n"


def _lines(matrix: Matrix) -> Iterator[str]:
    yield (
        f"Fail-open audit of Rollout {matrix.rollout} ({matrix.namespace}), Argo Rollouts"
        f" {matrix.argo_version}: {matrix.source}"
    )
    yield ""
    yield from (f"  {gate_title(gate)}" for gate in matrix.gates)
    yield ""
    names = [gate.name for gate in matrix.gates]
    widths = [max(15, len(name)) for name in names]
    yield _row("no fault", names, widths)
    for at, control in enumerate(matrix.gates[0].controls):
        cells = [str(gate.controls[at].outcome) for gate in matrix.gates]
        yield _row(f"  {control.canary} canary", cells, widths)
    for group, faults in groupby(matrix.faults, key=lambda fault: fault.group):
        yield ""
        yield group
        for fault in faults:
            found = [matrix.cell(fault.name, name) for name in names]
            yield _row(f"  {fault.name}", [mark(cell) for cell in found if cell], widths)
    yield ""
    yield from (f"  {text}" for text in VERDICTS.values())
    yield from (f"  {text}" for text in CANARIES.values())
    for verdict, title in (
        (Verdict.FAIL_OPEN, "Fails open"),
        (Verdict.LIE, "Believes a lie"),
        (Verdict.WARNING, "Held by another metric"),
    ):
        yield from _section(title, matrix.of(verdict))
    for gate in matrix.open_gates:
        yield ""
        yield f"{gate.name} stops neither bad canary, with no fault anywhere: it gates nothing"
    yield ""
    yield summary(matrix)


def _section(title: str, cells: Sequence[Cell]) -> Iterator[str]:
    """Say why metrics passed, those with one fix together."""
    if not cells:
        return
    yield ""
    yield title
    found: dict[tuple[str, str, str], list[tuple[Cell, str]]] = {}
    for cell in cells:
        for each in cell.open_findings:
            key = (cell.gate, each.metric, each.fix)
            found.setdefault(key, []).append((cell, each.mechanism))
    for (gate, metric, fix), passed in found.items():
        yield f"  {gate}, {metric}:"
        for cell, mechanism in passed:
            yield f"    {cell.fault.name}: {fault_says(cell)}"
            yield f"      {mechanism}"
        yield f"    fix: {fix}"


def _row(name: str, cells: Sequence[str], widths: Sequence[int]) -> str:
    columns = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"{name:<{_NAME_WIDTH}}{columns}".rstrip()
