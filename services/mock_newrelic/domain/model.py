"""The values that everything else speaks of: counts, readings and the labels of a series."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

RETENTION_SECONDS = 24 * 3600

Terms: TypeAlias = frozenset[tuple[str, str]]
"""Label pairs. As a selector they are a condition, on a series they are what it carries."""

Histogram: TypeAlias = Mapping[int, int]
"""Samples per latency bucket, by bucket index (`domain.histogram`)."""

NO_TERMS: Terms = frozenset()


class Counts(NamedTuple):
    """How many samples of which kind; `timed` of them carry a duration.

    Whole numbers throughout, so that running totals never drift.
    """

    samples: int = 0
    errors: int = 0
    http_5xx: int = 0
    http_4xx: int = 0
    timed: int = 0
    microseconds: int = 0

    def plus(self, other: Counts) -> Counts:
        """Return the sum."""
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Reading(NamedTuple):
    """What a window holds; the histogram is empty unless it was asked for."""

    counts: Counts = Counts()
    histogram: Histogram = MappingProxyType({})


NOTHING = Reading()


class SeriesKey(NamedTuple):
    """What tells one stream of samples from another."""

    app: str
    labels: Terms


class Span(NamedTuple):
    """Whole seconds [first, stop)."""

    first: int
    stop: int
