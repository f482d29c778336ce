"""Data effects on how many samples there are: throughput_scale, drop, duplicate and sampling.

Counts are scaled and rounded to whole samples; a histogram is scaled bucket by bucket in such a
way that its total is the scaled total.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mock_newrelic.domain.effects.arguments import number, whole
from mock_newrelic.domain.effects.base import DataEffect
from mock_newrelic.domain.effects.rows import share
from mock_newrelic.domain.model import Counts, Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mock_newrelic.domain.model import Histogram

MAX_SCALE = 1000


def scaled(reading: Reading, factor: float) -> Reading:
    """Return the reading with so many times its samples, in the same proportions."""
    counts = Counts(*(round(value * factor) for value in reading.counts))
    return reading._replace(counts=counts, histogram=_scaled(reading.histogram, factor))


def _scaled(histogram: Histogram, factor: float) -> Histogram:
    result = {}
    seen = 0
    for bucket in sorted(histogram):
        before, seen = round(seen * factor), seen + histogram[bucket]
        if left := round(seen * factor) - before:
            result[bucket] = left
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(DataEffect):
    """So many times the samples that came; the class of `throughput_scale`."""

    name: ClassVar[str] = "throughput_scale"
    factor: float

    def observe(self, reading: Reading) -> Reading:
        """Return the reading with more or fewer samples."""
        return scaled(reading, self.factor)

    def rows(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return fewer rows evenly thinned, or some of them several times."""
        times, rest = divmod(self.factor, 1)
        extra = set(share(range(len(rows)), rest))
        return [row for at, row in enumerate(rows) for _ in range(int(times) + (at in extra))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Volume):
    """`{"drop": 0.3}`: this share of the samples is lost on the way."""

    name: ClassVar[str] = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate(Volume):
    """`{"duplicate": 0.1}`: this share of the samples is counted twice."""

    name: ClassVar[str] = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling(DataEffect):
    """`{"sampling": 100}`: a reservoir of so many samples stands for all of a series.

    Counts of requests stay; what is told of errors and durations has the coarseness of the
    reservoir, so a rare error may not be seen at all.
    """

    name: ClassVar[str] = "sampling"
    size: int

    def observe(self, reading: Reading) -> Reading:
        """Return the reading as its reservoir tells it."""
        samples = reading.counts.samples
        if samples <= self.size:
            return reading
        counts = reading.counts
        coarse = {
            name: self._coarse(getattr(counts, name), samples)
            for name in ("errors", "http_5xx", "http_4xx")
        }
        timed = sum(reading.histogram.values())
        histogram = reading.histogram
        if timed > self.size:
            kept = _scaled(histogram, self.size / timed)
            histogram = _scaled(kept, timed / self.size)
        return reading._replace(counts=counts._replace(**coarse), histogram=histogram)

    def rows(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the reservoir's rows, each repeated so often as it stands for."""
        if len(rows) <= self.size:
            return rows
        kept = share(rows, self.size / len(rows))
        return [kept[at * len(kept) // len(rows)] for at in range(len(rows))]

    def _coarse(self, part: int, samples: int) -> int:
        return round(round(part * self.size / samples) * samples / self.size)


def parse_throughput_scale(argument: object, _metric: str | None) -> Volume:
    """Read the factor, 0 to 1000."""
    factor = number(argument, name="throughput_scale", highest=MAX_SCALE)
    return Volume(given=argument, factor=factor)


def parse_drop(argument: object, _metric: str | None) -> Drop:
    """Read the share that is lost, 0 to 1."""
    return Drop(given=argument, factor=1 - number(argument, name="drop", highest=1))


def parse_duplicate(argument: object, _metric: str | None) -> Duplicate:
    """Read the share that is counted twice, 0 to 1."""
    return Duplicate(given=argument, factor=1 + number(argument, name="duplicate", highest=1))


def parse_sampling(argument: object, _metric: str | None) -> Sampling:
    """Read the size of the reservoir."""
    size = whole(argument, name="sampling", lowest=1, highest=1_000_000)
    return Sampling(given=argument, size=size)
