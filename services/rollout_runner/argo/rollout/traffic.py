"""Services and traffic weight of a canary.

Source: argo-rollouts, rollout/service.go and rollout/trafficrouting.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.effects import SetWeight
from rollout_runner.argo.rollout.replicas import at_desired_counts, progress_threshold_met
from rollout_runner.argo.rollout.status import TrafficWeights, WeightDestination
from rollout_runner.argo.rollout.weights import (
    current_set_weight,
    current_step,
    desired_canary_weight,
    previous_set_weight,
)

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.context import PassContext
    from rollout_runner.argo.rollout.observation import ReplicaSet


def reconcile_services(ctx: PassContext) -> None:
    """Point the stable Service at stable and the canary Service at the new ReplicaSet."""
    canary = ctx.spec.canary
    ctx.select(canary.stable_service, ctx.stable_rs, check_availability=True)
    if ctx.aborted:
        # Behind a router the way back is `reconcile_traffic`'s. Argo would point the Service at the
        # canary here and back at stable there, in every pass until the canary's pods are gone.
        if canary.traffic_routing is None:
            ctx.select(canary.canary_service, ctx.stable_rs, check_availability=True)
    elif _returning_from(ctx) is None:
        ctx.select(canary.canary_service, ctx.new_rs, check_availability=True)


def reconcile_traffic(ctx: PassContext) -> None:
    """Set the weight that the state of the update calls for, unless stable could not carry it."""
    canary = ctx.spec.canary
    if canary.traffic_routing is None:
        ctx.weights = None
        return
    returning_from = _returning_from(ctx)
    weight = _wanted_weight(ctx, returning_from)
    if ctx.stable_rs is None or not _can_carry(
        ctx, ctx.stable_rs, canary.max_traffic_weight - weight
    ):
        return
    new_hash = "" if ctx.new_rs is None else ctx.new_rs.hash
    weights = TrafficWeights(
        canary=WeightDestination(
            weight=weight,
            pod_template_hash=returning_from or new_hash,
            service_name=canary.canary_service,
        ),
        stable=WeightDestination(
            weight=canary.max_traffic_weight - weight,
            pod_template_hash=ctx.stable_rs.hash,
            service_name=canary.stable_service,
        ),
    )
    before = ctx.status.canary_weights
    if weights == before:
        return
    ctx.weights = weights
    ctx.effects.append(
        SetWeight(
            canary=weight,
            stable=weights.stable.weight,
            canary_hash=weights.canary.pod_template_hash,
            stable_hash=weights.stable.pod_template_hash,
        )
    )
    # Argo also records an event, with no numbers in it, when only the hashes have changed.
    change = ""
    if before is None:
        change = f"to {weight}"
    elif before.canary.weight != weight:
        change = f"from {before.canary.weight} to {weight}"
    ctx.event("TrafficWeightUpdated", f"Traffic weight updated {change}")


def _wanted_weight(  # noqa: PLR0911 - one return for each rule
    ctx: PassContext, returning_from: str | None
) -> int:
    """Return the canary's weight; the first rule that applies decides."""
    spec, status, canary = ctx.spec, ctx.status, ctx.spec.canary
    if returning_from is not None:
        return _weight_on_the_way_back(ctx)
    if status.fully_promoted:
        return 0
    if ctx.aborted:
        weight = _weight_on_the_way_back(ctx)
        if weight == 0 or not canary.dynamic_stable_scale:
            ctx.select(canary.canary_service, ctx.stable_rs, check_availability=False)
        return weight
    if ctx.new_rs is None or ctx.new_rs.available == 0:
        return 0
    if status.promote_full:
        if canary.dynamic_stable_scale:
            share = canary.max_traffic_weight * ctx.new_rs.available // max(1, spec.replicas)
            return min(share, canary.max_traffic_weight)
        return 0 if status.canary_weights is None else status.canary_weights.canary.weight
    step, index = current_step(canary, status)
    if index is None:
        return 0
    if not at_desired_counts(spec, status, ctx.new_rs, ctx.stable_rs, ctx.other_rss, weights=None):
        return previous_set_weight(canary, index)
    return canary.max_traffic_weight if step is None else current_set_weight(canary, status)


def _returning_from(ctx: PassContext) -> str | None:
    """Return the hash that traffic comes back from while a shrunken stable grows again.

    Only with `dynamicStableScale`, when an update is interrupted by going back to stable.
    """
    status, weights, new = ctx.status, ctx.status.canary_weights, ctx.new_rs
    if not ctx.spec.canary.dynamic_stable_scale or not status.fully_promoted:
        return None
    if weights is None or new is None or weights.canary.pod_template_hash == new.hash:
        return None
    return weights.canary.pod_template_hash if new.available < ctx.spec.replicas else None


def _weight_on_the_way_back(ctx: PassContext) -> int:
    """Return the weight of an abort or a return to stable: 0 unless stable has been shrunk."""
    spec, canary = ctx.spec, ctx.spec.canary
    stable, new = ctx.stable_rs, ctx.new_rs
    if not canary.dynamic_stable_scale or stable is None or new is None or spec.replicas == 0:
        return 0
    max_weight = canary.max_traffic_weight
    wanted = desired_canary_weight(spec, ctx.status, new, stable)
    carried_by_stable = max_weight * stable.available // spec.replicas
    not_carried = max(0, max_weight - carried_by_stable)
    if ctx.status.canary_weights is None:
        return max(not_carried, wanted)
    present = ctx.status.canary_weights.canary.weight
    if wanted <= 0:
        return min(not_carried, present)
    if carried_by_stable < max_weight - wanted:
        return present
    return min(wanted, present)


def _can_carry(ctx: PassContext, rs: ReplicaSet, weight: int) -> bool:
    canary = ctx.spec.canary
    desired = weight * ctx.spec.replicas // canary.max_traffic_weight
    return rs.available >= desired or progress_threshold_met(
        canary.replica_progress_threshold, rs, desired
    )
