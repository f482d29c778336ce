"""A store in memory whose samples are brought when somebody asks for them.

A simulation knows what every second of its traffic held, and most seconds are never asked about
before the minute is over. So the store asks it to catch up at each question, and takes whole
seconds of one series at a time. Answers are those of `MemoryStore` given the same samples.

Raw events do not exist here: queries that would need them are refused, as lost ones are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.adapters.memory import MemoryStore
from mock_newrelic.domain.model import Source
from mock_newrelic.domain.records import RecordsLost

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator, Mapping

    from mock_newrelic.domain.application import Application
    from mock_newrelic.domain.model import Span
    from mock_newrelic.domain.records import Row
    from mock_newrelic.domain.timeline import Drawn

_TRANSACTION = "Transaction"


class DrawnStore(MemoryStore):
    """The store of a simulation.

    Args:
        catch_up: called before every question; it calls `take` for what happened meanwhile.
        max_apps: most applications that are kept.
        max_series: most series that are kept per application.
    """

    def __init__(
        self,
        *,
        catch_up: Callable[[], None],
        max_apps: int = 200,
        max_series: int = 2000,
    ) -> None:
        super().__init__(max_apps=max_apps, max_series=max_series)
        self._catch_up = catch_up
        self._drawn: set[str] = set()

    def take(
        self,
        app: str,
        labels: Mapping[str, str],
        first: int,
        counts: array[int],
        latencies: Drawn,
    ) -> None:
        """Take in consecutive seconds of one series, later than all that it has.

        Args:
            app: application name.
            labels: what the samples carry: hash, version, host.
            first: the first second.
            counts: the fields of `domain.model.Counts`, second by second.
            latencies: the same samples by bucket of `domain.histogram`.
        """
        self._changes += 1
        known = self._apps.get(("", app)) or self.open(app)
        self._versions["", app] = self._changes
        series = known.series(frozenset(labels.items()), Source.EVENTS)
        known.samples += series.extend(first, counts, latencies)
        self._drawn.add(app)

    def reset(self, name: str | None = None, session: str = "") -> int:
        """Forget one application of a session, or all."""
        if not session:
            self._drawn.difference_update([name] if name else list(self._drawn))
        return super().reset(name, session)

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
        if kind == _TRANSACTION and not session and app in self._drawn:
            raise RecordsLost(
                "traffic in virtual time has no raw events, only counts and latencies",
                hint="ask for what Transaction counts tell: count, percentage, average, percentile",
            )
        return super().rows(app, kind, span, session)
