"""Passes over a run: what the recorded vectors do not show."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rollout_runner.argo.analysis import (
    AnalysisRunSpec,
    AnalysisRunStatus,
    MetricResult,
    ResolvedRun,
    TaskKind,
    begin,
    finish,
    resolve_run,
)
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase

SECRET_ARG = {"name": "key", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}}
V1_8, V1_9, V1_10 = ArgoVersion.V1_8, ArgoVersion.V1_9, ArgoVersion.V1_10


def a_metric(name: str = "m", **fields: Any) -> dict[str, Any]:
    """Return a raw metric with a web provider."""
    return {"name": name, "provider": {"web": {"url": "http://x"}}, **fields}


def a_run(
    *metrics: dict[str, Any], secrets: dict[str, dict[str, str]] | None = None, **spec: Any
) -> ResolvedRun:
    """Return a resolved run."""
    return resolve_run(AnalysisRunSpec.from_json({"metrics": list(metrics), **spec}), secrets or {})


def a_pass(
    run: ResolvedRun,
    status: AnalysisRunStatus,
    measurement: Measurement,
    *,
    now: float,
    version: ArgoVersion = V1_10,
) -> tuple[AnalysisRunStatus, float | None]:
    """Make one pass in which every task gets the same measurement."""
    status, tasks = begin(run, status, now=now, version=version)
    results = {task.metric.name: measurement for task in tasks}
    return finish(run, status, results, now=now, version=version)


def in_flight(**fields: Any) -> AnalysisRunStatus:
    """Return the status of a run whose metric m has a measurement in flight."""
    measurement = Measurement(phase=Phase.RUNNING, started_at=0.0, **fields)
    result = MetricResult(name="m", phase=Phase.RUNNING, measurements=(measurement,))
    return AnalysisRunStatus(phase=Phase.RUNNING, metric_results=(result,), started_at=0.0)


def test_instants_are_cut() -> None:
    """Every instant that a pass records is a whole second."""
    status, _ = a_pass(
        a_run(a_metric()),
        AnalysisRunStatus(),
        Measurement(phase=Phase.SUCCESSFUL, started_at=10.4),
        now=10.9,
    )
    (measurement,) = status.metric_results[0].measurements
    assert (measurement.started_at, measurement.finished_at) == (10.0, 10.0)
    assert (status.started_at, status.completed_at) == (10.0, 10.0)


def test_interval_counts_from_the_cut_end() -> None:
    """The next measurement is due an interval after the cut end, so up to a second early."""
    run = a_run(a_metric(interval="5s"))
    _, next_at = a_pass(run, AnalysisRunStatus(), Measurement(phase=Phase.SUCCESSFUL), now=10.9)
    assert next_at == math.nextafter(15.0, math.inf)


def test_next_pass_always_has_work() -> None:
    """At the due time itself nothing is measured, at the announced instant it is."""
    run = a_run(a_metric(interval="10s"))
    status, next_at = a_pass(
        run, AnalysisRunStatus(), Measurement(phase=Phase.SUCCESSFUL), now=1.77e9
    )
    assert next_at is not None
    assert begin(run, status, now=1.77e9 + 10, version=V1_10)[1] == ()
    assert len(begin(run, status, now=next_at, version=V1_10)[1]) == 1


def test_slow_provider_end() -> None:
    """A provider's own end of the measurement is kept."""
    run = a_run(a_metric(interval="10s"))
    status, _ = a_pass(
        run,
        AnalysisRunStatus(),
        Measurement(phase=Phase.SUCCESSFUL, started_at=0.0, finished_at=3.0),
        now=4.0,
    )
    assert status.metric_results[0].measurements[0].finished_at == 3.0


def test_bad_sibling_starts_a_pass_at_once() -> None:
    """When a metric goes bad, the pass that ends the run follows immediately."""
    run = a_run(a_metric("a"), a_metric("b", initialDelay="5m"))
    status, next_at = a_pass(run, AnalysisRunStatus(), Measurement(phase=Phase.FAILED), now=7.0)
    assert (status.phase, next_at) == (Phase.RUNNING, 7.0)
    status, next_at = a_pass(run, status, Measurement(phase=Phase.FAILED), now=7.0)
    assert (status.phase, next_at) == (Phase.FAILED, None)


def test_secret_reaches_providers_only() -> None:
    """Providers get the Secret's value; checks and assessment see a placeholder."""
    run = a_run(
        a_metric(successCondition="{{args.key}}"),
        args=[SECRET_ARG],
        secrets={"api": {"token": "hush"}},
    )
    assert run.metrics[0].success_condition == "temp-for-secret"
    assert run.task_metrics[0].success_condition == "hush"
    _, tasks = begin(run, AnalysisRunStatus(), now=0.0, version=V1_10)
    assert tasks[0].metric is run.task_metrics[0]


def test_secret_is_masked_in_messages_only() -> None:
    """A Secret's value is masked in the message of a measurement, not in its value."""
    run = a_run(a_metric(), args=[SECRET_ARG], secrets={"api": {"token": "hush"}})
    status, _ = a_pass(
        run,
        AnalysisRunStatus(),
        Measurement(phase=Phase.FAILED, message="said hush, hush", value="hush"),
        now=0.0,
    )
    assert status.metric_results[0].measurements[0].message == "said *****, *****"
    assert status.metric_results[0].measurements[0].value == "hush"
    assert status.message.endswith('"Error Message: said *****, *****"')


def test_plain_argument_is_not_masked() -> None:
    """Only values that come from Secrets are masked."""
    run = a_run(
        a_metric(),
        args=[{"name": "x", "value": "open", "valueFrom": {"fieldRef": {"fieldPath": "a"}}}],
    )
    assert (run.error, run.secret_values) == ("", ())


def test_empty_secret_masks_nothing() -> None:
    """An empty Secret does not scatter masks through messages."""
    run = a_run(a_metric(), args=[SECRET_ARG], secrets={"api": {"token": ""}})
    assert run.secret_values == ()


def test_secret_wins_over_value() -> None:
    """An argument with both a value and a Secret has the Secret's value."""
    run = a_run(
        a_metric(successCondition="{{args.key}}"),
        args=[{**SECRET_ARG, "value": "plain"}],
        secrets={"api": {"token": "hush"}},
    )
    assert run.task_metrics[0].success_condition == "hush"


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        pytest.param({}, 'secrets "api" not found', id="secret"),
        pytest.param({"api": {}}, "key 'token' does not exist in secret 'api'", id="key"),
    ],
)
def test_missing_secret(secrets: dict[str, dict[str, str]], message: str) -> None:
    """A missing Secret or key ends the whole run, without a completion time or summary."""
    run = a_run(a_metric(), args=[SECRET_ARG], secrets=secrets)
    status, tasks = begin(run, AnalysisRunStatus(), now=0.0, version=V1_10)
    assert tasks == ()
    assert status == AnalysisRunStatus(
        phase=Phase.ERROR, message=f"Unable to resolve metric arguments: {message}"
    )
    assert finish(run, status, {}, now=0.0, version=V1_10) == (status, None)


@pytest.mark.parametrize(
    ("version", "kinds"),
    [
        pytest.param(V1_8, [], id="1.8-waits"),
        pytest.param(V1_9, [], id="1.9-waits"),
        pytest.param(V1_10, [TaskKind.TERMINATE], id="1.10-at-once"),
    ],
)
def test_terminating_in_flight(version: ArgoVersion, kinds: list[TaskKind]) -> None:
    """Up to 1.9 a measurement in flight is terminated only when it would be resumed."""
    run = a_run(a_metric()).terminated()
    _, tasks = begin(run, in_flight(resume_at=100.0), now=50.0, version=version)
    assert [task.kind for task in tasks] == kinds


@pytest.mark.parametrize("version", [V1_9, V1_10])
def test_in_flight_without_resume_time(version: ArgoVersion) -> None:
    """A measurement in flight without resume time is resumed in every pass, never waited for."""
    run = a_run(a_metric())
    running = Measurement(phase=Phase.RUNNING, started_at=0.0)
    status, tasks = begin(run, in_flight(), now=50.0, version=version)
    assert [(task.kind, task.measurement) for task in tasks] == [(TaskKind.RESUME, running)]
    assert finish(run, status, {"m": running}, now=50.0, version=version)[1] is None


def test_resumed_measurement_replaces_the_one_in_flight() -> None:
    """A measurement that stays in flight is one measurement, and counts only at its end."""
    run = a_run(a_metric())
    status, next_at = a_pass(
        run,
        in_flight(resume_at=50.0),
        Measurement(phase=Phase.RUNNING, started_at=0.0, resume_at=60.0),
        now=50.0,
    )
    (result,) = status.metric_results
    assert (len(result.measurements), result.count, status.phase) == (1, 0, Phase.RUNNING)
    assert next_at == math.nextafter(60.0, math.inf)


@pytest.mark.parametrize(
    ("version", "phase", "message"),
    [
        pytest.param(V1_9, Phase.SUCCESSFUL, "Metric Terminated", id="1.9-successful"),
        pytest.param(V1_9, Phase.INCONCLUSIVE, "mine", id="1.9-inconclusive"),
        pytest.param(V1_10, Phase.INCONCLUSIVE, "Metric Terminated", id="1.10-inconclusive"),
        pytest.param(V1_10, Phase.ERROR, "mine", id="error"),
    ],
)
def test_terminated_message(version: ArgoVersion, phase: Phase, message: str) -> None:
    """A terminated measurement says so, unless it ended in an error."""
    status, _ = a_pass(
        a_run(a_metric()).terminated(),
        in_flight(),
        Measurement(phase=phase, message="mine"),
        now=50.0,
        version=version,
    )
    assert status.metric_results[0].measurements[0].message == message


def test_negative_count_ends_at_once() -> None:
    """A negative count is not refused and is reached after the first measurement."""
    status, _ = a_pass(
        a_run(a_metric(count=-1)), AnalysisRunStatus(), Measurement(phase=Phase.ERROR), now=0.0
    )
    assert status.phase is Phase.SUCCESSFUL


def test_metadata_is_taken_once() -> None:
    """What a provider tells about a metric is kept from the first measurement."""
    run = a_run(a_metric(interval="1s"))
    measurement = {"m": Measurement(phase=Phase.SUCCESSFUL)}
    status = AnalysisRunStatus()
    for now, query in ((0.0, "first"), (2.0, "second")):
        status, _ = finish(
            run, status, measurement, now=now, version=V1_10, metadata={"m": {"query": query}}
        )
    assert status.metric_results[0].metadata == {"query": "first"}


def test_result_for_unknown_metric() -> None:
    """A result that no metric asked for is a fault of the caller, not ignored."""
    with pytest.raises(ValueError, match=r"no metric named other"):
        finish(
            a_run(a_metric()),
            AnalysisRunStatus(),
            {"m": Measurement(phase=Phase.ERROR), "other": Measurement(phase=Phase.ERROR)},
            now=0.0,
            version=V1_10,
        )


def test_missing_result() -> None:
    """A task without a result is a fault of the caller: the run would wait for ever."""
    with pytest.raises(ValueError, match=r"'m' was to be measured"):
        finish(a_run(a_metric()), AnalysisRunStatus(), {}, now=0.0, version=V1_10)


def test_secret_inside_another() -> None:
    """A Secret that is part of a longer one does not leave the rest of it readable."""
    other = {"name": "long", "valueFrom": {"secretKeyRef": {"name": "api", "key": "long"}}}
    run = a_run(
        a_metric(),
        args=[SECRET_ARG, other],
        secrets={"api": {"token": "hush", "long": "hush-hush"}},
    )
    status, _ = a_pass(
        run,
        AnalysisRunStatus(),
        Measurement(phase=Phase.FAILED, message="<hush-hush>"),
        now=0.0,
    )
    assert status.metric_results[0].message == "<*****>"
