"""Whole rollouts of the QA manifests in virtual time: outcomes, messages, what the log holds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from rollout_runner.argo.analysis import Metric
from rollout_runner.argo.types import Measurement, Phase
from rollout_runner.events import (
    AnalysisRunCompleted,
    AnalysisRunStarted,
    ControllerEvent,
    MeasurementTaken,
    PauseStarted,
    ReplicaSetScaled,
    RunFinished,
    RunStarted,
    ServiceSwitched,
    StepCompleted,
    StepStarted,
    TrafficObserved,
    WeightChanged,
)
from rollout_runner.report import Outcome, build_report
from runner_trial import QA, Script, Trial
from svckit.clock import ManualClock
from svckit.errors import SuiteError, Unavailable

pytestmark = pytest.mark.anyio

FAILED = Phase.FAILED
ERROR = Phase.ERROR
GOOD = Phase.SUCCESSFUL
UNSURE = Phase.INCONCLUSIVE


async def test_a_healthy_canary_is_promoted(clock: ManualClock) -> None:
    """Nine steps one after the other, weights 20, 50, 100 and back to 0, stable switched."""
    trial = Trial(clock)
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.phase, finished.message) == ("promoted", "Healthy", "")
    assert finished.aborted_at_step is None
    assert [event.index for event in trial.log.of(StepStarted)] == list(range(9))
    assert [event.index for event in trial.log.of(StepCompleted)] == list(range(9))
    assert [event.weight for event in trial.log.of(WeightChanged)] == [20, 50, 100, 0]
    assert trial.roads.selected == {"vote": trial.canary_hash, "vote-canary": trial.canary_hash}
    assert trial.pods.available(trial.stable_hash) == 0
    assert trial.pods.available(trial.canary_hash) == 2


async def test_every_step_takes_the_time_that_it_says(clock: ManualClock) -> None:
    """Pauses of 2, 3 and 1 minutes, analyses of 2, 1 and 1 minutes, pods of 2 seconds."""
    trial = Trial(clock, startup=2.0)
    await trial.play()
    starts = [trial.seconds(event) for event in trial.log.of(StepStarted)]
    assert starts == pytest.approx([0, 2, 122, 242, 242, 422, 482, 482, 542], abs=0.01)


async def test_traffic_follows_weights_and_services(clock: ManualClock) -> None:
    """The network is told percentages by hash, and everything for the new version at the end."""
    trial = Trial(clock)
    await trial.play()
    stable, canary = trial.stable_hash, trial.canary_hash
    assert trial.roads.splits == [
        {stable: 100},
        {stable: 80, canary: 20},
        {stable: 50, canary: 50},
        {canary: 100},
    ]


async def test_the_old_pods_go_thirty_seconds_after_the_promotion(clock: ManualClock) -> None:
    """`scaleDownDelaySeconds` passes before the run is over."""
    trial = Trial(clock)
    await trial.play()
    promoted = trial.log.of(ServiceSwitched)[-1]
    gone = trial.log.of(ReplicaSetScaled)[-1]
    assert (gone.hash, gone.replicas) == (trial.stable_hash, 0)
    assert (gone.at - promoted.at).total_seconds() == pytest.approx(30)
    assert trial.log.of(RunFinished)[0].at == gone.at


async def test_a_failing_metric_aborts_at_index_5(clock: ManualClock) -> None:
    """Two failures exceed the limit of one: Argo's message, weight 0, stable untouched."""
    trial = Trial(clock)
    trial.provider.script["error-rate"] = [FAILED]
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.phase, finished.aborted_at_step) == (
        "aborted",
        "Degraded",
        5,
    )
    assert finished.message == (
        "RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase"
        ' error/failed: Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)'
    )
    assert [event.weight for event in trial.log.of(WeightChanged)] == [20, 50, 0]
    assert trial.roads.selected == {"vote": trial.stable_hash, "vote-canary": trial.stable_hash}
    assert trial.roads.splits[-1] == {trial.stable_hash: 100}
    assert trial.pods.available(trial.stable_hash) == 2
    assert trial.pods.available(trial.canary_hash) == 0


async def test_a_silent_source_aborts_after_five_errors(clock: ManualClock) -> None:
    """Errors are retried every ten seconds; the fifth in a row ends the run as Error."""
    trial = Trial(clock)
    trial.provider.script["error-rate"] = [ERROR]
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.aborted_at_step) == ("aborted", 5)
    assert finished.message.endswith(
        'Metric "error-rate" assessed Error due to consecutiveErrors (5) >'
        ' consecutiveErrorLimit (4): "Error Message: connection refused"'
    )
    taken = [event for event in trial.log.of(MeasurementTaken) if event.metric == "error-rate"]
    assert [event.number for event in taken] == [1, 2, 3, 4, 5]
    gaps = [(late.at - early.at).total_seconds() for early, late in pairwise(taken)]
    assert gaps == pytest.approx([10, 10, 10, 10])


async def test_one_error_among_successes_is_forgiven(clock: ManualClock) -> None:
    """An error does not count as a measurement: it is retried and the canary is promoted."""
    trial = Trial(clock)
    trial.provider.script["error-rate"] = [GOOD, ERROR, GOOD]
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    first_run = [
        event.phase
        for event in trial.log.of(MeasurementTaken)
        if event.metric == "error-rate" and event.analysis_run.endswith("-2-5")
    ]
    assert first_run == ["Successful", "Error", "Successful"]


async def test_an_inconclusive_analysis_ends_the_run_as_paused(clock: ManualClock) -> None:
    """Nobody is there to decide: the run stops at weight 50 with both versions up."""
    trial = Trial(clock)
    trial.provider.script["canary-vs-stable"] = [UNSURE]
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.phase) == ("paused", "Paused")
    assert finished.message == "InconclusiveAnalysisRun"
    assert [event.weight for event in trial.log.of(WeightChanged)] == [20, 50]
    pause = trial.log.of(PauseStarted)[-1]
    assert (pause.index, pause.reason, pause.duration_seconds) == (
        5,
        "InconclusiveAnalysisRun",
        None,
    )
    assert trial.pods.available(trial.canary_hash) == 1


async def test_a_run_that_stays_paused_waits_until_it_is_given_up(clock: ManualClock) -> None:
    """It stands still for hours, is never promoted, and ends as an error that says what to do."""
    trial = Trial(clock, stay_paused=True)
    trial.provider.script["canary-vs-stable"] = [UNSURE]
    with pytest.raises(Unavailable, match="the run is not over after 4h") as caught:
        await trial.play()
    assert "do: abort" in caught.value.hint
    assert clock.now() - trial.began_at == 4 * 3600
    assert not trial.log.of(RunFinished)
    assert [event.weight for event in trial.log.of(WeightChanged)] == [20, 50]


async def test_an_update_that_never_gets_pods_is_degraded(clock: ManualClock) -> None:
    """Progress deadline: not aborted, not promoted, no weight was ever given to it."""
    trial = Trial(clock)
    trial.pods.stuck.add(trial.canary_hash)
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.phase, finished.aborted_at_step) == (
        "degraded",
        "Degraded",
        None,
    )
    assert finished.message.startswith("ProgressDeadlineExceeded")
    assert trial.log.of(WeightChanged) == []
    assert trial.seconds(finished) == pytest.approx(600, abs=15)


async def test_a_lost_program_withholds_the_promotion(clock: ManualClock) -> None:
    """All steps pass, but what was lost is said instead of a promotion."""
    trial = Trial(clock)
    trial.provider.script["http-health"] = _and_then(
        lambda: setattr(trial.losses, "objected", "votegen ended by itself (exit code 1)")
    )
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.phase) == ("aborted", "Degraded")
    assert finished.message == (
        "RolloutAborted: Rollout aborted update to revision 2:"
        " votegen ended by itself (exit code 1)"
    )
    assert finished.aborted_at_step is None  # all nine were completed
    assert [event.index for event in trial.log.of(StepCompleted)] == list(range(9))
    assert [event.weight for event in trial.log.of(WeightChanged)] == [20, 50, 100, 0]
    assert trial.roads.selected["vote"] == trial.stable_hash
    assert not [
        event for event in trial.log.of(ControllerEvent) if event.reason == "RolloutCompleted"
    ]


async def test_promote_full_is_withheld_too(clock: ManualClock) -> None:
    """No way to a promotion leads past a lost program."""
    trial = Trial(clock, {"at": "3m", "do": "promote-full"})
    trial.losses.objected = ""
    await trial.bring_up()
    trial.losses.objected = "mock-newrelic was stopped by the scenario"
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "aborted"
    assert "mock-newrelic was stopped" in finished.message
    assert trial.roads.selected["vote"] == trial.stable_hash


async def test_an_exception_of_a_provider_surfaces(clock: ManualClock) -> None:
    """A bug in a provider ends the run with that exception: it neither hangs nor promotes."""
    trial = Trial(clock)
    trial.provider.script["error-rate"] = _and_then(_raise(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        await trial.play()
    assert trial.log.of(RunFinished) == []
    assert trial.log.of(StepCompleted)[-1].index == 4


async def test_an_exception_of_the_last_measurement_surfaces(clock: ManualClock) -> None:
    """Also when every other metric has passed and only the promotion is left."""
    trial = Trial(clock)

    async def fail_at_the_end(_metric: Metric, name: str) -> Measurement:
        if name.endswith("-2-8.canary-vs-stable.2"):
            raise RuntimeError(name)
        return Measurement(phase=GOOD)

    trial.provider.script["canary-vs-stable"] = fail_at_the_end
    with pytest.raises(RuntimeError, match="canary-vs-stable"):
        await trial.play()
    assert trial.roads.selected["vote"] == trial.stable_hash


async def test_a_program_that_does_not_start_ends_the_run(clock: ManualClock) -> None:
    """What could not be started is raised at once, with its own words."""
    trial = Trial(clock)
    await trial.bring_up()
    trial.losses.failed.append(Unavailable("canary did not start: no memory"))
    with pytest.raises(Unavailable, match="no memory"):
        await trial.play()
    assert trial.log.of(RunFinished) == []


async def test_a_program_lost_before_the_run_is_said_at_once(clock: ManualClock) -> None:
    """The stable version is not waited for when something that it needs is gone."""
    trial = Trial(clock)
    trial.losses.objected = "canary-analyzer ended by itself (exit code 1)"
    with pytest.raises(Unavailable, match="canary-analyzer ended by itself"):
        await trial.bring_up()


async def test_stable_that_never_comes_up_is_given_up(clock: ManualClock) -> None:
    """Ten minutes, then an error that tells the phase."""
    trial = Trial(clock)
    trial.pods.stuck.add(trial.stable_hash)
    began = clock.now()
    with pytest.raises(Unavailable, match="the stable version is Progressing: updated"):
        await trial.bring_up()
    assert clock.now() - began == 600


async def test_stable_comes_up_without_steps_and_analysis(clock: ManualClock) -> None:
    """The first version is deployed as Argo's initial deploy."""
    trial = Trial(clock)
    await trial.bring_up()
    kinds = {type(event) for event in trial.stable_log}
    assert not kinds & {StepCompleted, AnalysisRunStarted, WeightChanged}
    assert trial.provider.calls == []
    assert trial.pods.available(trial.stable_hash) == 2


async def test_a_slow_provider_does_not_block_an_abort(clock: ManualClock) -> None:
    """A call that takes twenty minutes is under way; the abort is in force within a second."""
    trial = Trial(clock, {"at": "8m", "do": "abort"})
    trial.provider.script["http-health"] = _slowly(clock, 1200)
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.aborted_at_step) == ("aborted", 5)
    back = trial.log.of(WeightChanged)[-1]
    assert back.weight == 0
    assert trial.seconds(back) == pytest.approx(480, abs=1)
    assert trial.seconds(finished) == pytest.approx(510, abs=1)


async def test_a_provider_that_never_answers_never_promotes(clock: ManualClock) -> None:
    """The run goes on until it is given up, and says so."""
    trial = Trial(clock)
    trial.provider.script["error-rate"] = _slowly(clock, 10**9)
    with pytest.raises(Unavailable, match="not over"):
        await trial.play()
    assert trial.roads.selected["vote"] == trial.stable_hash


async def test_rules_that_contradict_each_other_are_a_bug(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endless back and forth is an error, not an endless loop."""
    trial = Trial(clock)
    await trial.bring_up()
    flip = iter(range(10**6))
    monkeypatch.setattr(
        "rollout_runner.engine.rollout_controller.reconcile",
        lambda _spec, status, _observed, _now: (status.having(message=str(next(flip))), ()),
    )
    with pytest.raises(SuiteError, match="no end after 200 passes"):
        await trial.play()


async def test_the_log_is_complete_and_in_order(clock: ManualClock) -> None:
    """It starts with run_started, ends with run_finished, and time never goes back."""
    trial = Trial(clock)
    finished = await trial.play()
    events = trial.log.events
    assert isinstance(events[0], RunStarted)
    assert events[-1] is finished
    assert [event.at for event in events] == sorted(event.at for event in events)
    steps = [event for event in events if isinstance(event, StepStarted | StepCompleted)]
    assert [(type(event), event.index) for event in steps] == [
        (kind, index) for index in range(9) for kind in (StepStarted, StepCompleted)
    ]
    assert [event.text for event in trial.log.of(StepStarted)] == [
        "setWeight: 20",
        "pause: 2m",
        "analysis",
        "setWeight: 50",
        "pause: 3m",
        "analysis",
        "setWeight: 100",
        "pause: 1m",
        "analysis",
    ]


async def test_every_analysis_run_is_started_and_completed_once(clock: ManualClock) -> None:
    """Three runs, named as Argo names them, with each of their measurements numbered."""
    trial = Trial(clock)
    await trial.play()
    names = [f"vote-{trial.canary_hash}-2-{index}" for index in (2, 5, 8)]
    assert [event.name for event in trial.log.of(AnalysisRunStarted)] == names
    assert [event.name for event in trial.log.of(AnalysisRunCompleted)] == names
    assert {event.phase for event in trial.log.of(AnalysisRunCompleted)} == {"Successful"}
    taken = [(event.analysis_run, event.metric, event.number) for event in _taken(trial)]
    assert len(taken) == len(set(taken)) == 10 + 7 + 7
    completed = trial.log.of(AnalysisRunCompleted)[1]
    counted = {result["name"]: result["count"] for result in completed.status["metricResults"]}
    assert counted == {"http-health": 3, "error-rate": 2, "canary-vs-stable": 2}


async def test_a_run_starts_with_its_plan(clock: ManualClock) -> None:
    """Arguments are filled in, secrets are left out, limits are Argo's defaults where unset."""
    trial = Trial(clock)
    await trial.play()
    started = trial.log.of(AnalysisRunStarted)[1]
    assert (started.kind, started.index) == ("Step", 5)
    assert started.templates == ("voting01-canary-analysis",)
    assert started.args["canary-hash"] == trial.canary_hash
    assert started.args["stable-hash"] == trial.stable_hash
    assert started.args["window"] == "3m"
    assert "api-key" not in started.args
    plan = {metric.name: metric for metric in started.metrics}["error-rate"]
    assert (plan.provider, plan.interval, plan.count) == ("web", "60s", 2)
    assert (plan.failure_limit, plan.consecutive_error_limit) == (1, 4)
    assert plan.success_condition == "result.errorRate < 2"
    assert b"test-key" not in trial.log.encoded()


async def test_traffic_is_observed_every_ten_seconds_and_at_each_step(clock: ManualClock) -> None:
    """The totals never go back, and those at the end of the run are the last ones."""
    trial = Trial(clock)
    await trial.play()
    seen = trial.log.of(TrafficObserved)
    gaps = [(late.at - early.at).total_seconds() for early, late in pairwise(seen)]
    assert max(gaps) <= 10.001
    totals = [{each.hash: each.requests for each in event.versions} for event in seen]
    for early, late in pairwise(totals):
        assert all(late[name] >= count for name, count in early.items())
    assert trial.seconds(seen[-1]) == pytest.approx(632, abs=0.01)
    assert totals[-1][trial.canary_hash] == pytest.approx(0.2 * 2400 + 0.5 * 2400 + 1500, abs=5)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param({}, id="promoted"),
        pytest.param({"error-rate": [FAILED]}, id="aborted"),
        pytest.param({"canary-vs-stable": [UNSURE]}, id="paused"),
        pytest.param({"http-health-check": [ERROR, GOOD, ERROR, FAILED, GOOD]}, id="flaky"),
    ],
)
async def test_same_inputs_same_bytes(script: dict[str, list[Phase]]) -> None:
    """Two runs of the same inputs write the same log, byte for byte."""
    logs = []
    for _ in range(2):
        trial = Trial(ManualClock())
        trial.provider.script |= {name: list(phases) for name, phases in script.items()}
        trial.provider.seconds = 0.25
        await trial.play()
        logs.append(trial.log.encoded())
    assert logs[0] == logs[1]
    assert logs[0].count(b"\n") > 40


async def test_the_report_agrees_with_the_run(clock: ManualClock) -> None:
    """What the engine writes, the report reads: outcome, step states and counts."""
    trial = Trial(clock)
    trial.provider.script["error-rate"] = [FAILED]
    await trial.play()
    report = build_report(trial.log.events)
    assert report.outcome is Outcome.ABORTED
    assert report.aborted_at_step == 5
    states = [str(step.state) for step in report.steps]
    assert states == ["completed"] * 5 + ["aborted"] + ["not reached"] * 3
    assert report.deciding_run is not None
    assert report.deciding_run.name == f"vote-{trial.canary_hash}-2-5"


async def test_without_traffic_routing_pods_are_the_weight(
    clock: ManualClock, tmp_path: Path
) -> None:
    """A basic canary splits by replica counts, and no Service is switched."""
    text = QA.read_text().replace(
        "      trafficRouting:\n        nginx:\n          stableIngress: voting01-ingress\n", ""
    )
    text = text.replace("      canaryService: vote-canary\n      stableService: vote\n", "")
    manifests = tmp_path / "basic.yaml"
    manifests.write_text(text)
    trial = Trial(clock, manifests=manifests)
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    assert [event.weight for event in trial.log.of(WeightChanged)] == [33, 50, 67, 100, 0]
    assert trial.roads.selected == {}
    assert {trial.stable_hash: 1, trial.canary_hash: 1} in trial.roads.splits
    assert trial.roads.splits[-1] == {trial.canary_hash: 2}


def _taken(trial: Trial) -> list[MeasurementTaken]:
    return trial.log.of(MeasurementTaken)


def _raise(error: Exception) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def _and_then(action: Callable[[], None]) -> Script:
    async def script(_metric: Metric, _name: str) -> Measurement:
        action()
        return Measurement(phase=GOOD)

    return script


def _slowly(clock: ManualClock, seconds: float) -> Script:
    async def script(_metric: Metric, _name: str) -> Measurement:
        await clock.sleep(seconds)
        return Measurement(phase=GOOD)

    return script
