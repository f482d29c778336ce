"""What an audit found: gates, controls, and a cell for each gate under each fault."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollout_runner.audit.faults import Fault

NO_FAULT = "no fault"


class Canary(StrEnum):
    """How bad the canary really is.

    FAILING: half of its votes fail and all of them take two seconds more, while its page answers
    200. DOWN: it answers 503 to everything.
    """

    GOOD = "good"
    FAILING = "failing"
    DOWN = "down"


class Outcome(StrEnum):
    """What the rollout does after the analysis."""

    PROMOTES = "promotes"
    PAUSES = "pauses"
    ABORTS = "aborts"
    WAITS = "waits"


class Verdict(StrEnum):
    """What a cell means.

    FAIL_OPEN: the fault makes the gate pass a bad canary. LIE: it does so by a plausible answer, so
    that no condition on it could tell. WARNING: the step holds, but a metric of it would have
    passed by itself. HOLDS: all metrics that see the bad canary hold. UNTOUCHED: the gate does not
    ask what is broken.
    """

    FAIL_OPEN = "fail-open"
    LIE = "lie"
    WARNING = "warning"
    HOLDS = "holds"
    UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One metric under one fault.

    Attributes:
        metric: its name.
        provider: `web`, `job` or `newRelic`.
        canary: the bad canary it was tried with; None when it sees neither, even without a fault.
        phase: how it ended by itself, in Argo's word; "Pending" when it was not measured.
        reading: its last measurement: value or message, or what the Job wrote.
        passes: whether it passed the bad canary, which it does not without the fault.
        mechanism: why it passed; empty otherwise.
        fix: what to do about it; empty otherwise.
    """

    metric: str
    provider: str
    canary: Canary | None
    phase: str
    reading: str
    passes: bool
    mechanism: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One gate under one fault; `message` is that of an AnalysisRun that could not run at all."""

    fault: Fault
    gate: str
    outcome: Outcome
    verdict: Verdict
    message: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def open_findings(self) -> tuple[Finding, ...]:
        """The metrics that let the bad canary through."""
        return tuple(each for each in self.findings if each.passes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A gate without any fault: what it does with a canary, and which metrics stopped it."""

    canary: Canary
    outcome: Outcome
    stopped_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """A gate: its name, AnalysisTemplates, metrics with their providers, and its controls.

    `canary` is the bad canary that its cells are tried with: the least bad one that it stops
    without a fault. None when it stops none, so that it gates nothing.
    """

    name: str
    templates: tuple[str, ...]
    metrics: tuple[tuple[str, str], ...]
    controls: tuple[Control, ...]
    canary: Canary | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """An audit of one Rollout."""

    source: str
    rollout: str
    namespace: str
    argo_version: str
    gatelab_version: str
    seed: int
    gates: tuple[GateRecord, ...]
    faults: tuple[Fault, ...]
    cells: tuple[Cell, ...]

    def cell(self, fault: str, gate: str) -> Cell | None:
        """Return a cell."""
        return next((c for c in self.cells if c.fault.name == fault and c.gate == gate), None)

    def of(self, verdict: Verdict) -> tuple[Cell, ...]:
        """Return the cells with this verdict."""
        return tuple(cell for cell in self.cells if cell.verdict is verdict)

    @property
    def open_gates(self) -> tuple[GateRecord, ...]:
        """The gates that stop no bad canary at all, with no fault anywhere."""
        return tuple(gate for gate in self.gates if gate.canary is None)

    @property
    def clean(self) -> bool:
        """Whether nothing promotes a bad canary, lies that cannot be told apart."""
        return not self.of(Verdict.FAIL_OPEN) and not self.open_gates
