"""What every pass ends with, whatever the strategy: the next status, complete and consistent.

Source: argo-rollouts, rollout/sync.go (calculateBaseStatus, persistRolloutStatus).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.conditions import (
    INVALID_SPEC,
    abort_on_deadline,
    with_conditions,
    without_condition,
)
from rollout_runner.argo.rollout.phase import rollout_phase

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.context import PassContext
    from rollout_runner.argo.rollout.status import RolloutStatus


def base_status(ctx: PassContext) -> RolloutStatus:
    """Return the status with all that follows from the observation alone."""
    everything = ctx.observed.replica_sets.values()
    return without_condition(ctx.status, INVALID_SPEC).having(
        current_pod_hash=ctx.spec.pod_hash,
        current_step_hash=ctx.spec.canary.step_hash,
        replicas=sum(rs.current for rs in everything),
        updated_replicas=0 if ctx.new_rs is None else ctx.new_rs.current,
        ready_replicas=sum(rs.ready for rs in everything),
        available_replicas=sum(rs.available for rs in everything),
        observed_replicas=ctx.spec.replicas,
        canary_weights=ctx.weights,
        current_step_analysis_run=ctx.step_run,
        current_background_analysis_run=ctx.background_run,
        blue_green=ctx.blue_green,
    )


def persisted(ctx: PassContext, status: RolloutStatus) -> RolloutStatus:
    """Return the status with abort, pauses, conditions and phase in place."""
    abort_on_deadline(ctx, status)
    status = ctx.pause.applied(ctx.status, status, ctx.now)
    status = with_conditions(ctx, status)
    _record_pausing(ctx, status)
    phase, message = rollout_phase(ctx.spec, status)
    return status.having(phase=phase, message=message)


def promoted(ctx: PassContext, status: RolloutStatus, reason: str) -> RolloutStatus:
    """Return the status with the wanted template as the stable one."""
    ctx.pause.forget()
    if not status.fully_promoted:
        ctx.event(
            "RolloutCompleted",
            f"Rollout completed update to revision {ctx.revision} "
            f"({status.current_pod_hash}): {reason}",
        )
    return status.having(promote_full=False, stable_rs=status.current_pod_hash)


def _record_pausing(ctx: PassContext, status: RolloutStatus) -> None:
    before, after = bool(ctx.status.pause_conditions), bool(status.pause_conditions)
    if after and not before:
        reason = status.pause_conditions[0].reason
        ctx.event("RolloutPaused", f"Rollout is paused ({reason})")
    elif before and not after and not status.abort:  # an abort clears pauses and resumes nothing
        ctx.event("RolloutResumed", "Rollout is resumed")
