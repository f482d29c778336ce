"""When each request is due, whatever the target does.

Arrivals are counted in units of rate: request k is due when the rate, summed over time, reaches
the k-th sum of gaps. Gaps do not depend on the rate:

    constant   0, 1, 1, 1, …            evenly spaced, the first one at once
    poisson    independent Exp(1)       a Poisson process (time-change theorem)

    units ^            /·····  rate doubled here: the unfinished gap is kept,
          |        ../         only the rest of it passes faster
          |   .../
          +------------> time

So one seed gives one sequence of gaps, and a live change of the rate neither skips nor repeats one.
Due times are made in blocks and computed from the last change of the rate, not by adding
intervals, so that a million of them accumulate no rounding.

A part of a schedule (`part` of `parts`) holds every parts-th request: the parts of one seed
together are the whole, request by request.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from votegen.domain.profile import Profile, Times

BLOCK = 4096


class Arrivals(StrEnum):
    """How requests are spread over time."""

    CONSTANT = "constant"
    POISSON = "poisson"


class Schedule:
    """The due times of one run, taken as they come.

    Args:
        profile: rate over time.
        arrivals: spacing of the requests.
        seed: decides the gaps of a Poisson process.
        part: which of the parts this is, from 0.
        parts: how many parts share the schedule.
    """

    def __init__(
        self, profile: Profile, *, arrivals: Arrivals, seed: int, part: int = 0, parts: int = 1
    ) -> None:
        self._profile = profile
        self._poisson = arrivals is Arrivals.POISSON
        self._rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0xA221])))
        self._part = part
        self._parts = parts
        self._anchor_time = 0.0
        self._anchor_units = 0.0
        self._made = 0
        self._last_units = 0.0
        self._units: Times = np.empty(0)
        self._times: list[float] = []
        self._next = 0

    @property
    def next_due(self) -> float:
        """When the next request is due, in seconds from the start; infinity when none is."""
        self._fill()
        return self._times[self._next]

    def take(self, until: float, *, before: float = math.inf) -> list[float]:
        """Return the due times up to `until` and before `before` that were not taken yet."""
        taken: list[float] = []
        while True:
            self._fill()
            end = bisect_right(self._times, until, lo=self._next)
            due = self._times[self._next : end]
            while due and due[-1] >= before:
                due.pop()
            taken += due
            self._next += len(due)
            if self._next < len(self._times):
                return taken

    def change(self, profile: Profile, *, now: float) -> None:
        """Put another profile in force; its time begins `now`, the unfinished gap stays."""
        self._fill()
        passed = self._anchor_units + self._profile.units_until(now - self._anchor_time)
        # Not beyond the next request: it is due, however late the change is noticed.
        self._anchor_units = min(passed, float(self._units[self._next]))
        self._anchor_time = now
        self._profile = profile
        self._units = self._units[self._next :]
        self._times = self._times_of(self._units)
        self._next = 0

    def _fill(self) -> None:
        while self._next >= len(self._times):
            self._units = self._make()
            self._times = self._times_of(self._units)
            self._next = 0

    def _times_of(self, units: Times) -> list[float]:
        relative = np.maximum(units - self._anchor_units, 0.0)
        times: list[float] = (self._anchor_time + self._profile.times_at(relative)).tolist()
        return times

    def _make(self) -> Times:
        """Return the next block of units that belong to this part."""
        first = self._made
        self._made += BLOCK
        if self._poisson:
            units = self._last_units + np.cumsum(self._rng.standard_exponential(BLOCK))
            self._last_units = float(units[-1])
        else:
            units = np.arange(first, self._made, dtype=np.float64)
        return units[(self._part - first) % self._parts :: self._parts]
