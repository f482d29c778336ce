"""How the rate changes over time, and when it has let so many requests pass.

A profile is a rate r(t) >= 0 from its start on, in requests a second. What a schedule needs of it
is the inverse of its integral: the time at which u requests' worth of rate has passed.

    steady    r = c                                   u / c
    stages    straight lines between points           the root of a quadratic
    sine      mean + amplitude · sin(2πt / period)    bisection, the integral is known
    recorded  arrivals that somebody else measured    the u-th of them
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from svckit.durations import DurationError, format_duration, parse_duration
from svckit.errors import InvalidInput

Times: TypeAlias = NDArray[np.float64]

MAX_RATE = 1_000_000.0
MAX_POINTS = 10_000
MAX_RECORDED = 50_000_000
MAX_RECORDED_SECONDS = 365 * 86400.0
STAGES_HINT = "for example 0s:10,60s:50,60s:100 (a line from 10/s to 50/s, then a step to 100/s)"
_BISECTIONS = 64


class Profile(Protocol):
    """A rate over time; times in seconds from the profile's start."""

    @property
    def peak(self) -> float:
        """The highest rate that it reaches."""
        ...

    @property
    def length(self) -> float | None:
        """When its shape ends and the rate stays; None when there is no such end."""
        ...

    def rate_at(self, time: float) -> float:
        """Return the rate at a time."""
        ...

    def units_until(self, time: float) -> float:
        """Return the integral of the rate up to a time."""
        ...

    def times_at(self, units: Times) -> Times:
        """Return when the integral reaches each of `units` (>= 0); infinity where it never does."""
        ...


@dataclass(frozen=True, slots=True)
class Steady:
    """The same rate all the time."""

    rate: float

    @property
    def peak(self) -> float:
        """The rate."""
        return self.rate

    @property
    def length(self) -> float | None:
        """It has no shape that could end."""
        return None

    def rate_at(self, time: float) -> float:  # noqa: ARG002 - the same at any time
        """Return the rate."""
        return self.rate

    def units_until(self, time: float) -> float:
        """Return rate times time."""
        return self.rate * time

    def times_at(self, units: Times) -> Times:
        """Return units over rate."""
        if self.rate == 0:
            return np.full_like(units, math.inf)
        with np.errstate(over="ignore"):
            return units / self.rate

    def __str__(self) -> str:
        return f"{self.rate:g}/s"


@dataclass(frozen=True)
class Stages:
    """Straight lines between points (time, rate); two points of one time are a step.

    After the last point the rate stays as it is.

    Raises:
        InvalidInput: no point at 0, times that go back, or a rate that cannot be.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not self.points or self.points[0][0] != 0:
            raise InvalidInput("stages: the first point is not at 0s", hint=STAGES_HINT)
        if len(self.points) > MAX_POINTS:
            raise InvalidInput(f"stages: more than {MAX_POINTS} points")
        before = 0.0
        for time, rate in self.points:
            if not before <= time < math.inf:
                raise InvalidInput("stages: a point lies before the one it follows")
            if not 0 <= rate <= MAX_RATE:
                raise InvalidInput(f"stages: rate {rate:g} is not from 0 to {MAX_RATE:g}")
            before = time
        if not any(rate > 0 for _, rate in self.points):
            raise InvalidInput("stages: no rate is above 0, so nothing would be sent")

    @classmethod
    def parse(cls, text: str) -> Stages:
        """Read `0s:10,60s:50,…`.

        Raises:
            InvalidInput: a part is no time and rate, or the points cannot be stages.
        """
        points = []
        for part in text.split(","):
            time, _, rate = part.strip().partition(":")
            try:
                points.append((parse_duration(time), float(rate.removesuffix("/s"))))
            except (DurationError, ValueError):
                raise InvalidInput(
                    f"stages: {part.strip()!r} is not TIME:RATE", hint=STAGES_HINT
                ) from None
        return cls(tuple(points))

    @property
    def peak(self) -> float:
        """The highest rate of any point."""
        return max(rate for _, rate in self.points)

    @property
    def length(self) -> float | None:
        """The time of the last point."""
        return self.points[-1][0]

    def rate_at(self, time: float) -> float:
        """Return the rate on the line; at a step, the rate behind it."""
        index = int(np.searchsorted(self._times, time, side="right")) - 1
        if index >= len(self.points) - 1:
            return self.points[-1][1]
        (start, low), (end, high) = self.points[index], self.points[index + 1]
        return low + (high - low) * (time - start) / (end - start)

    def units_until(self, time: float) -> float:
        """Return the area under the lines."""
        index = int(np.searchsorted(self._times, time, side="right")) - 1
        start, rate = self.points[index]
        return float(self._units[index]) + (rate + self.rate_at(time)) / 2 * (time - start)

    def times_at(self, units: Times) -> Times:
        """Return where the area reaches each of `units`.

        Within a stage of slope s that begins at rate r: r·x + s·x²/2 = d, whose root is
        2d / (r + √(r² + 2sd)), a form that needs no case for s = 0 and does not cancel.
        """
        index = np.searchsorted(self._units, units, side="right") - 1
        rate, slope = self._rates[index], self._slopes[index]
        rest = units - self._units[index]
        root = np.sqrt(np.maximum(rate * rate + 2 * slope * rest, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            passed = np.where(rate + root > 0, 2 * rest / (rate + root), math.inf)
        # A stage that rises from zero begins at once; one that stays at zero never lets pass.
        passed[(rest <= 0) & (slope > 0)] = 0.0
        return self._times[index] + passed

    @cached_property
    def _times(self) -> Times:
        return np.array([time for time, _ in self.points])

    @cached_property
    def _rates(self) -> Times:
        return np.array([rate for _, rate in self.points])

    @cached_property
    def _units(self) -> Times:
        areas = np.diff(self._times) * (self._rates[1:] + self._rates[:-1]) / 2
        return np.concatenate(([0.0], np.cumsum(areas)))

    @cached_property
    def _slopes(self) -> Times:
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.diff(self._rates) / np.diff(self._times)
        # A step has no width: nothing ever lies inside of it.
        return np.concatenate((np.where(np.isfinite(slopes), slopes, 0.0), [0.0]))

    def __str__(self) -> str:
        return ",".join(f"{format_duration(time)}:{rate:g}" for time, rate in self.points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sine:
    """A day in short: mean + amplitude · sin(2πt / period).

    Raises:
        InvalidInput: the rate would fall below zero, or a number cannot be.
    """

    mean: float
    amplitude: float
    period: float

    def __post_init__(self) -> None:
        if not 0 < self.mean <= MAX_RATE:
            raise InvalidInput(f"sine: mean {self.mean:g} is not above 0 and at most {MAX_RATE:g}")
        if not 0 <= self.amplitude <= self.mean:
            raise InvalidInput(
                f"sine: amplitude {self.amplitude:g} is not from 0 to the mean {self.mean:g}",
                hint="a rate cannot fall below zero",
            )
        if not 0.001 <= self.period < math.inf:
            raise InvalidInput("sine: period is not a time above 0s")

    @property
    def peak(self) -> float:
        """Mean plus amplitude."""
        return self.mean + self.amplitude

    @property
    def length(self) -> float | None:
        """It goes on and on."""
        return None

    def rate_at(self, time: float) -> float:
        """Return the rate at a time."""
        return self.mean + self.amplitude * math.sin(2 * math.pi * time / self.period)

    def units_until(self, time: float) -> float:
        """Return mean·t + amplitude·period/2π · (1 - cos(2πt / period))."""
        return float(self._units(np.array(time)))

    def times_at(self, units: Times) -> Times:
        """Return where the integral reaches each of `units`, by bisection to the last bit."""
        # The wave adds from 0 to 2 · amplitude · period / 2π to mean · t.
        high = units / self.mean
        low = np.maximum(high - self.amplitude * self.period / math.pi / self.mean, 0.0)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            below = self._units(middle) < units
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return high

    def _units(self, times: Times) -> Times:
        wave = self.amplitude * self.period / (2 * math.pi)
        return self.mean * times + wave * (1 - np.cos(2 * math.pi * times / self.period))

    def __str__(self) -> str:
        return f"sine:{self.mean:g},{self.amplitude:g},{format_duration(self.period)}"


@dataclass(frozen=True, eq=False)
class Recorded:
    """Arrivals as they were measured: request k is due at the k-th time.

    Raises:
        InvalidInput: no time at all, or times that are negative or go back.
    """

    times: Times

    def __post_init__(self) -> None:
        if not self.times.size:
            raise InvalidInput("the recording holds no arrival")
        if self.times.size > MAX_RECORDED:
            raise InvalidInput(f"the recording holds more than {MAX_RECORDED} arrivals")
        if self.times[0] > MAX_RECORDED_SECONDS:
            raise InvalidInput(
                f"the recording's first arrival is at {self.times[0]:.0f} s, years after the start",
                hint="times count from the start of the recording: subtract the first from all",
            )
        bad = ~np.isfinite(self.times) | (self.times < 0)
        bad[1:] |= np.diff(self.times) < 0
        if bad.any():
            raise InvalidInput(
                f"arrival {int(bad.argmax()) + 1} of the recording is negative, no number, or "
                "before the one it follows",
                hint="one time a line, in seconds from the start, ascending",
            )

    @classmethod
    def parse(cls, text: str) -> Recorded:
        """Read one time a line, in seconds; empty lines and lines that begin with # do not count.

        Raises:
            InvalidInput: a line is no number, or the times cannot be arrivals.
        """
        times = []
        for number, line in enumerate(text.splitlines(), 1):
            content = line.strip()
            if not content or content.startswith("#"):
                continue
            try:
                times.append(float(content))
            except ValueError:
                raise InvalidInput(
                    f"line {number} of the recording is not a number of seconds",
                    hint="one time a line, in seconds from the start, ascending",
                ) from None
        return cls(np.array(times))

    @property
    def peak(self) -> float:
        """The most arrivals within any one second."""
        ends = np.searchsorted(self.times, self.times + 1.0, side="left")
        return float((ends - np.arange(self.times.size)).max())

    @property
    def length(self) -> float | None:
        """Just behind the last arrival."""
        return math.nextafter(float(self.times[-1]), math.inf)

    def rate_at(self, time: float) -> float:
        """Return the arrivals in the second from a time on."""
        low, high = np.searchsorted(self.times, (time, time + 1.0), side="left")
        return float(high - low)

    def units_until(self, time: float) -> float:
        """Return how many arrivals come before a time."""
        return float(np.searchsorted(self.times, time, side="left"))

    def times_at(self, units: Times) -> Times:
        """Return the arrival of each number, counted from 0; infinity behind the last one."""
        index = np.floor(units).astype(np.int64)
        return np.append(self.times, math.inf)[np.minimum(index, self.times.size)]

    def __str__(self) -> str:
        return f"{self.times.size} recorded arrivals"


def parse_shape(text: str) -> Profile:
    """Read a shape by name: `steady:R`, `step:…`, `stages:…`, `spike:…` or `sine:…`.

        sine:MEAN,AMPLITUDE,PERIOD          sine:50,30,10m
        spike:BASE,PEAK,AT,FOR              spike:50,500,2m,10s
        step:RATE,RATE,…,EVERY              step:10,20,40,30s
        stages:TIME:RATE,…                  stages:0s:10,60s:50

    Raises:
        InvalidInput: another name, or arguments that do not fit.
    """
    name, _, rest = text.partition(":")
    arguments = [part.strip() for part in rest.split(",")]
    try:
        match name, arguments:
            case "steady", [rate]:
                return Stages(((0.0, float(rate)),))
            case "stages", _:
                return Stages.parse(rest)
            case "sine", [mean, amplitude, period]:
                return Sine(
                    mean=float(mean), amplitude=float(amplitude), period=parse_duration(period)
                )
            case "spike", [base, peak, at, lasting]:
                low, high = float(base), float(peak)
                start, end = parse_duration(at), parse_duration(at) + parse_duration(lasting)
                return Stages(((0.0, low), (start, low), (start, high), (end, high), (end, low)))
            case "step", [*rates, every] if rates:
                width = parse_duration(every)
                steps = [
                    point
                    for number, rate in enumerate(rates)
                    for point in (
                        (number * width, float(rate)),
                        ((number + 1) * width, float(rate)),
                    )
                ]
                return Stages(tuple(steps))
    except (DurationError, ValueError):
        pass
    raise InvalidInput(
        f"shape {text!r} is not known or has arguments that do not fit",
        hint="sine:MEAN,AMPLITUDE,PERIOD, spike:BASE,PEAK,AT,FOR, step:RATE,…,EVERY or "
        "stages:TIME:RATE,…; for example sine:50,30,10m",
    )
