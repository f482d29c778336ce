"""Pauses: how long a pause step lasts, and what one pass does to pauses and aborts.

>>> [pause_seconds(duration) for duration in (None, 10, "10", "1h", "500ms", "1d")]
[0, 10, 10, 3600, 0, -1]
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from svckit.durations import DurationError, parse_duration

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.model import Pause
    from rollout_runner.argo.rollout.status import RolloutStatus

INVALID_DURATION: Final = -1
_INTEGER = re.compile(r"[+-]?[0-9]+")
_INT32 = 2**31


class PauseReason(StrEnum):
    """Why the controller paused the Rollout."""

    CANARY_PAUSE_STEP = "CanaryPauseStep"
    INCONCLUSIVE_ANALYSIS = "InconclusiveAnalysisRun"
    BLUE_GREEN_PAUSE = "BlueGreenPause"
    INCONCLUSIVE_EXPERIMENT = "InconclusiveExperiment"


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseCondition:
    """A pause that is in force since `start_time`."""

    reason: PauseReason
    start_time: float


def pause_seconds(duration: int | str | None) -> int:
    """Return whole seconds, truncated toward zero; -1 when it cannot be read.

    A number, or text of digits only, is seconds; other text is a Go duration. No duration is 0
    here, although such a pause lasts until somebody promotes. Source: RolloutPause.DurationSeconds.
    """
    if duration is None:
        return 0
    if isinstance(duration, int):
        return duration
    if _INTEGER.fullmatch(duration) and -_INT32 <= int(duration) < _INT32:
        return int(duration)
    try:
        seconds = math.trunc(parse_duration(duration))
    except DurationError:
        return INVALID_DURATION
    return seconds if seconds < _INT32 else INVALID_DURATION


def pause_ends_at(pause: Pause, condition: PauseCondition) -> float | None:
    """Return the instant after which the pause step is over; None when only a person ends it."""
    if pause.duration is None:
        return None
    return condition.start_time + pause.seconds


def blue_green_pause_ends_at(seconds: int, condition: PauseCondition) -> float:
    """Return the instant after which the pause before the switch is over."""
    return condition.start_time + seconds


def pause_step_completed(status: RolloutStatus, pause: Pause, now: float) -> bool:
    """Tell whether a pause step is over: strictly after its time, or resumed by a person.

    `controller_pause` without a pause condition is how a person's resuming shows.
    """
    condition = status.pause_condition(PauseReason.CANARY_PAUSE_STEP)
    if condition is None:
        return status.controller_pause
    ends_at = pause_ends_at(pause, condition)
    return ends_at is not None and now > ends_at


@dataclass(slots=True)
class PauseContext:
    """What a pass has decided about pausing and aborting, until it is written to the status."""

    reasons_to_add: list[PauseReason] = field(default_factory=list)
    reasons_to_remove: set[PauseReason] = field(default_factory=set)
    clear: bool = False
    abort: bool = False
    abort_message: str = ""
    remove_abort: bool = False

    def add_abort(self, message: str) -> None:
        """Abort the update; a later reason in the same pass replaces an earlier one."""
        self.abort = True
        self.abort_message = message

    def forget(self) -> None:
        """Drop all pauses and the abort, as a new update or a promotion does."""
        self.clear = True
        self.remove_abort = True

    def is_aborted(self, status: RolloutStatus) -> bool:
        """Tell whether the update is aborted as far as this pass knows."""
        return not self.remove_abort and (self.abort or status.abort)

    def applied(self, before: RolloutStatus, after: RolloutStatus, now: float) -> RolloutStatus:
        """Return `after` with abort and pauses as this pass leaves them.

        Once no pause is left, `controller_pause` is dropped with the last of them.
        """
        if self.abort or self.is_aborted(before):
            return after.having(
                abort=True,
                aborted_at=now if before.aborted_at is None else before.aborted_at,
                pause_conditions=(),
                controller_pause=False,
            )
        conditions: tuple[PauseCondition, ...] = ()
        added = False
        if not self.clear:
            present = {condition.reason for condition in before.pause_conditions}
            new = [reason for reason in self.reasons_to_add if reason not in present]
            added = bool(new)
            conditions = (
                *(
                    condition
                    for condition in before.pause_conditions
                    if condition.reason not in self.reasons_to_remove
                ),
                *(PauseCondition(reason=reason, start_time=now) for reason in dict.fromkeys(new)),
            )
        paused = bool(conditions) and (added or before.controller_pause)
        return after.having(
            abort=False,
            aborted_at=None,
            pause_conditions=conditions,
            controller_pause=paused,
        )
