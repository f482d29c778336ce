"""Timelines: what happens when, and what a person does to a rollout, through the whole engine."""

from __future__ import annotations

import pytest

from rollout_runner.argo.types import Phase
from rollout_runner.events import (
    AnalysisRunCompleted,
    AnalysisRunStarted,
    OperatorCommand,
    PauseStarted,
    RunFinished,
    ScenarioAction,
    StepCompleted,
    StepStarted,
    WeightChanged,
)
from rollout_runner.report import build_report
from runner_trial import Trial
from svckit.clock import ManualClock
from svckit.errors import InvalidInput

pytestmark = pytest.mark.anyio


def started(trial: Trial) -> list[int]:
    """Return the indices of the steps in the order in which they became current."""
    return [event.index for event in trial.log.of(StepStarted)]


def completed(trial: Trial) -> list[int]:
    """Return the indices of the steps that came to their end."""
    return [event.index for event in trial.log.of(StepCompleted)]


async def test_timed_entries_come_at_their_time(clock: ManualClock) -> None:
    """Times count from the start of the run and are kept to the instant, in any order given."""
    trial = Trial(
        clock,
        {"at": "5m", "clear": "all"},
        {"at": "90s", "canary": {"errors": "5%"}},
        {"at": "0s", "traffic": {"rate": "10/s"}},
    )
    await trial.play()
    acts = [(at - trial.began_at, action) for at, action in trial.stage.acts]
    assert acts == [(0, "traffic"), (90, "canary"), (300, "clear")]
    told = [(event.action, event.detail) for event in trial.log.of(ScenarioAction)]
    assert told == [("traffic", "did traffic"), ("canary", "did canary"), ("clear", "did clear")]


async def test_entries_of_a_step_come_before_anything_of_the_step(clock: ManualClock) -> None:
    """A fault `on` an analysis step is in force before its AnalysisRun exists."""
    trial = Trial(clock, {"on": {"step": 5}, "canary": {"errors": "20%"}})
    await trial.play()
    order = [
        event
        for event in trial.log.events
        if isinstance(event, ScenarioAction)
        or (isinstance(event, StepStarted | AnalysisRunStarted) and event.index == 5)
    ]
    assert [type(event) for event in order] == [StepStarted, ScenarioAction, AnalysisRunStarted]


async def test_entries_happen_once(clock: ManualClock) -> None:
    """Two equal entries happen twice, one entry never does, also when its step comes again."""
    entry = {"on": {"step": 1}, "clear": "all"}
    trial = Trial(clock, entry, entry, {"at": "1m", "do": "abort"}, {"at": "3m", "do": "retry"})
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    assert len(trial.stage.acts) == 2


async def test_a_scenario_that_cannot_be_performed_ends_the_run(clock: ManualClock) -> None:
    """A world that refuses is an error of the run; nothing goes on as if it had been done."""
    trial = Trial(clock, {"on": {"step": 3}, "inject": {"effect": {"set": 1}}})
    trial.stage.failure = InvalidInput("inject.effect is wrong")
    with pytest.raises(InvalidInput, match=r"inject\.effect"):
        await trial.play()
    assert trial.log.of(RunFinished) == []


async def test_a_person_ends_a_pause(clock: ManualClock) -> None:
    """`promote` completes the pause step at once; the next step follows."""
    trial = Trial(clock, {"at": "1m", "do": "promote"})
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    second = trial.log.of(StepCompleted)[1]
    assert (second.index, trial.seconds(second)) == (1, pytest.approx(60))
    assert completed(trial) == list(range(9))


async def test_a_person_skips_an_analysis(clock: ManualClock) -> None:
    """`promote` during an analysis: its run is terminated, its step is skipped, not completed."""
    trial = Trial(clock, {"at": "3m", "do": "promote"})
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    assert started(trial) == list(range(9))
    assert completed(trial) == [0, 1, 3, 4, 5, 6, 7, 8]
    health = trial.log.of(AnalysisRunCompleted)[0]
    assert (health.phase, health.message) == ("Successful", "Run Terminated")
    assert trial.seconds(trial.log.of(StepStarted)[3]) == pytest.approx(180)
    assert str(build_report(trial.log.events).steps[2].state) == "skipped"


async def test_a_command_on_a_step_is_performed_at_once(clock: ManualClock) -> None:
    """`{on: {step: 4}, do: promote}` ends that pause when it begins."""
    trial = Trial(clock, {"on": {"step": 4}, "do": "promote"})
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    four, five = trial.log.of(StepStarted)[4:6]
    assert (four.index, five.index) == (4, 5)
    assert trial.seconds(five) == trial.seconds(four)


async def test_a_person_aborts(clock: ManualClock) -> None:
    """Weight 0 at once, the step of the abort is known, and no analysis is blamed."""
    trial = Trial(clock, {"at": "4m10s", "do": "abort"})
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.phase, finished.aborted_at_step) == (
        "aborted",
        "Degraded",
        4,
    )
    assert finished.message == "RolloutAborted: Rollout aborted update to revision 2"
    back = trial.log.of(WeightChanged)[-1]
    assert (back.weight, trial.seconds(back)) == (0, pytest.approx(250))
    report = build_report(trial.log.events)
    assert report.aborted_at_step == 4
    assert report.deciding_run is None


async def test_a_retry_starts_again_at_step_0(clock: ManualClock) -> None:
    """The same revision, all steps again, new AnalysisRuns with `.1` in their names."""
    trial = Trial(clock, {"at": "3m", "do": "abort"}, {"at": "5m", "do": "retry"})
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    assert started(trial) == [0, 1, 2, *range(9)]
    assert completed(trial) == [0, 1, *range(9)]
    again = trial.log.of(StepStarted)[3]
    assert trial.seconds(again) == pytest.approx(300)
    names = [event.name.removeprefix(f"vote-{trial.canary_hash}") for event in _runs(trial)]
    assert names == ["-2-2", "-2-2.1", "-2-5", "-2-8"]
    assert [event.weight for event in trial.log.of(WeightChanged)] == [20, 0, 20, 50, 100, 0]


async def test_the_report_of_a_retried_run_tells_of_the_last_try(clock: ManualClock) -> None:
    """Steps of the first try are forgotten: all nine were completed."""
    trial = Trial(clock, {"at": "3m", "do": "abort"}, {"at": "5m", "do": "retry"})
    await trial.play()
    report = build_report(trial.log.events)
    assert [str(step.state) for step in report.steps] == ["completed"] * 9


async def test_promote_full_skips_what_is_left(clock: ManualClock) -> None:
    """All traffic to the canary's version without its steps; none of them counts as completed."""
    trial = Trial(clock, {"at": "3m", "do": "promote-full"})
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    assert started(trial) == [0, 1, 2]
    assert completed(trial) == [0, 1]
    assert len(_runs(trial)) == 1
    states = [str(step.state) for step in build_report(trial.log.events).steps]
    assert states == ["completed"] * 2 + ["skipped"] * 7


async def test_a_person_goes_on_after_an_inconclusive_analysis(clock: ManualClock) -> None:
    """The step is skipped, not repeated; the run goes on to the promotion."""
    trial = Trial(clock, {"at": "20m", "do": "promote"})
    trial.provider.script["canary-vs-stable"] = [
        Phase.INCONCLUSIVE,
        Phase.INCONCLUSIVE,
        Phase.SUCCESSFUL,
    ]
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    assert started(trial) == list(range(9))
    assert completed(trial) == [0, 1, 2, 3, 4, 6, 7, 8]
    six = trial.log.of(StepStarted)[6]
    assert trial.seconds(six) == pytest.approx(1200)


async def test_a_pause_after_an_inconclusive_one_is_told(clock: ManualClock) -> None:
    """Each of two inconclusive pauses has its own event."""
    trial = Trial(clock, {"at": "20m", "do": "promote"})
    trial.provider.script["canary-vs-stable"] = [Phase.INCONCLUSIVE]
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "paused"
    pauses = [(event.reason, event.index) for event in trial.log.of(PauseStarted)]
    assert pauses == [
        ("CanaryPauseStep", 1),
        ("CanaryPauseStep", 4),
        ("InconclusiveAnalysisRun", 5),
        ("CanaryPauseStep", 7),
        ("InconclusiveAnalysisRun", 8),
    ]


async def test_an_abort_that_comes_too_late_does_not_hold_the_run(clock: ManualClock) -> None:
    """A guard such as `{at: 30m, do: abort}` is moot once the update is promoted."""
    trial = Trial(clock, {"at": "30m", "do": "abort"})
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"
    assert trial.seconds(finished) < 700
    assert trial.log.of(OperatorCommand) == []


async def test_an_aborted_run_waits_for_a_retry_only(clock: ManualClock) -> None:
    """After an abort a later `promote` changes nothing, so nobody waits for it."""
    trial = Trial(clock, {"at": "30m", "do": "promote"})
    trial.provider.script["error-rate"] = [Phase.FAILED]
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "aborted"
    assert trial.seconds(finished) < 700


async def test_commands_are_recorded(clock: ManualClock) -> None:
    """Each command is in the log with its time."""
    trial = Trial(clock, {"at": "1m", "do": "promote"}, {"at": "2m", "do": "abort"})
    await trial.play()
    told = [(event.command, trial.seconds(event)) for event in trial.log.of(OperatorCommand)]
    assert told == [("promote", 60), ("abort", 120)]


async def test_an_unknown_command_is_refused(clock: ManualClock) -> None:
    """The message names it, the hint lists those that exist."""
    trial = Trial(clock)
    await trial.bring_up()
    with pytest.raises(InvalidInput, match="'restart'") as caught:
        await trial.controller.operate("restart")
    assert "promote-full" in caught.value.hint
    await trial.controller.close()


async def test_an_entry_for_a_step_that_never_comes_changes_nothing(clock: ManualClock) -> None:
    """It stays undone and does not keep the run from ending."""
    trial = Trial(clock, {"on": {"step": 40}, "do": "abort"})
    finished = await trial.play()
    assert finished is not None
    assert finished.outcome == "promoted"


async def test_stay_paused_goes_on_when_a_person_comes(clock: ManualClock) -> None:
    """The run waits for the command, which here comes hours later."""
    trial = Trial(clock, {"at": "3h", "do": "abort"}, stay_paused=True)
    trial.provider.script["canary-vs-stable"] = [Phase.INCONCLUSIVE]
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.aborted_at_step) == ("aborted", 5)


def _runs(trial: Trial) -> list[AnalysisRunStarted]:
    return trial.log.of(AnalysisRunStarted)
