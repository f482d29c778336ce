"""The one reader: what a window holds after the data effects of injections.

Facade, charts, histograms, NRQL, Insights and REST v2 read here and nowhere else, so that none has
a second opinion. A question draws once, however many windows, facets or arms it reads:

    drawn = reader.draw(Ask(app="my-app", terms=terms), now)
    canary = reader.read("my-app", terms, span, now, latency=True, drawn=drawn)
    reader.applied(used, ask, now)      # what really touched the answer: counted and audited
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mock_newrelic.domain.effects.base import DataEffect
from mock_newrelic.domain.injections import Ask, Injection, winner
from mock_newrelic.domain.model import NOTHING, Reading
from mock_newrelic.domain.series import add_readings
from mock_newrelic.domain.window import sliding_span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mock_newrelic.domain.model import Span, Terms
    from mock_newrelic.ports import Store
    from mock_newrelic.service.injections import InjectionService

AUTO = "auto"


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

    def draw(self, ask: Ask, now: float) -> list[Injection]:
        """Return the injections that touch a question; each draws once."""
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
        source: str = AUTO,  # noqa: ARG002 - there is one source so far
        session: str = "",
        drawn: Sequence[Injection] | None = None,
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
        known = self._store.application(app)
        if known is None:
            return Shown(NOTHING)
        alone = drawn is None
        ask = Ask(app=app, terms=terms, session=session)
        touching = self.draw(ask, now) if drawn is None else drawn
        shaping = [one for one in touching if isinstance(one.effect, DataEffect)]
        if not shaping:
            width = span.stop - span.first - 1
            if width > 0 and span == sliding_span(width, now):
                return Shown(known.sliding(terms, width, now, latency=latency))
            return Shown(known.between(terms, span, now, latency=latency))
        total, used = NOTHING, set()
        for labels, reading in known.each(terms, span, now, latency=latency):
            shown = reading
            hit = winner(shaping, DataEffect, labels)
            if hit is not None and reading.counts.samples:
                used.add(hit[0])
                shown = hit[1].observe(reading)
            total = add_readings(total, shown)
        touched = tuple(sorted(used, key=lambda one: one.number))
        if alone:
            self.applied(touched, ask, now)
        return Shown(total, injections=touched)
