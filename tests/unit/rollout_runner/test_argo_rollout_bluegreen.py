"""Blue-green updates from start to end, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from argo_rollout_world import World, rollout_manifest

from rollout_runner.argo.rollout import RolloutSpec, analysis_problems, read_rollout, spec_problems
from rollout_runner.argo.rollout.operator import abort, retry
from rollout_runner.argo.types import Phase

PRE = {"templates": [{"templateName": "health"}]}
POST = {"templates": [{"templateName": "apm"}]}
FAILED = 'Metric "m" assessed Failed due to failed (1) > failureLimit (0)'


def spec_of(pod_hash: str = "old", **fields: Any) -> RolloutSpec:
    """Return the Rollout `vote` with a blue-green strategy."""
    manifest = rollout_manifest()
    manifest["spec"]["strategy"] = {
        "blueGreen": {"activeService": "vote", "previewService": "vote-preview"} | fields
    }
    return read_rollout(manifest, pod_hash=pod_hash)


def world_of(*, outcomes: dict[str, tuple[Phase, str]] | None = None, **fields: Any) -> World:
    """Return a world with `old` active and stable; pods take ten seconds to start."""
    world = World.with_stable(spec=spec_of(**fields))
    world.startup = 10
    world.outcomes = outcomes or {}
    return world


def phase(world: World) -> tuple[str, str]:
    """Return phase and message."""
    return str(world.status.phase), world.status.message


def test_first_deploy_has_no_pause_and_no_analysis() -> None:
    """The first version is stable at once and active as soon as its pods are there."""
    world = World(spec=spec_of(autoPromotionEnabled=False, prePromotionAnalysis=PRE), startup=10)
    world.settle()
    assert world.services == {"vote-preview": "old"}
    world.advance(20)
    assert world.services == {"vote-preview": "old", "vote": "old"}
    assert phase(world) == ("Healthy", "")
    assert not world.created
    assert world.events("RolloutCompleted") == [
        "Rollout completed update to revision 1 (old): Initial deploy"
    ]


def test_the_switch_waits_for_the_pods() -> None:
    """The preview leads to the new pods at once, the active Service when all are available."""
    world = world_of()
    world.deploy("new")
    assert world.services == {"vote": "old", "vote-preview": "new"}
    assert phase(world) == ("Progressing", "active service cutover pending")
    world.advance(10)
    assert world.services["vote"] == "new"
    assert phase(world) == ("Healthy", "")
    assert world.events("RolloutCompleted") == [
        "Rollout completed update to revision 34 (new): Completed blue-green update"
    ]
    assert world.replica_sets["old"].replicas == 2
    world.advance(31)
    assert world.replica_sets["old"].replicas == 0


def test_a_person_promotes() -> None:
    """Without auto-promotion the new version waits, at full size and without users."""
    world = world_of(autoPromotionEnabled=False)
    world.deploy("new")
    world.advance(3600)
    assert phase(world) == ("Paused", "BlueGreenPause")
    assert world.services == {"vote": "old", "vote-preview": "new"}
    world.promote()
    assert world.services["vote"] == "new"
    assert phase(world) == ("Healthy", "")


def test_auto_promotion_seconds_count_from_the_end_of_the_analysis() -> None:
    """The pause begins when the pre-promotion analysis is over, and ends strictly after it."""
    world = world_of(autoPromotionSeconds=30, prePromotionAnalysis=PRE)
    world.deploy("new")
    world.advance(10 + 59)
    assert phase(world) == ("Progressing", "active service cutover pending")
    world.advance(1)
    assert phase(world) == ("Paused", "BlueGreenPause")
    world.advance(30)
    assert world.services["vote"] == "old"
    world.advance(1)
    assert world.services["vote"] == "new"
    assert [run.name for run in world.created] == ["vote-new-34-pre"]


def test_a_failed_analysis_before_the_switch_changes_nothing_for_users() -> None:
    """The abort leaves the active Service alone; the new pods go after their delay."""
    name = "vote-new-34-pre"
    world = world_of(prePromotionAnalysis=PRE, outcomes={name: (Phase.FAILED, FAILED)})
    world.deploy("new")
    world.advance(10 + 60)
    assert phase(world) == (
        "Degraded",
        (
            "RolloutAborted: Rollout aborted update to revision 34: "
            f"Blue/green pre-promotion analysis phase error/failed: {FAILED}"
        ),
    )
    assert world.services == {"vote": "old", "vote-preview": "new"}
    assert world.replica_sets["new"].replicas == 2
    world.advance(31)
    assert world.replica_sets["new"].replicas == 0
    assert world.replica_sets["old"].replicas == 2


def test_a_failed_analysis_after_the_switch_brings_the_old_version_back() -> None:
    """The old pods were kept at full size for it, and the switch back is immediate."""
    name = "vote-new-34-post"
    world = world_of(postPromotionAnalysis=POST, outcomes={name: (Phase.FAILED, FAILED)})
    world.deploy("new")
    world.advance(10)
    assert world.services["vote"] == "new"
    assert phase(world) == ("Progressing", "waiting for analysis to complete")
    world.advance(60)
    assert world.services["vote"] == "old"
    assert world.status.message.endswith(
        f"Blue/green post-promotion analysis phase error/failed: {FAILED}"
    )
    assert world.status.stable_rs == "old"


def test_a_successful_analysis_after_the_switch_makes_it_stable() -> None:
    """Only then is the new version stable, and the old one may go."""
    world = world_of(postPromotionAnalysis=POST)
    world.deploy("new")
    world.advance(10 + 59)
    assert world.status.stable_rs == "old"
    world.advance(1)
    assert world.status.stable_rs == "new"
    assert phase(world) == ("Healthy", "")


def test_an_inconclusive_analysis_pauses_and_is_repeated_by_a_promotion() -> None:
    """Promoting after an inconclusive analysis makes a new run of the same kind."""
    name = "vote-new-34-pre"
    world = world_of(prePromotionAnalysis=PRE, outcomes={name: (Phase.INCONCLUSIVE, "")})
    world.deploy("new")
    world.advance(600)
    assert phase(world) == ("Paused", "InconclusiveAnalysisRun")
    assert world.services["vote"] == "old"
    world.promote()
    world.advance(60)
    assert [run.name for run in world.created] == [name, f"{name}.1"]
    assert world.services["vote"] == "new"


def test_going_back_within_the_delay_skips_pause_and_analysis() -> None:
    """The old pods are still there, so the switch back is immediate."""
    world = world_of(autoPromotionEnabled=False, prePromotionAnalysis=PRE)
    world.deploy("new")
    world.advance(10 + 60)
    world.promote()
    assert world.services["vote"] == "new"
    world.advance(10)
    world.deploy("old")
    assert world.services["vote"] == "old"
    assert phase(world) == ("Healthy", "")
    assert len(world.created) == 1
    assert world.events("RolloutCompleted")[-1].endswith(": Fast rollback")


def test_a_retry_repeats_the_analysis() -> None:
    """After an abort, a retry begins with a new run."""
    name = "vote-new-34-pre"
    world = world_of(prePromotionAnalysis=PRE, outcomes={name: (Phase.FAILED, FAILED)})
    world.deploy("new")
    world.advance(80)
    world.operate(retry)
    world.advance(120)
    assert [run.name for run in world.created] == [name, f"{name}.1"]
    assert world.services["vote"] == "new"


def test_an_abort_by_a_person_before_the_switch() -> None:
    """The pause is over, the active Service stays, the analysis is terminated."""
    world = world_of(prePromotionAnalysis=PRE)
    world.deploy("new")
    world.advance(20)
    world.operate(abort)
    assert phase(world)[0] == "Degraded"
    assert world.services["vote"] == "old"
    assert world.runs["vote-new-34-pre"].terminate


def test_a_small_preview_grows_before_the_switch() -> None:
    """`previewReplicaCount` holds until the pause is over; then all pods must come up first."""
    world = world_of(autoPromotionEnabled=False, previewReplicaCount=1)
    world.deploy("new")
    world.advance(60)
    assert (world.replica_sets["new"].replicas, phase(world)[0]) == (1, "Paused")
    world.promote()
    assert world.replica_sets["new"].replicas == 2
    assert world.services["vote"] == "old"
    world.advance(10)
    assert world.services["vote"] == "new"
    assert phase(world) == ("Healthy", "")


def test_full_promotion_skips_pause_and_analysis() -> None:
    """`promote --full` goes on as soon as the pods are there."""
    world = world_of(autoPromotionEnabled=False, prePromotionAnalysis=PRE)
    world.deploy("new")
    world.promote(full=True)
    world.advance(10)
    assert world.services["vote"] == "new"
    assert world.events("RolloutCompleted")[-1].endswith(": Full promotion requested")


def test_a_newer_template_replaces_the_preview() -> None:
    """The version in between never had users and goes after its delay."""
    world = world_of(autoPromotionEnabled=False)
    world.deploy("new")
    world.advance(60)
    world.deploy("newer")
    world.advance(60)
    assert world.services == {"vote": "old", "vote-preview": "newer"}
    assert world.replica_sets["new"].replicas == 0


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"previewService": "vote"}, "two different services are required."),
        ({"scaleDownDelayRevisionLimit": 11}, "can not be smaller than the rollout's scale"),
    ],
)
def test_what_argo_refuses_is_refused(fields: dict[str, Any], problem: str) -> None:
    """The messages are Argo's."""
    (found,) = spec_problems(spec_of(**fields))
    assert problem in found


def test_templates_are_looked_for() -> None:
    """A template that does not exist is told with its field."""
    spec = spec_of(prePromotionAnalysis=PRE, postPromotionAnalysis=POST)
    assert [problem.partition(":")[0] for problem in analysis_problems(spec, (), {})] == [
        "spec.strategy.blueGreen.prePromotionAnalysis.templates",
        "spec.strategy.blueGreen.postPromotionAnalysis.templates",
    ]
