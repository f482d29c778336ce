"""Replays of replica counts, weights, pauses, step texts and phases of a Rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout_runner.argo.rollout.model import (
    BlueGreenStrategy,
    CanaryStep,
    CanaryStrategy,
    IntOrPercent,
    NginxTrafficRouting,
    RolloutAnalysis,
    RolloutSpec,
    SetCanaryScale,
    TrafficRouting,
)
from rollout_runner.argo.rollout.observation import ReplicaSet
from rollout_runner.argo.rollout.pause import PauseCondition, PauseReason, pause_seconds
from rollout_runner.argo.rollout.phase import rollout_phase
from rollout_runner.argo.rollout.replicas import basic_canary_counts, traffic_routed_counts
from rollout_runner.argo.rollout.status import (
    AnalysisRunRef,
    BlueGreenStatus,
    Condition,
    RolloutStatus,
    TrafficWeights,
    WeightDestination,
)
from rollout_runner.argo.rollout.step_text import step_text
from rollout_runner.argo.rollout.weights import (
    canary_replicas_or_weight,
    current_set_weight,
    set_canary_scale_in_force,
)
from rollout_runner.argo.types import Phase
from rollout_runner.conformance.record import Check, UnsupportedRecord, each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.conformance.record import Record

_RESTARTING = "rollout is restarting"


def replay_rollout(record: Record, _version: ArgoVersion) -> Iterator[Check]:
    """Replay one function on a Rollout."""
    kind = record.get("kind")
    if kind not in _KINDS:
        raise UnsupportedRecord(f"no function for kind {kind!r}")
    yield from _KINDS[str(kind)](record)


def _pause_duration(record: Record) -> Iterator[Check]:
    yield from each({"seconds": pause_seconds(record["duration"])}, record["expected"])


def _step_string(record: Record) -> Iterator[Check]:
    yield from each({"output": step_text(record["step"])}, record["expected"])


def _set_weight(record: Record) -> Iterator[Check]:
    rollout = record["rollout"]
    weight = current_set_weight(_spec(rollout).canary, _status(rollout))
    yield from each({"weight": weight}, record["expected"])


def _canary_scale(record: Record) -> Iterator[Check]:
    rollout = record["rollout"]
    scale = set_canary_scale_in_force(_spec(rollout).canary, _status(rollout))
    found = None
    if scale is not None:
        fields = {
            "weight": scale.weight,
            "replicas": scale.replicas,
            "matchTrafficWeight": scale.match_traffic_weight or None,
        }
        found = {name: value for name, value in fields.items() if value is not None}
    yield from each({"setCanaryScale": found}, record["expected"])


def _basic_replicas(record: Record) -> Iterator[Check]:
    rollout = record["rollout"]
    spec, status = _spec(rollout), _status(rollout)
    new_rs, stable_rs = _replica_set(record["newRS"]), _replica_set(record["stableRS"])
    others = [rs for rs in map(_replica_set, record["olderRSs"] or ()) if rs is not None]
    _, weight = canary_replicas_or_weight(spec, status, new_rs, stable_rs)
    yield Check("weight", weight, record["weight"])
    canary, stable = basic_canary_counts(spec, status, new_rs, stable_rs, others)
    yield from each({"canary": canary, "stable": stable}, record["expected"])


def _routed_replicas(record: Record) -> Iterator[Check]:
    rollout = record["rollout"]
    canary, stable = traffic_routed_counts(
        _spec(rollout),
        _status(rollout),
        _replica_set(record["newRS"]),
        _replica_set(record["stableRS"]),
        _weights(record["weights"]),
    )
    yield from each({"canary": canary, "stable": stable}, record["expected"])


def _phase(record: Record) -> Iterator[Check]:
    """Replay phase and message.

    The recording leaves out `spec.restartAt` (the inputs of TestRolloutStatusProgressing#10 and of
    TestRolloutStatusHealthy#1 are equal), so where the outcome tells of a restart it is put back.
    """
    strategy, recorded = record["strategy"], record["status"]
    spec = RolloutSpec(
        name="rollout",
        pod_hash=recorded.get("currentPodHash", ""),
        replicas=1 if record["replicas"] is None else record["replicas"],
        paused=record["paused"],
        canary=_canary(strategy.get("canary")),
        blue_green=_blue_green(strategy.get("blueGreen")),
        restart_at=1.0 if record["expected"]["message"] == _RESTARTING else None,
    )
    status = RolloutStatus(
        replicas=recorded.get("replicas", 0),
        updated_replicas=recorded.get("updatedReplicas", 0),
        ready_replicas=recorded.get("readyReplicas", 0),
        available_replicas=recorded.get("availableReplicas", 0),
        current_pod_hash=recorded.get("currentPodHash", ""),
        stable_rs=recorded.get("stableRS", ""),
        current_step_index=recorded.get("currentStepIndex"),
        pause_conditions=tuple(
            PauseCondition(reason=PauseReason(pause["reason"]), start_time=0)
            for pause in recorded.get("pauseConditions") or ()
        ),
        conditions=tuple(
            Condition(
                type=condition["type"],
                status=condition["status"],
                reason=condition.get("reason", ""),
                message=condition.get("message", ""),
                last_update_time=0,
                last_transition_time=0,
            )
            for condition in recorded.get("conditions") or ()
        ),
        blue_green=_blue_green_status(recorded.get("blueGreen") or {}),
    )
    phase, message = rollout_phase(spec, status)
    yield from each({"phase": str(phase), "message": message}, record["expected"])


def _canary(raw: Mapping[str, Any] | None) -> CanaryStrategy:
    fields = raw or {}
    routing = TrafficRouting(nginx=NginxTrafficRouting(stable_ingresses=("main",)))
    return CanaryStrategy(
        steps=_steps(fields.get("steps") or ()),
        step_hash="steps",
        traffic_routing=None if fields.get("trafficRouting") is None else routing,
    )


def _blue_green(raw: Mapping[str, Any] | None) -> BlueGreenStrategy | None:
    if raw is None:
        return None
    return BlueGreenStrategy(
        active_service=raw.get("activeService", ""),
        post_promotion_analysis=(
            None if raw.get("postPromotionAnalysis") is None else RolloutAnalysis()
        ),
    )


def _blue_green_status(raw: Mapping[str, Any]) -> BlueGreenStatus:
    run = raw.get("postPromotionAnalysisRunStatus")
    return BlueGreenStatus(
        active_selector=raw.get("activeSelector", ""),
        post_promotion_run=None
        if run is None
        else AnalysisRunRef(
            name=run.get("name", ""), phase=Phase(run["status"]) if run.get("status") else None
        ),
    )


def _steps(recorded: Any) -> tuple[CanaryStep, ...]:
    """Build steps by hand: recorded ones combine fields as a manifest could not."""
    steps = []
    for step in recorded:
        scale = step.get("setCanaryScale")
        steps.append(
            CanaryStep(
                text=step_text(step),
                set_weight=step.get("setWeight"),
                set_canary_scale=None
                if scale is None
                else SetCanaryScale(
                    weight=scale.get("weight"),
                    replicas=scale.get("replicas"),
                    match_traffic_weight=scale.get("matchTrafficWeight", False),
                ),
            )
        )
    return tuple(steps)


def _spec(rollout: Mapping[str, Any]) -> RolloutSpec:
    routing = TrafficRouting(nginx=NginxTrafficRouting(stable_ingresses=("main",)))
    return RolloutSpec(
        name="rollout",
        pod_hash=rollout["currentPodHash"],
        replicas=rollout["replicas"],
        canary=CanaryStrategy(
            steps=_steps(rollout["steps"] or ()),
            step_hash="steps",
            traffic_routing=routing if rollout["trafficRouting"] else None,
            max_surge=_int_or_percent(rollout["maxSurge"]),
            max_unavailable=_int_or_percent(rollout["maxUnavailable"]),
            dynamic_stable_scale=rollout["dynamicStableScale"],
            min_pods_per_replica_set=rollout["minPodsPerReplicaSet"],
            abort_scale_down_delay_seconds=rollout["abortScaleDownDelaySeconds"],
        ),
    )


def _int_or_percent(value: int | str | None) -> IntOrPercent:
    if isinstance(value, str):
        return IntOrPercent(value=int(value.removesuffix("%")), percent=value.endswith("%"))
    return IntOrPercent(value=0 if value is None else value)


def _status(rollout: Mapping[str, Any]) -> RolloutStatus:
    return RolloutStatus(
        abort=rollout["abort"],
        promote_full=rollout["promoteFull"],
        current_pod_hash=rollout["currentPodHash"],
        stable_rs=rollout["stableRS"],
        current_step_index=rollout["currentStepIndex"],
    )


def _replica_set(recorded: Mapping[str, Any] | None) -> ReplicaSet | None:
    if recorded is None:
        return None
    return ReplicaSet(
        hash=recorded["name"],
        revision=1,
        created_at=0,
        replicas=recorded["specReplicas"],
        current=recorded["specReplicas"],
        ready=recorded["availableReplicas"],
        available=recorded["availableReplicas"],
    )


def _weights(recorded: Mapping[str, Any] | None) -> TrafficWeights | None:
    if recorded is None:
        return None
    canary, stable = (
        WeightDestination(weight=recorded[side]["weight"], pod_template_hash="", service_name="")
        for side in ("canary", "stable")
    )
    return TrafficWeights(canary=canary, stable=stable)


_KINDS: dict[str, Callable[[Record], Iterator[Check]]] = {
    "basicCanaryReplicas": _basic_replicas,
    "canaryStepString": _step_string,
    "currentSetWeight": _set_weight,
    "pauseDuration": _pause_duration,
    "rolloutPhase": _phase,
    "trafficRoutedReplicas": _routed_replicas,
    "useSetCanaryScale": _canary_scale,
}
