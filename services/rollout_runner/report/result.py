"""The result document of a run: stable keys for scripts, in camelCase."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rollout_runner.report.narrative import versions
from rollout_runner.report.wording import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from rollout_runner.events import Revision
    from rollout_runner.report.model import (
        AnalysisRunRecord,
        MetricRecord,
        Rollback,
        RunReport,
        StepRecord,
    )
    from rollout_runner.report.traffic import Counts


def result_document(report: RunReport) -> dict[str, Any]:
    """Return the result as plain values.

    `weights` are the canary's weights in percent, in order; `weightChanges` has their times.
    Times are RFC 3339 in UTC, durations virtual seconds, error rates percent or null.
    """
    meta = report.meta
    return {
        "outcome": report.outcome.value,
        "phase": report.phase,
        "message": report.message,
        "abortedAtStep": report.aborted_at_step,
        "steps": [_step(step) for step in report.steps],
        "analysisRuns": [_analysis_run(run) for run in report.analysis_runs],
        "weights": [change.weight for change in report.weights],
        "startedAt": timestamp(report.started_at),
        "finishedAt": _optional(report.finished_at),
        "durationSeconds": round(report.duration_seconds, 3),
        "rollout": meta.rollout,
        "namespace": meta.namespace,
        "strategy": meta.strategy,
        "stable": _revision(meta.stable),
        "canary": _revision(meta.canary),
        "argoVersion": meta.argo_version,
        "speed": meta.speed,
        "seed": meta.seed,
        "scenario": meta.scenario,
        "weightChanges": [{"weight": c.weight, "at": timestamp(c.at)} for c in report.weights],
        "traffic": _traffic(report),
        "rollback": _rollback(report.rollback),
        "downtimeSeconds": report.traffic.downtime_seconds(),
        "warnings": list(report.warnings),
        "lostProcesses": [
            {"name": lost.name, "exitCode": lost.exit_code, "at": timestamp(lost.at)}
            for lost in report.lost_processes
        ],
    }


def render_json(report: RunReport) -> str:
    """Return the result document as indented JSON with a final newline."""
    return json.dumps(result_document(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _step(step: StepRecord) -> dict[str, Any]:
    return {
        "index": step.index,
        "kind": step.kind,
        "text": step.text,
        "state": step.state.value,
        "startedAt": _optional(step.started_at),
        "finishedAt": _optional(step.finished_at),
        "durationSeconds": _rounded(step.duration_seconds),
        "weight": step.weight,
        "analysisRun": step.analysis_run,
        "canary": _counts(step.canary),
        "stable": _counts(step.stable),
    }


def _analysis_run(run: AnalysisRunRecord) -> dict[str, Any]:
    return {
        "name": run.name,
        "phase": run.phase,
        "template": run.template,
        "metrics": [_metric(metric) for metric in run.metrics],
        "message": run.message,
        "kind": run.kind,
        "index": run.index,
        "args": dict(run.args),
        "startedAt": timestamp(run.started_at),
        "finishedAt": _optional(run.finished_at),
    }


def _metric(metric: MetricRecord) -> dict[str, Any]:
    plan = metric.plan
    return {
        "name": plan.name,
        "phase": metric.phase,
        "count": metric.count,
        "successful": metric.successful,
        "failed": metric.failed,
        "inconclusive": metric.inconclusive,
        "error": metric.error,
        "measurements": [
            {
                "phase": measurement.phase,
                "value": measurement.value,
                "startedAt": timestamp(measurement.started_at),
                "finishedAt": timestamp(measurement.finished_at),
                "message": measurement.message,
            }
            for measurement in metric.measurements
        ],
        "message": metric.message,
        "provider": plan.provider,
        "plannedCount": plan.count,
        "interval": plan.interval,
        "failureLimit": plan.failure_limit,
        "successCondition": plan.success_condition,
        "failureCondition": plan.failure_condition,
        "dryRun": plan.dry_run,
    }


def _traffic(report: RunReport) -> list[dict[str, Any]]:
    observed = report.traffic.totals
    return [
        {"hash": hash_, "role": report.meta.role(hash_), "version": report.meta.version(hash_)}
        | (_counts(observed.get(hash_)) or {"requests": 0, "errors": 0, "errorRate": None})
        for hash_ in versions(report)
    ]


def _rollback(rollback: Rollback | None) -> dict[str, Any] | None:
    if rollback is None:
        return None
    return {
        "firstEvidenceAt": timestamp(rollback.first_evidence_at),
        "decidedAt": timestamp(rollback.decided_at),
        "weightBefore": rollback.weight_before,
        "weightZeroAt": _optional(rollback.weight_zero_at),
        "canaryScaledDownAt": _optional(rollback.canary_scaled_down_at),
        "seconds": _rounded(rollback.seconds),
    }


def _revision(revision: Revision) -> dict[str, Any]:
    return {
        "hash": revision.hash,
        "version": revision.version,
        "revision": revision.revision,
        "image": revision.image,
    }


def _counts(counts: Counts | None) -> dict[str, Any] | None:
    if counts is None:
        return None
    return {
        "requests": counts.requests,
        "errors": counts.errors,
        "errorRate": _rounded(counts.error_rate),
    }


def _optional(at: datetime | None) -> str | None:
    return timestamp(at) if at is not None else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
