"""The blue-green strategy: one pass over preview, pods, pause, the switch and analysis.

    preview Service ─► new pods        as soon as they are wanted
    pre-promotion analysis             once they are all available
    pause (BlueGreenPause)             only after it was successful
    active Service ─► new pods         then
    post-promotion analysis            then; its success makes the new version stable

Source: argo-rollouts, rollout/bluegreen.go, rollout/service.go, rollout/pause.go and
rollout/sync.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.bluegreen_runs import (
    completed_pre_promotion,
    post_promotion_pending,
    reconcile_promotion_runs,
)
from rollout_runner.argo.rollout.pause import PauseReason, blue_green_pause_ends_at
from rollout_runner.argo.rollout.persist import base_status, persisted, promoted
from rollout_runner.argo.rollout.scaling import (
    delayed_size,
    is_referenced,
    keep_own_deadlines_clear,
    prune_replica_sets,
    scale_new,
)

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.context import PassContext
    from rollout_runner.argo.rollout.model import BlueGreenStrategy
    from rollout_runner.argo.rollout.observation import ReplicaSet
    from rollout_runner.argo.rollout.status import RolloutStatus


def reconcile_blue_green(ctx: PassContext, strategy: BlueGreenStrategy) -> RolloutStatus:
    """Make one pass; effects go to the context, the next status is returned."""
    if strategy.preview_service and not ctx.halted:
        ctx.select(strategy.preview_service, ctx.new_rs, check_availability=False)
    if _template_changed(ctx):
        return _restarted(ctx, strategy)
    _reconcile_replica_sets(ctx, strategy)
    prune_replica_sets(ctx)
    _reconcile_pause(ctx, strategy)
    _reconcile_active_service(ctx, strategy)
    reconcile_promotion_runs(ctx, strategy)
    return _synced(ctx, strategy)


def scale_blue_green(ctx: PassContext, strategy: BlueGreenStrategy) -> RolloutStatus:
    """Make one pass that only follows a change of `spec.replicas`."""
    _reconcile_replica_sets(ctx, strategy)
    counted = _counted(ctx, base_status(ctx), ctx.status.blue_green.active_selector)
    status = replace(
        ctx.status,
        replicas=counted.replicas,
        updated_replicas=counted.updated_replicas,
        ready_replicas=counted.ready_replicas,
        available_replicas=counted.available_replicas,
        observed_replicas=ctx.spec.replicas,
    )
    return replace(persisted(ctx, status), controller_pause=ctx.status.controller_pause)


def _template_changed(ctx: PassContext) -> bool:
    current = ctx.status.current_pod_hash
    return bool(current) and current != ctx.spec.pod_hash


def _restarted(ctx: PassContext, strategy: BlueGreenStrategy) -> RolloutStatus:
    """Begin an update."""
    ctx.pause.forget()
    status = _with_selectors(ctx, strategy, base_status(ctx))
    blue_green = replace(
        status.blue_green,
        pre_promotion_run=None,
        post_promotion_run=None,
        scaled_up_preview=False,
    )
    status = replace(status, promote_full=False, current_step_index=None, blue_green=blue_green)
    return persisted(ctx, _counted(ctx, status, blue_green.active_selector))


def _reconcile_replica_sets(ctx: PassContext, strategy: BlueGreenStrategy) -> None:
    keep_own_deadlines_clear(ctx)
    if ctx.stable_rs is not None:
        ctx.scale(ctx.stable_rs, ctx.spec.replicas)
    if ctx.new_rs is not None and ctx.new_rs is not ctx.stable_rs:
        scale_new(ctx, _wanted_replicas(ctx, strategy), strategy.abort_scale_down_delay)
    _scale_others(ctx, strategy)


def _wanted_replicas(ctx: PassContext, strategy: BlueGreenStrategy) -> int:
    """Return the size of the new ReplicaSet: all, or the preview's until it may be promoted."""
    count, status = strategy.preview_replica_count, ctx.status
    active = ctx.observed.replica_sets.get(status.blue_green.active_selector)
    if count is None or active is None or active.hash == ctx.spec.pod_hash or status.promote_full:
        return ctx.spec.replicas
    paused = ctx.spec.paused or bool(status.pause_conditions)
    past_the_preview = status.blue_green.scaled_up_preview and not paused
    is_new_update = ctx.spec.pod_hash != status.current_pod_hash
    return ctx.spec.replicas if past_the_preview and not is_new_update else count


def _scale_others(ctx: PassContext, strategy: BlueGreenStrategy) -> None:
    """Scale down what is neither new nor stable, after its delay."""
    if ctx.status.pause_condition(PauseReason.INCONCLUSIVE_ANALYSIS) is not None:
        return
    if strategy.scale_down_delay_seconds is None and post_promotion_pending(ctx, strategy):
        return
    keepers = 0
    for rs in sorted(ctx.other_rss, key=lambda each: each.revision, reverse=True):
        if rs.replicas == 0 or is_referenced(ctx, rs.hash):
            continue
        wanted, kept = delayed_size(
            ctx,
            rs,
            keepers,
            delay=strategy.scale_down_delay,
            limit=strategy.scale_down_delay_revision_limit,
        )
        keepers += kept
        ctx.scale(rs, wanted)


def _reconcile_pause(ctx: PassContext, strategy: BlueGreenStrategy) -> None:
    """Pause before the switch, or end that pause."""
    status = ctx.status
    if status.abort or ctx.halted or not _ready_to_pause(ctx, strategy):
        return
    waits = not strategy.auto_promotion_enabled or strategy.auto_promotion_seconds > 0
    if not waits or _is_fast_tracked(ctx, strategy) or status.blue_green.scaled_up_preview:
        ctx.pause.reasons_to_remove.add(PauseReason.BLUE_GREEN_PAUSE)
        return
    if not completed_pre_promotion(ctx, strategy):
        return
    if status.pause_condition(PauseReason.BLUE_GREEN_PAUSE) is not None:
        if _pause_is_over(ctx, strategy):
            ctx.pause.reasons_to_remove.add(PauseReason.BLUE_GREEN_PAUSE)
    elif not status.controller_pause:
        ctx.pause.reasons_to_add.append(PauseReason.BLUE_GREEN_PAUSE)


def _ready_to_pause(ctx: PassContext, strategy: BlueGreenStrategy) -> bool:
    """Tell whether the new pods that are wanted now are all there."""
    rs = ctx.new_rs
    return rs is not None and rs.replicas == rs.available == _wanted_replicas(ctx, strategy)


def _is_saturated(ctx: PassContext) -> bool:
    rs = ctx.new_rs
    return rs is not None and rs.replicas == rs.available == ctx.spec.replicas


def _is_fast_tracked(ctx: PassContext, strategy: BlueGreenStrategy) -> bool:
    """Tell whether the switch waits for nobody."""
    active = ctx.observed.services.get(strategy.active_service, "")
    return (
        ctx.fast_rollback
        or ctx.status.promote_full
        or not active
        or (ctx.new_rs is not None and active == ctx.new_rs.hash)
    )


def _pause_is_over(ctx: PassContext, strategy: BlueGreenStrategy) -> bool:
    """Tell whether the pause before the switch has ended, by time or by a person."""
    if ctx.pause.reasons_to_add:
        return False
    if ctx.status.blue_green.scaled_up_preview:
        return True
    condition = ctx.status.pause_condition(PauseReason.BLUE_GREEN_PAUSE)
    if not strategy.auto_promotion_enabled:
        return ctx.status.controller_pause and condition is None
    if strategy.auto_promotion_seconds == 0:
        return True
    if condition is None:
        return False
    return ctx.now > blue_green_pause_ends_at(strategy.auto_promotion_seconds, condition)


def _reconcile_active_service(ctx: PassContext, strategy: BlueGreenStrategy) -> None:
    """Switch the active Service once the new pods are complete and nothing is waited for."""
    if ctx.halted or not _ready_to_pause(ctx, strategy) or not _is_saturated(ctx):
        return
    target: ReplicaSet | None = None
    if _is_fast_tracked(ctx, strategy) or (
        _pause_is_over(ctx, strategy) and completed_pre_promotion(ctx, strategy)
    ):
        target = ctx.new_rs
    if ctx.status.abort:
        target = ctx.stable_rs
    ctx.select(strategy.active_service, target, check_availability=False)


def _synced(ctx: PassContext, strategy: BlueGreenStrategy) -> RolloutStatus:
    """Work out the next status: promote, or stay as it is."""
    if ctx.status.promote_full or ctx.within_rollback_window:
        ctx.pause.forget()
    status = _with_selectors(ctx, strategy, base_status(ctx))
    active = status.blue_green.active_selector
    reason = _promotion_reason(ctx, strategy, active)
    if reason:
        status = promoted(ctx, status, reason)
        status = status.having(blue_green=replace(status.blue_green, scaled_up_preview=False))
    else:
        checked = replace(status.blue_green, scaled_up_preview=_scaled_up_preview(ctx, strategy))
        status = status.having(blue_green=checked)
    return persisted(ctx, _counted(ctx, status, active))


def _with_selectors(
    ctx: PassContext, strategy: BlueGreenStrategy, status: RolloutStatus
) -> RolloutStatus:
    return status.having(
        blue_green=replace(
            status.blue_green,
            active_selector=ctx.selected(strategy.active_service),
            preview_selector=ctx.selected(strategy.preview_service),
        )
    )


def _counted(ctx: PassContext, status: RolloutStatus, active: str) -> RolloutStatus:
    """Return the status with the active pods as the ready and available ones."""
    rs = ctx.observed.replica_sets.get(active)
    if rs is None:
        return status
    return status.having(ready_replicas=rs.ready, available_replicas=rs.available)


def _scaled_up_preview(ctx: PassContext, strategy: BlueGreenStrategy) -> bool:
    count = strategy.preview_replica_count
    if count is None:
        return False
    if ctx.status.blue_green.scaled_up_preview:
        return True
    if not completed_pre_promotion(ctx, strategy) or not _pause_is_over(ctx, strategy):
        return False
    return ctx.new_rs is not None and ctx.new_rs.available == count


def _promotion_reason(  # noqa: PLR0911 - one return for each rule
    ctx: PassContext, strategy: BlueGreenStrategy, active: str
) -> str:
    """Return why the new ReplicaSet is to become stable now; empty while it is not."""
    if ctx.stable_rs is None or not active:
        return "Initial deploy"
    if active != ctx.spec.pod_hash:
        return ""
    if ctx.status.promote_full:
        return "Full promotion requested"
    if ctx.fast_rollback:
        return "Rollback within window" if ctx.within_rollback_window else "Fast rollback"
    if ctx.aborted:
        return ""
    if strategy.post_promotion_analysis is not None and not ctx.post_promotion_succeeded:
        return ""
    return "Completed blue-green update"
