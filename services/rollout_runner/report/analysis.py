"""AnalysisRuns out of their events: the measurements from the log, the counts from Argo's status.

The log has every measurement, while Argo's status document keeps only the last ones; the status
has the phases and the counts, which nobody should compute twice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rollout_runner.events import (
    AnalysisRunCompleted,
    AnalysisRunStarted,
    MeasurementTaken,
    MetricPlan,
)
from rollout_runner.report.model import AnalysisRunRecord, MeasurementRecord, MetricRecord
from rollout_runner.report.readings import comparison_of, read_value

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "Unknown"


class AnalysisBook:
    """Collects the events of all AnalysisRuns of one run."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}

    def take(self, event: AnalysisRunStarted | MeasurementTaken | AnalysisRunCompleted) -> None:
        """Take in one event; a run whose start is not in the log begins with its first event."""
        if isinstance(event, AnalysisRunStarted):
            self._runs[event.name] = _Run(started=event)
            return
        name = event.analysis_run if isinstance(event, MeasurementTaken) else event.name
        run = self._runs.setdefault(
            name,
            _Run(AnalysisRunStarted(at=event.at, name=name, kind="", templates=(), metrics=())),
        )
        if isinstance(event, MeasurementTaken):
            run.measurements.setdefault(event.metric, []).append(event)
        else:
            run.completed = event

    def records(self) -> tuple[AnalysisRunRecord, ...]:
        """Return what is known of each AnalysisRun, in the order of their starts."""
        return tuple(run.record() for run in self._runs.values())


@dataclass(slots=True)
class _Run:
    started: AnalysisRunStarted
    completed: AnalysisRunCompleted | None = None
    measurements: dict[str, list[MeasurementTaken]] = field(default_factory=dict)

    def record(self) -> AnalysisRunRecord:
        started, completed = self.started, self.completed
        return AnalysisRunRecord(
            name=started.name,
            kind=started.kind,
            templates=started.templates,
            index=started.index,
            args=dict(started.args),
            phase=completed.phase if completed else "Running",
            message=completed.message if completed else "",
            started_at=started.at,
            finished_at=completed.at if completed else None,
            metrics=self._metrics(),
        )

    def _metrics(self) -> tuple[MetricRecord, ...]:
        results = _results(self.completed)
        plans = {plan.name: plan for plan in self.started.metrics}
        for name in (*self.measurements, *results):
            plans.setdefault(name, MetricPlan(name=name, provider=""))
        return tuple(self._metric(plan, results.get(plan.name)) for plan in plans.values())

    def _metric(self, plan: MetricPlan, result: Mapping[str, Any] | None) -> MetricRecord:
        taken = self.measurements.get(plan.name, [])
        counted = Counter(measurement.phase for measurement in taken)
        counts = result or {
            "successful": counted["Successful"],
            "failed": counted["Failed"],
            "inconclusive": counted["Inconclusive"],
            "error": counted["Error"],
        }
        return MetricRecord(
            plan=plan,
            phase=self._phase(result, measured=bool(taken)),
            message=str(counts.get("message", "")),
            successful=int(counts.get("successful", 0)),
            failed=int(counts.get("failed", 0)),
            inconclusive=int(counts.get("inconclusive", 0)),
            error=int(counts.get("error", 0)),
            measurements=tuple(_measurement(plan, measurement) for measurement in taken),
        )

    def _phase(self, result: Mapping[str, Any] | None, *, measured: bool) -> str:
        if result is not None:
            return str(result.get("phase", UNKNOWN))
        if self.completed is None:
            return "Running" if measured else "Pending"
        # Argo has no result for a metric that a sibling's failure cut off before it began.
        return UNKNOWN if measured else "Pending"


def _results(completed: AnalysisRunCompleted | None) -> dict[str, Mapping[str, Any]]:
    """Return Argo's metricResults by name; a status of another shape has none."""
    results = completed.status.get("metricResults") if completed else None
    if not isinstance(results, list):
        return {}
    return {
        str(result["name"]): result
        for result in results
        if isinstance(result, dict) and "name" in result
    }


def _measurement(plan: MetricPlan, event: MeasurementTaken) -> MeasurementRecord:
    comparison = comparison_of(plan.success_condition or plan.failure_condition)
    return MeasurementRecord(
        number=event.number,
        phase=event.phase,
        value=event.value,
        message=event.message,
        started_at=event.started_at,
        finished_at=event.finished_at,
        reading=read_value(comparison, event.value) if comparison else None,
    )
