"""All gates of a Rollout under all faults.

Before any fault, each gate is tried with a good canary, which it must pass, and with two bad ones,
of which it should stop one: a matrix over a gate that stops everything, or nothing, says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout_runner.audit.faults import Target
from rollout_runner.audit.judgement import explain, outcome_of, verdict_of
from rollout_runner.audit.matrix import (
    Canary,
    Cell,
    Control,
    Finding,
    GateRecord,
    Matrix,
    Outcome,
    Verdict,
)
from rollout_runner.audit.probe import Probe, change_of
from svckit.asgi import distribution_version
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.audit.faults import ChangeKind, Fault
    from rollout_runner.audit.gates import Gate
    from rollout_runner.audit.probe import Sight

BAD = (Canary.FAILING, Canary.DOWN)
"""From the less bad one: what stops it stops the other one too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Baseline:
    """A gate without faults: which bad canary each metric stops, and who is asked."""

    record: GateRecord
    sees: dict[str, Canary]
    asked: frozenset[Target]


class Audit:
    """Tries gates; worlds are made as they are needed and kept.

    Args:
        gates: what to try.
        argo_version: whose behaviour is taken.
        folder: a scratch folder for scripts.
        seed: of the traffic.
        progress: told before each gate and fault: how many are done, of how many, and what is next.
    """

    def __init__(
        self,
        gates: Sequence[Gate],
        *,
        argo_version: ArgoVersion,
        folder: Path,
        seed: int,
        progress: Callable[[int, int, str], None],
    ) -> None:
        self._gates = gates
        self._version = argo_version
        self._folder = folder
        self._seed = seed
        self._progress = progress
        self._probes: dict[tuple[int, ChangeKind | None], Probe] = {}

    def run(self, faults: Sequence[Fault]) -> Matrix:
        """Try every gate under every fault.

        Raises:
            InvalidInput: a gate does not even pass a good canary.
        """
        try:
            return self._run(faults)
        finally:
            for probe in self._probes.values():
                probe.close()

    def _run(self, faults: Sequence[Fault]) -> Matrix:
        total, done = len(self._gates) * (len(faults) + 1), 0
        cells: list[Cell] = []
        records: list[GateRecord] = []
        for gate in self._gates:
            self._progress(done, total, f"{gate.name}: no fault")
            baseline = self._controls(gate)
            records.append(baseline.record)
            done += 1
            for fault in faults:
                self._progress(done, total, f"{gate.name}: {fault.name}")
                cells.append(self._cell(gate, baseline, fault))
                done += 1
        subject = self._gates[0].subject
        return Matrix(
            source=subject.source,
            rollout=subject.canary.name,
            namespace=subject.namespace,
            argo_version=str(self._version),
            gatelab_version=distribution_version(),
            seed=self._seed,
            gates=tuple(records),
            faults=tuple(faults),
            cells=tuple(cells),
        )

    def _controls(self, gate: Gate) -> _Baseline:
        probe = self._probe(gate, None)
        good = probe.look(gate.index, Canary.GOOD)
        outcome = outcome_of(good.observations, run_phase=good.run_phase)
        if outcome is not Outcome.PROMOTES:
            raise InvalidInput(
                f"{gate.name} of Rollout {gate.subject.canary.name} does not pass a good canary"
                f" with no fault at all ({outcome}), so what it does under a fault says nothing:"
                f" {_objections(good)}",
                hint="the audit knows the cluster names of mock-newrelic, canary-analyzer and the"
                " Rollout's own Services (docs/guides/fail-open-audit.md)",
            )
        controls = [Control(canary=Canary.GOOD, outcome=outcome, stopped_by=())]
        sees: dict[str, Canary] = {}
        asked = set(good.asked)
        stopped: Canary | None = None
        for canary in BAD:
            sight = probe.look(gate.index, canary)
            asked |= sight.asked
            outcome = outcome_of(sight.observations, run_phase=sight.run_phase)
            stopping = tuple(each.metric for each in sight.observations if not each.passes)
            controls.append(Control(canary=canary, outcome=outcome, stopped_by=stopping))
            for metric in stopping:
                sees.setdefault(metric, canary)
            if stopped is None and outcome is not Outcome.PROMOTES:
                stopped = canary
        record = GateRecord(
            name=gate.name,
            templates=gate.templates,
            metrics=tuple((each.metric, each.provider) for each in good.observations),
            controls=tuple(controls),
            canary=stopped,
        )
        return _Baseline(record=record, sees=sees, asked=frozenset(asked))

    def _cell(self, gate: Gate, baseline: _Baseline, fault: Fault) -> Cell:
        canary = baseline.record.canary
        if canary is None or (fault.target != "gate" and fault.target not in baseline.asked):
            outcome = Outcome.PROMOTES if canary is None else Outcome.ABORTS
            return Cell(fault=fault, gate=gate.name, outcome=outcome, verdict=Verdict.UNTOUCHED)
        probe = self._probe(gate, change_of(fault))
        sight = probe.look(gate.index, canary, fault)
        findings = list(self._findings(sight, baseline, canary, fault))
        others = [name for name, sees in baseline.sees.items() if sees is not canary]
        if others:
            # What only the worse canary shows: is the metric that sees it blind now?
            worse = BAD[-1]
            again = probe.look(gate.index, worse, fault, only=others)
            shown = {each.metric: each for each in self._findings(again, baseline, worse, fault)}
            findings = [shown.get(each.metric, each) for each in findings]
        outcome = outcome_of(sight.observations, run_phase=sight.run_phase)
        return Cell(
            fault=fault,
            gate=gate.name,
            outcome=outcome,
            verdict=verdict_of(fault, outcome, findings),
            message=sight.run_message if not sight.observations else "",
            findings=tuple(findings),
        )

    def _findings(
        self, sight: Sight, baseline: _Baseline, canary: Canary, fault: Fault
    ) -> Iterator[Finding]:
        for seen in sight.observations:
            sees = baseline.sees.get(seen.metric)
            passes = seen.passes and sees is canary
            mechanism, fix = explain(fault, seen, self._version) if passes else ("", "")
            yield Finding(
                metric=seen.metric,
                provider=seen.provider,
                canary=sees,
                phase=str(seen.phase or "Pending"),
                reading=seen.reading,
                passes=passes,
                mechanism=mechanism,
                fix=fix,
            )

    def _probe(self, gate: Gate, change: ChangeKind | None) -> Probe:
        key = (id(gate.subject), change)
        if key not in self._probes:
            self._probes[key] = Probe(
                gate.subject,
                argo_version=self._version,
                folder=self._folder,
                seed=self._seed,
                change=change,
            )
        return self._probes[key]


def _objections(sight: Sight) -> str:
    """Say which metrics object to a good canary."""
    if not sight.observations:
        return sight.run_message
    return "; ".join(
        f"{each.metric} is {each.phase or 'Pending'} ({each.reading or each.message})"
        for each in sight.observations
        if not each.passes
    )
