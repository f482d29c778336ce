"""What a new status of a Rollout tells that the one before did not, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.events import PauseStarted, PhaseChanged, StepCompleted, StepStarted, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rollout_runner.argo.rollout import RolloutStatus
    from rollout_runner.argo.rollout.model import CanaryStep
    from rollout_runner.events import Event


def changes(
    before: RolloutStatus,
    after: RolloutStatus,
    *,
    steps: Sequence[CanaryStep],
    completed: bool,
    now: float,
) -> Iterator[Event]:
    """Yield the pause, the phase and the steps that are news.

    Args:
        before: the status that was told last.
        after: the status that a pass or a person has made of it.
        steps: the steps that the indices point at.
        completed: whether the old step came to its end; one that a person skips does not.
        now: the instant of the events.
    """
    at = moment(now)
    old, new = before.current_step_index, after.current_step_index
    pauses = [pause for pause in after.pause_conditions if pause not in before.pause_conditions]
    if pauses:
        step = steps[new].pause if new is not None and new < len(steps) else None
        yield PauseStarted(
            at=at,
            index=new,
            reason=str(pauses[0].reason),
            duration_seconds=None if step is None or step.duration is None else step.seconds,
        )
    if (after.phase, after.message) != (before.phase, before.message):
        yield PhaseChanged(at=at, phase=str(after.phase), message=after.message)
    if completed and old is not None:
        yield StepCompleted(at=at, index=old, text=steps[old].text)
    retried = before.abort and not after.abort
    started_over = retried or after.current_pod_hash != before.current_pod_hash
    if new is None or new >= len(steps) or after.abort:
        return
    if new != old or started_over:
        yield StepStarted(at=at, index=new, text=steps[new].text)
