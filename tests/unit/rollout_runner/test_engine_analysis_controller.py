"""One AnalysisRun: when it measures, what it records, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from rollout_runner.argo.analysis import AnalysisRunSpec, Metric
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.engine.analysis_controller import (
    AnalysisController,
    AnalysisRunPlan,
    phase_of,
)
from rollout_runner.events import AnalysisRunCompleted, AnalysisRunStarted, MeasurementTaken
from runner_trial import Log, ScriptedProvider, run_in_virtual_time, settle
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

SECRETS: Mapping[str, Mapping[str, str]] = {"apm": {"key": "s3cret"}}


class Jobs:
    """A provider whose measurements stay in flight until `finish` is called."""

    def __init__(self, *, poll_seconds: float | None) -> None:
        self.calls: list[str] = []
        self.verdict: Phase | None = None
        self._poll_seconds = poll_seconds
        self._clock: ManualClock | None = None

    def on(self, clock: ManualClock) -> Jobs:
        """Use this clock."""
        self._clock = clock
        return self

    async def run(self, _metric: Metric, name: str) -> Measurement:
        """Start."""
        self.calls.append("run")
        return Measurement(phase=Phase.RUNNING, resume_at=self._next(), metadata={"job-name": name})

    async def resume(self, _metric: Metric, measurement: Measurement) -> Measurement:
        """Look again."""
        self.calls.append("resume")
        return Measurement(
            phase=self.verdict or Phase.RUNNING,
            started_at=measurement.started_at,
            resume_at=None if self.verdict else self._next(),
            metadata=measurement.metadata,
        )

    async def terminate(self, _metric: Metric, measurement: Measurement) -> Measurement:
        """End."""
        self.calls.append("terminate")
        return Measurement(
            phase=Phase.INCONCLUSIVE,
            started_at=measurement.started_at,
            metadata=measurement.metadata,
        )

    def _next(self) -> float | None:
        assert self._clock is not None
        return None if self._poll_seconds is None else self._clock.now() + self._poll_seconds


def metric(name: str, provider: str = "web", **fields: Any) -> dict[str, Any]:
    """Return a metric."""
    return {"name": name, "provider": {provider: {"url": "http://apm"}}, **fields}


class Run:
    """A controller of a few metrics with all that it needs."""

    def __init__(
        self,
        clock: ManualClock,
        *metrics: dict[str, Any],
        provider: Any = None,
        version: ArgoVersion = ArgoVersion.V1_10,
        **spec: Any,
    ) -> None:
        self.clock = clock
        self.log = Log()
        self.provider = provider or ScriptedProvider(clock)
        self.changes: list[str] = []
        self.controller = AnalysisController(
            AnalysisRunPlan(
                name="vote-abc-2-5",
                kind="Step",
                index=5,
                templates=("gate",),
                spec=AnalysisRunSpec.from_json({"metrics": list(metrics), **spec}),
            ),
            secrets=SECRETS,
            providers={"web": self.provider, "job": self.provider},
            clock=clock,
            version=version,
            sink=self.log,
            on_phase_change=lambda: self.changes.append(str(self.controller.status.phase)),
        )

    async def to_end(self) -> AnalysisRunCompleted:
        """Run it to its end."""
        await run_in_virtual_time(self.clock, self.controller.run())
        (completed,) = self.log.of(AnalysisRunCompleted)
        return completed

    def taken(self) -> list[tuple[str, int, str]]:
        """Return metric, number and phase of every measurement."""
        return [
            (event.metric, event.number, event.phase) for event in self.log.of(MeasurementTaken)
        ]


async def test_metrics_are_measured_side_by_side(clock: ManualClock) -> None:
    """Two calls of five seconds take five seconds, not ten."""
    run = Run(clock, metric("a"), metric("b"))
    run.provider.seconds = 5
    began = clock.now()
    assert (await run.to_end()).phase == "Successful"
    assert clock.now() - began == 5
    assert run.taken() == [("a", 1, "Successful"), ("b", 1, "Successful")]


async def test_the_interval_counts_from_the_end_of_a_measurement(clock: ManualClock) -> None:
    """Three calls of five seconds with an interval of thirty take 75 seconds."""
    run = Run(clock, metric("a", interval="30s", count=3))
    run.provider.seconds = 5
    began = clock.now()
    await run.to_end()
    assert clock.now() - began == pytest.approx(75, abs=0.01)
    times = [
        (event.started_at.timestamp() - began, event.finished_at.timestamp() - began)
        for event in run.log.of(MeasurementTaken)
    ]
    assert times == [(0, 5), (35, 40), (70, 75)]


async def test_an_initial_delay_is_kept(clock: ManualClock) -> None:
    """The first measurement is taken after it, not before."""
    run = Run(clock, metric("a", initialDelay="45s"))
    began = clock.now()
    await run.to_end()
    assert clock.now() - began == pytest.approx(45, abs=0.01)


async def test_measurements_have_names_of_their_own(clock: ManualClock) -> None:
    """Run, metric and number, errors counted: no two measurements share a name."""
    run = Run(clock, metric("a", interval="10s", count=2))
    run.provider.script["a"] = [Phase.ERROR, Phase.SUCCESSFUL]
    await run.to_end()
    assert run.provider.calls == [f"vote-abc-2-5.a.{number}" for number in (1, 2, 3)]


async def test_the_phase_is_told_when_it_changes(clock: ManualClock) -> None:
    """Running after the first pass, then the end; nothing in between."""
    run = Run(clock, metric("a", interval="10s", count=4))
    assert phase_of(run.controller) is Phase.PENDING
    await run.to_end()
    assert run.changes == ["Running", "Successful"]
    assert phase_of(run.controller) is Phase.SUCCESSFUL


async def test_termination_ends_an_endless_run(clock: ManualClock) -> None:
    """A metric without count runs until somebody terminates it; then it is Successful."""
    run = Run(clock, metric("a", interval="10s"))
    task = asyncio.ensure_future(run.controller.run())
    await settle()
    for _ in range(3):
        clock.advance(10.1)
        await settle()
    assert not task.done()
    run.controller.terminate()
    await settle()
    await task
    (completed,) = run.log.of(AnalysisRunCompleted)
    assert (completed.phase, completed.message) == ("Successful", "Run Terminated")
    assert len(run.taken()) == 4


async def test_termination_during_a_call_takes_no_further_measurement(clock: ManualClock) -> None:
    """The call under way ends by itself and is recorded; nothing new begins."""
    run = Run(clock, metric("a", interval="10s", count=5))
    run.provider.seconds = 60
    task = asyncio.ensure_future(run.controller.run())
    await settle()
    run.controller.terminate()
    await settle()
    assert not task.done()
    clock.advance(60)
    await settle()
    await task
    assert run.taken() == [("a", 1, "Successful")]
    assert len(run.provider.calls) == 1


async def test_one_bad_metric_ends_the_run(clock: ManualClock) -> None:
    """Its siblings take no further measurement, although they had some left."""
    run = Run(clock, metric("bad"), metric("good", interval="1m", count=9))
    run.provider.script["bad"] = [Phase.FAILED]
    completed = await run.to_end()
    assert completed.phase == "Failed"
    assert completed.message == 'Metric "bad" assessed Failed due to failed (1) > failureLimit (0)'
    assert run.taken() == [("bad", 1, "Failed"), ("good", 1, "Successful")]


async def test_the_completed_event_carries_argos_status(clock: ManualClock) -> None:
    """Counters and measurements under Argo's names."""
    run = Run(clock, metric("a", interval="10s", count=2))
    completed = await run.to_end()
    (result,) = completed.status["metricResults"]
    assert (result["name"], result["count"], result["successful"]) == ("a", 2, 2)
    assert [each["value"] for each in result["measurements"]] == ['"a"', '"a"']
    assert completed.status["runSummary"] == {"count": 1, "successful": 1}


async def test_a_missing_secret_ends_the_run_before_any_call(clock: ManualClock) -> None:
    """Argo's message; no provider is asked without the key."""
    run = Run(
        clock,
        metric("a", successCondition="{{args.key}} == 1"),
        args=[{"name": "key", "valueFrom": {"secretKeyRef": {"name": "nope", "key": "key"}}}],
    )
    completed = await run.to_end()
    assert completed.phase == "Error"
    assert completed.message.startswith("Unable to resolve metric arguments: ")
    assert run.provider.calls == []


async def test_secrets_are_masked_in_messages(clock: ManualClock) -> None:
    """A message that quotes the key is recorded without it."""

    async def leak(asked: Metric, _name: str) -> Measurement:
        assert asked.provider["web"]["url"] == "http://apm?key=s3cret"
        return Measurement(phase=Phase.ERROR, message="Get http://apm?key=s3cret: refused")

    run = Run(
        clock,
        {"name": "a", "provider": {"web": {"url": "http://apm?key={{args.key}}"}}},
        args=[{"name": "key", "valueFrom": {"secretKeyRef": {"name": "apm", "key": "key"}}}],
    )
    run.provider.script["a"] = leak
    completed = await run.to_end()
    assert completed.phase == "Error"
    assert b"s3cret" not in run.log.encoded()
    assert "Get http://apm?key=*****: refused" in completed.message


async def test_dry_run_is_in_the_plan(clock: ManualClock) -> None:
    """A metric that cannot fail the run says so from the start."""
    run = Run(clock, metric("a"), metric("b"), dryRun=[{"metricName": "b"}])
    run.provider.script["b"] = [Phase.FAILED]
    completed = await run.to_end()
    assert completed.phase == "Successful"
    (started,) = run.log.of(AnalysisRunStarted)
    assert [plan.dry_run for plan in started.metrics] == [False, True]


async def test_a_job_is_looked_at_again_when_it_says(clock: ManualClock) -> None:
    """A measurement in flight is resumed at its `resumeAt` and recorded once, when it is over."""
    jobs = Jobs(poll_seconds=10).on(clock)
    run = Run(clock, metric("a", "job"), provider=jobs)
    task = asyncio.ensure_future(run.controller.run())
    await settle()
    for _ in range(3):
        clock.advance(10.5)
        await settle()
    assert jobs.calls == ["run", "resume", "resume", "resume"]
    assert run.taken() == []
    jobs.verdict = Phase.SUCCESSFUL
    clock.advance(10.5)
    await settle()
    await task
    assert run.taken() == [("a", 1, "Successful")]


async def test_a_job_of_the_older_release_waits_for_its_event(clock: ManualClock) -> None:
    """Without a `resumeAt` no time wakes the run; `wake` does."""
    jobs = Jobs(poll_seconds=None).on(clock)
    run = Run(clock, metric("a", "job"), provider=jobs, version=ArgoVersion.V1_9)
    task = asyncio.ensure_future(run.controller.run())
    await settle()
    clock.advance(10**5)
    await settle()
    assert jobs.calls == ["run"]
    jobs.verdict = Phase.FAILED
    run.controller.wake()
    await settle()
    await task
    assert jobs.calls == ["run", "resume"]
    assert run.log.of(AnalysisRunCompleted)[0].phase == "Failed"


async def test_a_job_in_flight_is_terminated(clock: ManualClock) -> None:
    """The provider ends it at once, and the measurement says who did it."""
    jobs = Jobs(poll_seconds=600).on(clock)
    run = Run(clock, metric("a", "job"), provider=jobs)
    task = asyncio.ensure_future(run.controller.run())
    await settle()
    run.controller.terminate()
    await settle()
    await task
    assert jobs.calls == ["run", "terminate"]
    (taken,) = run.log.of(MeasurementTaken)
    assert (taken.phase, taken.message) == ("Inconclusive", "Metric Terminated")


async def test_an_exception_ends_the_task(clock: ManualClock) -> None:
    """It is not turned into a measurement: nobody may take a bug for a verdict."""

    async def crash(_metric: Metric, _name: str) -> Measurement:
        raise KeyError("bug")

    run = Run(clock, metric("a"))
    run.provider.script["a"] = crash
    with pytest.raises(KeyError):
        await run_in_virtual_time(clock, run.controller.run())
    assert run.log.of(AnalysisRunCompleted) == []
