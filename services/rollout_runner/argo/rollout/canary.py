"""The canary strategy: one pass over services, weight, analysis, pods, pause and steps.

Source: argo-rollouts, rollout/canary.go and rollout/sync.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.analysis_runs import reconcile_analysis_runs
from rollout_runner.argo.rollout.pause import PauseReason, pause_step_completed
from rollout_runner.argo.rollout.persist import base_status, persisted, promoted
from rollout_runner.argo.rollout.replicas import at_desired_counts, progress_threshold_met
from rollout_runner.argo.rollout.scaling import prune_replica_sets, reconcile_replica_sets
from rollout_runner.argo.rollout.traffic import reconcile_services, reconcile_traffic
from rollout_runner.argo.rollout.weights import current_step
from rollout_runner.argo.types import Phase

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.context import PassContext
    from rollout_runner.argo.rollout.status import RolloutStatus


def reconcile_canary(ctx: PassContext) -> RolloutStatus:
    """Make one pass; effects go to the context, the next status is returned."""
    if _template_or_steps_changed(ctx):
        return _restarted(ctx)
    prune_replica_sets(ctx)
    reconcile_services(ctx)
    reconcile_traffic(ctx)
    reconcile_analysis_runs(ctx)
    # A pause for an inconclusive analysis comes before everything that could still move.
    if not ctx.pause.reasons_to_add and not reconcile_replica_sets(ctx):
        _reconcile_pause(ctx)
    return _stepped(ctx)


def scale_canary(ctx: PassContext) -> RolloutStatus:
    """Make one pass that only follows a change of `spec.replicas`."""
    scaled = reconcile_replica_sets(ctx)
    counted = base_status(ctx)
    status = replace(
        ctx.status,
        replicas=counted.replicas,
        updated_replicas=counted.updated_replicas,
        ready_replicas=counted.ready_replicas,
        available_replicas=counted.available_replicas,
        observed_replicas=ctx.status.observed_replicas if scaled else ctx.spec.replicas,
    )
    # Such a pass settles nothing about pauses: that a person has resumed must not be forgotten.
    return replace(persisted(ctx, status), controller_pause=ctx.status.controller_pause)


def _template_or_steps_changed(ctx: PassContext) -> bool:
    status = ctx.status
    return status.current_step_hash != ctx.spec.canary.step_hash or (
        bool(status.current_pod_hash) and status.current_pod_hash != ctx.spec.pod_hash
    )


def _restarted(ctx: PassContext) -> RolloutStatus:
    """Begin an update: at step 0, or past the last step when the template is known to be good."""
    ctx.pause.forget()
    steps = len(ctx.spec.canary.steps)
    index = 0 if steps else None
    if ctx.new_rs is not None and steps:
        if ctx.status.stable_rs == ctx.new_rs.hash:
            ctx.event("SkipSteps", "Rollback to stable ReplicaSets")
            index = steps
        elif ctx.within_rollback_window and ctx.new_rs.replicas > 0:
            ctx.event("SkipSteps", "Rollback to active ReplicaSets within RollbackWindow")
            index = steps
    return persisted(ctx, replace(base_status(ctx), promote_full=False, current_step_index=index))


def _reconcile_pause(ctx: PassContext) -> None:
    """Pause when a pause step becomes current."""
    status = ctx.status
    step, _ = current_step(ctx.spec.canary, status)
    if ctx.spec.paused or status.promote_full or step is None or step.pause is None:
        return
    waiting = status.pause_condition(PauseReason.CANARY_PAUSE_STEP) is not None
    if not waiting and not status.controller_pause:
        ctx.pause.reasons_to_add.append(PauseReason.CANARY_PAUSE_STEP)


def _stepped(ctx: PassContext) -> RolloutStatus:
    """Promote, stay aborted, or complete at most one step."""
    canary = ctx.spec.canary
    status = base_status(ctx)
    steps = len(canary.steps)
    step, index = current_step(canary, ctx.status)
    if ctx.status.promote_full or ctx.within_rollback_window:
        ctx.pause.forget()
        step, index = None, (steps or None)
    reason = _promotion_reason(ctx)
    if reason:
        status = promoted(ctx, status, reason)
        return persisted(ctx, status.having(current_step_index=steps or None))
    if ctx.aborted:
        if steps:
            index = steps if status.fully_promoted else 0
        return persisted(ctx, status.having(current_step_index=index))
    if step is not None and index is not None and _step_completed(ctx):
        index += 1
        status = replace(status, current_step_analysis_run=None)
        ctx.event("RolloutStepCompleted", f"Rollout step {index}/{steps} completed ({step.text})")
        ctx.pause.reasons_to_remove.add(PauseReason.CANARY_PAUSE_STEP)
    return persisted(ctx, status.having(current_step_index=index))


def _step_completed(ctx: PassContext) -> bool:
    step, _ = current_step(ctx.spec.canary, ctx.status)
    if step is None or ctx.spec.paused:
        return False
    if step.pause is not None:
        return pause_step_completed(ctx.status, step.pause, ctx.now)
    if step.set_canary_scale is not None or step.set_weight is not None:
        return at_desired_counts(
            ctx.spec, ctx.status, ctx.new_rs, ctx.stable_rs, ctx.other_rss, weights=ctx.weights
        )
    return ctx.step_run is not None and ctx.step_run.phase is Phase.SUCCESSFUL


def _promotion_reason(ctx: PassContext) -> str:
    """Return why the new ReplicaSet is to become stable now; empty while it is not."""
    spec, steps = ctx.spec, len(ctx.spec.canary.steps)
    if ctx.stable_rs is None:
        return "Initial deploy"
    threshold = spec.canary.replica_progress_threshold
    if ctx.aborted or ctx.new_rs is None:
        return ""
    if ctx.new_rs.available < spec.replicas and not progress_threshold_met(
        threshold, ctx.new_rs, spec.replicas
    ):
        return ""
    if ctx.status.promote_full:
        return "Full promotion requested"
    if ctx.fast_rollback:
        return "Rollback within window" if ctx.within_rollback_window else "Fast rollback"
    _, index = current_step(spec.canary, ctx.status)
    return f"Completed all {steps} canary steps" if not steps or index == steps else ""
