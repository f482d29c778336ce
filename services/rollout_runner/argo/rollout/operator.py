"""What a person may do to a Rollout, as changes of its spec or status.

Each function does what the command of `kubectl argo rollouts` patches; the next pass of the
controller acts on it. Source: argo-rollouts, pkg/kubectl-argo-rollouts/cmd.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.errors import RolloutError
from rollout_runner.argo.rollout.weights import current_step
from rollout_runner.argo.types import Phase

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.model import RolloutSpec
    from rollout_runner.argo.rollout.observation import Observation, ReplicaSet
    from rollout_runner.argo.rollout.status import RolloutStatus


def abort(status: RolloutStatus) -> RolloutStatus:
    """Abort the update: all traffic back to stable."""
    return replace(status, abort=True)


def retry(status: RolloutStatus) -> RolloutStatus:
    """Take an aborted update up again, from step 0 of the same revision."""
    return replace(status, abort=False)


def promote(spec: RolloutSpec, status: RolloutStatus) -> tuple[RolloutSpec, RolloutStatus]:
    """End the pause; if there is none, skip the current step.

    After an inconclusive step analysis it does both, so the analysis is not repeated.
    """
    if status.pause_conditions:
        run = status.current_step_analysis_run
        if run is not None and run.phase is Phase.INCONCLUSIVE and status.controller_pause:
            status = replace(
                status, controller_pause=False, current_step_index=_after_current(spec, status)
            )
        status = replace(status, pause_conditions=())
    else:
        status = replace(status, current_step_index=_after_current(spec, status))
    return _resumed(spec), status


def promote_full(spec: RolloutSpec, status: RolloutStatus) -> tuple[RolloutSpec, RolloutStatus]:
    """Skip all remaining steps, pauses and analyses."""
    if not status.fully_promoted:
        status = replace(status, promote_full=True)
    return _resumed(spec), status


def undo(spec: RolloutSpec, observed: Observation, to_revision: int = 0) -> RolloutSpec:
    """Return the spec with the pod template of an earlier revision.

    Args:
        spec: the present spec.
        observed: where the ReplicaSets of earlier revisions are.
        to_revision: which one; 0 is the second newest.

    Raises:
        RolloutError: there is no such revision.
    """
    newest_first = sorted(observed.replica_sets.values(), key=lambda rs: rs.revision, reverse=True)
    return replace(spec, pod_hash=_revision(spec, newest_first, to_revision).hash)


def _revision(spec: RolloutSpec, newest_first: list[ReplicaSet], to_revision: int) -> ReplicaSet:
    if to_revision > 0:
        for rs in newest_first:
            if rs.revision == to_revision:
                return rs
        known = ", ".join(str(rs.revision) for rs in newest_first) or "none"
        raise RolloutError(
            f"unable to find specified revision {to_revision} in history",
            hint=f"revisions of {spec.name}: {known}",
        )
    if len(newest_first) < 2:
        raise RolloutError(f'no revision found for rollout "{spec.name}"')
    return newest_first[1]


def _after_current(spec: RolloutSpec, status: RolloutStatus) -> int | None:
    _, index = current_step(spec.canary, status)
    return status.current_step_index if index is None else min(index + 1, len(spec.canary.steps))


def _resumed(spec: RolloutSpec) -> RolloutSpec:
    return replace(spec, paused=False) if spec.paused else spec
