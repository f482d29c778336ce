"""Argo's analysis controller, function by function and in whole runs, against recorded vectors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

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
from rollout_runner.argo.types import ArgoVersion
from vectors.argo_replay_analysis import (
    NOW,
    SECRETS,
    arg_to_json,
    args_of,
    bare_run,
    metrics_of,
    replay,
    result_of,
    status_of,
    templates_of,
    vectors,
)

TIMER_SECONDS = 1e-6  # a timer fires just after the due time: the next representable instant


def _outcome(function: Any, *args: Any, **kwargs: Any) -> tuple[Any, str | None]:
    try:
        return function(*args, **kwargs), None
    except AnalysisError as error:
        return None, str(error)


@pytest.mark.parametrize("vector", vectors("analysis_limits"))
def test_limits(vector: dict[str, Any]) -> None:
    """The limit that is exceeded gives Argo's phase and message."""
    phase, message = exceeded_limit(Metric.from_json(vector["metric"]), result_of(vector["result"]))
    assert {"phase": phase or "", "message": message} == vector["expected"]


@pytest.mark.parametrize("vector", vectors("analysis_metric_status"))
def test_metric_status(vector: dict[str, Any]) -> None:
    """A metric's counters give Argo's phase."""
    phase = assess_metric(
        Metric.from_json(vector["metric"]),
        result_of(vector["result"]),
        terminating=vector["terminating"],
    )
    assert phase == vector["expected"]["phase"]


@pytest.mark.parametrize("vector", vectors("analysis_run_status"))
def test_run_status(vector: dict[str, Any]) -> None:
    """Metric results give Argo's run phase, message, summaries and updated results."""
    before = [result_of(each) for each in vector["metricResultsBefore"]]
    expected = vector["expected"]
    assessment = assess_run(
        metrics_of(vector),
        {each.name: each for each in before},
        dry_run={name for name, is_dry in vector["dryRunMetrics"].items() if is_dry},
        terminate=vector["terminate"],
    )
    assert assessment.phase == expected["phase"]
    assert assessment.message == expected["message"]
    assert assessment.run_summary.to_json() == expected["runSummary"]
    assert assessment.dry_run_summary.to_json() == expected["dryRunSummary"]
    assert list(assessment.metric_results) == [
        result_of(each) for each in expected["metricResultsAfter"]
    ]


@pytest.mark.parametrize("vector", vectors("analysis_metric_tasks"))
def test_metric_tasks(vector: dict[str, Any]) -> None:
    """The metrics that Argo works on now are worked on, in its order."""
    # Argo's own function does not look at the run's phase.
    status = replace(status_of(vector["status"]), phase=None)
    _, tasks = begin(bare_run(vector), status, now=NOW, version=ArgoVersion.V1_10)
    assert [
        {"metric": each.metric.name, "resume": each.kind is not TaskKind.RUN} for each in tasks
    ] == vector["expected"]["tasks"]


@pytest.mark.parametrize("vector", vectors("analysis_next_reconcile"))
def test_next_reconcile(vector: dict[str, Any]) -> None:
    """A run is looked at again when Argo would."""
    status = status_of(vector["status"])
    due = next_reconcile_at(
        metrics_of(vector),
        {each.name: each for each in status.metric_results},
        started_at=status.started_at,
        now=NOW,
    )
    seconds = None if due is None else max(0.0, due - NOW)
    assert seconds == vector["expected"]["inSeconds"]


@pytest.mark.parametrize("vector", vectors("analysis_reconcile"))
def test_reconcile(vector: dict[str, Any]) -> None:
    """One whole pass turns the status before into Argo's status after."""
    expected = status_of(vector["expected"]["status"])
    run = resolve_run(AnalysisRunSpec.from_json(vector["spec"]), SECRETS)
    status, tasks = begin(
        run, status_of(vector["statusBefore"]), now=NOW, version=ArgoVersion.V1_10
    )
    # What the recorded provider answered shows in the status after the pass.
    after = {each.name: each for each in expected.metric_results}
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
        version=ArgoVersion.V1_10,
        metadata={name: each.metadata for name, each in after.items()},
    )
    assert status == expected


@pytest.mark.parametrize("vector", vectors("args_unit", "resolveArgs"))
def test_resolve_args(vector: dict[str, Any]) -> None:
    """Tags are replaced by values as Argo does."""
    output, error = _outcome(resolve_args, vector["template"], args_of(vector["args"]))
    assert {"output": output or "", "error": error} == vector["expected"]


@pytest.mark.parametrize("vector", vectors("args_unit", "resolveQuotedArgs"))
def test_resolve_quoted_args(vector: dict[str, Any]) -> None:
    """Values are quoted as Go quotes them."""
    output, error = _outcome(resolve_quoted_args, vector["template"], args_of(vector["args"]))
    assert {"output": output or "", "error": error} == vector["expected"]


@pytest.mark.parametrize("vector", vectors("args_unit", "resolveMetricArgs"))
def test_resolve_metric_args(vector: dict[str, Any]) -> None:
    """A metric's tags are replaced through its JSON text."""
    metric, error = _outcome(resolve_metric_args, vector["metric"], args_of(vector["args"]))
    assert {"metric": metric, "error": error} == vector["expected"]


@pytest.mark.parametrize("vector", vectors("args_unit", "mergeArgs"))
def test_merge_args(vector: dict[str, Any]) -> None:
    """Values given for a run override the template's defaults."""
    merged, error = _outcome(merge_args, args_of(vector["incoming"]), args_of(vector["template"]))
    assert error == vector["expected"]["error"]
    # Go tells nil from an empty list; here both are no arguments.
    assert [arg_to_json(each) for each in merged or []] == (vector["expected"]["args"] or [])


@pytest.mark.parametrize("vector", vectors("args_unit", "buildArguments"))
def test_build_arguments(vector: dict[str, Any]) -> None:
    """A Rollout's arguments become plain values."""
    built, error = _outcome(
        build_rollout_args,
        args_of(vector["args"]),
        stable_hash=vector["stableHash"],
        latest_hash=vector["latestHash"],
        rollout=vector["rollout"],
    )
    assert {"args": [arg_to_json(each) for each in built], "error": error} == vector["expected"]


@pytest.mark.parametrize("vector", vectors("args_unit", "extractValueFromRollout"))
def test_extract_value(vector: dict[str, Any]) -> None:
    """A field path leads into the Rollout, or fails with Argo's message."""
    output, error = _outcome(extract_value, vector["rollout"], vector["path"])
    assert {"output": output or "", "error": error} == vector["expected"]


@pytest.mark.parametrize("vector", vectors("templates_unit", "validateMetrics"))
def test_validate_metrics(vector: dict[str, Any]) -> None:
    """Metrics are accepted or refused with Argo's message."""
    _, error = _outcome(validate_metrics, metrics_of(vector))
    assert error == vector["expected"]["error"]


@pytest.mark.parametrize("vector", vectors("templates_unit", "flattenTemplates"))
def test_flatten_templates(vector: dict[str, Any]) -> None:
    """Several templates become one, or clash with Argo's message."""
    flat, error = _outcome(flatten_templates, templates_of(vector))
    assert error == vector["expected"]["error"]
    spec = vector["expected"]["spec"]
    assert flat == (None if spec is None else AnalysisRunSpec.from_json(spec))


@pytest.mark.parametrize("vector", vectors("templates_unit", "dryRunMetrics"))
def test_dry_run_metrics(vector: dict[str, Any]) -> None:
    """Dry-run rules select the metrics that Argo selects."""
    rules = [each["metricName"] for each in vector["dryRun"] or []]
    matched, error = _outcome(dry_run_metrics, rules, vector["metrics"])
    assert {"matched": sorted(matched or []), "error": error} == vector["expected"]


@pytest.mark.parametrize("vector", vectors("templates_unit", "retentionMetrics"))
def test_retention_metrics(vector: dict[str, Any]) -> None:
    """Retention rules set the limits that Argo sets."""
    rules = [
        MeasurementRetention(metric_name=each["metricName"], limit=each["limit"])
        for each in vector["measurementRetention"] or []
    ]
    limits, error = _outcome(retention_limits, rules, vector["metrics"])
    assert {"limits": limits or {}, "error": error} == vector["expected"]


@pytest.mark.parametrize("scenario", vectors("executed_run_scenarios"))
def test_run_scenario(scenario: dict[str, Any]) -> None:
    """A whole run through virtual time ends as in the real controller, at the same time."""
    outcome = replay(scenario)
    expected = dict(scenario["expected"])
    starts, expected_starts = (each.pop("measurementStartSeconds") for each in (outcome, expected))
    assert outcome == expected
    assert starts.keys() == expected_starts.keys()
    for name, instants in expected_starts.items():
        assert len(starts[name]) == len(instants)
        assert all(
            math.isclose(ours, theirs, abs_tol=TIMER_SECONDS)
            for ours, theirs in zip(starts[name], instants, strict=True)
        )
