"""Canaries of other shapes: no router, no steps, background analysis, slow or missing pods."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from rollout_runner.argo.rollout import (
    AnalysisKind,
    CreateReplicaSet,
    DeleteReplicaSet,
    ScaleReplicaSet,
    SetServiceSelector,
    SetWeight,
    TerminateAnalysisRun,
    abort,
    retry,
    undo,
)
from rollout_runner.argo.types import Phase
from unit.rollout_runner.argo_rollout_world import QA_STEPS, START, World, rollout_spec

APM = {"templates": [{"templateName": "apm"}]}


class TestFirstDeploy:
    """A Rollout that nobody has seen before."""

    def test_has_no_steps(self) -> None:
        """The first version is scaled up and stable at once: no weight, no analysis, no pause."""
        world = World(spec=rollout_spec("first"))
        world.settle()
        assert world.status.stable_rs == "first"
        assert (str(world.status.phase), world.status.message) == ("Healthy", "")
        assert world.events("RolloutCompleted") == [
            "Rollout completed update to revision 1 (first): Initial deploy"
        ]
        assert not world.created
        assert [effect.canary for effect in world.of(SetWeight)] == [0]

    def test_creates_the_replica_set_empty(self) -> None:
        """The ReplicaSet comes first, with revision 1, and is scaled in a later pass."""
        world = World(spec=rollout_spec("first"))
        world.settle()
        assert world.of(CreateReplicaSet) == [CreateReplicaSet(hash="first", revision=1)]
        assert world.of(ScaleReplicaSet) == [ScaleReplicaSet(hash="first", replicas=2)]

    def test_waits_for_all_pods_before_taking_a_service_over(self) -> None:
        """A Service that was in use before is pointed at the pods when all are available."""
        world = World(spec=rollout_spec("first"), startup=20)
        world.settle()
        first = world.replica_sets["first"]
        world.replica_sets["first"] = replace(first, available=1)
        world.settle()
        assert not world.of(SetServiceSelector)
        assert world.status.message == "updated replicas are still becoming available"
        world.advance(21)
        assert world.services == {"vote": "first", "vote-canary": "first"}


class TestWithoutRouter:
    """A basic canary, whose weight is the number of its pods."""

    @pytest.fixture(name="world")
    def _world(self) -> World:
        spec = rollout_spec(
            steps=({"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}),
            routed=False,
            spec={"replicas": 10},
        )
        return World.with_stable(spec=spec)

    def sizes(self, world: World) -> tuple[int, int]:
        """Return (canary, stable)."""
        return world.replica_sets["new"].replicas, world.replica_sets["old"].replicas

    def test_approximates_the_weight_by_pods(self, world: World) -> None:
        """Two of ten pods make 20 percent, six make 60; nothing is routed."""
        world.deploy("new")
        assert self.sizes(world) == (2, 8)
        world.promote()
        assert self.sizes(world) == (6, 4)
        assert not world.of(SetWeight)
        assert world.status.canary_weights is None

    def test_ends_with_the_new_pods_only(self, world: World) -> None:
        """After the last pause the old pods go at once."""
        world.deploy("new")
        world.promote()
        world.promote()
        assert self.sizes(world) == (10, 0)
        assert str(world.status.phase) == "Healthy"

    def test_abort_takes_the_canary_away_at_once(self, world: World) -> None:
        """Without a router there is no delay: pods are traffic."""
        world.deploy("new")
        world.operate(abort)
        assert self.sizes(world) == (0, 10)

    def test_never_has_less_than_the_minimum_available(self) -> None:
        """While pods start slowly, at least 75 percent of ten stay available, at most 13 exist."""
        spec = rollout_spec(
            steps=({"setWeight": 50}, {"pause": {}}), routed=False, spec={"replicas": 10}
        )
        world = World.with_stable(spec=spec, startup=30)
        world.deploy("new")
        while len(world.statuses) < 400 and world.status.current_step_index == 0:
            world.advance(1)
            pods = world.replica_sets.values()
            assert sum(rs.available for rs in pods) >= 8
            assert sum(rs.current for rs in pods) <= 13
        assert self.sizes(world) == (5, 5)

    def test_waits_for_an_earlier_scale_down(self, world: World) -> None:
        """While pods of an old version are still going, no more of them are taken."""
        world.deploy("between")
        world.deploy("new", settle=False)
        between = replace(world.replica_sets["between"], replicas=1, current=3, available=3)
        world.replica_sets["between"] = between
        world.settle()
        assert world.replica_sets["between"].replicas == 1
        world.replica_sets["between"] = replace(between, current=1, available=1)
        world.settle()
        assert world.replica_sets["between"].replicas == 0

    def test_waits_for_old_pods_of_a_version_between(self, world: World) -> None:
        """A version that was replaced in mid-update is gone before the first step completes."""
        world.deploy("between")
        world.deploy("new")
        assert world.replica_sets["between"].replicas == 0
        assert self.sizes(world) == (2, 8)


class TestBackgroundAnalysis:
    """`canary.analysis` beside the steps."""

    NAME = "vote-new-34"

    def world(self, **analysis: Any) -> World:
        """Return a world with a background analysis that would take 5000 seconds."""
        return World.with_stable(spec=rollout_spec(analysis=APM | analysis), run_seconds=5000)

    def paced(self) -> World:
        """Return one without analysis steps, so that only the background run counts."""
        steps = tuple(step for step in QA_STEPS if "analysis" not in step)
        spec = rollout_spec(steps=steps, analysis=APM)
        return World.with_stable(spec=spec, run_seconds=5000)

    def test_begins_with_the_update(self) -> None:
        """Without startingStep it is created at once, before the canary has any traffic."""
        world = self.world()
        world.deploy("new")
        assert [(run.name, run.kind, run.step_index) for run in world.created] == [
            (self.NAME, AnalysisKind.BACKGROUND, None)
        ]

    def test_waits_for_its_starting_step(self) -> None:
        """With startingStep 3 it is created when that step is reached."""
        world = self.world(startingStep=3)
        world.run_seconds = 60
        world.deploy("new")
        world.run_until_step(2)
        assert self.NAME not in world.runs
        world.run_until_step(4)
        assert self.NAME in world.runs

    def test_failure_aborts(self) -> None:
        """A failed background run aborts wherever the steps are."""
        world = self.paced()
        world.run_seconds = 60
        world.outcomes[self.NAME] = (Phase.FAILED, "too many errors")
        world.deploy("new")
        world.advance(61)
        assert world.weight == 0
        assert world.status.message.endswith(
            "revision 34: Background analysis phase error/failed: too many errors"
        )

    def test_wins_over_the_step_when_both_fail(self) -> None:
        """Two failures in one pass: the message is the background run's."""
        steps = ({"setWeight": 20}, {"analysis": APM})
        world = World.with_stable(spec=rollout_spec(steps=steps, analysis=APM))
        world.outcomes[self.NAME] = (Phase.FAILED, "behind")
        world.outcomes[f"{self.NAME}-1"] = (Phase.FAILED, "in front")
        world.deploy("new")
        world.advance(61)
        assert world.status.message.endswith("Background analysis phase error/failed: behind")

    def test_failure_in_the_last_moment_aborts(self) -> None:
        """If it fails as the last pods become available, the update is not promoted."""
        spec = rollout_spec(steps=({"setWeight": 50},), analysis=APM)
        world = World.with_stable(spec=spec, startup=40, run_seconds=80)
        world.outcomes[self.NAME] = (Phase.FAILED, "late")
        world.deploy("new")
        world.advance(79)
        assert world.status.current_step_index == 1
        world.advance(1)
        assert world.replica_sets["new"].available == 2
        assert (world.status.stable_rs, str(world.status.phase)) == ("old", "Degraded")

    def test_inconclusive_stops_scaling_in_the_same_pass(self) -> None:
        """From the pass that sees it on, not even lost canary pods are replaced."""
        world = self.paced()
        world.deploy("new")
        world.effects.clear()
        world.runs[self.NAME] = replace(world.runs[self.NAME], phase=Phase.INCONCLUSIVE)
        canary = world.replica_sets["new"]
        world.replica_sets["new"] = replace(canary, replicas=0, current=0, ready=0, available=0)
        world.settle()
        assert world.status.pause_conditions
        assert not world.of(ScaleReplicaSet)

    def test_is_terminated_at_the_promotion(self) -> None:
        """It does not hold the promotion up and ends with it."""
        world = self.paced()
        world.deploy("new")
        world.advance(400)
        assert world.status.stable_rs == "new"
        assert world.of(TerminateAnalysisRun) == [TerminateAnalysisRun(name=self.NAME)]

    def test_is_not_repeated_after_success(self) -> None:
        """A finite background run that succeeds early is made once for an update."""
        world = self.paced()
        world.run_seconds = 10
        world.deploy("new")
        world.advance(1000)
        assert [run.name for run in world.created] == [self.NAME]

    def test_inconclusive_pauses(self) -> None:
        """An inconclusive background run pauses; resuming repeats it."""
        world = self.paced()
        world.run_seconds = 150
        world.outcomes[self.NAME] = (Phase.INCONCLUSIVE, "")
        world.deploy("new")
        world.advance(2000)
        assert world.status.message == "InconclusiveAnalysisRun"
        assert world.status.stable_rs == "old"
        world.operate(lambda status: replace(status, pause_conditions=()))
        assert f"{self.NAME}.1" in world.runs

    def test_retry_makes_a_new_one(self) -> None:
        """After an abort and a retry it is created again under the next free name."""
        world = self.paced()
        world.deploy("new")
        world.operate(abort)
        world.operate(retry)
        assert world.created[-1].name == f"{self.NAME}.1"


class TestRollbackWindow:
    """`spec.rollbackWindow`."""

    def world(self, revisions: int) -> World:
        """Return a world in which v1, v2 and v3 were rolled out one after the other."""
        spec = rollout_spec(
            "v1", steps=({"setWeight": 50},), spec={"rollbackWindow": {"revisions": revisions}}
        )
        world = World(spec=spec)
        for version in ("v1", "v2", "v3"):
            world.deploy(version)
            world.advance(100)
            assert world.status.stable_rs == version
        world.spec = replace(
            world.spec, canary=replace(rollout_spec(steps=QA_STEPS).canary, step_hash="other")
        )
        world.settle()
        world.effects.clear()
        return world

    def test_skips_steps_inside(self) -> None:
        """Going back by one revision with a window of one needs no steps."""
        world = self.world(revisions=1)
        world.spec = undo(world.spec, world.observed)
        world.settle()
        assert world.status.stable_rs == "v2"
        assert world.events("RolloutCompleted") == [
            "Rollout completed update to revision 4 (v2): Rollback within window"
        ]

    def test_takes_all_steps_outside(self) -> None:
        """Going back by two revisions with a window of one is an ordinary update."""
        world = self.world(revisions=1)
        world.spec = undo(world.spec, world.observed, to_revision=1)
        world.settle()
        assert (world.status.stable_rs, world.status.current_step_index) == ("v3", 1)


class TestPods:
    """Slow, missing and changing pods."""

    def test_timeout_degrades_and_goes_on(self) -> None:
        """No progress in 600 seconds is Degraded; when the pods come, the update goes on."""
        world = World.with_stable()
        world.stuck_pods.add("new")
        world.deploy("new")
        world.advance(599)
        assert str(world.status.phase) == "Progressing"
        world.advance(2)
        assert world.status.message == (
            'ProgressDeadlineExceeded: ReplicaSet "vote-new" has timed out progressing.'
        )
        assert (str(world.status.phase), world.weight) == ("Degraded", 0)
        world.replica_sets["new"] = replace(world.replica_sets["new"], ready=1, available=1)
        world.settle()
        assert (world.status.message, world.weight) == ("CanaryPauseStep", 20)

    def test_timeout_aborts_when_told_so(self) -> None:
        """With progressDeadlineAbort the update is given up."""
        world = World.with_stable(spec=rollout_spec(spec={"progressDeadlineAbort": True}))
        world.stuck_pods.add("new")
        world.deploy("new")
        world.advance(1000)
        assert world.status.message == (
            "RolloutAborted: Rollout aborted update to revision 34: "
            'ReplicaSet "vote-new" has timed out progressing.'
        )

    def test_pauses_and_analyses_do_not_time_out(self) -> None:
        """A pause of an hour is no lack of progress."""
        world = World.with_stable(spec=rollout_spec(steps=({"pause": {"duration": "1h"}},)))
        world.deploy("new")
        world.advance(3599)
        assert world.status.message == "CanaryPauseStep"
        world.advance(2)
        assert world.status.stable_rs == "new"

    def test_slow_pods_that_come_are_progress(self) -> None:
        """The deadline counts from the last progress, not from the start of the update."""
        spec = rollout_spec(steps=({"setWeight": 50}, {"setWeight": 100}))
        world = World.with_stable(spec=spec, startup=400)
        world.deploy("new")
        world.advance(1000)
        assert world.status.stable_rs == "new"
        assert not [s for _, s in world.statuses if s.message.startswith("ProgressDeadline")]

    def test_progress_in_the_last_moment_is_in_time(self) -> None:
        """Pods that come as the deadline passes save the update from progressDeadlineAbort."""
        world = World.with_stable(spec=rollout_spec(spec={"progressDeadlineAbort": True}))
        world.startup = math.nextafter(world.now + 600, math.inf) - world.now
        world.deploy("new")
        world.advance(601)
        assert (world.status.abort, world.weight) == (False, 20)

    def test_canary_without_pods_gets_no_weight(self) -> None:
        """When the canary loses its last pod in a pause, all traffic goes to stable."""
        world = World.with_stable()
        world.deploy("new")
        world.run_until_step(4)
        canary = world.replica_sets["new"]
        world.replica_sets["new"] = replace(canary, ready=0, available=0)
        world.settle()
        assert world.weight == 0

    def test_no_stable_pods_means_no_new_weight(self) -> None:
        """Weight is not changed while stable could not carry its share."""
        world = World.with_stable()
        world.deploy("new")
        world.run_until_step(2)
        stable = world.replica_sets["old"]
        world.replica_sets["old"] = replace(stable, ready=0, available=0)
        world.promote()
        assert world.weight == 20

    def test_change_of_replicas_scales_without_steps(self) -> None:
        """More replicas in the middle of a pause change sizes and nothing else."""
        world = World.with_stable()
        world.deploy("new")
        world.spec = replace(world.spec, replicas=10)
        world.settle()
        sizes = [world.replica_sets[name].replicas for name in ("new", "old")]
        assert (sizes, world.status.current_step_index) == ([2, 10], 1)
        assert world.status.message == "CanaryPauseStep"

    def test_resuming_is_not_lost_in_a_change_of_replicas(self) -> None:
        """Promoting and scaling at once does both."""
        world = World.with_stable()
        world.deploy("new")
        world.spec = replace(world.spec, replicas=4)
        world.promote()
        assert world.status.current_step_index == 2

    def test_history_limit_deletes_the_oldest(self) -> None:
        """Empty ReplicaSets beyond revisionHistoryLimit are deleted, oldest first."""
        spec = rollout_spec("v1", steps=(), spec={"revisionHistoryLimit": 1})
        world = World(spec=spec)
        for version in ("v1", "v2", "v3", "v4"):
            world.deploy(version)
            world.advance(100)
        assert world.of(DeleteReplicaSet) == [
            DeleteReplicaSet(hash="v1"),
            DeleteReplicaSet(hash="v2"),
        ]
        assert set(world.replica_sets) == {"v3", "v4"}

    def test_set_canary_scale_holds_apart_from_the_weight(self) -> None:
        """A fixed number of canary pods stays until matchTrafficWeight."""
        steps = (
            {"setCanaryScale": {"replicas": 3}},
            {"setWeight": 10},
            {"pause": {}},
            {"setCanaryScale": {"matchTrafficWeight": True}},
            {"pause": {}},
        )
        world = World.with_stable(spec=rollout_spec(steps=steps, spec={"replicas": 10}))
        world.deploy("new")
        assert (world.replica_sets["new"].replicas, world.weight) == (3, 10)
        world.promote()
        assert (world.replica_sets["new"].replicas, world.weight) == (1, 10)


class TestDynamicStableScale:
    """`dynamicStableScale: true`: stable shrinks while the canary grows."""

    STEPS = ({"setWeight": 20}, {"pause": {}}, {"setWeight": 80}, {"pause": {}})

    def world(self, **canary: Any) -> World:
        """Return a world with ten replicas at 80 percent."""
        spec = rollout_spec(
            steps=self.STEPS, dynamicStableScale=True, spec={"replicas": 10}, **canary
        )
        world = World.with_stable(spec=spec, startup=10)
        world.deploy("new")
        world.advance(60)
        world.promote()
        world.advance(60)
        assert world.weight == 80
        return world

    def test_shrinks_stable(self) -> None:
        """At 80 percent two of ten stable pods are left."""
        world = self.world()
        sizes = {name: rs.replicas for name, rs in world.replica_sets.items()}
        assert sizes == {"new": 8, "old": 2}

    def test_shrinks_stable_one_pass_after_the_weight(self) -> None:
        """Stable gives up pods only in a pass after the one that took its traffic."""
        for effects in self.world().passes:
            if any(isinstance(effect, SetWeight) for effect in effects):
                assert not [
                    e for e in effects if isinstance(e, ScaleReplicaSet) and e.hash == "old"
                ]

    @pytest.mark.parametrize(
        "canary",
        [pytest.param({}, id="default"), pytest.param({"abortScaleDownDelaySeconds": 5}, id="5s")],
    )
    def test_abort_returns_traffic_as_stable_grows(self, canary: dict[str, Any]) -> None:
        """After an abort no weight is given to stable that its pods cannot carry."""
        world = self.world(**canary)
        world.status = abort(world.status)
        world.settle()
        assert world.weight == 80
        for _ in range(120):
            world.advance(1)
            assert world.replica_sets["old"].available >= (100 - world.weight) * 10 // 100
            assert world.replica_sets["new"].available >= world.weight * 10 // 100
        sizes = {name: rs.replicas for name, rs in world.replica_sets.items()}
        assert (world.weight, sizes) == (0, {"new": 0, "old": 10})

    def test_going_back_to_stable_waits_for_its_pods(self) -> None:
        """Undoing in mid-update keeps the canary's share until stable has grown."""
        world = self.world()
        world.deploy("old")
        assert world.weight > 0
        world.advance(300)
        sizes = {name: rs.replicas for name, rs in world.replica_sets.items()}
        assert (world.weight, sizes) == (0, {"new": 0, "old": 10})
        assert str(world.status.phase) == "Healthy"


def test_a_rollout_without_steps_is_promoted_when_its_pods_are_there() -> None:
    """No steps means a full rolling change behind the router."""
    world = World.with_stable(spec=rollout_spec(steps=()))
    world.deploy("new")
    assert world.status.stable_rs == "new"
    assert world.status.current_step_index is None
    assert world.now - START == 1000
