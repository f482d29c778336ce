"""The controller's pass, and when the next one is due."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.bluegreen import reconcile_blue_green, scale_blue_green
from rollout_runner.argo.rollout.canary import reconcile_canary, scale_canary
from rollout_runner.argo.rollout.conditions import (
    PROGRESSING,
    deadline_at,
    is_healthy,
    waits_indefinitely,
    with_condition,
    with_pause_noted,
)
from rollout_runner.argo.rollout.context import PassContext
from rollout_runner.argo.rollout.effects import (
    CreateReplicaSet,
    RecordEvent,
    SetReplicaSetRevision,
)
from rollout_runner.argo.rollout.names import replica_set_name
from rollout_runner.argo.rollout.pause import (
    PauseReason,
    blue_green_pause_ends_at,
    pause_ends_at,
)
from rollout_runner.argo.rollout.phase import rollout_phase
from rollout_runner.argo.rollout.weights import current_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.argo.rollout.effects import Effect
    from rollout_runner.argo.rollout.model import RolloutSpec
    from rollout_runner.argo.rollout.observation import Observation
    from rollout_runner.argo.rollout.status import RolloutStatus


def reconcile(
    spec: RolloutSpec, status: RolloutStatus, observed: Observation, now: float
) -> tuple[RolloutStatus, tuple[Effect, ...]]:
    """Make one pass of the controller.

    The caller performs the effects in order, observes again and makes another pass, until a pass
    changes nothing: the same status and no effects. Then it waits for `next_at` or for a change of
    the world.

    Args:
        spec: a valid Rollout (`validation.spec_problems` found nothing).
        status: what the last pass returned, or what an operator command made of it.
        observed: the world with all earlier effects performed.
        now: seconds since the Unix epoch, never going back.

    Returns:
        The next status, and what is to be done.
    """
    ctx = PassContext.begin(spec, status, observed, now)
    adopted = _adopted(ctx)
    if adopted is not None:
        return _with_phase(spec, adopted), tuple(ctx.effects)
    if status.fully_promoted and status.abort:
        ctx.pause.remove_abort = True
    noted = with_pause_noted(spec, status, now)
    if noted is not status:
        return _with_phase(spec, noted), ()
    resized = status.observed_replicas not in {None, spec.replicas}
    if spec.blue_green is None:
        after = scale_canary(ctx) if resized else reconcile_canary(ctx)
    elif resized:
        after = scale_blue_green(ctx, spec.blue_green)
    else:
        after = reconcile_blue_green(ctx, spec.blue_green)
    return after, tuple(ctx.effects)


def next_at(
    spec: RolloutSpec, status: RolloutStatus, observed: Observation, now: float
) -> float | None:
    """Return when time alone will change something, at or after `now`; None when it never will.

    A bound that must be passed strictly is given as the next instant that a float can hold.
    """
    due = [at for at in _due(spec, status, observed) if at > now]
    return min(due, default=None)


def _due(spec: RolloutSpec, status: RolloutStatus, observed: Observation) -> Iterator[float]:
    step, _ = current_step(spec.canary, status)
    condition = status.pause_condition(PauseReason.CANARY_PAUSE_STEP)
    if condition is not None and step is not None and step.pause is not None and not spec.paused:
        ends_at = pause_ends_at(step.pause, condition)
        if ends_at is not None:
            yield math.nextafter(ends_at, math.inf)
    switch = status.pause_condition(PauseReason.BLUE_GREEN_PAUSE)
    both = spec.blue_green
    if switch is not None and both is not None and both.auto_promotion_enabled and not spec.paused:
        ends_at = blue_green_pause_ends_at(both.auto_promotion_seconds, switch)
        yield math.nextafter(ends_at, math.inf)
    for rs in observed.replica_sets.values():
        if rs.scale_down_deadline is not None and rs.replicas > 0:
            yield rs.scale_down_deadline
    counts_progress = not (
        status.pause_conditions
        or spec.paused
        or status.abort
        or is_healthy(spec, status)
        or waits_indefinitely(spec, status)
    )
    deadline = deadline_at(spec, status) if counts_progress else None
    if deadline is not None:
        yield math.nextafter(deadline, math.inf)


def _adopted(ctx: PassContext) -> RolloutStatus | None:
    """Make the wanted ReplicaSet exist with the newest revision; None when it already does.

    Such a pass does nothing else.
    """
    spec, status, new = ctx.spec, ctx.status, ctx.new_rs
    older = (rs for rs in ctx.observed.replica_sets.values() if rs.hash != spec.pod_hash)
    revision = 1 + max((rs.revision for rs in older), default=0)
    name = replica_set_name(spec.name, spec.pod_hash)
    if new is None:
        ctx.effects.append(CreateReplicaSet(hash=spec.pod_hash, revision=revision))
        _record_revision(ctx, revision)
        ctx.event("NewReplicaSetCreated", f"Created ReplicaSet {name} (revision {revision})")
        reason, message = "NewReplicaSetCreated", f'Created new replica set "{name}"'
        return with_condition(status, PROGRESSING, "True", reason, message, now=ctx.now)
    if new.revision < revision:
        ctx.effects.append(SetReplicaSetRevision(hash=new.hash, revision=revision))
        _record_revision(ctx, revision)
        return status
    if status.condition(PROGRESSING) is None:
        message = f'Found new replica set "{name}"'
        return with_condition(
            status, PROGRESSING, "True", "FoundNewReplicaSet", message, now=ctx.now
        )
    return None


def _record_revision(ctx: PassContext, revision: int) -> None:
    ctx.effects.append(
        RecordEvent(reason="RolloutUpdated", message=f"Rollout updated to revision {revision}")
    )


def _with_phase(spec: RolloutSpec, status: RolloutStatus) -> RolloutStatus:
    phase, message = rollout_phase(spec, status)
    return replace(status, phase=phase, message=message)
