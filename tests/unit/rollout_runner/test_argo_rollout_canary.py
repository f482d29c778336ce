"""The nine-step canary of the QA environment, driven through a simulated cluster."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout_runner.argo.rollout import (
    AnalysisKind,
    CreateAnalysisRun,
    ScaleReplicaSet,
    SetScaleDownDeadline,
    SetServiceSelector,
    SetWeight,
    TerminateAnalysisRun,
    abort,
    reconcile,
    retry,
    undo,
)
from rollout_runner.argo.types import Phase
from unit.rollout_runner.argo_rollout_world import FAILED_APM, QA_STEPS, START, World, rollout_spec

RUN_2, RUN_5, RUN_8 = (f"vote-new-34-{index}" for index in (2, 5, 8))
STEP_TEXTS = (
    "setWeight: 20",
    "pause: 2m",
    "analysis",
    "setWeight: 50",
    "pause: 3m",
    "analysis",
    "setWeight: 100",
    "pause: 1m",
    "analysis",
)


@pytest.fixture(name="world")
def _world() -> World:
    world = World.with_stable(now=START - 1000)
    world.now = START
    return world


def weights_set(world: World) -> list[int]:
    """Return the canary's weights in the order in which they were set, hash changes left out."""
    weights = [effect.canary for effect in world.of(SetWeight)]
    return [
        weight for index, weight in enumerate(weights) if index == 0 or weight != weights[index - 1]
    ]


class TestPromotion:
    """A good canary."""

    def test_goes_through_all_weights(self, world: World) -> None:
        """A good canary gets 20, 50 and 100 percent; promoted, it is stable and weight is 0."""
        world.deploy("new")
        world.advance(1000)
        assert weights_set(world) == [0, 20, 50, 100, 0]
        assert (world.status.stable_rs, str(world.status.phase)) == ("new", "Healthy")

    def test_takes_pauses_and_analyses_together(self, world: World) -> None:
        """Pauses of 2, 3 and 1 minutes and three analyses of 60 seconds take 540 seconds."""
        world.deploy("new")
        world.run_until(lambda it: it.status.stable_rs == "new")
        assert world.now - START == pytest.approx(540, abs=1e-3)

    def test_creates_one_run_for_each_analysis_step(self, world: World) -> None:
        """Runs are named after rollout, hash, revision and zero-based step index."""
        world.deploy("new")
        world.advance(1000)
        assert [(run.name, run.kind, run.step_index) for run in world.created] == [
            (RUN_2, AnalysisKind.STEP, 2),
            (RUN_5, AnalysisKind.STEP, 5),
            (RUN_8, AnalysisKind.STEP, 8),
        ]
        assert [run.analysis.templates[0].template_name for run in world.created] == [
            "health",
            "apm",
            "apm",
        ]

    def test_records_every_step(self, world: World) -> None:
        """Each completed step is an event that counts from 1."""
        world.deploy("new")
        world.advance(1000)
        assert world.events("RolloutStepCompleted") == [
            f"Rollout step {index}/9 completed ({text})"
            for index, text in enumerate(STEP_TEXTS, start=1)
        ]

    def test_records_weights_and_completion(self, world: World) -> None:
        """Changes of weight and the promotion are told in Argo's words."""
        world.deploy("new")
        world.advance(1000)
        changes = [text for text in world.events("TrafficWeightUpdated") if "from" in text]
        assert changes == [
            "Traffic weight updated from 0 to 20",
            "Traffic weight updated from 20 to 50",
            "Traffic weight updated from 50 to 100",
            "Traffic weight updated from 100 to 0",
        ]
        assert world.events("RolloutCompleted") == [
            "Rollout completed update to revision 34 (new): Completed all 9 canary steps"
        ]

    def test_runs_as_many_canary_pods_as_the_weight_needs(self, world: World) -> None:
        """One of two pods carries 20 and 50 percent, two carry everything."""
        world.deploy("new")
        world.advance(1000)
        scaled = [effect.replicas for effect in world.of(ScaleReplicaSet) if effect.hash == "new"]
        assert scaled == [1, 2]

    def test_keeps_old_pods_for_the_scale_down_delay(self, world: World) -> None:
        """The former stable pods stay complete until 30 seconds after the promotion."""
        world.deploy("new")
        world.advance(1000)
        assert world.when(ScaleReplicaSet(hash="old", replicas=0)) == pytest.approx(570, abs=1e-3)
        assert [e.replicas for e in world.of(ScaleReplicaSet) if e.hash == "old"] == [0]

    def test_moves_the_stable_service_before_the_weight(self, world: World) -> None:
        """At the promotion requests never lead to a Service without the right pods."""
        world.deploy("new")
        world.advance(1000)
        switch = world.of(SetServiceSelector).index(SetServiceSelector(service="vote", hash="new"))
        assert world.services == {"vote": "new", "vote-canary": "new"}
        effects = [effect for _, effect in world.effects]
        moved = effects.index(world.of(SetServiceSelector)[switch])
        zero = max(i for i, e in enumerate(effects) if isinstance(e, SetWeight) and e.canary == 0)
        assert moved < zero

    def test_waits_for_pods_before_giving_them_weight(self) -> None:
        """While a pod starts, the weight before the present step stays in force."""
        world = World.with_stable(startup=20)
        world.effects.clear()
        begun = world.now
        world.deploy("new")
        world.advance(19)
        assert (world.weight, world.status.current_step_index) == (0, 0)
        world.advance(2)
        assert (world.weight, world.status.current_step_index) == (20, 1)
        world.run_until_step(6)
        assert world.weight == 50
        world.run_until_step(7)
        assert world.weight == 100
        assert world.now - begun == pytest.approx(20 + 120 + 60 + 180 + 60 + 20, abs=1e-3)

    def test_shows_the_phases_on_the_way(self, world: World) -> None:
        """A pause is Paused; an analysis is Progressing and waits for pods to be updated."""
        world.deploy("new")
        assert (str(world.status.phase), world.status.message) == ("Paused", "CanaryPauseStep")
        world.run_until_step(2)
        assert (str(world.status.phase), world.status.message) == (
            "Progressing",
            "more replicas need to be updated",
        )
        world.run_until_step(8)
        assert world.status.message == "waiting for all steps to complete"


class TestAbort:
    """A canary whose analysis at index 5 fails."""

    @pytest.fixture(autouse=True)
    def _failing(self, world: World) -> None:
        world.outcomes[RUN_5] = (Phase.FAILED, FAILED_APM)
        world.deploy("new")

    def test_says_why(self, world: World) -> None:
        """The status carries the message of the failed run, word for word."""
        world.advance(1000)
        assert str(world.status.phase) == "Degraded"
        assert world.status.message == (
            "RolloutAborted: Rollout aborted update to revision 34: "
            f"Step-based analysis phase error/failed: {FAILED_APM}"
        )
        assert [f"RolloutAborted: {text}" for text in world.events("RolloutAborted")] == [
            world.status.message
        ]

    def test_takes_all_traffic_back_at_once(self, world: World) -> None:
        """Weight goes from 50 to 0 in the second in which the analysis fails, at 420 s."""
        world.advance(1000)
        assert weights_set(world) == [0, 20, 50, 0]
        back = SetWeight(canary=0, stable=100, canary_hash="new", stable_hash="old")
        last = max(at for at, effect in world.effects if effect == back)
        assert last - START == pytest.approx(420, abs=1e-3)
        assert world.services["vote-canary"] == "old"

    def test_never_runs_later_steps(self, world: World) -> None:
        """The steps after the failed analysis are not reached and nothing is promoted."""
        world.advance(5000)
        assert [run.name for run in world.created] == [RUN_2, RUN_5]
        assert world.status.stable_rs == "old"
        assert len(world.events("RolloutStepCompleted")) == 5

    def test_scales_the_canary_down_after_the_delay(self, world: World) -> None:
        """Canary pods stay for 30 seconds after the abort; stable is never touched."""
        world.advance(1000)
        assert world.when(ScaleReplicaSet(hash="new", replicas=0)) == pytest.approx(450, abs=1e-3)
        assert all(effect.hash == "new" for effect in world.of(ScaleReplicaSet))

    def test_keeps_the_canary_for_the_whole_delay(self, world: World) -> None:
        """A look at the canary in between does not take its pods away early."""
        world.advance(445)
        world.settle()
        assert world.replica_sets["new"].replicas == 1
        world.advance(6)
        assert world.replica_sets["new"].replicas == 0

    def test_a_delay_of_zero_keeps_only_a_fixed_canary_scale(self) -> None:
        """`abortScaleDownDelaySeconds: 0` keeps the pods of a setCanaryScale at step 0."""
        scaled = ({"setCanaryScale": {"replicas": 2}}, *QA_STEPS)
        world = World.with_stable(spec=rollout_spec(steps=scaled, abortScaleDownDelaySeconds=0))
        world.deploy("new")
        world.operate(abort)
        world.advance(5000)
        assert (world.weight, world.replica_sets["new"].replicas) == (0, 2)

    def test_a_delay_of_zero_keeps_no_pods_of_a_weight(self) -> None:
        """With weights alone the same setting takes the canary away at once, as in Argo."""
        world = World.with_stable(spec=rollout_spec(abortScaleDownDelaySeconds=0))
        world.deploy("new")
        world.operate(abort)
        assert world.replica_sets["new"].replicas == 0
        assert not world.of(SetScaleDownDeadline)

    def test_without_a_message_ends_with_the_phase(self, world: World) -> None:
        """A run without a message adds nothing after the colon."""
        world.outcomes[RUN_2] = (Phase.ERROR, "")
        world.advance(1000)
        assert world.status.message == (
            "RolloutAborted: Rollout aborted update to revision 34: "
            "Step-based analysis phase error/failed"
        )

    def test_clears_the_current_run(self, world: World) -> None:
        """After the abort the status names no current analysis and stands at step 0."""
        world.advance(1000)
        assert world.status.current_step_analysis_run is None
        assert world.status.current_step_index == 0

    def test_retry_begins_again_with_a_new_run(self, world: World) -> None:
        """A retry starts at step 0 of the same revision; a repeated run gets the suffix .1."""
        world.advance(1000)
        world.operate(retry)
        assert world.status.current_step_index == 1
        world.advance(1000)
        assert [run.name for run in world.created][2:] == [f"{RUN_2}.1", f"{RUN_5}.1", RUN_8]
        assert world.status.stable_rs == "new"

    def test_undo_is_healthy_at_once(self, world: World) -> None:
        """Going back to the stable template takes no steps, no analysis and no time."""
        world.advance(1000)
        at = world.now
        runs = len(world.created)
        world.spec = undo(world.spec, world.observed)
        world.settle()
        assert (str(world.status.phase), world.now) == ("Healthy", at)
        assert world.events("SkipSteps") == ["Rollback to stable ReplicaSets"]
        assert (world.status.current_step_index, len(world.created)) == (9, runs)
        assert world.replica_sets["old"].revision == 35

    def test_new_template_begins_a_new_update(self, world: World) -> None:
        """After an abort a mended version goes through all steps under the next revision."""
        world.advance(1000)
        world.deploy("mended")
        world.advance(1000)
        assert world.status.stable_rs == "mended"
        assert [run.name for run in world.created][2:] == [
            f"vote-mended-35-{index}" for index in (2, 5, 8)
        ]


class TestInconclusive:
    """A canary whose analysis at index 5 cannot tell."""

    @pytest.fixture(autouse=True)
    def _inconclusive(self, world: World) -> None:
        world.outcomes[RUN_5] = (Phase.INCONCLUSIVE, "not enough traffic")
        world.deploy("new")
        world.run_until(lambda it: bool(it.runs.get(RUN_5) and it.runs[RUN_5].completed))

    def test_stands_still(self, world: World) -> None:
        """An inconclusive analysis pauses at the present weight until somebody acts."""
        world.advance(100_000)
        assert (str(world.status.phase), world.status.message) == (
            "Paused",
            "InconclusiveAnalysisRun",
        )
        assert (world.weight, world.status.current_step_index) == (50, 5)
        assert world.status.stable_rs == "old"

    def test_promote_skips_the_step(self, world: World) -> None:
        """Promoting goes on with the next step and does not repeat the analysis."""
        world.promote()
        assert world.weight == 100
        world.advance(1000)
        assert world.status.stable_rs == "new"
        assert [run.name for run in world.created] == [RUN_2, RUN_5, RUN_8]

    def test_resuming_repeats_the_analysis(self, world: World) -> None:
        """Clearing the pause without moving on makes a new run of the same step."""
        world.outcomes[f"{RUN_5}.1"] = (Phase.FAILED, "worse")
        world.operate(lambda status: replace(status, pause_conditions=()))
        assert world.created[-1].name == f"{RUN_5}.1"
        world.advance(1000)
        assert world.status.message.endswith("Step-based analysis phase error/failed: worse")

    def test_abort_ends_it(self, world: World) -> None:
        """An operator can abort what is paused."""
        world.operate(abort)
        assert world.weight == 0
        assert world.status.message == "RolloutAborted: Rollout aborted update to revision 34"


class TestOperator:
    """What a person may do."""

    def test_promote_ends_a_pause(self, world: World) -> None:
        """Promoting during a pause completes that step only."""
        world.deploy("new")
        world.advance(10)
        world.promote()
        assert world.status.current_step_index == 2
        assert world.created[-1].name == RUN_2

    def test_promote_skips_a_running_analysis(self, world: World) -> None:
        """Promoting during an analysis cancels its run and goes on."""
        world.deploy("new")
        world.run_until_step(2)
        world.promote()
        assert world.of(TerminateAnalysisRun) == [TerminateAnalysisRun(name=RUN_2)]
        assert world.weight == 50

    def test_promote_full_skips_everything(self, world: World) -> None:
        """A full promotion scales up, switches and is done, without analysis."""
        world.deploy("new")
        world.advance(10)
        world.promote(full=True)
        assert (world.status.stable_rs, world.status.promote_full) == ("new", False)
        assert world.events("RolloutCompleted") == [
            "Rollout completed update to revision 34 (new): Full promotion requested"
        ]
        assert not world.of(CreateAnalysisRun)

    def test_promote_full_keeps_the_weight_until_pods_are_there(self) -> None:
        """The weight does not rise before all new pods can serve."""
        world = World.with_stable(startup=20)
        world.deploy("new")
        world.advance(30)
        world.promote(full=True)
        assert (world.weight, world.status.stable_rs) == (20, "old")
        world.advance(21)
        assert (world.weight, world.status.stable_rs) == (0, "new")

    def test_promote_full_does_nothing_when_there_is_no_update(self, world: World) -> None:
        """On a Rollout that is fully promoted it is not remembered."""
        world.promote(full=True)
        assert not world.status.promote_full

    def test_abort_cancels_a_running_analysis(self, world: World) -> None:
        """An abort by hand has no reason behind the revision, and ends the run."""
        world.deploy("new")
        world.run_until_step(2)
        world.operate(abort)
        assert world.of(TerminateAnalysisRun) == [TerminateAnalysisRun(name=RUN_2)]
        assert world.status.message == "RolloutAborted: Rollout aborted update to revision 34"

    def test_retry_does_not_take_up_a_cancelled_run(self, world: World) -> None:
        """A run that is still being cancelled ends Successful, which must not pass the step."""
        world.deploy("new")
        world.run_until_step(2)
        running = world.runs[RUN_2]
        world.operate(abort)
        world.runs[RUN_2] = replace(running, terminate=True)
        world.operate(retry)
        world.run_until_step(2)
        assert world.created[-1].name == f"{RUN_2}.1"

    def test_abort_of_a_finished_rollout_is_dropped(self, world: World) -> None:
        """Nothing can be aborted when the wanted version is stable."""
        world.operate(abort)
        assert (world.status.abort, str(world.status.phase)) == (False, "Healthy")

    def test_manual_pause_halts_everything(self, world: World) -> None:
        """`spec.paused` completes no step and scales nothing until it is taken away."""
        world.deploy("new")
        world.spec = replace(world.spec, paused=True)
        world.advance(1000)
        assert (str(world.status.phase), world.status.message) == ("Paused", "manually paused")
        assert world.status.current_step_index == 1
        world.promote()
        assert world.status.current_step_index == 2


class TestNewTemplate:
    """Another pod template in the middle of an update."""

    def test_restarts_at_step_zero(self, world: World) -> None:
        """A newer version in the middle of an update takes its place from the start."""
        world.deploy("new")
        world.run_until_step(5)
        world.deploy("newer")
        assert world.status.current_step_index == 1
        assert world.replica_sets["newer"].revision == 35
        assert world.replica_sets["new"].replicas == 0
        assert world.of(TerminateAnalysisRun) == [TerminateAnalysisRun(name=RUN_5)]

    def test_takes_weight_away_until_it_has_pods(self) -> None:
        """Between the two versions all traffic goes to stable."""
        world = World.with_stable(startup=20)
        world.deploy("new")
        world.run_until_step(5)
        assert world.weight == 50
        world.deploy("newer")
        assert world.weight == 0
        world.advance(21)
        assert world.weight == 20

    def test_back_to_stable_skips_the_steps(self, world: World) -> None:
        """Going back in the middle of an update is immediate, and the canary goes after 30 s."""
        world.deploy("new")
        world.run_until_step(5)
        at = world.now
        world.deploy("old")
        assert (str(world.status.phase), world.weight, world.now) == ("Healthy", 0, at)
        assert world.replica_sets["new"].replicas == 1
        world.advance(31)
        assert world.replica_sets["new"].replicas == 0

    def test_is_the_same_whether_or_not_passes_were_made_between(self, world: World) -> None:
        """Reconciling a settled Rollout again changes nothing and wants nothing."""
        world.deploy("new")
        status, effects = reconcile(world.spec, world.status, world.observed, world.now)
        assert (status, effects) == (world.status, ())
