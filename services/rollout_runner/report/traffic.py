"""What the versions served, from the load generator's running totals.

Totals only grow, so what happened between two instants is a difference of two samples. A version
without requests has no error rate: absence is None, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rollout_runner.events import VersionTraffic

_BUCKET_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Requests and how many of them failed."""

    requests: int = 0
    errors: int = 0

    @property
    def error_rate(self) -> float | None:
        """Failed requests in percent, or None when nothing was asked."""
        return 100 * self.errors / self.requests if self.requests else None

    def __add__(self, other: Counts) -> Counts:
        return Counts(requests=self.requests + other.requests, errors=self.errors + other.errors)

    def __sub__(self, other: Counts) -> Counts:
        return Counts(requests=self.requests - other.requests, errors=self.errors - other.errors)


ZERO = Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSample:
    """Totals per pod-template hash at an instant."""

    at: datetime
    totals: Mapping[str, Counts]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficInterval:
    """What each version served from `start` to `end`."""

    start: datetime
    end: datetime
    versions: Mapping[str, Counts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """All samples of a run, oldest first; before `started_at` nothing was served."""

    started_at: datetime
    samples: tuple[TrafficSample, ...] = ()

    @property
    def totals(self) -> Mapping[str, Counts]:
        """Requests and errors per hash over the whole run."""
        return self.samples[-1].totals if self.samples else {}

    def up_to(self, instant: datetime) -> Mapping[str, Counts]:
        """Return the totals of the last sample taken at or before the instant."""
        found: Mapping[str, Counts] = {}
        for sample in self.samples:
            if sample.at > instant:
                break
            found = sample.totals
        return found

    def between(self, start: datetime, end: datetime) -> Mapping[str, Counts]:
        """Return what each version served between two instants, to the precision of sampling."""
        return _difference(self.up_to(end), self.up_to(start))

    def intervals(self, *, limit: int | None = None) -> tuple[TrafficInterval, ...]:
        """Return consecutive intervals; with `limit`, neighbours are merged down to about that."""
        return tuple(
            TrafficInterval(
                start=before.at, end=after.at, versions=_difference(after.totals, before.totals)
            )
            for before, after in pairwise(self._marks(limit))
        )

    def downtime_seconds(self) -> float | None:
        """Sum the sampled intervals in which requests came and none succeeded.

        None when no request was observed at all: then nobody can tell.
        """
        if not any(counts.requests for counts in self.totals.values()):
            return None
        down = 0.0
        for interval in self.intervals():
            served = sum(interval.versions.values(), ZERO)
            if served.requests and served.errors == served.requests:
                down += (interval.end - interval.start).total_seconds()
        return down

    def _marks(self, limit: int | None) -> Iterator[TrafficSample]:
        start = TrafficSample(at=self.started_at, totals={})
        yield start
        if limit is None:
            yield from self.samples
            return
        if not self.samples:
            return
        span = (self.samples[-1].at - self.started_at).total_seconds()
        width = next((w for w in _BUCKET_SECONDS if span <= w * limit), _BUCKET_SECONDS[-1])
        for number, sample in enumerate(self.samples, start=1):
            following = self.samples[number : number + 1]
            if not following or self._bucket(following[0], width) != self._bucket(sample, width):
                yield sample

    def _bucket(self, sample: TrafficSample, width: float) -> int:
        return int((sample.at - self.started_at).total_seconds() // width)


@dataclass(slots=True, kw_only=True)
class TrafficMeter:
    """Accumulates running totals; a total that fell (a restarted generator) counts on top."""

    totals: dict[str, Counts] = field(default_factory=dict)
    _raw: dict[str, Counts] = field(default_factory=dict)

    def restart(self) -> None:
        """Count from zero again: what was observed so far does not belong to the run."""
        self.totals.clear()

    def observe(self, versions: Iterable[VersionTraffic]) -> Mapping[str, Counts]:
        """Take in one observation and return the totals so far."""
        for version in versions:
            raw = Counts(requests=version.requests, errors=version.errors)
            before = self._raw.get(version.hash, ZERO)
            fell = raw.requests < before.requests or raw.errors < before.errors
            gained = raw if fell else raw - before
            self.totals[version.hash] = self.totals.get(version.hash, ZERO) + gained
            self._raw[version.hash] = raw
        return dict(self.totals)


def _difference(after: Mapping[str, Counts], before: Mapping[str, Counts]) -> Mapping[str, Counts]:
    return {hash_: counts - before.get(hash_, ZERO) for hash_, counts in after.items()}
