"""What testers do: inject, look at what happened, start afresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from mock_newrelic.domain.metrics import DEFAULT_SET_METRIC
from mock_newrelic.domain.model import NO_TERMS
from mock_newrelic.service.drafts import draft
from mock_newrelic.service.injections import injection_as_json

if TYPE_CHECKING:
    from mock_newrelic.domain.injections import Injection
    from mock_newrelic.ports import Store
    from mock_newrelic.schemas import Injection as Wanted
    from mock_newrelic.service.audit import Audit
    from mock_newrelic.service.ingest import IngestService
    from mock_newrelic.service.injections import InjectionService
    from mock_newrelic.service.journal import Journal
    from mock_newrelic.service.measure import Measure
    from svckit.clock import Clock

MAX_PREVIEWED = 50
PREVIEWED_STRIKES = 20


class ControlService:
    """The use cases of the control plane."""

    def __init__(
        self,
        *,
        store: Store,
        injections: InjectionService,
        ingest: IngestService,
        journal: Journal,
        audit: Audit,
        measure: Measure,
        clock: Clock,
    ) -> None:
        self.injections = injections
        self.journal = journal
        self.audit = audit
        self._store = store
        self._ingest = ingest
        self._measure = measure
        self._clock = clock

    def inject(self, wanted: Wanted) -> Injection:
        """Put an injection in force.

        Raises:
            InvalidInput: the effect or the metric is wrong.
        """
        return self.injections.create(wanted)

    def draft(self, wanted: Wanted) -> Injection:
        """Return the injection that a wish describes, not yet in force.

        Raises:
            InvalidInput: a part of it is wrong.
        """
        return draft(wanted, self._clock.now())

    def samples_of(self, app: str, session: str = "") -> int:
        """Return how many samples an application has sent since it was last forgotten."""
        known = self._store.application(app, session)
        return known.samples if known else 0

    def measured(self, app: str, metric: str, width: int, session: str = "") -> float | None:
        """Return a metric over the last `width` seconds as it was measured, None without data."""
        now = self._clock.now()
        return self._measure.value(app, NO_TERMS, metric, now, width=width, session=session)

    def preview(self, wanted: Wanted) -> dict[str, Any]:
        """Return what an injection would do now: whom it covers, what they would be told.

        Nothing is put in force, and nothing is counted.
        """
        draft = self.draft(wanted)
        now = self._clock.now()
        covered = [
            one.name for one in self._store.applications(draft.session) if draft.covers(one.name)
        ]
        metric = draft.metric or DEFAULT_SET_METRIC
        return {
            "injection": injection_as_json(draft),
            "apps": [
                {
                    "app": app,
                    "metric": metric,
                    "measured": self._measure.value(
                        app, draft.scope, metric, now, session=draft.session
                    ),
                }
                for app in covered[:MAX_PREVIEWED]
            ],
            "strikes": [draft.strikes(query) for query in range(PREVIEWED_STRIKES)],
        }

    def end_session(self, session: str) -> None:
        """Forget everything of a session that has ended."""
        self._store.reset(None, session)
        self.injections.clear(session=session)
        self.journal.clear(session)
        self.audit.add("session_ended", self._clock.now(), ended=session)

    def reset(self, app: str | None, session: str = "") -> dict[str, Any]:
        """Forget samples and injections of one application, or everything but the audit."""
        apps = self._store.reset(app, session)
        cleared = self.injections.clear(app=app, session=session)
        self._ingest.forget_requests()
        if app is None:
            self.journal.clear(session)
        self.audit.add("reset", self._clock.now(), session=session, app=app)
        structlog.get_logger().info("store_reset", app=app)
        return {"apps": apps, "injections": cleared}
