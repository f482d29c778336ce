"""What was measured, before every injection: for triggers, waiting, and effects that copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.metrics import METRICS
from mock_newrelic.domain.model import NO_TERMS
from mock_newrelic.domain.window import sliding_span

if TYPE_CHECKING:
    from mock_newrelic.domain.model import Terms
    from mock_newrelic.ports import Store

WINDOW_SECONDS = 60
CANARY: Terms = frozenset({("role", "canary")})


class Measure:
    """Reads the store as it is."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def value(
        self,
        app: str,
        terms: Terms,
        metric: str,
        now: float,
        *,
        width: int = WINDOW_SECONDS,
        session: str = "",
    ) -> float | None:
        """Return a metric over the last `width` seconds, None when there is no data."""
        known = self._store.application(app, session)
        if known is None:
            return None
        reading = known.between(
            terms, sliding_span(width, now), now, latency=METRICS[metric].detailed
        )
        if not reading.counts.samples:
            return None
        return METRICS[metric].compute(reading, float(width), METRICS[metric].argument)

    def canary_percent(self, app: str, now: float, *, session: str = "") -> float | None:
        """Return the canary's share of the samples of the last minute, None without any."""
        whole = self.value(app, NO_TERMS, "count", now, session=session)
        if not whole:
            return None
        return 100 * (self.value(app, CANARY, "count", now, session=session) or 0.0) / whole
