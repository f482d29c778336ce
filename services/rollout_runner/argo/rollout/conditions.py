"""Conditions of a Rollout: progress, deadline, health.

Source: argo-rollouts, rollout/sync.go (calculateRolloutConditions, checkPausedConditions) and
utils/conditions/conditions.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rollout_runner.argo.rollout.status import Condition
from rollout_runner.argo.rollout.weights import current_step

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.context import PassContext
    from rollout_runner.argo.rollout.model import RolloutSpec
    from rollout_runner.argo.rollout.status import RolloutStatus

PROGRESSING: Final = "Progressing"
PAUSED: Final = "Paused"
AVAILABLE: Final = "Available"
HEALTHY: Final = "Healthy"
COMPLETED: Final = "Completed"
INVALID_SPEC: Final = "InvalidSpec"

ABORTED_REASON: Final = "RolloutAborted"
TIMED_OUT_REASON: Final = "ProgressDeadlineExceeded"
PAUSED_REASON: Final = "RolloutPaused"
RESUMED_REASON: Final = "RolloutResumed"
RETRY_REASON: Final = "RolloutRetry"
COMPLETED_REASON: Final = "RolloutCompleted"
_COMPLETED_BY_STATUS: Final = {True: "True", False: "False"}


def with_condition(
    status: RolloutStatus, kind: str, value: str, reason: str, message: str, *, now: float
) -> RolloutStatus:
    """Return the status with a condition set; unchanged if value and reason are as before.

    So a message is never replaced while its reason stands.
    """
    present = status.condition(kind)
    if present is not None and present.status == value and present.reason == reason:
        return status
    turned = now if present is None or present.status != value else present.last_transition_time
    condition = Condition(
        type=kind,
        status=value,
        reason=reason,
        message=message,
        last_update_time=now,
        last_transition_time=turned,
    )
    return replace(status, conditions=(*_without(status, kind), condition))


def without_condition(status: RolloutStatus, kind: str) -> RolloutStatus:
    """Return the status without a condition."""
    if status.condition(kind) is None:
        return status
    return replace(status, conditions=_without(status, kind))


def _without(status: RolloutStatus, kind: str) -> tuple[Condition, ...]:
    return tuple(condition for condition in status.conditions if condition.type != kind)


def with_pause_noted(spec: RolloutSpec, status: RolloutStatus, now: float) -> RolloutStatus:
    """Return the status with pausing, resuming and retrying noted; the same object if nothing is.

    Argo makes this a pass of its own, so that time spent paused does not count as no progress.
    """
    progress = status.condition(PROGRESSING)
    reason = "" if progress is None else progress.reason
    paused = bool(status.pause_conditions) or spec.paused
    noted = status
    if (
        paused != (reason == PAUSED_REASON)
        and reason != ABORTED_REASON
        and not is_completed(status)
    ):
        noted = (
            with_condition(
                noted, PROGRESSING, "Unknown", PAUSED_REASON, "Rollout is paused", now=now
            )
            if paused
            else with_condition(
                noted, PROGRESSING, "Unknown", RESUMED_REASON, "Rollout is resumed", now=now
            )
        )
    if not status.abort and reason == ABORTED_REASON:
        noted = with_condition(
            noted, PROGRESSING, "Unknown", RETRY_REASON, "Retrying Rollout after abort", now=now
        )
    pause = status.condition(PAUSED)
    if paused != (pause is not None and pause.status == "True") and reason != ABORTED_REASON:
        value = "True" if paused else "False"
        noted = with_condition(noted, PAUSED, value, PAUSED_REASON, "Rollout is paused", now=now)
    return noted


def with_conditions(ctx: PassContext, status: RolloutStatus) -> RolloutStatus:
    """Return the new status with its conditions worked out, and record what they tell."""
    spec, now = ctx.spec, ctx.now
    healthy = is_healthy(spec, status)
    paused = bool(status.pause_conditions) or spec.paused
    turned_unhealthy = False
    if healthy and not paused:
        status = with_condition(
            status, HEALTHY, "True", "RolloutHealthy", "Rollout is healthy", now=now
        )
    elif ctx.status.condition(HEALTHY) is not None:
        before = status
        status = with_condition(
            status, HEALTHY, "False", "RolloutHealthy", "Rollout is not healthy", now=now
        )
        turned_unhealthy = status is not before
    if ctx.aborted:
        status = _with_abort(ctx, status)
    else:
        status = _with_progress(ctx, status, healthy=healthy, turned_unhealthy=turned_unhealthy)
    available = status.available_replicas >= spec.replicas
    message = f"Rollout {'has' if available else 'does not have'} minimum availability"
    status = with_condition(
        status, AVAILABLE, "True" if available else "False", "AvailableReason", message, now=now
    )
    return _with_completion(ctx, status)


def _with_abort(ctx: PassContext, status: RolloutStatus) -> RolloutStatus:
    message = f"Rollout aborted update to revision {ctx.revision}"
    if ctx.pause.abort_message:
        message = f"{message}: {ctx.pause.abort_message}"
    after = with_condition(status, PROGRESSING, "False", ABORTED_REASON, message, now=ctx.now)
    if after is not status:
        ctx.event(ABORTED_REASON, message, warning=True)
    return after


def _with_progress(
    ctx: PassContext, status: RolloutStatus, *, healthy: bool, turned_unhealthy: bool
) -> RolloutStatus:
    name = _subject(ctx)
    if healthy:
        return with_condition(
            status,
            PROGRESSING,
            "True",
            "NewReplicaSetAvailable",
            f"{name} has successfully progressed.",
            now=ctx.now,
        )
    if made_progress(ctx.status, status) or turned_unhealthy:
        reason, message = "ReplicaSetUpdated", f"{name} is progressing."
        if is_completed(status) and turned_unhealthy:
            reason = "ReplicaSetNotAvailable"
            message = "Rollout does not have minimum availability"
        # Always a new condition: its update time is what the deadline counts from.
        present = ctx.status.condition(PROGRESSING)
        turned = ctx.now
        if present is not None and present.status == "True":
            turned = present.last_transition_time
        condition = Condition(
            type=PROGRESSING,
            status="True",
            reason=reason,
            message=message,
            last_update_time=ctx.now,
            last_transition_time=turned,
        )
        return replace(status, conditions=(*_without(status, PROGRESSING), condition))
    if _may_time_out(ctx) and is_timed_out(ctx.spec, status, ctx.now):
        return with_condition(
            status, PROGRESSING, "False", TIMED_OUT_REASON, _timed_out_message(ctx), now=ctx.now
        )
    return status


def _with_completion(ctx: PassContext, status: RolloutStatus) -> RolloutStatus:
    completed = is_completed(status)
    after = with_condition(
        status,
        COMPLETED,
        _COMPLETED_BY_STATUS[completed],
        COMPLETED_REASON,
        COMPLETED_REASON,
        now=ctx.now,
    )
    if after is not status and not completed:
        ctx.event(
            "RolloutNotCompleted",
            f"Rollout not completed, started update to revision {ctx.revision} "
            f"({status.current_pod_hash})",
        )
    return after


def abort_on_deadline(ctx: PassContext, status: RolloutStatus) -> None:
    """Abort an update without progress in time, if `spec.progressDeadlineAbort` is set."""
    if (
        ctx.spec.progress_deadline_abort
        and not ctx.aborted
        and not is_completed(status)
        and not made_progress(ctx.status, status)
        and _may_time_out(ctx)
        and is_timed_out(ctx.spec, ctx.status, ctx.now)
    ):
        message = _timed_out_message(ctx)
        ctx.pause.add_abort(message)
        ctx.event(ABORTED_REASON, message, warning=True)


def is_completed(status: RolloutStatus) -> bool:
    """Tell whether the wanted template is stable."""
    return bool(status.stable_rs) and status.fully_promoted


def is_healthy(spec: RolloutSpec, status: RolloutStatus) -> bool:
    """Tell whether the wanted pods, and no others, are there and available."""
    if spec.blue_green is not None:
        selectors = status.blue_green
        return (
            selectors.active_selector == status.current_pod_hash
            and (
                not spec.blue_green.preview_service
                or selectors.preview_selector == status.current_pod_hash
            )
            and status.updated_replicas == spec.replicas
            and status.available_replicas == spec.replicas
        )
    steps = len(spec.canary.steps)
    all_steps_done = not steps or status.current_step_index in {None, steps}
    return (
        all_steps_done
        and is_completed(status)
        and status.replicas == status.updated_replicas == spec.replicas
        and status.available_replicas == spec.replicas
    )


def made_progress(before: RolloutStatus, after: RolloutStatus) -> bool:
    """Tell whether pods, steps or the stable version have moved on between two statuses."""
    return (
        after.updated_replicas != before.updated_replicas
        or after.replicas - after.updated_replicas < before.replicas - before.updated_replicas
        or after.ready_replicas > before.ready_replicas
        or after.available_replicas > before.available_replicas
        or after.stable_rs != before.stable_rs
        or after.current_step_hash != before.current_step_hash
        or (
            None not in {after.current_step_index, before.current_step_index}
            and after.current_step_index != before.current_step_index
        )
    )


def deadline_at(spec: RolloutSpec, status: RolloutStatus) -> float | None:
    """Return the instant after which no progress is too late; None while nothing is counted."""
    progress = status.condition(PROGRESSING)
    if progress is None or progress.reason in {ABORTED_REASON, PAUSED_REASON, TIMED_OUT_REASON}:
        return None
    return progress.last_update_time + spec.progress_deadline_seconds


def is_timed_out(spec: RolloutSpec, status: RolloutStatus, now: float) -> bool:
    """Tell whether the last progress is longer ago than the deadline allows."""
    progress = status.condition(PROGRESSING)
    if progress is not None and progress.reason == TIMED_OUT_REASON:
        return True
    ends_at = deadline_at(spec, status)
    return ends_at is not None and ends_at < now


def waits_indefinitely(spec: RolloutSpec, status: RolloutStatus) -> bool:
    """Tell whether the current step may take as long as it likes: a pause or an analysis."""
    step, _ = current_step(spec.canary, status)
    if step is not None and (step.analysis is not None or step.pause is not None):
        return True
    pause = status.condition(PAUSED)
    return pause is not None and pause.status == "True"


def _may_time_out(ctx: PassContext) -> bool:
    return not waits_indefinitely(ctx.spec, ctx.status) and not any(
        rs.scale_down_deadline is not None for rs in ctx.other_rss
    )


def _timed_out_message(ctx: PassContext) -> str:
    return f"{_subject(ctx)} has timed out progressing."


def _subject(ctx: PassContext) -> str:
    if ctx.new_rs is None:
        return f'Rollout "{ctx.spec.name}"'
    return f'ReplicaSet "{ctx.name_of(ctx.new_rs)}"'
