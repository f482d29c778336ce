"""The values that everything else speaks of: counts, readings and the labels of a series."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

RETENTION_SECONDS = 24 * 3600

Terms: TypeAlias = frozenset[tuple[str, str]]
"""Label pairs. As a selector they are a condition, on a series they are what it carries."""

Histogram: TypeAlias = Mapping[int, int]
"""Samples per latency bucket, by bucket index (`domain.histogram`)."""

NO_TERMS: Terms = frozenset()


class Source(StrEnum):
    """How samples came in. Those of different sources of one application are never summed.

    In this order they are preferred where a reader lets the service choose.
    """

    OTEL = "otel"
    AGENT_METRICS = "agent_metrics"
    AGENT = "agent"
    EVENTS = "events"
    SPANS = "spans"
    API = "api"


class Counts(NamedTuple):
    """How many samples of which kind; `timed` of them carry a duration.

    Of the timed ones, `approximate` were spread over buckets that are finer than what the sender
    told, and `undistributed` are known by their sum alone and stand in no bucket.

    Whole numbers throughout, so that running totals never drift.
    """

    samples: int = 0
    errors: int = 0
    http_5xx: int = 0
    http_4xx: int = 0
    timed: int = 0
    microseconds: int = 0
    approximate: int = 0
    undistributed: int = 0

    def plus(self, other: Counts) -> Counts:
        """Return the sum."""
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Reading(NamedTuple):
    """What a window holds; the histogram is empty unless it was asked for."""

    counts: Counts = Counts()
    histogram: Histogram = MappingProxyType({})

    @property
    def approximate(self) -> bool:
        """Whether a quantile may be off by more than the width of a bucket."""
        return self.counts.approximate > 0

    @property
    def undistributed(self) -> bool:
        """Whether some durations are known by their sum only, so that no quantile can be told."""
        return self.counts.undistributed > 0


NOTHING = Reading()


class SeriesKey(NamedTuple):
    """What tells one stream of samples from another."""

    app: str
    labels: Terms
    source: Source = Source.EVENTS


class Span(NamedTuple):
    """Whole seconds [first, stop)."""

    first: int
    stop: int
