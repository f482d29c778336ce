"""Reading the recorded vectors of Argo's analysis controller, and replaying whole runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rollout_runner.argo.analysis import (
    AnalysisRunSpec,
    AnalysisRunStatus,
    AnalysisTemplate,
    Argument,
    Metric,
    MetricResult,
    MetricTask,
    ResolvedRun,
    RunSummary,
    TaskKind,
    begin,
    finish,
    resolve_run,
)
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase

NOW = 1_770_000_000.0
SECRETS = {"web-metric-secret": {"apikey": "12345"}}
PHASES = {
    "S": Phase.SUCCESSFUL,
    "F": Phase.FAILED,
    "I": Phase.INCONCLUSIVE,
    "E": Phase.ERROR,
    "R": Phase.RUNNING,
}
_FOLDER = Path(__file__).parent / "argo"


def vectors(name: str, kind: str | None = None) -> list[Any]:
    """Return the vectors of a file as parameters named by their id, perhaps of one kind only."""
    document = json.loads((_FOLDER / f"{name}.json").read_text())
    assert len(document["vectors"]) == document["count"]
    chosen = [each for each in document["vectors"] if kind in {None, each.get("kind")}]
    assert chosen
    return [pytest.param(each, id=each["id"]) for each in chosen]


def metrics_of(vector: dict[str, Any]) -> tuple[Metric, ...]:
    """Return the metrics of a vector, arguments already in place."""
    return tuple(Metric.from_json(each) for each in vector["metrics"])


def bare_run(vector: dict[str, Any]) -> ResolvedRun:
    """Return a run around a vector's metrics, as the inner functions get it: not validated."""
    metrics = metrics_of(vector)
    return ResolvedRun(metrics=metrics, task_metrics=metrics, terminate=vector["terminate"])


def args_of(raw: list[dict[str, Any]] | None) -> tuple[Argument, ...]:
    """Return the arguments of a vector; Go's nil and empty lists are the same."""
    return tuple(Argument.from_json(each, "args") for each in raw or [])


def arg_to_json(arg: Argument) -> dict[str, Any]:
    """Return an argument as the vectors write it."""
    fields = {"name": arg.name, "value": arg.value, "valueFrom": arg.value_from}
    return {name: value for name, value in fields.items() if value is not None}


def templates_of(vector: dict[str, Any]) -> list[AnalysisTemplate]:
    """Return the templates and cluster templates of a vector."""
    return [
        AnalysisTemplate(
            name=each["name"] or "",
            cluster_scope=key == "clusterTemplates",
            spec=AnalysisRunSpec.from_json(each["spec"]),
        )
        for key in ("templates", "clusterTemplates")
        for each in vector[key]
    ]


def status_of(raw: dict[str, Any]) -> AnalysisRunStatus:
    """Read a recorded status, whose instants are offsets from NOW."""
    dry_run_summary = raw.get("dryRunSummary")
    return AnalysisRunStatus(
        phase=_phase(raw["phase"]),
        message=raw.get("message", ""),
        metric_results=tuple(result_of(each) for each in raw.get("metricResults", [])),
        started_at=_instant(raw, "startedAt"),
        completed_at=_instant(raw, "completedAt"),
        run_summary=RunSummary(**raw["runSummary"]),
        dry_run_summary=None if dry_run_summary is None else RunSummary(**dry_run_summary),
    )


def result_of(raw: dict[str, Any]) -> MetricResult:
    """Read a recorded metric result."""
    counters = ("count", "successful", "failed", "inconclusive", "error")
    return MetricResult(
        name=raw["name"],
        phase=_phase(raw["phase"]),
        message=raw.get("message", ""),
        measurements=tuple(measurement_of(each) for each in raw.get("measurements", [])),
        **{name: raw.get(name, 0) for name in counters},
        consecutive_error=raw.get("consecutiveError", 0),
        consecutive_success=raw.get("consecutiveSuccess", 0),
        dry_run=raw.get("dryRun", False),
        metadata=raw.get("metadata", {}),
    )


def measurement_of(raw: dict[str, Any]) -> Measurement:
    """Read a recorded measurement."""
    return Measurement(
        phase=Phase(raw["phase"]),
        message=raw.get("message", ""),
        value=raw.get("value", ""),
        started_at=_instant(raw, "startedAt"),
        finished_at=_instant(raw, "finishedAt"),
        resume_at=_instant(raw, "resumeAt"),
    )


def _phase(text: str) -> Phase | None:
    return Phase(text) if text else None


def _instant(raw: dict[str, Any], name: str) -> float | None:
    offset = raw.get(f"{name}OffsetSeconds")
    return None if offset is None else NOW + offset


@dataclass
class ScriptedProvider:
    """Answers tasks from the script of a scenario and remembers when measurements began."""

    scenario: dict[str, Any]
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
                return Measurement(phase=PHASES[step["then"]], started_at=started_at)
            case TaskKind.TERMINATE:
                return Measurement(phase=PHASES[step["onTerminate"]], started_at=started_at)
            case TaskKind.RUN:
                phase = PHASES[step["phase"]]
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
                {"phase": each, "message": "provider error" if each == "E" else ""}
                for each in self.scenario["measurements"][name]
            ]
        step: dict[str, Any] = steps[min(self.taken[name], len(steps)) - 1]
        return step


def replay(scenario: dict[str, Any]) -> dict[str, Any]:
    """Run a scenario to its end through virtual time; return what the vectors expect."""
    provider = ScriptedProvider(scenario)
    run = resolve_run(AnalysisRunSpec.from_json(scenario["spec"]), SECRETS)
    status = AnalysisRunStatus()
    stop_at = scenario["terminateAtSeconds"]
    now, version = NOW, ArgoVersion.V1_10
    for _ in range(1000):
        if stop_at is not None and now >= NOW + stop_at:
            run = run.terminated()
        status, tasks = begin(run, status, now=now, version=version)
        results = {each.metric.name: provider.perform(each, now) for each in tasks}
        status, next_at = finish(run, status, results, now=now, version=version)
        if status.completed:
            return _outcome(status, provider)
        waits = [] if next_at is None else [next_at]
        if stop_at is not None and not run.terminate:
            waits.append(NOW + stop_at)
        assert waits, "the run waits for nothing"
        assert min(waits) >= now
        now = min(waits)
    raise AssertionError("the run does not end")


def _outcome(status: AnalysisRunStatus, provider: ScriptedProvider) -> dict[str, Any]:
    dry_run_summary = status.dry_run_summary
    return {
        "completedAtSeconds": None if status.completed_at is None else status.completed_at - NOW,
        "dryRunSummary": None if dry_run_summary is None else dry_run_summary.to_json(),
        "measurementStartSeconds": provider.starts,
        "message": status.message,
        "metricResults": [
            {
                "consecutiveError": each.consecutive_error,
                "consecutiveSuccess": each.consecutive_success,
                "count": each.count,
                "dryRun": each.dry_run,
                "error": each.error,
                "failed": each.failed,
                "inconclusive": each.inconclusive,
                "message": each.message,
                "name": each.name,
                "phase": each.phase,
                "retainedMeasurementPhases": [one.phase for one in each.measurements],
                "successful": each.successful,
            }
            for each in sorted(status.metric_results, key=lambda result: result.name)
        ],
        "phase": status.phase,
        "runSummary": status.run_summary.to_json(),
    }
