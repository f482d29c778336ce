"""Replays of the analysis controller's functions, one call each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis import (
    AnalysisError,
    AnalysisRunSpec,
    MeasurementRetention,
    Metric,
    TaskKind,
    begin,
    build_rollout_args,
    finish,
    flatten_templates,
    resolve_run,
    validate_metrics,
)
from rollout_runner.argo.analysis.args import (
    merge_args,
    resolve_args,
    resolve_metric_args,
    resolve_quoted_args,
)
from rollout_runner.argo.analysis.assess import assess_metric, assess_run, exceeded_limit
from rollout_runner.argo.analysis.rollout_args import extract_value
from rollout_runner.argo.analysis.rules import dry_run_metrics, retention_limits
from rollout_runner.argo.analysis.tasks import next_reconcile_at
from rollout_runner.conformance.analysis_records import (
    NOW,
    SECRETS,
    arg_to_json,
    args_of,
    bare_run,
    metrics_of,
    result_of,
    status_of,
    templates_of,
)
from rollout_runner.conformance.record import Check, UnsupportedRecord, each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.conformance.record import Record


def replay_limits(record: Record, _version: ArgoVersion) -> Iterator[Check]:
    """Replay which limit a result exceeds."""
    phase, message = exceeded_limit(Metric.from_json(record["metric"]), result_of(record["result"]))
    yield from each({"phase": phase or "", "message": message}, record["expected"])


def replay_metric_status(record: Record, _version: ArgoVersion) -> Iterator[Check]:
    """Replay the phase of one metric."""
    phase = assess_metric(
        Metric.from_json(record["metric"]),
        result_of(record["result"]),
        terminating=record["terminating"],
    )
    yield from each({"phase": phase}, record["expected"])


def replay_run_status(record: Record, _version: ArgoVersion) -> Iterator[Check]:
    """Replay the phase of a run."""
    before = [result_of(raw) for raw in record["metricResultsBefore"]]
    expected = record["expected"]
    assessment = assess_run(
        metrics_of(record),
        {result.name: result for result in before},
        dry_run={name for name, is_dry in record["dryRunMetrics"].items() if is_dry},
        terminate=record["terminate"],
    )
    values = {
        "phase": assessment.phase,
        "message": assessment.message,
        "runSummary": assessment.run_summary.to_json(),
        "dryRunSummary": assessment.dry_run_summary.to_json(),
        "metricResultsAfter": list(assessment.metric_results),
    }
    after = [result_of(raw) for raw in expected["metricResultsAfter"]]
    yield from each(values, {**expected, "metricResultsAfter": after})


def replay_metric_tasks(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay which metrics are worked on now."""
    # Argo's own function does not look at the run's phase.
    status = replace(status_of(record["status"]), phase=None)
    _, tasks = begin(bare_run(record), status, now=NOW, version=version)
    found = [
        {"metric": task.metric.name, "resume": task.kind is not TaskKind.RUN} for task in tasks
    ]
    yield from each({"tasks": found}, record["expected"])


def replay_next_reconcile(record: Record, _version: ArgoVersion) -> Iterator[Check]:
    """Replay when a run is looked at again."""
    status = status_of(record["status"])
    due = next_reconcile_at(
        metrics_of(record),
        {result.name: result for result in status.metric_results},
        started_at=status.started_at,
        now=NOW,
    )
    seconds = None if due is None else max(0.0, due - NOW)
    yield from each({"inSeconds": seconds}, record["expected"])


def replay_reconcile(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay one whole pass.

    The recording leaves out what the provider answered; it shows in the status after the pass.
    """
    expected = status_of(record["expected"]["status"])
    run = resolve_run(AnalysisRunSpec.from_json(record["spec"]), SECRETS)
    status, tasks = begin(run, status_of(record["statusBefore"]), now=NOW, version=version)
    after = {result.name: result for result in expected.metric_results}
    results = {}
    for task in tasks:
        measurement = after[task.metric.name].measurements[-1]
        message = "" if task.kind is TaskKind.TERMINATE else measurement.message
        results[task.metric.name] = replace(
            measurement, message=message.replace("*****", SECRETS["web-metric-secret"]["apikey"])
        )
    status, _ = finish(
        run,
        status,
        results,
        now=NOW,
        version=version,
        metadata={name: result.metadata for name, result in after.items()},
    )
    yield Check("status", status, expected)


def replay_args(record: Record, _version: ArgoVersion) -> Iterator[Check]:
    """Replay one function on arguments."""
    yield from _by_kind(record, _ARGS)


def replay_templates(record: Record, _version: ArgoVersion) -> Iterator[Check]:
    """Replay one function on templates, rules or metrics."""
    yield from _by_kind(record, _TEMPLATES)


def _by_kind(
    record: Record, kinds: dict[str, Callable[[Record], Iterator[Check]]]
) -> Iterator[Check]:
    kind = record.get("kind")
    if kind not in kinds:
        raise UnsupportedRecord(f"no function for kind {kind!r}")
    yield from kinds[str(kind)](record)


def _outcome(function: Any, *args: Any, **kwargs: Any) -> tuple[Any, str | None]:
    try:
        return function(*args, **kwargs), None
    except AnalysisError as error:
        return None, str(error)


def _resolve_args(record: Record) -> Iterator[Check]:
    output, error = _outcome(resolve_args, record["template"], args_of(record["args"]))
    yield from each({"output": output or "", "error": error}, record["expected"])


def _resolve_quoted_args(record: Record) -> Iterator[Check]:
    output, error = _outcome(resolve_quoted_args, record["template"], args_of(record["args"]))
    yield from each({"output": output or "", "error": error}, record["expected"])


def _resolve_metric_args(record: Record) -> Iterator[Check]:
    metric, error = _outcome(resolve_metric_args, record["metric"], args_of(record["args"]))
    yield from each({"metric": metric, "error": error}, record["expected"])


def _merge_args(record: Record) -> Iterator[Check]:
    merged, error = _outcome(merge_args, args_of(record["incoming"]), args_of(record["template"]))
    # Go tells nil from an empty list; here both are no arguments.
    expected = record["expected"] | {"args": record["expected"]["args"] or []}
    yield from each({"args": [arg_to_json(arg) for arg in merged or []], "error": error}, expected)


def _build_arguments(record: Record) -> Iterator[Check]:
    built, error = _outcome(
        build_rollout_args,
        args_of(record["args"]),
        stable_hash=record["stableHash"],
        latest_hash=record["latestHash"],
        rollout=record["rollout"],
    )
    expected = record["expected"] | {"args": record["expected"]["args"] or []}
    yield from each({"args": [arg_to_json(arg) for arg in built or []], "error": error}, expected)


def _extract_value(record: Record) -> Iterator[Check]:
    output, error = _outcome(extract_value, record["rollout"], record["path"])
    yield from each({"output": output or "", "error": error}, record["expected"])


def _validate_metrics(record: Record) -> Iterator[Check]:
    _, error = _outcome(validate_metrics, metrics_of(record))
    yield from each({"error": error}, record["expected"])


def _flatten_templates(record: Record) -> Iterator[Check]:
    flat, error = _outcome(flatten_templates, templates_of(record))
    spec = record["expected"]["spec"]
    expected = record["expected"] | {
        "spec": None if spec is None else AnalysisRunSpec.from_json(spec)
    }
    yield from each({"spec": flat, "error": error}, expected)


def _dry_run_metrics(record: Record) -> Iterator[Check]:
    rules = [rule["metricName"] for rule in record["dryRun"] or []]
    matched, error = _outcome(dry_run_metrics, rules, record["metrics"])
    yield from each({"matched": sorted(matched or []), "error": error}, record["expected"])


def _retention_metrics(record: Record) -> Iterator[Check]:
    rules = [
        MeasurementRetention(metric_name=rule["metricName"], limit=rule["limit"])
        for rule in record["measurementRetention"] or []
    ]
    limits, error = _outcome(retention_limits, rules, record["metrics"])
    yield from each({"limits": limits or {}, "error": error}, record["expected"])


_ARGS: dict[str, Callable[[Record], Iterator[Check]]] = {
    "buildArguments": _build_arguments,
    "extractValueFromRollout": _extract_value,
    "mergeArgs": _merge_args,
    "resolveArgs": _resolve_args,
    "resolveMetricArgs": _resolve_metric_args,
    "resolveQuotedArgs": _resolve_quoted_args,
}
_TEMPLATES: dict[str, Callable[[Record], Iterator[Check]]] = {
    "dryRunMetrics": _dry_run_metrics,
    "flattenTemplates": _flatten_templates,
    "retentionMetrics": _retention_metrics,
    "validateMetrics": _validate_metrics,
}
