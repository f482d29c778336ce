"""What testers do: inject, look at what happened, start afresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from mock_newrelic.domain.effects.registry import parse_effect
from mock_newrelic.domain.effects.set_value import SetValue
from mock_newrelic.domain.metrics import find_metric
from svckit.durations import parse_duration

if TYPE_CHECKING:
    from mock_newrelic.domain.injections import Injection
    from mock_newrelic.ports import Store
    from mock_newrelic.schemas import Injection as Wanted
    from mock_newrelic.service.audit import Audit
    from mock_newrelic.service.ingest import IngestService
    from mock_newrelic.service.injections import InjectionService
    from mock_newrelic.service.journal import Journal
    from svckit.clock import Clock


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
        clock: Clock,
    ) -> None:
        self.injections = injections
        self.journal = journal
        self.audit = audit
        self._store = store
        self._ingest = ingest
        self._clock = clock

    def inject(self, wanted: Wanted) -> Injection:
        """Put an injection in force.

        Raises:
            InvalidInput: the effect or the metric is wrong.
        """
        effect = parse_effect(wanted.effect, wanted.metric)
        metric = wanted.metric if wanted.metric != "*" else None
        if isinstance(effect, SetValue):
            metric = effect.metric
        elif metric is not None:
            find_metric(metric, status=422)
        scope = {
            "role": wanted.role,
            "hash": wanted.hash,
            "version": wanted.version,
            "host": wanted.host,
        }
        return self.injections.create(
            app=wanted.app,
            scope=frozenset((name, value) for name, value in scope.items() if value is not None),
            metric=metric,
            effect=effect,
            ttl=parse_duration(wanted.ttl),
            delay=parse_duration(wanted.delay),
            probability=wanted.probability,
            priority=wanted.priority,
            seed=wanted.seed,
            reason=wanted.reason,
        )

    def samples_of(self, app: str) -> int:
        """Return how many samples an application has sent since it was last forgotten."""
        known = self._store.application(app)
        return known.samples if known else 0

    def reset(self, app: str | None) -> dict[str, Any]:
        """Forget samples and injections of one application, or everything but the audit."""
        apps = self._store.reset(app)
        cleared = self.injections.clear(app=app)
        self._ingest.forget_requests()
        if app is None:
            self.journal.clear()
        self.audit.add("reset", self._clock.now(), app=app)
        structlog.get_logger().info("store_reset", app=app)
        return {"apps": apps, "injections": cleared}
