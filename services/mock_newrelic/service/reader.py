"""The one reader: what a window holds after the data effects of injections.

Facade, charts, histograms, NRQL, Insights and REST v2 read here and nowhere else, so that none has
a second opinion. A question draws once, however many windows, facets or arms it reads:

    drawn = reader.draw(Ask(app="my-app", terms=terms), now)
    canary = reader.read("my-app", terms, span, now, latency=True, drawn=drawn)
    reader.applied(used, ask, now)      # what really touched the answer: counted and audited
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mock_newrelic.domain.effects.base import DataEffect
from mock_newrelic.domain.injections import Ask, Injection, Strike, winner
from mock_newrelic.domain.labels import DIMENSIONS
from mock_newrelic.domain.model import NO_TERMS, NOTHING, Reading, Source
from mock_newrelic.domain.nrql.attributes import lookup
from mock_newrelic.domain.records import Row
from mock_newrelic.domain.series import add_readings
from mock_newrelic.domain.window import sliding_span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mock_newrelic.domain.application import Application
    from mock_newrelic.domain.model import Span, Terms
    from mock_newrelic.ports import Store
    from mock_newrelic.service.injections import InjectionService

AUTO = "auto"
_WEIGHT = "\0weight"
"""What carries the weight of a row through an effect; no attribute can have that name."""


class Shown(NamedTuple):
    """What a window shows.

    Attributes:
        reading: counts and histogram after data effects.
        source: where the samples came from; empty when there are none.
        injections: the data injections that touched it.
    """

    reading: Reading
    source: str = ""
    injections: tuple[Injection, ...] = ()


class Reader:
    """Reads the store through the data effects that a question drew."""

    def __init__(self, *, store: Store, injections: InjectionService) -> None:
        self._store = store
        self._injections = injections

    def draw(self, ask: Ask, now: float) -> list[Strike]:
        """Return what strikes a question; each injection draws once."""
        return self._injections.touching(ask, now)

    def applied(self, injections: Iterable[Injection], ask: Ask, now: float) -> None:
        """Record what touched the answer."""
        self._injections.applied(injections, ask, now)

    def read(
        self,
        app: str,
        terms: Terms,
        span: Span,
        now: float,
        *,
        latency: bool,
        source: str = AUTO,
        session: str = "",
        drawn: Sequence[Strike] | None = None,
    ) -> Shown:
        """Return what a window shows.

        Args:
            app: application name; one that is not known shows nothing.
            terms: label pairs that samples must carry.
            span: whole seconds that count.
            now: the instant of the question.
            latency: whether the histogram is wanted too.
            source: `auto`, or the only source to read.
            session: token of the session, empty for the default one.
            drawn: what `draw` gave for this question; drawn here, and recorded, when left out.
        """
        known = self._store.application(app, session)
        if known is None:
            return Shown(NOTHING)
        chosen = _chosen(known, source, terms, span, now, latency=latency)
        if chosen is None:
            return Shown(NOTHING)
        ask = Ask(app=app, terms=terms, session=session)
        touching = self.draw(ask, now) if drawn is None else drawn
        shaping = [one for one in touching if isinstance(one.injection.effect, DataEffect)]
        if not shaping:
            width = span.stop - span.first - 1
            if width > 0 and span == sliding_span(width, now):
                shown = known.sliding(terms, width, now, latency=latency, source=chosen)
            else:
                shown = known.between(terms, span, now, latency=latency, source=chosen)
            return Shown(shown, source=chosen)
        total, used = NOTHING, {}
        for _, reading, injection in self.each(
            app, terms, span, now,
            latency=latency, drawn=touching, source=chosen, session=session,
        ):  # fmt: skip
            total = add_readings(total, reading)
            if injection is not None:
                used[injection.number] = injection
        touched = tuple(used[number] for number in sorted(used))
        if drawn is None:
            self.applied(touched, ask, now)
        return Shown(total, source=chosen, injections=touched)

    def each(
        self,
        app: str,
        terms: Terms,
        span: Span,
        now: float,
        *,
        latency: bool,
        drawn: Sequence[Strike],
        source: str = AUTO,
        session: str = "",
    ) -> Iterator[tuple[Terms, Reading, Injection | None]]:
        """Yield every matching series: its labels, what it shows, and the injection that did it.

        A series that an injection hides is yielded with nothing in it, so that the hit is told.
        """
        known = self._store.application(app, session)
        if known is None:
            return
        chosen = _chosen(known, source, terms, span, now, latency=latency)
        if chosen is None:
            return
        shaping = [one for one in drawn if isinstance(one.injection.effect, DataEffect)]
        if not shaping:
            for labels, reading in known.each(terms, span, now, latency=latency, source=chosen):
                yield labels, reading, None
            return
        yield from _shown_by(
            known, terms, span, now, latency=latency, shaping=shaping, source=chosen
        )

    def last_second(
        self,
        app: str,
        terms: Terms,
        span: Span,
        now: float,
        drawn: Sequence[Strike],
        *,
        source: str = AUTO,
        session: str = "",
    ) -> int | None:
        """Return the second of the latest sample that a window shows, None when it shows none."""
        known = self._store.application(app, session)
        if known is None:
            return None
        chosen = _chosen(known, source, terms, span, now, latency=False)
        if chosen is None:
            return None
        shaping = [one for one in drawn if isinstance(one.injection.effect, DataEffect)]
        if not shaping:
            return _within(span, known.last_second(terms, span.stop, chosen))
        seconds = []
        for labels, _ in known.each(NO_TERMS, span, now, latency=False, source=chosen):
            seen, spans, _ = _seen(shaping, labels, span, now)
            if terms <= seen:
                seconds += [
                    _within(part, known.last_second(labels, part.stop, chosen)) for part in spans
                ]
        return max((second for second in seconds if second is not None), default=None)

    def rows(
        self,
        app: str,
        kind: str,
        span: Span,
        now: float,
        *,
        drawn: Sequence[Strike],
        session: str = "",
    ) -> tuple[list[Row], tuple[Injection, ...]]:
        """Return the raw events of one type, and the data injections that touched them.

        Args:
            app: application name; empty for events of none, which no injection touches.
            kind: event type.
            span: whole seconds that count.
            now: the instant of the question.
            drawn: what `draw` gave for this question.
            session: token of the session, empty for the default one.

        Raises:
            RecordsLost: events of the span had to give way to later ones.
        """
        shaping = [one for one in drawn if isinstance(one.injection.effect, DataEffect)]
        rows = list(self._store.rows(app, kind, span, session))
        if not shaping or not app:
            return rows, ()
        shown: list[Row] = []
        used: dict[int, Injection] = {}
        for labels in {_labels_of(row): None for row in rows}:
            _, spans, hit = _seen(shaping, labels, span, now)
            seen = [
                row
                for part in spans
                for row in (rows if part == span else self._store.rows(app, kind, part, session))
                if _labels_of(row) == labels
            ]
            if hit is not None:
                injection, effect = hit
                used[injection.number] = injection
                changed = effect.rows([{**row.attributes, _WEIGHT: row.weight} for row in seen])
                seen = [_row_of(dict(attributes)) for attributes in changed]
            shown += seen
        return shown, tuple(used[number] for number in sorted(used))


def _chosen(
    known: Application, source: str, terms: Terms, span: Span, now: float, *, latency: bool
) -> Source | None:
    """Return the source that answers a question; None when there never was a sample."""
    if source != AUTO:
        return Source(source)
    return known.choose(terms, span, now, latency=latency)


def _labels_of(row: Row) -> Terms:
    """Return the labels of a raw event by which injections have their scope."""
    values = {name: lookup(row.attributes, name) for name in DIMENSIONS}
    return frozenset((name, str(value)) for name, value in values.items() if value is not None)


def _row_of(attributes: dict[str, Any]) -> Row:
    weight = attributes.pop(_WEIGHT)
    return Row(attributes, attributes["timestamp"] / 1000, weight)


def _within(span: Span, second: int | None) -> int | None:
    return None if second is None or second < span.first else second


def _seen(
    shaping: Sequence[Strike], labels: Terms, span: Span, now: float
) -> tuple[Terms, tuple[Span, ...], tuple[Injection, DataEffect] | None]:
    """Return the labels and seconds that a series is seen with, and what makes it so."""
    hit = winner(shaping, DataEffect, labels)
    if hit is None:
        return labels, (span,), None
    strike, effect = hit
    injection = strike.injection
    spans = effect.spans(span, now, injection.starts_at)
    return effect.relabel(labels), spans, (injection, effect)


def _shown_by(
    known: Application,
    terms: Terms,
    span: Span,
    now: float,
    *,
    latency: bool,
    shaping: Sequence[Strike],
    source: Source,
) -> Iterator[tuple[Terms, Reading, Injection | None]]:
    """Yield every series as the effect that wins for it shows it."""
    parts: dict[Span, dict[Terms, Reading]] = {}

    def read(part: Span, labels: Terms) -> Reading:
        if part not in parts:
            parts[part] = dict(known.each(NO_TERMS, part, now, latency=latency, source=source))
        return parts[part].get(labels, NOTHING)

    for labels, reading in known.each(NO_TERMS, span, now, latency=latency, source=source):
        seen, spans, hit = _seen(shaping, labels, span, now)
        if not (terms <= labels or terms <= seen):
            continue
        if hit is None:
            yield labels, reading, None
            continue
        injection, effect = hit
        shown = NOTHING
        if terms <= seen:
            for part in spans:
                shown = add_readings(shown, read(part, labels))
            shown = effect.observe(shown)
        if reading.counts.samples or shown.counts.samples:
            yield seen, shown, injection
