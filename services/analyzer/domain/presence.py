"""Whether both arms are there: who was silent, who is warming up, who began anew.

All of it follows from numbers of requests, never from how many of them were bad, so deciding by it
which windows count does not favour either verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.domain.model import ArmCounts, Window

RESTART_LEAST = 10.0
"""Requests that a silent canary must have missed for its return to count as a restart. With fewer
expected ones silence is chance."""
RESTART_WINDOWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What the windows of one metric say about the arms.

    Attributes:
        started: start of the first window; None before it.
        last_end: end of the last one.
        warm_from: since when the canary has been warming up: its first traffic, or its return.
        restarted: whether it has returned after a silence that was no chance.
        shown: windows in which the canary had requests.
        canary_requests, stable_requests: of all windows, also of those that do not count.
        silent_canary, silent_stable: windows without requests of the arm since its last ones.
        silent_since: start of the canary's present silence.
        judged: whether the last window counts: the canary was warm.
        counted, counted_bad: requests of the canary in the windows that count, and bad ones.
    """

    started: float | None = None
    last_end: float = 0.0
    warm_from: float | None = None
    restarted: bool = False
    shown: int = 0
    canary_requests: int = 0
    stable_requests: int = 0
    silent_canary: int = 0
    silent_stable: int = 0
    silent_since: float | None = None
    judged: bool = False
    counted: int = 0
    counted_bad: int = 0

    def after(
        self, window: Window, canary: ArmCounts, stable: ArmCounts, *, warmup_s: float
    ) -> Presence:
        """Return what is known after one more window."""
        warm_from, restarted = self.warm_from, self.restarted
        if canary.count and warm_from is None:
            warm_from = window.start
        elif canary.count and self._was_away():
            warm_from, restarted = window.start, True
        judged = warm_from is None or window.start >= warm_from + warmup_s
        silent_since = self.silent_since if self.silent_canary else window.start
        return replace(
            self,
            started=window.start if self.started is None else self.started,
            last_end=window.end,
            warm_from=warm_from,
            restarted=restarted,
            shown=self.shown + (canary.count > 0),
            canary_requests=self.canary_requests + canary.count,
            stable_requests=self.stable_requests + stable.count,
            silent_canary=0 if canary.count else self.silent_canary + 1,
            silent_stable=0 if stable.count else self.silent_stable + 1,
            silent_since=None if canary.count else silent_since,
            judged=judged,
            counted=self.counted + (canary.count if judged else 0),
            counted_bad=self.counted_bad + (canary.bad if judged else 0),
        )

    def _was_away(self) -> bool:
        missed = self.silent_canary * self.canary_requests / max(1, self.shown)
        return self.silent_canary >= RESTART_WINDOWS and missed >= RESTART_LEAST
