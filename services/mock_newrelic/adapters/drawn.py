"""A store in memory whose samples are brought when somebody asks for them.

A simulation knows what every second of its traffic held, and most seconds are never asked about
before the minute is over. So the store asks it to catch up at each question, and takes whole
seconds of one series at a time. Answers are those of `MemoryStore` given the same samples.

Raw events do not exist here: queries that would need them are refused, as lost ones are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.adapters.memory import MemoryStore
from mock_newrelic.domain.application import Application
from mock_newrelic.domain.model import Source
from mock_newrelic.domain.records import RecordsLost

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mock_newrelic.domain.model import Histogram, Reading, Span, Terms
    from mock_newrelic.domain.records import Row
    from mock_newrelic.domain.series import Series
    from svckit.clock import Clock

_TRANSACTION = "Transaction"


class _DrawnApplication(Application):
    """An application whose latencies are put in their buckets at the first question for them."""

    def __init__(self, name: str, *, max_series: int) -> None:
        super().__init__(name, max_series=max_series)
        self.waiting: list[tuple[Series, int, Callable[[], Sequence[Histogram]], float]] = []

    def sliding(
        self, terms: Terms, width: int, now: float, *, latency: bool, source: Source | None = None
    ) -> Reading:
        self._settle(latency)
        return super().sliding(terms, width, now, latency=latency, source=source)

    def between(
        self, terms: Terms, span: Span, now: float, *, latency: bool, source: Source | None = None
    ) -> Reading:
        self._settle(latency)
        return super().between(terms, span, now, latency=latency, source=source)

    def each(
        self, terms: Terms, span: Span, now: float, *, latency: bool, source: Source | None = None
    ) -> Iterator[tuple[Terms, Reading]]:
        self._settle(latency)
        return super().each(terms, span, now, latency=latency, source=source)

    def _settle(self, latency: bool) -> None:  # noqa: FBT001 - one private use
        if not latency:
            return
        waiting, self.waiting = self.waiting, []
        for series, first, latencies, now in waiting:
            for second, histogram in enumerate(latencies(), first):
                if histogram:
                    series.add_latency(second, histogram, now)


class DrawnStore(MemoryStore):
    """The store of a simulation.

    Args:
        clock: the time.
        catch_up: called before every question; it calls `take` for what happened meanwhile.
        max_apps: most applications that are kept.
        max_series: most series that are kept per application.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        catch_up: Callable[[], None],
        max_apps: int = 200,
        max_series: int = 2000,
    ) -> None:
        super().__init__(max_apps=max_apps, max_series=max_series)
        self._clock = clock
        self._catch_up = catch_up

    def take(
        self,
        app: str,
        labels: Mapping[str, str],
        first: int,
        counts: array[int],
        latencies: Callable[[], Sequence[Histogram]],
    ) -> None:
        """Take in consecutive seconds of one series, later than all that it has.

        Args:
            app: application name.
            labels: what the samples carry: hash, version, host.
            first: the first second.
            counts: the fields of `domain.model.Counts`, second by second.
            latencies: gives the samples by bucket of `domain.histogram`, one mapping a second;
                called at the first question that needs them.
        """
        now = self._clock.now()
        self._changes += 1
        known = self._apps.get(("", app)) or self.open(app)
        self._versions["", app] = self._changes
        series = known.series(frozenset(labels.items()), Source.EVENTS)
        known.samples += series.counts.extend(first, counts)
        if isinstance(known, _DrawnApplication):
            known.waiting.append((series, first, latencies, now))

    def open(self, name: str, session: str = "") -> Application:
        """Begin with an application."""
        app = self._apps[session, name] = _DrawnApplication(name, max_series=self._max_series)
        self._versions[session, name] = self._changes
        return app

    def application(self, name: str, session: str = "") -> Application | None:
        """Return what is known of an application by now."""
        self._catch_up()
        return super().application(name, session)

    def applications(self, session: str = "") -> Iterator[Application]:
        """Yield all applications of a session by name."""
        self._catch_up()
        return super().applications(session)

    def version(self, name: str, session: str = "") -> int:
        """Return the number of the application's last change by now."""
        self._catch_up()
        return super().version(name, session)

    def rows(self, app: str, kind: str, span: Span, session: str = "") -> Iterator[Row]:
        """Yield the events of one type that were sent as such.

        Raises:
            RecordsLost: the application has samples that were drawn, of which there are none.
        """
        self._catch_up()
        if kind == _TRANSACTION and isinstance(self._apps.get((session, app)), _DrawnApplication):
            raise RecordsLost(
                "traffic in virtual time has no raw events, only counts and latencies",
                hint="ask for what Transaction counts tell: count, percentage, average, percentile",
            )
        return super().rows(app, kind, span, session)
