"""Replay of whole AnalysisRuns through virtual time, with scripted measurements."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis import (
    AnalysisRunSpec,
    AnalysisRunStatus,
    MetricTask,
    TaskKind,
    begin,
    finish,
    resolve_run,
)
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.conformance.analysis_records import NOW, SECRETS
from rollout_runner.conformance.record import Check, Record, each, of_version

if TYPE_CHECKING:
    from collections.abc import Iterator


_PHASES = {
    "S": Phase.SUCCESSFUL,
    "F": Phase.FAILED,
    "I": Phase.INCONCLUSIVE,
    "E": Phase.ERROR,
    "R": Phase.RUNNING,
}
_TIMER_SECONDS = 1e-6
"""A timer fires just after the due time: the next representable instant."""
_MAX_PASSES = 100_000


def replay_scenario(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay a scenario to its end: the outcome, and when each measurement began."""
    outcome = run_scenario(record, version)
    expected = dict(of_version(record, version))
    starts = {name: _Instants(instants) for name, instants in outcome.pop("starts").items()}
    wanted = expected.pop("measurementStartSeconds", starts)
    yield from each(outcome, expected)
    yield Check("measurementStartSeconds", starts, wanted)


class _Instants(list[float]):
    """Instants that agree with others when all are the same but for a timer's lateness."""

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, list)
            and len(self) == len(other)
            and all(
                math.isclose(ours, theirs, abs_tol=_TIMER_SECONDS)
                for ours, theirs in zip(self, other, strict=True)
            )
        )

    __hash__ = None


@dataclass
class _ScriptedProvider:
    """Answers tasks from the script of a scenario and remembers when measurements began."""

    scenario: Record
    starts: dict[str, list[float]] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)

    def perform(self, task: MetricTask, now: float) -> Measurement:
        """Return the measurement that the script has for the task."""
        name = task.metric.name
        broken = (self.scenario["providerError"] or {}).get(name)
        if broken is not None:
            return Measurement(phase=Phase.ERROR, message=broken, started_at=now)
        if task.kind is TaskKind.RUN:
            self.taken[name] = self.taken.get(name, 0) + 1
            self.starts.setdefault(name, []).append(now - NOW)
        step = self._step(name)
        started_at = now if task.measurement is None else task.measurement.started_at
        match task.kind:
            case TaskKind.RESUME:
                return Measurement(phase=_PHASES[step["then"]], started_at=started_at)
            case TaskKind.TERMINATE:
                return Measurement(phase=_PHASES[step["onTerminate"]], started_at=started_at)
            case TaskKind.RUN:
                phase = _PHASES[step["phase"]]
                return Measurement(
                    phase=phase,
                    message=step.get("message", ""),
                    started_at=started_at,
                    resume_at=now + step["resumeAfter"] if phase is Phase.RUNNING else None,
                )

    def _step(self, name: str) -> dict[str, Any]:
        steps = self.scenario["resumableMeasurements"].get(name)
        if steps is None:
            steps = [
                {"phase": letter, "message": "provider error" if letter == "E" else ""}
                for letter in self.scenario["measurements"][name]
            ]
        step: dict[str, Any] = steps[min(self.taken[name], len(steps)) - 1]
        return step


def run_scenario(scenario: Record, version: ArgoVersion) -> dict[str, Any]:
    """Run a scenario to its end through virtual time; return what the records expect."""
    provider = _ScriptedProvider(scenario)
    run = resolve_run(AnalysisRunSpec.from_json(scenario["spec"]), SECRETS)
    status = AnalysisRunStatus()
    stop_at = scenario["terminateAtSeconds"]
    now = NOW
    for _ in range(_MAX_PASSES):
        if stop_at is not None and now >= NOW + stop_at:
            run = run.terminated()
        status, tasks = begin(run, status, now=now, version=version)
        results = {task.metric.name: provider.perform(task, now) for task in tasks}
        status, next_at = finish(run, status, results, now=now, version=version)
        if status.completed:
            return _outcome(status, provider)
        waits = [] if next_at is None else [next_at]
        if stop_at is not None and not run.terminate:
            waits.append(NOW + stop_at)
        now = min(waits)
    raise ValueError(f"the run has no end after {_MAX_PASSES} passes")


def _outcome(status: AnalysisRunStatus, provider: _ScriptedProvider) -> dict[str, Any]:
    dry_run_summary = status.dry_run_summary
    return {
        "completedAtSeconds": None if status.completed_at is None else status.completed_at - NOW,
        "dryRunSummary": None if dry_run_summary is None else dry_run_summary.to_json(),
        "starts": provider.starts,
        "message": status.message,
        "metricResults": [
            {
                "consecutiveError": result.consecutive_error,
                "consecutiveSuccess": result.consecutive_success,
                "count": result.count,
                "dryRun": result.dry_run,
                "error": result.error,
                "failed": result.failed,
                "inconclusive": result.inconclusive,
                "message": result.message,
                "name": result.name,
                "phase": result.phase,
                "retainedMeasurementPhases": [one.phase for one in result.measurements],
                "successful": result.successful,
            }
            for result in sorted(status.metric_results, key=lambda one: one.name)
        ],
        "phase": status.phase,
        "runSummary": status.run_summary.to_json(),
    }
