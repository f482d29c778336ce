"""Numbers and times as text, the same in every renderer.

>>> percent(5.2264)
'5.2 %'
>>> duration(140.2)
'2m20s'
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from svckit.durations import short_duration
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rollout_runner.report.traffic import Counts

NOTHING = "-"
_BARS = "▁▂▃▄▅▆▇█"
_SUBSECOND_LIMIT = 10


def timestamp(at: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with whole seconds, as Argo does."""
    return format_timestamp(at.timestamp())


def clock(at: datetime | None) -> str:
    """Write the time of day in UTC: `02:02:23`."""
    return format_timestamp(at.timestamp())[11:19] if at is not None else NOTHING


def duration(seconds: float | None) -> str:
    """Write seconds as a person would: `2m20s`; tenths only below ten seconds."""
    if seconds is None:
        return NOTHING
    if abs(seconds) < _SUBSECOND_LIMIT:
        return short_duration(round(seconds, 1))
    return short_duration(round(seconds))


def elapsed(seconds: float) -> str:
    """Write the time since the start like a stopwatch: `8:41`, `1:02:03`."""
    minutes, rest = divmod(math.floor(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(value: float | None) -> str:
    """Write a percentage; what is not quite 0 or 100 never reads as 0 or 100."""
    if value is None:
        return NOTHING
    if value in {0, 100}:
        return f"{value:.0f} %"
    if value < 0.01:
        return "<0.01 %"
    if value < 1:
        return f"{value:.2f} %"
    return f"{value:.1f} %" if value < 99.9 else ">99.9 %"


def number(value: float) -> str:
    """Write a number without needless digits: `2`, `5.18`."""
    return f"{value:.12g}"


def reading(value: float | str | None) -> str:
    """Write what a condition looked at."""
    return number(value) if isinstance(value, float) else value or ""


def error_rate(counts: Counts | None) -> str:
    """Write the error rate of what was served, or a dash when nothing was."""
    return percent(counts.error_rate) if counts is not None else NOTHING


def rate_of(counts: Counts | None) -> str:
    """Write the error rate with its sample size: `5.2 % of 574`."""
    if counts is None or not counts.requests:
        return "no requests"
    return f"{percent(counts.error_rate)} of {counts.requests:,}"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: `1 request`, `2 requests`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def sparkline(values: Sequence[float | None], *, top: float | None = None) -> str:
    """Draw values from 0 to `top` (default: the largest) as bars; a dot where there is none."""
    highest = top or max((value for value in values if value is not None), default=0) or 1
    steps = len(_BARS) - 1
    return "".join(
        "·" if value is None else _BARS[min(steps, round(steps * value / highest))]
        for value in values
    )
