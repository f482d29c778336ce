"""Scaling the ReplicaSets of a canary: stable first, then the new one, then all others.

Source: argo-rollouts, rollout/canary.go and rollout/replicaset.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.effects import DeleteReplicaSet
from rollout_runner.argo.rollout.replicas import (
    basic_canary_counts,
    max_unavailable,
    stable_exists,
    traffic_routed_counts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollout_runner.argo.rollout.context import PassContext
    from rollout_runner.argo.rollout.observation import ReplicaSet
    from rollout_runner.argo.rollout.status import TrafficWeights


def reconcile_replica_sets(ctx: PassContext) -> bool:
    """Make one move towards the wanted sizes; tell whether anything was scaled."""
    if ctx.halted:
        return False
    keep_own_deadlines_clear(ctx)
    return _scale_stable(ctx) or _scale_new(ctx) or _scale_others(ctx)


def keep_own_deadlines_clear(ctx: PassContext) -> None:
    """Take scale-down deadlines from stable and, unless it was aborted, from the new ReplicaSet."""
    if ctx.stable_rs is not None:
        ctx.set_deadline(ctx.stable_rs, None)
    if ctx.new_rs is not None and not ctx.delays_scale_down_on_abort:
        ctx.set_deadline(ctx.new_rs, None)


def prune_replica_sets(ctx: PassContext) -> None:
    """Delete the oldest empty ReplicaSets beyond `spec.revisionHistoryLimit`."""
    excess = len(ctx.other_rss) - ctx.spec.revision_history_limit
    if excess > 0:
        for rs in sorted(ctx.other_rss, key=lambda each: each.created_at)[:excess]:
            if rs.replicas == 0 and rs.current == 0:
                ctx.effects.append(DeleteReplicaSet(hash=rs.hash))


def _counts(ctx: PassContext, weights: TrafficWeights | None) -> tuple[int, int]:
    if ctx.spec.canary.traffic_routing is None:
        return basic_canary_counts(ctx.spec, ctx.status, ctx.new_rs, ctx.stable_rs, ctx.other_rss)
    return traffic_routed_counts(ctx.spec, ctx.status, ctx.new_rs, ctx.stable_rs, weights)


def _scale_stable(ctx: PassContext) -> bool:
    if ctx.stable_rs is None or not stable_exists(ctx.new_rs, ctx.stable_rs):
        return False
    # The weights of the last pass: the size of stable follows a change of weight one pass later.
    _, wanted = _counts(ctx, ctx.status.canary_weights)
    return ctx.scale(ctx.stable_rs, wanted)


def _scale_new(ctx: PassContext) -> bool:
    if ctx.new_rs is None:
        return False
    wanted, _ = _counts(ctx, ctx.weights)
    return scale_new(ctx, wanted, ctx.spec.canary.abort_scale_down_delay)


def scale_new(ctx: PassContext, wanted: int, delay: int | None) -> bool:
    """Scale the new ReplicaSet; after an abort it goes to nothing once its delay is over.

    Args:
        ctx: the pass.
        wanted: its size while nothing was aborted.
        delay: seconds that it is kept after an abort; None for ever.
    """
    rs = ctx.new_rs
    if rs is None:
        return False
    if ctx.delays_scale_down_on_abort and ctx.stable_rs is not None and delay is not None:
        if rs.scale_down_deadline is None:
            # The clock starts when stable can take all traffic.
            if ctx.stable_rs.available >= ctx.spec.replicas:
                ctx.set_deadline(rs, ctx.now + delay)
            return False
        if rs.scale_down_deadline > ctx.now:
            return False
        wanted = 0
    return ctx.scale(rs, wanted)


def _scale_others(ctx: PassContext) -> bool:
    """Scale down what is neither new nor stable, without going below the minimum of pods."""
    active = [rs for rs in ctx.other_rss if rs.replicas > 0]
    if not active:
        return False
    if any(rs.available > rs.replicas for rs in active):
        return False  # an earlier scale-down is still under way
    remaining, scaled = _without_unavailable(ctx, active)
    everything = (*ctx.other_rss, *_own(ctx))
    available = sum(rs.available for rs in everything)
    room = available - (ctx.spec.replicas - max_unavailable(ctx.spec))
    if room <= 0:
        return False
    keepers = 0
    for rs in sorted(remaining, key=lambda each: each.revision, reverse=True):
        if room <= 0:
            break
        if rs.replicas == 0 or (
            ctx.spec.canary.traffic_routing is not None and is_referenced(ctx, rs.hash)
        ):
            continue
        wanted, kept = _size_of_other(ctx, rs, room, keepers)
        keepers += kept
        if ctx.scale(rs, wanted):
            room -= rs.replicas - wanted
            scaled = True
    return scaled


def _without_unavailable(
    ctx: PassContext, replica_sets: Iterable[ReplicaSet]
) -> tuple[list[ReplicaSet], bool]:
    """Drop the pods that serve nobody first; they would only hold up the update."""
    remaining: list[ReplicaSet] = []
    scaled = False
    for rs in sorted(replica_sets, key=lambda each: each.created_at):
        scaled |= ctx.scale(rs, rs.available)
        remaining.append(replace(rs, replicas=rs.available))
    return remaining, scaled


def _size_of_other(ctx: PassContext, rs: ReplicaSet, room: int, keepers: int) -> tuple[int, bool]:
    """Return the size to go to, and whether this one is kept for its scale-down delay."""
    canary = ctx.spec.canary
    if canary.traffic_routing is None:
        return max(0, rs.replicas - room), False
    if not ctx.status.fully_promoted and rs.scale_down_deadline is None:
        return 0, False  # left over from an update that a newer one replaced; no traffic goes there
    if canary.dynamic_stable_scale:
        return 0, False
    return delayed_size(
        ctx,
        rs,
        keepers,
        delay=canary.scale_down_delay,
        limit=canary.scale_down_delay_revision_limit,
    )


def delayed_size(
    ctx: PassContext, rs: ReplicaSet, keepers: int, *, delay: int, limit: int | None
) -> tuple[int, bool]:
    """Keep a ReplicaSet until its deadline, unless too many newer ones are kept already.

    Returns:
        Its size, and whether it counts among those that are kept.
    """
    if limit is not None and keepers >= limit:
        return 0, rs.scale_down_deadline is not None
    if rs.scale_down_deadline is not None:
        return (rs.replicas if rs.scale_down_deadline > ctx.now else 0), True
    if delay == 0:
        return rs.replicas, True  # as in Argo: without a deadline these pods are never taken away
    ctx.set_deadline(rs, ctx.now + delay)
    return rs.replicas, True


def is_referenced(ctx: PassContext, pod_hash: str) -> bool:
    """Tell whether a Service or a weight still leads to these pods."""
    weights = ctx.status.canary_weights
    if pod_hash in {ctx.status.stable_rs, ctx.status.current_pod_hash}:
        return True
    if weights is not None and pod_hash in {
        weights.canary.pod_template_hash,
        weights.stable.pod_template_hash,
    }:
        return True
    blue_green = ctx.status.blue_green
    if pod_hash in {blue_green.active_selector, blue_green.preview_selector}:
        return True
    return any(ctx.observed.services.get(name) == pod_hash for name in ctx.spec.services)


def _own(ctx: PassContext) -> tuple[ReplicaSet, ...]:
    new, stable = ctx.new_rs, ctx.stable_rs
    if new is not None and stable is not None and new.hash == stable.hash:
        return (new,)
    return tuple(rs for rs in (new, stable) if rs is not None)
