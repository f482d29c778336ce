"""`{"latency": {"add": "300ms"}}`: every sample took longer.

    add        so much for every sample; alone it shifts the whole distribution
    jitter     evenly between 0 and so much on top
    scale      so many times what was measured
    lognormal  {"median": "200ms", "sigma": 0.5}
    pareto     {"least": "50ms", "alpha": 2}: a heavy tail
    empirical  ["10ms", "20ms", "500ms"]: one of these, each as often

What is added is spread over the samples of each bucket by the quantiles of its distribution, not
drawn: the same data show the same histogram, and no sample is lost or made. A bucket moves by its
geometric middle, so a shifted quantile is off by one bucket (2.2 %) at most; sums are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import exp
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar

from mock_newrelic.domain.effects.arguments import Members, bad, seconds
from mock_newrelic.domain.effects.base import DataEffect
from mock_newrelic.domain.effects.rows import lasting
from mock_newrelic.domain.histogram import PER_OCTAVE, bucket_of, upper_bound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from mock_newrelic.domain.model import Histogram, Reading

POINTS = 64
"""Quantiles by which an added distribution is represented."""
MAX_EMPIRICAL = 1000
_SHAPES = ("lognormal", "pareto", "empirical")
_KNOWN = ("add", "jitter", "scale", *_SHAPES)
_TO_MIDDLE = 2.0 ** (-0.5 / PER_OCTAVE)


@dataclass(frozen=True, kw_only=True)
class Delay:
    """A distribution of delays in seconds, by its quantiles in even steps."""

    scale: float
    points: tuple[float, ...]

    @cached_property
    def mean(self) -> float:
        """Mean of what is added, in seconds."""
        return sum(self.points) / len(self.points)

    def draw(self, rng: Random) -> float:
        """Return one delay."""
        return self.points[rng.randrange(len(self.points))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency(DataEffect):
    """Shows every sample with a longer duration; counts and errors stay."""

    name: ClassVar[str] = "latency"
    delay: Delay

    def observe(self, reading: Reading) -> Reading:
        """Return the reading with its durations moved."""
        counts, delay = reading.counts, self.delay
        moved = counts.microseconds * delay.scale + counts.timed * delay.mean * 1e6
        return reading._replace(
            counts=counts._replace(microseconds=round(moved)),
            histogram=self._shift(reading.histogram),
        )

    def rows(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the rows with their durations moved, the quantiles in turn."""
        points, scale = self.delay.points, self.delay.scale
        # Neighbouring rows get distant quantiles: a window has its share of every one of them.
        stride = _coprime_stride(len(points))

        def slower(at: int) -> Callable[[float], float]:
            return lambda seconds: seconds * scale + points[at * stride % len(points)]

        return [lasting(row, slower(at)) for at, row in enumerate(rows)]

    def _shift(self, histogram: Histogram) -> Histogram:
        moved: dict[int, int] = {}
        points, scale = self.delay.points, self.delay.scale
        for bucket, count in histogram.items():
            middle = upper_bound(bucket) * _TO_MIDDLE * scale
            placed = 0
            for rank, added in enumerate(points, 1):
                until = count * rank // len(points)
                if until > placed:
                    target = bucket_of(middle + added)
                    moved[target] = moved.get(target, 0) + until - placed
                    placed = until
        return moved


def _coprime_stride(count: int) -> int:
    return (
        1
        if count == 1
        else next(
            step for step in range(int(count * 0.618) or 1, count + 1) if _coprime(step, count)
        )
    )


def _coprime(one: int, other: int) -> bool:
    while other:
        one, other = other, one % other
    return one == 1


def parse(argument: object, _metric: str | None) -> Latency:
    """Read the distribution."""
    return Latency(given=argument, delay=parse_delay(argument, name=Latency.name))


def parse_delay(argument: object, *, name: str) -> Delay:
    """Read a distribution of delays.

    A duration alone, such as `"300ms"`, stands for `{"add": "300ms"}`.

    Raises:
        InvalidInput: no member, two shapes, or a member out of bounds.
    """
    if isinstance(argument, str):
        argument = {"add": argument}
    members = Members(argument, name=name, known=_KNOWN)
    shapes = [shape for shape in _SHAPES if shape in members]
    if not members.given or len(shapes) > 1:
        raise bad(f"effect.{name} needs add, jitter, scale, or one of {', '.join(_SHAPES)}")
    add = members.seconds("add", 0.0)
    jitter = members.seconds("jitter", 0.0)
    scale = members.number("scale", 1.0, highest=1e6)
    steps = [(rank + 0.5) / POINTS for rank in range(POINTS)]
    points: tuple[float, ...] = (add,)
    if shapes:
        extra = _shape(members, shapes[0], name, steps)
        points = tuple(add + one for one in extra)
    if jitter:
        count = len(points)
        points = tuple(
            points[at % count] + jitter * steps[at * _coprime_stride(POINTS) % POINTS]
            for at in range(POINTS if count == 1 else count)
        )
    return Delay(scale=scale, points=points)


def _shape(members: Members, shape: str, name: str, steps: list[float]) -> list[float]:
    given = members.require(shape)
    where = f"{name}.{shape}"
    if shape == "empirical":
        if not isinstance(given, list) or not 0 < len(given) <= MAX_EMPIRICAL:
            raise bad(f"effect.{where} is not a list of 1 to {MAX_EMPIRICAL} durations")
        return [seconds(one, name=f"{where}[{at}]") for at, one in enumerate(given)]
    if shape == "pareto":
        inner = Members(given, name=where, known=("least", "alpha"))
        least, alpha = inner.seconds("least"), inner.number("alpha", lowest=0.1, highest=100)
        return [least * (1 - step) ** (-1 / alpha) for step in steps]
    inner = Members(given, name=where, known=("median", "sigma"))
    median, sigma = inner.seconds("median"), inner.number("sigma", highest=10)
    normal = NormalDist()
    return [median * exp(sigma * normal.inv_cdf(step)) for step in steps]
