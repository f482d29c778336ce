"""When the next request is due, whatever the target does.

Arrivals are counted in units of intensity: the k-th request is due when the rate, summed over
time, reaches the k-th sum of gaps. Gaps do not depend on the rate:

    constant   0, 1, 1, 1, …            evenly spaced, the first one at once
    poisson    independent Exp(1)       a Poisson process (time-change theorem)

    units ^            /·····  rate doubled here: the unfinished gap is kept,
          |        ../         only the rest of it passes faster
          |   .../
          +------------> time

So one seed gives one sequence of gaps, and a live change of the rate neither skips nor repeats one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random


class Arrivals(StrEnum):
    """How requests are spread over time."""

    CONSTANT = "constant"
    POISSON = "poisson"


def unit_gaps(arrivals: Arrivals, rng: Random) -> Iterator[float]:
    """Return the endless gaps between requests for a rate of one."""
    match arrivals:
        case Arrivals.CONSTANT:
            return chain((0.0,), repeat(1.0))
        case Arrivals.POISSON:
            return (rng.expovariate(1.0) for _ in repeat(None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Position in the schedule; times in seconds from the start, rates per second.

    Due times are computed from the last change of the rate, not by adding intervals, so that
    a million of them accumulate no rounding.
    """

    rate: float
    due_units: float
    anchor_time: float = 0.0
    anchor_units: float = 0.0

    @classmethod
    def starting(cls, *, rate: float, first_gap: float, at: float = 0.0) -> Pace:
        """Return a schedule that begins at `at`."""
        return cls(rate=rate, due_units=first_gap, anchor_time=at)

    @property
    def due_at(self) -> float:
        """When the next request is due; never (infinity) at rate 0."""
        if self.rate == 0:
            return math.inf
        return self.anchor_time + (self.due_units - self.anchor_units) / self.rate

    def after(self, gap: float) -> Pace:
        """Return the schedule after the request that is due now."""
        return replace(self, due_units=self.due_units + gap)

    def at_rate(self, rate: float, *, now: float) -> Pace:
        """Return the schedule with another rate from `now` on."""
        passed = self.anchor_units + (now - self.anchor_time) * self.rate
        return replace(self, rate=rate, anchor_time=now, anchor_units=min(passed, self.due_units))


def due_times(
    *, rate: float, duration_seconds: float, arrivals: Arrivals, rng: Random
) -> Iterator[float]:
    """Yield every due time below the duration at a rate that never changes."""
    gaps = unit_gaps(arrivals, rng)
    pace = Pace.starting(rate=rate, first_gap=next(gaps))
    while pace.due_at < duration_seconds:
        yield pace.due_at
        pace = pace.after(next(gaps))
