"""An audit as JSON: every cell with its metrics, why each passed, and the fix."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rollout_runner.audit.matrix import Verdict
from rollout_runner.audit.wording import explanation, fault_says, fixes

if TYPE_CHECKING:
    from rollout_runner.audit.matrix import Cell, Finding, GateRecord, Matrix


def render_json(matrix: Matrix) -> str:
    """Return the audit as JSON text."""
    return json.dumps(as_document(matrix), indent=2, ensure_ascii=False) + "\n"


def as_document(matrix: Matrix) -> dict[str, Any]:
    """Return the audit as a JSON document; `verdict` is clean or fail-open."""
    return {
        "verdict": "clean" if matrix.clean else "fail-open",
        "manifests": matrix.source,
        "rollout": matrix.rollout,
        "namespace": matrix.namespace,
        "argoVersion": matrix.argo_version,
        "gatelabVersion": matrix.gatelab_version,
        "seed": matrix.seed,
        "summary": {
            "cells": len(matrix.cells),
            **{verdict.value: len(matrix.of(verdict)) for verdict in Verdict},
            "gatesThatStopNothing": [gate.name for gate in matrix.open_gates],
        },
        "gates": [_gate(gate) for gate in matrix.gates],
        "faults": [
            {
                "name": fault.name,
                "group": fault.group,
                "target": fault.target,
                "says": fault.says,
                "lie": fault.lie,
            }
            for fault in matrix.faults
        ],
        "cells": [_cell(cell) for cell in matrix.cells],
    }


def _gate(gate: GateRecord) -> dict[str, Any]:
    return {
        "name": gate.name,
        "templates": list(gate.templates),
        "metrics": [{"name": name, "provider": provider} for name, provider in gate.metrics],
        "canary": gate.canary,
        "controls": [
            {
                "canary": control.canary,
                "outcome": control.outcome,
                "stoppedBy": list(control.stopped_by),
            }
            for control in gate.controls
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "fault": cell.fault.name,
        "gate": cell.gate,
        "outcome": None if cell.verdict is Verdict.UNTOUCHED else cell.outcome,
        "verdict": cell.verdict,
        "says": fault_says(cell),
        "mechanism": explanation(cell),
        "fix": fixes(cell),
        "metrics": [_finding(each) for each in cell.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.metric,
        "provider": finding.provider,
        "canary": finding.canary,
        "phase": finding.phase,
        "reading": finding.reading,
        "passes": finding.passes,
        "mechanism": finding.mechanism,
        "fix": finding.fix,
    }
