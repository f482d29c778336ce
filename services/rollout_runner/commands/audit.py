"""`gatelab audit`: every gate under every fault, from manifests to matrix."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rollout_runner.adapters.in_process import hush
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.audit.audit import Audit
from rollout_runner.audit.document import render_json
from rollout_runner.audit.faults import FAULTS, Fault
from rollout_runner.audit.gates import load_gates
from rollout_runner.audit.html import render_html
from rollout_runner.audit.junit import render_junit
from rollout_runner.audit.markdown import render_markdown
from rollout_runner.audit.text import render_text
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rollout_runner.audit.gates import Gate
    from rollout_runner.audit.matrix import Matrix

RENDERERS: dict[str, Callable[[Matrix], str]] = {
    "text": render_text,
    "json": render_json,
    "junit": render_junit,
    "markdown": render_markdown,
    "html": render_html,
}
_ERASE_LINE = "\r\x1b[2K"
_PROGRESS_SECONDS = 0.5
_PLAIN_PROGRESS_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRequest:
    """What the command line asks for; no faults and no steps mean all of them."""

    path: Path
    rollout: str | None
    faults: tuple[str, ...]
    steps: tuple[int, ...]
    argo_version: ArgoVersion
    seed: int
    quiet: bool


def audit(request: AuditRequest) -> Matrix:
    """Try the gates and return the matrix.

    Raises:
        InvalidInput: manifests or flags cannot be used, or a gate does not pass a good canary.
    """
    faults = chosen_faults(request.faults)
    hush()
    gates = _chosen_gates(load_gates(request.path, rollout=request.rollout), request.steps)
    progress = _Progress(quiet=request.quiet)
    try:
        with tempfile.TemporaryDirectory(prefix="gatelab-audit-") as folder:
            matrix = Audit(
                gates,
                argo_version=request.argo_version,
                folder=Path(folder),
                seed=request.seed,
                progress=progress.show,
            ).run(faults)
    finally:
        progress.close()
    return replace(matrix, source=str(request.path))


def chosen_faults(names: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults of these names; a name may end in `*`.

    Raises:
        InvalidInput: there is no such fault.
    """
    if not names:
        return FAULTS
    chosen: list[Fault] = []
    for name in names:
        prefix = name.removesuffix("*")
        found = [
            fault
            for fault in FAULTS
            if fault.name == name or (name.endswith("*") and fault.name.startswith(prefix))
        ]
        if not found:
            raise InvalidInput(
                f"--fault {name}: there is no such fault",
                hint="docs/guides/fail-open-audit.md lists them; `apm-*` means all of the APM's",
            )
        chosen += found
    return tuple(fault for fault in FAULTS if fault in chosen)


def _chosen_gates(gates: Sequence[Gate], steps: Sequence[int]) -> tuple[Gate, ...]:
    if not steps:
        return tuple(gates)
    known = {gate.number: gate for gate in gates if gate.number is not None}
    for step in steps:
        if step not in known:
            there = ", ".join(map(str, known)) or "no step"
            raise InvalidInput(f"--step {step} is no analysis", hint=f"analyses are at: {there}")
    return tuple(gate for gate in gates if gate.number in steps)


class _Progress:
    """One line on stderr: redrawn on a terminal, now and then otherwise."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._next = 0.0

    def show(self, done: int, total: int, what: str) -> None:
        """Show how far the audit is."""
        now = time.monotonic()
        if self._quiet or now < self._next:
            return
        self._next = now + (_PROGRESS_SECONDS if self._terminal else _PLAIN_PROGRESS_SECONDS)
        line = f"{done}/{total}  {what}"
        sys.stderr.write(f"{_ERASE_LINE}{line[:78]}" if self._terminal else f"{line}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Take the redrawn line away."""
        if self._terminal and not self._quiet:
            sys.stderr.write(_ERASE_LINE)
            sys.stderr.flush()
