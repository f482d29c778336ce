"""The deployed gate on the real services: each metric's request, answer and verdict.

The AnalysisTemplates are those that ship, with the arguments that the QA Rollout gives them. Only
the network is replaced, and no release of Argo Rollouts may see anything but the others do.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from rollout_runner.argo.analysis import AnalysisRunStatus, begin, finish, resolve_run
from rollout_runner.argo.types import ArgoVersion, Phase
from suite_apps import (
    ANALYZER_HOST,
    APM_HOST,
    APP,
    CANARY,
    CANARY_HOST,
    FIRST_ANALYSIS_STEP,
    HEALTH_STEP,
    LAST_ANALYSIS_STEP,
    STABLE,
    Suite,
    deployed_metrics,
    deployed_run,
)
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

METRICS = ("http-health", "error-rate", "canary-vs-stable")
GOOD, BAD, NONE, UNSURE = (
    Phase.SUCCESSFUL,
    Phase.FAILED,
    Phase.ERROR,
    Phase.INCONCLUSIVE,
)
VOTES = 400
FACADE_URL = f"http://{APM_HOST}:8080/v1/metrics?app={APP}&metric=errorRate&window=3m"
NO_HOST = "no such host"

Prepare = Callable[[Suite], Awaitable[None]]


@pytest.fixture(name="suite")
async def _suite(clock: ManualClock) -> AsyncIterator[Suite]:
    async with Suite(clock) as suite:
        yield suite


async def _vote(suite: Suite, *, canary: int = VOTES, stable: int = VOTES) -> None:
    """Serve votes with both versions and have them reported, in the second just passed."""
    for version, count in ((suite.canary, canary), (suite.stable, stable)):
        await version.vote(count)
        await version.report()
    suite.clock.advance(1)


async def _healthy(suite: Suite) -> None:
    await _vote(suite)


async def _bad_canary(suite: Suite) -> None:
    await suite.canary.faults(error_ratio=0.2)
    await _vote(suite)


async def _sick_canary(suite: Suite) -> None:
    await suite.canary.faults(status=503)
    await _vote(suite)


async def _slightly_bad_everywhere(suite: Suite) -> None:
    for version in (suite.canary, suite.stable):
        await version.faults(error_ratio=0.05)
    await _vote(suite)


async def _no_pods(suite: Suite) -> None:
    await _vote(suite)
    del suite.cluster.hosts[CANARY_HOST]


async def _silent_apm(suite: Suite) -> None:
    await _vote(suite)
    del suite.cluster.hosts[APM_HOST]


async def _silent_analyzer(suite: Suite) -> None:
    await _vote(suite)
    del suite.cluster.hosts[ANALYZER_HOST]


async def _no_traffic(suite: Suite) -> None:
    await suite.canary.probe(3)
    await suite.canary.report()


async def _no_canary_traffic(suite: Suite) -> None:
    await _vote(suite, canary=0)


async def _old_traffic(suite: Suite) -> None:
    await _vote(suite)
    suite.clock.advance(301)


def _injected(effect: dict[str, Any], **scope: str) -> Prepare:
    async def prepare(suite: Suite) -> None:
        await _vote(suite)
        await suite.inject(effect, **scope)

    return prepare


# Phases of http-health, error-rate and canary-vs-stable. `error-rate` asks about the whole
# application, so it sees a bad canary by its share only, and a canary without traffic not at all.
@pytest.mark.parametrize(
    ("prepare", "phases"),
    [
        pytest.param(_healthy, (GOOD, GOOD, GOOD), id="healthy"),
        pytest.param(_bad_canary, (GOOD, BAD, BAD), id="bad-canary"),
        pytest.param(_sick_canary, (BAD, BAD, BAD), id="sick-canary"),
        pytest.param(_slightly_bad_everywhere, (GOOD, BAD, BAD), id="bad-everywhere"),
        pytest.param(_no_pods, (BAD, GOOD, GOOD), id="no-pods"),
        pytest.param(_silent_apm, (GOOD, NONE, NONE), id="apm-silent"),
        pytest.param(_silent_analyzer, (NONE, GOOD, NONE), id="analyzer-silent"),
        pytest.param(_no_traffic, (GOOD, NONE, UNSURE), id="no-traffic"),
        pytest.param(_no_canary_traffic, (GOOD, GOOD, UNSURE), id="no-canary-traffic"),
        pytest.param(_old_traffic, (GOOD, NONE, UNSURE), id="old-traffic"),
        pytest.param(_injected({"set": 5.2}), (GOOD, BAD, BAD), id="set"),
        pytest.param(_injected({"set": 5.2}, hash=CANARY), (GOOD, GOOD, BAD), id="set-canary"),
        pytest.param(_injected({"error_ratio": 0.2}, hash=CANARY), (GOOD, BAD, BAD), id="ratio"),
        pytest.param(_injected({"set": 1.5}), (GOOD, GOOD, GOOD), id="set-below"),
        pytest.param(_injected({"set": 2}), (GOOD, BAD, BAD), id="set-at-threshold"),
        pytest.param(_injected({"no_data": True}), (GOOD, NONE, UNSURE), id="no-data"),
        pytest.param(
            _injected({"no_data": True}, hash=STABLE), (GOOD, GOOD, UNSURE), id="no-baseline"
        ),
        pytest.param(_injected({"status": 503}), (GOOD, NONE, NONE), id="status"),
        pytest.param(_injected({"status": 301}), (GOOD, NONE, NONE), id="redirect"),
    ],
)
async def test_what_the_deployed_metrics_make_of_it(
    suite: Suite, prepare: Prepare, phases: tuple[Phase, ...]
) -> None:
    """One measurement of each metric, the same in every release."""
    await prepare(suite)
    metrics = deployed_metrics(FIRST_ANALYSIS_STEP)
    for version in ArgoVersion:
        provider = suite.provider(version)
        measured = {name: await provider.run(metrics[name], name) for name in METRICS}
        await provider.close()
        found = {name: (each.phase, each.message) for name, each in measured.items()}
        assert tuple(phase for phase, _ in found.values()) == phases, found
        for measurement in measured.values():
            assert bool(measurement.message) == (measurement.phase is Phase.ERROR)
            assert bool(measurement.value) == (measurement.phase is not Phase.ERROR)


async def test_the_apm_refuses_the_gates_key(clock: ManualClock) -> None:
    """A Secret that is not the APM's key is an error with its status, never a rate."""
    async with Suite(clock, apm={"api_keys": "another-key"}) as suite:
        metrics = deployed_metrics(FIRST_ANALYSIS_STEP)
        for version in ArgoVersion:
            provider = suite.provider(version)
            facade = await provider.run(metrics["error-rate"], "m")
            comparison = await provider.run(metrics["canary-vs-stable"], "m")
            await provider.close()
            assert (facade.phase, facade.message) == (
                Phase.ERROR,
                "received non 2xx response code: 401",
            )
            assert (comparison.phase, comparison.message) == (
                Phase.ERROR,
                "received non 2xx response code: 502",
            )


@pytest.mark.parametrize(
    ("step", "window"),
    [
        pytest.param(FIRST_ANALYSIS_STEP, "3m", id="at-half"),
        pytest.param(LAST_ANALYSIS_STEP, "1m", id="at-all"),
    ],
)
async def test_the_requests_of_the_gate(suite: Suite, step: int, window: str) -> None:
    """Names, window, hashes and key are those of the Rollout; nothing is left unfilled."""
    await _vote(suite)
    provider = suite.provider(ArgoVersion.V1_9)
    for metric in deployed_metrics(step).values():
        assert (await provider.run(metric, "m")).phase is Phase.SUCCESSFUL
    await provider.close()
    [facade] = suite.cluster.requests_to(APM_HOST, "/v1/metrics")
    [comparison] = suite.cluster.requests_to(ANALYZER_HOST, "/v1/analysis")
    [health] = suite.cluster.requests_to(ANALYZER_HOST, "/v1/health-check")
    [probe] = suite.cluster.requests_to(CANARY_HOST, "/")
    assert facade.url.query == f"app=voting01-vote-qa&metric=errorRate&window={window}".encode()
    assert facade.headers["api-key"] == "test-key"
    assert dict(comparison.url.params) == {
        "app": "voting01-vote-qa",
        "canary": CANARY,
        "stable": STABLE,
        "window": "5m",
        "error_threshold": "2",
    }
    assert health.url.query == b"service=vote-canary&namespace=voting01-qa"
    assert probe.headers["user-agent"].startswith("kube-probe")


async def test_measurements_hold_the_whole_answer(suite: Suite) -> None:
    """Who reads the AnalysisRun finds rate, verdict and reason with their numbers."""
    await suite.canary.faults(error_ratio=0.2)
    await _vote(suite)
    bad = (await suite.answer(hash=CANARY))["errorCount"]
    provider = suite.provider(ArgoVersion.V1_9)
    metrics = deployed_metrics(FIRST_ANALYSIS_STEP)
    values = {name: json.loads((await provider.run(metrics[name], "m")).value) for name in METRICS}
    await provider.close()
    assert values["error-rate"]["errorRate"] == 100 * bad / (2 * VOTES)
    assert values["canary-vs-stable"]["verdict"] == "fail"
    assert f"({bad} of {VOTES})" in values["canary-vs-stable"]["reason"]
    assert (values["http-health"]["status"], values["http-health"]["httpCode"]) == ("healthy", 200)


async def _run(suite: Suite, step: int, version: ArgoVersion) -> AnalysisRunStatus:
    """Run the analysis of a step to its end in virtual time."""
    clock, provider = suite.clock, suite.provider(version)
    plan, subject = deployed_run(step)
    run, status = resolve_run(plan.spec, subject.secrets), AnalysisRunStatus()
    while True:
        status, tasks = begin(run, status, now=clock.now(), version=version)
        results = {
            task.metric.name: replace(
                await provider.run(task.metric, "m"),
                started_at=clock.now(),
                finished_at=clock.now(),
            )
            for task in tasks
        }
        status, next_at = finish(run, status, results, now=clock.now(), version=version)
        if status.completed:
            await provider.close()
            return status
        assert next_at is not None
        clock.advance(next_at - clock.now())


def _counts(status: AnalysisRunStatus) -> dict[str, tuple[int, int, int, int]]:
    """Return (successful, failed, inconclusive, error) by metric."""
    return {
        result.name: (result.successful, result.failed, result.inconclusive, result.error)
        for result in status.metric_results
    }


@pytest.mark.parametrize("version", ArgoVersion)
async def test_a_healthy_canary_passes_the_whole_run(suite: Suite, version: ArgoVersion) -> None:
    """3/3, 2/2 and 2/2, over one minute."""
    await _vote(suite)
    began = suite.clock.now()
    run = await _run(suite, FIRST_ANALYSIS_STEP, version)
    assert run.phase is Phase.SUCCESSFUL
    assert _counts(run) == {
        "http-health": (3, 0, 0, 0),
        "error-rate": (2, 0, 0, 0),
        "canary-vs-stable": (2, 0, 0, 0),
    }
    assert suite.clock.now() - began == pytest.approx(60)


def _assessed(metric: str, phase: str, why: str) -> str:
    return f'Metric "{metric}" assessed {phase} due to {why}'


def _errors(metric: str, message: str) -> str:
    limits = "consecutiveErrors (5) > consecutiveErrorLimit (4)"
    return _assessed(metric, "Error", f'{limits}: "Error Message: {message}"')


@pytest.mark.parametrize("version", ArgoVersion)
@pytest.mark.parametrize(
    ("prepare", "phase", "messages"),
    [
        pytest.param(
            _bad_canary,
            Phase.FAILED,
            {
                _assessed("error-rate", "Failed", "failed (2) > failureLimit (1)"),
                _assessed("canary-vs-stable", "Failed", "failed (2) > failureLimit (1)"),
            },
            id="bad-canary",
        ),
        pytest.param(
            _sick_canary,
            Phase.FAILED,
            {_assessed("http-health", "Failed", "failed (2) > failureLimit (1)")},
            id="sick-canary",
        ),
        pytest.param(
            _silent_apm,
            Phase.ERROR,
            {
                _errors(
                    "error-rate", f'Get "{FACADE_URL}": dial tcp: lookup {APM_HOST}: {NO_HOST}'
                ),
                _errors("canary-vs-stable", "received non 2xx response code: 502"),
            },
            id="apm-silent",
        ),
        pytest.param(
            _no_canary_traffic,
            Phase.INCONCLUSIVE,
            {
                _assessed(
                    "canary-vs-stable", "Inconclusive", "inconclusive (2) > inconclusiveLimit (1)"
                )
            },
            id="no-canary-traffic",
        ),
    ],
)
async def test_anything_else_ends_the_run_before_it_passes(
    suite: Suite, version: ArgoVersion, prepare: Prepare, phase: Phase, messages: set[str]
) -> None:
    """The run ends in its phase with Argo's message, and no metric that ended it passed."""
    await prepare(suite)
    run = await _run(suite, FIRST_ANALYSIS_STEP, version)
    assert run.phase is phase
    assert run.message in messages


@pytest.mark.parametrize("version", ArgoVersion)
async def test_the_health_step(suite: Suite, version: ArgoVersion) -> None:
    """Five probes of a healthy canary pass; three of a sick one fail the run."""
    run = await _run(suite, HEALTH_STEP, version)
    assert (run.phase, _counts(run)) == (
        Phase.SUCCESSFUL,
        {"http-health-check": (5, 0, 0, 0), "http-direct": (5, 0, 0, 0)},
    )
    await suite.canary.faults(status=503)
    run = await _run(suite, HEALTH_STEP, version)
    assert (run.phase, _counts(run)) == (
        Phase.FAILED,
        # A failing page is an Error, asked again after ten seconds.
        {"http-health-check": (0, 3, 0, 0), "http-direct": (0, 0, 0, 7)},
    )
