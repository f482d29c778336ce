"""One series: counts by the second, latency in three resolutions.

Counts are exact to the second for the whole retention. Latency is kept finely for the recent
past and coarsely for the rest: a window reads the finest tier that reaches back far enough, its
edges rounded outwards to whole slots.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from mock_newrelic.domain.histogram import merge
from mock_newrelic.domain.model import RETENTION_SECONDS, Counts, Reading, Span
from mock_newrelic.domain.running import MAX_STEPS
from mock_newrelic.domain.timeline import CoarseTimeline, CountTimeline, HistogramTimeline

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from mock_newrelic.domain.model import Histogram, Source, Terms
    from mock_newrelic.domain.timeline import Drawn

TIERS = ((1, 15 * 60), (10, 3 * 3600), (60, RETENTION_SECONDS))
"""Resolution and reach of the latency timelines, in seconds, finest first."""
_SLACK_SLOTS = 2 * MAX_STEPS
"""How many slots more than the reach are kept, so that a window can still subtract them."""


def latency_tier(first: int, now: float) -> int:
    """Return the index of the finest tier that still holds the second `first`."""
    for index, (_, reach) in enumerate(TIERS):
        if first >= now - reach - 1:
            return index
    return len(TIERS) - 1


def latency_slots(span: Span, now: float) -> Span:
    """Return the slots, of the finest tier that holds them, in which a span lies."""
    resolution = TIERS[latency_tier(span.first, now)][0]
    return Span(span.first // resolution, -(-span.stop // resolution))


def whole_slots(span: Span, now: float) -> Span:
    """Return the span rounded outwards to the slots in which its latency is kept."""
    resolution = TIERS[latency_tier(span.first, now)][0]
    slots = latency_slots(span, now)
    return Span(slots.first * resolution, slots.stop * resolution)


class Series:
    """Everything known of the samples with one set of labels.

    Attributes:
        labels: what the samples carry.
        source: where they came from.
        is_overflow: whether it stands for those series for which there was no room.
        number: by which a durable store knows it; 0 when none does.
    """

    def __init__(self, labels: Terms, source: Source, *, is_overflow: bool = False) -> None:
        self.labels = labels
        self.source = source
        self.is_overflow = is_overflow
        self.number = 0
        self.counts = CountTimeline()
        fine = HistogramTimeline()
        middle = CoarseTimeline(fine, TIERS[1][0] // TIERS[0][0])
        coarse = CoarseTimeline(middle, TIERS[2][0] // TIERS[1][0])
        self._coarser = (middle, coarse)
        self.latency: tuple[HistogramTimeline, ...] = (fine, middle, coarse)

    def add(self, second: int, counts: Sequence[int], histogram: Histogram, now: float) -> None:
        """Add the samples of one second."""
        self.counts.add(second, counts)
        if not histogram:
            return
        finest = latency_tier(second, now)
        resolution, reach = TIERS[finest]
        if second < now - reach - 1:
            return
        self.latency[finest].add(second // resolution, histogram)
        for (resolution, _), timeline in zip(TIERS[1:], self._coarser, strict=True):
            if resolution > TIERS[finest][0]:
                timeline.follow(second // resolution, histogram)

    def extend(self, first: int, counts: array[int], drawn: Drawn) -> int:
        """Add the samples of recent consecutive seconds, of which nothing was known.

        Args:
            first: the first second.
            counts: the fields of `Counts`, second by second.
            drawn: their latencies.

        Returns:
            How many samples there were.
        """
        samples = self.counts.extend(first, counts)
        stop = first + len(counts) // len(Counts._fields)
        self.latency[0].extend(first, stop, drawn)
        for (resolution, _), timeline in zip(TIERS[1:], self._coarser, strict=True):
            if timeline.attended:
                for second in range(first, stop):
                    if histogram := drawn.total(second, second + 1):
                        timeline.follow(second // resolution, histogram)
        return samples

    def read(self, span: Span, now: float, *, latency: bool) -> Reading:
        """Return what lies in the span."""
        counts = self.counts.total(*span)
        if not latency:
            return Reading(counts)
        timeline = self.latency[latency_tier(span.first, now)]
        return Reading(counts, timeline.total(*latency_slots(span, now)))

    def forget(self, now: float) -> None:
        """Drop what no window can ask for any more."""
        self.counts.forget(floor(now) - RETENTION_SECONDS - _SLACK_SLOTS)
        limits = [(floor(now) - reach) // resolution - _SLACK_SLOTS for resolution, reach in TIERS]
        # The finest first: after a long silence a sample may pass through all of them at once.
        for timeline, limit in zip(self._coarser, limits[:-1], strict=True):
            timeline.settle_finer(limit)
        for kept, limit in zip(self.latency, limits, strict=True):
            kept.forget(limit)


def add_readings(one: Reading, other: Reading) -> Reading:
    """Return the sum of two readings."""
    return Reading(one.counts.plus(other.counts), merge((one.histogram, other.histogram)))
