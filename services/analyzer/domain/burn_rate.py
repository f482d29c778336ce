"""Multi-window burn rate: does the canary spend its error budget too fast, and still?

The burn rate is the share of bad requests over the share that the objective allows. It alarms when
it is above a factor over a long window and over a twelfth of it, so that an alarm ends soon after
its cause (The Site Reliability Workbook, "Alerting on SLOs", 6). A rule of thumb without a
false-alarm level: it may hold a rollout, it fails none. Its strict counterpart is
`analyzer.domain.limit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.domain.model import ArmCounts, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRule:
    """When the budget burns too fast.

    Attributes:
        objective: share of requests that may be bad, more than 0 and less than 1.
        factor: burn rate from which it is too fast. 14.4 spends 2 % of a month's budget in an hour.
        long_s, short_s: the two windows, in seconds.
        least: requests of the short window below which it says nothing.
    """

    objective: float
    factor: float = 14.4
    long_s: float = 360.0
    short_s: float = 30.0
    least: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.objective < 1:
            raise ValueError(f"objective is {self.objective:g}, expected a share between 0 and 1")
        if not 0 < self.short_s <= self.long_s:
            raise ValueError(
                "expected a short window above 0 s and at most as long as the long one"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRate:
    """Burn rates over both windows; None where there were no requests."""

    long: float | None
    short: float | None
    too_fast: bool


def burn_rate(counted: Sequence[tuple[Window, ArmCounts]], rule: BurnRule) -> BurnRate:
    """Return the burn rates as of the end of the last window.

    `counted`: closed windows of the canary in their order. A window counts when it begins within
    the long or short one.
    """
    if not counted:
        return BurnRate(long=None, short=None, too_fast=False)
    now = counted[-1][0].end
    rates, enough = [], True
    for length in (rule.long_s, rule.short_s):
        inside = [arm for window, arm in counted if window.start >= now - length]
        count, bad = sum(arm.count for arm in inside), sum(arm.bad for arm in inside)
        rates.append(bad / count / rule.objective if count else None)
        enough = count >= rule.least
    long, short = rates
    too_fast = enough and long is not None and short is not None and min(long, short) >= rule.factor
    return BurnRate(long=long, short=short, too_fast=too_fast)
