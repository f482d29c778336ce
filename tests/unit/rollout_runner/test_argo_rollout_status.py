"""The status as other tools read it, and the pieces it is made of."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rollout_runner.argo.rollout import RolloutError, RolloutStatus, next_at, undo
from rollout_runner.argo.rollout.model import ReplicaProgressThreshold
from rollout_runner.argo.rollout.pause import (
    PauseCondition,
    PauseContext,
    PauseReason,
    pause_step_completed,
)
from rollout_runner.argo.rollout.replicas import progress_threshold_met
from rollout_runner.argo.types import Phase
from unit.rollout_runner.argo_rollout_world import START, World, rollout_spec


@pytest.fixture(name="world")
def _world() -> World:
    world = World.with_stable(now=START - 1000)
    world.now = START
    world.deploy("new")
    return world


def test_json_has_argos_names(world: World) -> None:
    """A paused canary looks as `kubectl get rollout -o json` shows it."""
    document = world.status.to_json()
    conditions = document.pop("conditions")
    assert document == {
        "phase": "Paused",
        "message": "CanaryPauseStep",
        "currentPodHash": "new",
        "currentStepHash": world.spec.canary.step_hash,
        "currentStepIndex": 1,
        "stableRS": "old",
        "controllerPause": True,
        "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2025-06-15T15:06:40Z"}],
        "replicas": 3,
        "updatedReplicas": 1,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "HPAReplicas": 3,
        "canary": {
            "weights": {
                "canary": {
                    "weight": 20,
                    "podTemplateHash": "new",
                    "serviceName": "vote-canary",
                },
                "stable": {"weight": 80, "podTemplateHash": "old", "serviceName": "vote"},
            }
        },
    }
    progressing = next(each for each in conditions if each["type"] == "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("Unknown", "RolloutPaused")


def test_json_shows_the_current_analysis(world: World) -> None:
    """The run of the current step is there with name, status and message."""
    world.run_until_step(2)
    name = "vote-new-34-2"
    world.runs[name] = replace(world.runs[name], message="busy")
    world.settle()
    assert world.status.to_json()["canary"]["currentStepAnalysisRunStatus"] == {
        "name": name,
        "status": "Running",
        "message": "busy",
    }


def test_json_of_a_fresh_status_is_empty() -> None:
    """What nobody has reported yet is absent, not zero."""
    assert RolloutStatus().to_json() == {}


def test_analysis_phases_are_events(world: World) -> None:
    """Each change of a run's phase is recorded, a bad one as a warning."""
    world.outcomes["vote-new-34-2"] = (Phase.FAILED, "no")
    world.advance(1000)
    assert world.events("AnalysisRunRunning", "AnalysisRunFailed") == [
        "Step Analysis Run 'vote-new-34-2' Status New: 'Running' Previous: ''",
        "Step Analysis Run 'vote-new-34-2' Status New: 'Failed' Previous: 'Running'",
    ]


class TestNextAt:
    """When the controller looks again by itself."""

    def test_end_of_a_pause(self, world: World) -> None:
        """A pause is over strictly after its duration."""
        due = next_at(world.spec, world.status, world.observed, world.now)
        assert due == math.nextafter(START + 120, math.inf)

    def test_nothing_while_an_analysis_runs(self, world: World) -> None:
        """Only the analysis can change something."""
        world.run_until_step(2)
        assert next_at(world.spec, world.status, world.observed, world.now) is None

    def test_nothing_while_paused_by_hand(self, world: World) -> None:
        """`spec.paused` also holds a pause step."""
        world.spec = replace(world.spec, paused=True)
        world.settle()
        assert next_at(world.spec, world.status, world.observed, world.now) is None

    def test_scale_down_deadline(self, world: World) -> None:
        """Old pods are looked after when their delay is over."""
        world.run_until(lambda it: it.status.stable_rs == "new")
        due = next_at(world.spec, world.status, world.observed, world.now)
        assert due == world.now + 30

    def test_progress_deadline(self) -> None:
        """Pods that do not come are a reason to look again after 600 seconds."""
        world = World.with_stable()
        world.stuck_pods.add("new")
        world.deploy("new")
        due = next_at(world.spec, world.status, world.observed, world.now)
        assert due == math.nextafter(world.now + 600, math.inf)


def test_a_pause_is_not_over_at_its_very_end(world: World) -> None:
    """Its time must have passed strictly."""
    pause = world.spec.canary.steps[1].pause
    assert pause is not None
    assert not pause_step_completed(world.status, pause, START + 120)
    assert pause_step_completed(world.status, pause, math.nextafter(START + 120, math.inf))


class TestPauseContext:
    """What a pass does to pauses."""

    PAUSE = PauseCondition(reason=PauseReason.CANARY_PAUSE_STEP, start_time=1.0)

    def test_keeps_the_start_of_a_pause(self) -> None:
        """Adding a pause that is in force does not begin it anew."""
        before = RolloutStatus(pause_conditions=(self.PAUSE,), controller_pause=True)
        context = PauseContext(reasons_to_add=[PauseReason.CANARY_PAUSE_STEP])
        assert context.applied(before, before, 9.0) == before

    def test_keeps_the_time_of_an_abort(self) -> None:
        """An abort happens once; later passes do not move it, and it ends all pauses."""
        before = RolloutStatus(abort=True, pause_conditions=(self.PAUSE,))
        aborted = PauseContext().applied(before, before, 5.0)
        assert (aborted.aborted_at, aborted.pause_conditions) == (5.0, ())
        assert PauseContext().applied(aborted, aborted, 9.0) == aborted

    def test_later_reason_to_abort_wins(self) -> None:
        """The message is that of the last reason in the pass."""
        context = PauseContext()
        context.add_abort("first")
        context.add_abort("second")
        assert context.abort_message == "second"


class TestUndo:
    """Which revision an undo goes back to."""

    def test_takes_the_second_newest(self, world: World) -> None:
        """Without a revision it is the one before the newest."""
        assert undo(world.spec, world.observed).pod_hash == "old"

    def test_takes_the_one_asked_for(self, world: World) -> None:
        """A revision that is the present one changes nothing."""
        assert undo(world.spec, world.observed, to_revision=34) == world.spec

    def test_refuses_an_unknown_revision(self, world: World) -> None:
        """The known ones are listed."""
        with pytest.raises(RolloutError, match="unable to find specified revision 7") as caught:
            undo(world.spec, world.observed, to_revision=7)
        assert caught.value.hint == "revisions of vote: 34, 33"

    def test_refuses_without_history(self) -> None:
        """The first version has nothing before it."""
        world = World(spec=rollout_spec("first"))
        world.settle()
        with pytest.raises(RolloutError, match='no revision found for rollout "vote"'):
            undo(world.spec, world.observed)


@pytest.mark.parametrize(
    ("threshold", "available", "met"),
    [
        pytest.param(None, 9, False, id="all-by-default"),
        pytest.param(None, 10, True, id="all-there"),
        pytest.param((70, True), 7, True, id="percent"),
        pytest.param((70, True), 6, False, id="percent-below"),
        pytest.param((8, False), 8, True, id="pods"),
        pytest.param((8, False), 7, False, id="pods-below"),
    ],
)
def test_replica_progress_threshold(
    world: World, *, threshold: tuple[int, bool] | None, available: int, met: bool
) -> None:
    """A step may go on when the given share or number of the canary's pods is available."""
    rule = (
        None
        if threshold is None
        else ReplicaProgressThreshold(value=threshold[0], percent=threshold[1])
    )
    rs = replace(world.replica_sets["new"], replicas=10, available=available)
    assert progress_threshold_met(rule, rs, 10) is met
