"""What is known of one application, source by source.

Samples of different sources are never summed: an application that reports by OpenTelemetry and by
an agent would be counted twice. A reader names the source, or leaves it to `choose`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.coverage import Coverage
from mock_newrelic.domain.labels import LabelIndex
from mock_newrelic.domain.model import NOTHING, RETENTION_SECONDS, Reading, Source
from mock_newrelic.domain.stream import Stream
from mock_newrelic.domain.window import is_kept, sliding_span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mock_newrelic.domain.model import Histogram, Span, Terms
    from mock_newrelic.domain.series import Series

_FORGET_EVERY_SECONDS = 60


class Application:
    """What an application has sent.

    Args:
        name: of the application.
        max_series: most series that are kept, over all sources.

    Attributes:
        samples: how many samples ever came.
        number: by which a durable store knows it; 0 when none does.
        coverage: of which seconds its agents have told exact counts.
        labels: the names and values of labels that its series may carry.
    """

    def __init__(self, name: str, *, max_series: int) -> None:
        self.name = name
        self.samples = 0
        self.number = 0
        self.coverage = Coverage()
        self._max_series = max_series
        self.labels = LabelIndex()
        self._streams: dict[Source, Stream] = {}
        self._forgotten_at = 0.0

    def add(  # noqa: PLR0917 - the parts of one count
        self,
        labels: Terms,
        second: int,
        counts: Sequence[int],
        histogram: Histogram,
        now: float,
        source: Source = Source.EVENTS,
    ) -> None:
        """Add the samples of one second of one series; too old ones are only counted."""
        self.samples += counts[0]
        if is_kept(second, now):
            self.series(labels, source).add(second, counts, histogram, now)

    def series(self, labels: Terms, source: Source) -> Series:
        """Return the series of samples with these labels, the shared one for want of room."""
        return self.stream(source).series(self.labels.admit(labels))

    def stream(self, source: Source) -> Stream:
        """Return all series of a source."""
        stream = self._streams.get(source)
        if stream is None:
            stream = self._streams[source] = Stream(source, self._has_room)
        return stream

    def all_series(self) -> Iterator[Series]:
        """Yield the series of all sources."""
        for stream in self._streams.values():
            yield from stream.all_series()

    @property
    def sources(self) -> list[Source]:
        """The sources that samples came from, in the order of preference."""
        return [source for source in Source if source in self._streams]

    def choose(self, terms: Terms, span: Span, now: float, *, latency: bool) -> Source | None:
        """Return the best source for a question; None when there never was a sample.

        The first source in the order of `Source` with a sample in the span answers. An agent's
        exact counts answer only when they cover the whole span and no quantile is asked for, or
        when no other source has anything to say.
        """
        present = self.sources
        if len(present) < 2:
            return present[0] if present else None
        exact = Source.AGENT_METRICS
        for source in present:
            if source is exact and (latency or not self.coverage.covers(terms, span, now)):
                continue
            if self._has_samples(source, terms, span):
                return source
        if exact in present and self._has_samples(exact, terms, span):
            return exact
        return present[0]

    def sliding(
        self, terms: Terms, width: int, now: float, *, latency: bool, source: Source | None = None
    ) -> Reading:
        """Return what the last `width` seconds of a source hold, from running totals."""
        stream = self._stream(source, terms, sliding_span(width, now), now, latency=latency)
        return NOTHING if stream is None else stream.sliding(terms, width, now, latency=latency)

    def between(
        self, terms: Terms, span: Span, now: float, *, latency: bool, source: Source | None = None
    ) -> Reading:
        """Return what any span of a source holds, summed anew."""
        stream = self._stream(source, terms, span, now, latency=latency)
        return NOTHING if stream is None else stream.between(terms, span, now, latency=latency)

    def each(
        self, terms: Terms, span: Span, now: float, *, latency: bool, source: Source | None = None
    ) -> Iterator[tuple[Terms, Reading]]:
        """Yield labels and reading of every matching series of a source."""
        stream = self._stream(source, terms, span, now, latency=latency)
        if stream is not None:
            yield from stream.each(terms, span, now, latency=latency)

    def last_second(self, terms: Terms, stop: int, source: Source | None = None) -> int | None:
        """Return the latest second before `stop` with a matching sample, of one source or any."""
        streams = [
            stream for name, stream in self._streams.items() if source is None or name is source
        ]
        seconds = (stream.last_second(terms, stop) for stream in streams)
        return max((second for second in seconds if second is not None), default=None)

    def values(self, name: str) -> list[str]:
        """Return the values of a label among the series, sorted."""
        return sorted({value for one in self._streams.values() for value in one.values(name)})

    def unanswerable(self, terms: Terms) -> str | None:
        """Return the name of a label that is not kept for every sample, or None."""
        return next((name for name, _ in sorted(terms) if not self.labels.can_answer(name)), None)

    def has_unlabelled(self, span: Span) -> bool:
        """Whether samples in the span lost their labels for want of room."""
        return any(stream.has_unlabelled(span) for stream in self._streams.values())

    @property
    def series_count(self) -> int:
        """Number of series, the shared ones of overflows included."""
        return sum(stream.series_count for stream in self._streams.values())

    def forget(self, now: float) -> None:
        """Drop what is too old, at most once a minute."""
        if 0 <= now - self._forgotten_at < _FORGET_EVERY_SECONDS:
            return
        self._forgotten_at = now
        self.coverage.forget(now - RETENTION_SECONDS)
        for source, stream in list(self._streams.items()):
            stream.forget(now)
            if stream.empty:
                del self._streams[source]

    @property
    def empty(self) -> bool:
        """Whether no sample is left."""
        return all(stream.empty for stream in self._streams.values())

    def _stream(
        self, source: Source | None, terms: Terms, span: Span, now: float, *, latency: bool
    ) -> Stream | None:
        """Return the stream of a source, of the best one when None is given."""
        chosen = source or self.choose(terms, span, now, latency=latency)
        return None if chosen is None else self._streams.get(chosen)

    def _has_samples(self, source: Source, terms: Terms, span: Span) -> bool:
        last = self._streams[source].last_second(terms, span.stop)
        return last is not None and last >= span.first

    def _has_room(self) -> bool:
        return sum(stream.labelled for stream in self._streams.values()) < self._max_series
