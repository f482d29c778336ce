"""All series of one source of an application and the sliding windows that are kept over them.

A window is kept per selector, not per series: a query reads one running total however many
series match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.model import NO_TERMS, NOTHING, Counts, Reading
from mock_newrelic.domain.running import CountSum, HistogramSum, WindowCache
from mock_newrelic.domain.series import (
    TIERS,
    Series,
    add_readings,
    latency_slots,
    latency_tier,
)
from mock_newrelic.domain.window import sliding_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mock_newrelic.domain.model import Histogram, Source, Span, Terms


class Stream:
    """What one source has told of an application.

    Samples of series for which there is no room are kept together without labels: totals over the
    whole application stay exact, and `has_unlabelled` tells that a selector would miss some.

    Args:
        source: of all its samples.
        has_room: whether the application may have one series more.
    """

    def __init__(self, source: Source, has_room: Callable[[], bool]) -> None:
        self.source = source
        self._has_room = has_room
        self._series: dict[Terms, Series] = {}
        self._overflow: Series | None = None
        self._counts: WindowCache[Sequence[int]] = WindowCache(CountSum)
        self._latency: tuple[WindowCache[Histogram], ...] = tuple(
            WindowCache(HistogramSum) for _ in TIERS
        )

    def series(self, labels: Terms) -> Series:
        """Return the series with these labels, the shared one when there is no room for it."""
        series = self._series.get(labels)
        if series is not None:
            return series
        if self._has_room():
            return self.open(labels)
        return self._overflow or self.open_overflow()

    def open(self, labels: Terms) -> Series:
        """Begin with a series."""
        series = self._series[labels] = Series(labels, self.source)
        self._show(series)
        return series

    def open_overflow(self) -> Series:
        """Begin with the series of those for which there is no room."""
        series = self._overflow = Series(NO_TERMS, self.source, is_overflow=True)
        self._show(series)
        return series

    def all_series(self) -> Iterator[Series]:
        """Yield every series, the shared one too."""
        yield from self._series.values()
        if self._overflow is not None:
            yield self._overflow

    def sliding(self, terms: Terms, width: int, now: float, *, latency: bool) -> Reading:
        """Return what the last `width` seconds hold, from running totals."""
        span = sliding_span(width, now)
        window = self._counts.window(
            terms, width, (series.counts for series in self._matching(terms))
        )
        window.move(*span)
        counts = Counts(*window.total.result())
        if not latency:
            return Reading(counts)
        tier = latency_tier(span.first, now)
        slots = self._latency[tier].window(
            terms, width, (series.latency[tier] for series in self._matching(terms))
        )
        slots.move(*latency_slots(span, now))
        return Reading(counts, slots.total.result())

    def between(self, terms: Terms, span: Span, now: float, *, latency: bool) -> Reading:
        """Return what any span holds, summed anew."""
        total = NOTHING
        for _, reading in self.each(terms, span, now, latency=latency):
            total = add_readings(total, reading)
        return total

    def each(
        self, terms: Terms, span: Span, now: float, *, latency: bool
    ) -> Iterator[tuple[Terms, Reading]]:
        """Yield labels and reading of every matching series."""
        for series in self._matching(terms):
            yield series.labels, series.read(span, now, latency=latency)

    def last_second(self, terms: Terms, stop: int) -> int | None:
        """Return the latest second before `stop` with a matching sample."""
        seconds = (series.counts.last_second(stop) for series in self._matching(terms))
        return max((second for second in seconds if second is not None), default=None)

    def values(self, name: str) -> set[str]:
        """Return the values of a label among the series."""
        return {value for labels in self._series for key, value in labels if key == name}

    def has_unlabelled(self, span: Span) -> bool:
        """Whether samples in the span lost their labels for want of room."""
        return self._overflow is not None and self._overflow.counts.total(*span).samples > 0

    @property
    def labelled(self) -> int:
        """Number of series with labels of their own."""
        return len(self._series)

    @property
    def series_count(self) -> int:
        """Number of series, the shared one of the overflow included."""
        return len(self._series) + (self._overflow is not None)

    def forget(self, now: float) -> None:
        """Drop what is too old."""
        for series in self.all_series():
            series.forget(now)
        gone = [labels for labels, series in self._series.items() if series.counts.empty]
        if gone:
            # Windows watch the series that go: let all be built anew.
            self._counts.clear()
            for cache in self._latency:
                cache.clear()
            for labels in gone:
                del self._series[labels]

    @property
    def empty(self) -> bool:
        """Whether no sample is left."""
        return all(series.counts.empty for series in self.all_series())

    def _show(self, series: Series) -> None:
        """Let the windows that are kept see a series that is still empty."""
        self._counts.include(series.labels, series.counts)
        for cache, timeline in zip(self._latency, series.latency, strict=True):
            cache.include(series.labels, timeline)

    def _matching(self, terms: Terms) -> Iterator[Series]:
        return (series for series in self.all_series() if terms <= series.labels)
