"""What the steps of a canary do before an analysis: the weight, and how long it has been there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rollout_runner.lint.objects import entries
from svckit.durations import DurationError, parse_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """The canary's weight at a step.

    `seconds` is how long it has been in force at least, from pauses alone; infinite behind a pause
    that a person ends. `set_at` is the index of the step that set it, None before the first.
    """

    percent: int
    seconds: float
    set_at: int | None


def in_force(steps: Any, index: int) -> Weight:
    """Return the weight at a step of a canary."""
    weight = Weight(percent=0, seconds=0.0, set_at=None)
    for at, step in entries(steps):
        if at >= index:
            break
        if isinstance(step.get("setWeight"), int):
            weight = Weight(percent=step["setWeight"], seconds=0.0, set_at=at)
        elif isinstance(step.get("pause"), dict):
            weight = Weight(
                percent=weight.percent,
                seconds=weight.seconds + pause_seconds(step["pause"]),
                set_at=weight.set_at,
            )
    return weight


def pause_seconds(pause: dict[str, Any]) -> float:
    """Return how long a pause lasts; infinity where a person has to end it."""
    duration = pause.get("duration")
    if duration is None or isinstance(duration, bool):
        return math.inf
    return seconds_of(duration)


def seconds_of(duration: object) -> float:
    """Read seconds or a Go duration; 0 for what is neither."""
    if isinstance(duration, int):
        return float(duration)
    text = str(duration)
    if text.isdecimal():
        return float(text)
    try:
        return parse_duration(text)
    except DurationError:
        return 0.0
