"""Phase and message of a Rollout.

Source: argo-rollouts, utils/rollout/rolloututil.go (CalculateRolloutPhase).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.conditions import (
    ABORTED_REASON,
    INVALID_SPEC,
    TIMED_OUT_REASON,
    is_completed,
)
from rollout_runner.argo.rollout.status import RolloutPhase

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.model import BlueGreenStrategy, RolloutSpec
    from rollout_runner.argo.rollout.status import RolloutStatus


def rollout_phase(spec: RolloutSpec, status: RolloutStatus) -> tuple[RolloutPhase, str]:
    """Return phase and message; the first rule that applies decides."""
    for condition in status.conditions:
        if condition.type == INVALID_SPEC:
            return RolloutPhase.DEGRADED, f"{INVALID_SPEC}: {condition.message}"
        if condition.reason in {ABORTED_REASON, TIMED_OUT_REASON}:
            return RolloutPhase.DEGRADED, f"{condition.reason}: {condition.message}"
    if spec.paused:
        return RolloutPhase.PAUSED, "manually paused"
    if status.pause_conditions:
        return RolloutPhase.PAUSED, str(status.pause_conditions[0].reason)
    waiting_for = _waiting_for(spec, status)
    if waiting_for:
        return RolloutPhase.PROGRESSING, waiting_for
    return RolloutPhase.HEALTHY, ""


def _waiting_for(spec: RolloutSpec, status: RolloutStatus) -> str:
    if spec.restart_at is not None and spec.restart_at != status.restarted_at:
        return "rollout is restarting"
    if status.updated_replicas < spec.replicas:
        return "more replicas need to be updated"
    if status.available_replicas < status.updated_replicas:
        return "updated replicas are still becoming available"
    if spec.blue_green is not None:
        return _blue_green_waits_for(spec.blue_green, status)
    # Behind a router old pods may stay for their scale-down delay.
    if spec.canary.traffic_routing is None and status.replicas > status.updated_replicas:
        return "old replicas are pending termination"
    return "" if is_completed(status) else "waiting for all steps to complete"


def _blue_green_waits_for(blue_green: BlueGreenStrategy, status: RolloutStatus) -> str:
    active = status.blue_green.active_selector
    if not active or active != status.current_pod_hash:
        return "active service cutover pending"
    if is_completed(status):
        return ""
    run = status.blue_green.post_promotion_run
    if blue_green.post_promotion_analysis is not None and (
        run is None or run.phase is None or not run.phase.completed
    ):
        return "waiting for analysis to complete"
    return "waiting for post-promotion verification to complete"
