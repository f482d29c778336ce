"""Values of the runner from recorded inputs of Argo's analysis controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis import (
    AnalysisRunSpec,
    AnalysisRunStatus,
    AnalysisTemplate,
    Argument,
    Metric,
    MetricResult,
    ResolvedRun,
    RunSummary,
)
from rollout_runner.argo.types import Measurement, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout_runner.conformance.record import Record

NOW = 1_770_000_000.0
"""The instant that recorded offsets count from."""
SECRETS = {"web-metric-secret": {"apikey": "12345"}}
"""What Argo's own tests keep in their Secret."""


def metrics_of(record: Record) -> tuple[Metric, ...]:
    """Return the metrics of a record, arguments already in place."""
    return tuple(Metric.from_json(each) for each in record["metrics"])


def bare_run(record: Record) -> ResolvedRun:
    """Return a run around a record's metrics, as the inner functions get it: not validated."""
    metrics = metrics_of(record)
    return ResolvedRun(metrics=metrics, task_metrics=metrics, terminate=record["terminate"])


def args_of(raw: list[dict[str, Any]] | None) -> tuple[Argument, ...]:
    """Return the arguments of a record; Go's nil and empty lists are the same."""
    return tuple(Argument.from_json(each, "args") for each in raw or [])


def arg_to_json(arg: Argument) -> dict[str, Any]:
    """Return an argument as the records write it."""
    fields = {"name": arg.name, "value": arg.value, "valueFrom": arg.value_from}
    return {name: value for name, value in fields.items() if value is not None}


def templates_of(record: Record) -> list[AnalysisTemplate]:
    """Return the templates and cluster templates of a record."""
    return [
        AnalysisTemplate(
            name=each["name"] or "",
            cluster_scope=key == "clusterTemplates",
            spec=AnalysisRunSpec.from_json(each["spec"]),
        )
        for key in ("templates", "clusterTemplates")
        for each in record[key]
    ]


def status_of(raw: Mapping[str, Any]) -> AnalysisRunStatus:
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


def result_of(raw: Mapping[str, Any]) -> MetricResult:
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


def measurement_of(raw: Mapping[str, Any]) -> Measurement:
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


def _instant(raw: Mapping[str, Any], name: str) -> float | None:
    offset = raw.get(f"{name}OffsetSeconds")
    return None if offset is None else NOW + offset
