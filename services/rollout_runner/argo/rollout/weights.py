"""Which step is current, and which weight and size of the canary it asks for.

Source: argo-rollouts, utils/replicaset/canary.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.model import (
        CanaryStep,
        CanaryStrategy,
        RolloutSpec,
        SetCanaryScale,
    )
    from rollout_runner.argo.rollout.observation import ReplicaSet
    from rollout_runner.argo.rollout.status import RolloutStatus


def current_step(
    canary: CanaryStrategy, status: RolloutStatus
) -> tuple[CanaryStep | None, int | None]:
    """Return the current step and its index.

    Past the last step there is an index without a step; with no steps at all there is neither.
    """
    if not canary.steps:
        return None, None
    index = status.current_step_index or 0
    return (canary.steps[index] if index < len(canary.steps) else None), index


def current_set_weight(canary: CanaryStrategy, status: RolloutStatus) -> int:
    """Return the last `setWeight` at or before the current step.

    0 before the first one and after an abort; everything when no step is left.
    """
    if status.abort:
        return 0
    step, index = current_step(canary, status)
    if step is None or index is None:
        return canary.max_traffic_weight
    return _last_weight(canary, index)


def previous_set_weight(canary: CanaryStrategy, index: int) -> int:
    """Return the last `setWeight` strictly before a step; 0 if there is none."""
    return _last_weight(canary, index - 1)


def _last_weight(canary: CanaryStrategy, index: int) -> int:
    for step in canary.steps[index::-1] if index >= 0 else ():
        if step.set_weight is not None:
            return step.set_weight
    return 0


def set_canary_scale_in_force(
    canary: CanaryStrategy, status: RolloutStatus
) -> SetCanaryScale | None:
    """Return the `setCanaryScale` to apply, if any: only with traffic routing, never past the end.

    After an abort it only counts where the canary is to stay up for ever
    (`abortScaleDownDelaySeconds: 0`).
    """
    if canary.traffic_routing is None:
        return None
    if status.abort and canary.abort_scale_down_delay is not None:
        return None
    step, index = current_step(canary, status)
    if step is None or index is None:
        return None
    for earlier in canary.steps[index::-1]:
        scale = earlier.set_canary_scale
        if scale is not None:
            return None if scale.match_traffic_weight else scale
    return None


def desired_canary_weight(
    spec: RolloutSpec,
    status: RolloutStatus,
    new_rs: ReplicaSet | None,
    stable_rs: ReplicaSet | None,
) -> int:
    """Return the weight that the canary should be sized for.

    With `dynamicStableScale` an abort goes back through the weights of the steps, as fast as the
    stable pods come up, instead of starting them all at once.
    """
    canary = spec.canary
    if not (status.abort and canary.dynamic_stable_scale and new_rs and stable_rs):
        return current_set_weight(canary, status)
    not_yet_stable = spec.replicas - stable_rs.available
    # With an explicit delay the canary is held at its size, so its size must not hold the weight.
    held = canary.has_explicit_abort_delay
    canary_replicas = not_yet_stable if held else max(not_yet_stable, new_rs.available)
    for step in reversed(canary.steps):
        if step.set_weight is not None:
            replicas = weight_to_replicas(spec.replicas, step.set_weight, canary.max_traffic_weight)
            if replicas < canary_replicas:
                return step.set_weight
    return 0


def canary_replicas_or_weight(
    spec: RolloutSpec,
    status: RolloutStatus,
    new_rs: ReplicaSet | None,
    stable_rs: ReplicaSet | None,
) -> tuple[int | None, int]:
    """Return a fixed number of canary pods, or else (None and) the weight to size it for."""
    if status.promote_full or not status.stable_rs or status.fully_promoted:
        return None, spec.canary.max_traffic_weight
    scale = set_canary_scale_in_force(spec.canary, status)
    if scale is not None:
        if scale.replicas is not None:
            return scale.replicas, 0
        if scale.weight is not None:
            return None, scale.weight
    return None, desired_canary_weight(spec, status, new_rs, stable_rs)


def weight_to_replicas(replicas: int, weight: int, max_weight: int) -> int:
    """Return how many of `replicas` pods carry `weight`, rounded up."""
    return -(-weight * replicas // max_weight)
