"""What holds for every canary, whatever its steps, its analyses and its operator do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_runner.argo.rollout import SetWeight, abort, retry
from rollout_runner.argo.types import Phase
from unit.rollout_runner.argo_rollout_world import World, rollout_spec

if TYPE_CHECKING:
    from collections.abc import Callable

ANALYSIS = {"templates": [{"templateName": "apm"}]}
BAD = (Phase.FAILED, Phase.ERROR)

steps = st.lists(
    st.one_of(
        st.builds(lambda weight: {"setWeight": weight}, st.integers(0, 100)),
        st.builds(lambda seconds: {"pause": {"duration": seconds}}, st.integers(0, 300)),
        st.just({"analysis": ANALYSIS}),
    ),
    max_size=7,
)
outcomes = st.sampled_from(
    [Phase.SUCCESSFUL, Phase.SUCCESSFUL, Phase.SUCCESSFUL, *BAD, Phase.INCONCLUSIVE]
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return a cluster with a stable version, some strategy, and an outcome for each run."""
    chosen = draw(steps)
    background = {"analysis": ANALYSIS} if draw(st.booleans()) else {}
    spec = rollout_spec(
        steps=tuple(chosen),
        routed=draw(st.booleans()),
        spec={"replicas": draw(st.integers(1, 6))},
        **background,
    )
    world = World.with_stable(
        spec=spec,
        startup=draw(st.sampled_from([0.0, 5.0, 40.0])),
        run_seconds=draw(st.sampled_from([0.5, 60.0, 400.0])),
    )
    for infix in ("", *(f"-{index}" for index in range(len(chosen)))):
        for suffix in ("", ".1"):
            phase = draw(outcomes)
            world.outcomes[f"vote-new-34{infix}{suffix}"] = (phase, f"it is {phase}")
    return world


@given(worlds())
@settings(max_examples=200, deadline=None)
def test_promoted_exactly_when_nothing_was_found(world: World) -> None:
    """With nobody acting, one bad or undecided analysis keeps an update from being promoted.

    A run that the promotion itself cancels has found nothing: it does not count. An undecided
    background run holds nothing back once all steps are done: Argo's full promotion asks for
    completed steps and available pods only.
    """
    world.deploy("new")
    world.advance(10_000)
    found = [state.phase for state in world.runs.values() if not state.terminate]
    if any(phase in BAD for phase in found):
        assert world.status.stable_rs == "old"
        assert str(world.status.phase) == "Degraded"
    elif Phase.INCONCLUSIVE in found:
        of_steps = {state.phase for name, state in world.runs.items() if _is_of_a_step(name)}
        if Phase.INCONCLUSIVE in of_steps or world.status.stable_rs == "old":
            assert world.status.stable_rs == "old"
            assert world.status.message == "InconclusiveAnalysisRun"
    else:
        assert world.status.stable_rs == "new"
        assert str(world.status.phase) == "Healthy"


def _is_of_a_step(name: str) -> bool:
    return name.startswith("vote-new-34-")


COMMANDS: dict[str, Callable[[World], None]] = {
    "abort": lambda world: world.operate(abort),
    "retry": lambda world: world.operate(retry),
    "promote": lambda world: world.promote(),
    "promote --full": lambda world: world.promote(full=True),
    "resume": lambda world: world.operate(lambda status: replace(status, pause_conditions=())),
    "newer": lambda world: world.deploy("newer"),
    "undo": lambda world: world.deploy("old"),
    "wait": lambda _: None,
}


@given(
    worlds(),
    st.lists(st.tuples(st.sampled_from(sorted(COMMANDS)), st.integers(0, 300)), max_size=8),
)
@settings(max_examples=200, deadline=None)
def test_weights_and_pods_under_any_commands(world: World, commands: list[tuple[str, int]]) -> None:
    """Whatever people do, weights are those of the steps and lead to pods that serve.

    Everything is also allowed once the last step is done. Stable always keeps all its pods, an
    abort takes all weight away, and after every command the controller comes to rest.
    """
    asked = {step.set_weight for step in world.spec.canary.steps} - {None}
    world.deploy("new")
    for command, seconds in commands:
        COMMANDS[command](world)
        world.advance(seconds)
        for weight in (effect.canary for effect in world.of(SetWeight)):
            assert weight in asked | {0, 100}
        if world.spec.canary.traffic_routing is not None:
            stable = world.replica_sets[world.status.stable_rs]
            assert stable.available == world.spec.replicas
            weights = world.status.canary_weights
            assert weights is not None
            if weights.canary.weight:
                assert world.replica_sets[weights.canary.pod_template_hash].available
            if world.status.abort:
                assert weights.canary.weight == 0


@given(worlds(), st.integers(0, 2000))
@settings(max_examples=100, deadline=None)
def test_everything_is_only_asked_for_past_the_last_step(world: World, seconds: int) -> None:
    """A weight that no step asks for is 0, or 100 after the last step."""
    asked = {step.set_weight for step in world.spec.canary.steps} - {None}
    last = len(world.spec.canary.steps)
    world.deploy("new")
    world.advance(seconds)
    for _, status in world.statuses:
        weights = status.canary_weights
        if weights is None:
            continue
        assert weights.canary.weight + weights.stable.weight == 100
        if weights.canary.weight not in asked | {0}:
            assert (weights.canary.weight, status.current_step_index) == (100, last)


@given(worlds(), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_same_world_same_effects(world: World, seconds: int) -> None:
    """A pass depends on its arguments and on nothing else."""
    first, second = (_copy(world) for _ in range(2))
    for each in (first, second):
        each.deploy("new")
        each.advance(seconds)
    assert first.effects == second.effects
    assert first.statuses == second.statuses


def _copy(world: World) -> World:
    copied: dict[str, Any] = {
        name: dict(getattr(world, name))
        for name in ("replica_sets", "runs", "services", "outcomes")
    }
    return replace(world, **copied, effects=[], statuses=[], passes=[], created=[])
