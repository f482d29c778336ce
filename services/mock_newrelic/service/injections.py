"""Keeps the injections: creates them, lets them expire, and draws which queries they touch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from mock_newrelic.domain.effects.base import DataEffect
from mock_newrelic.domain.effects.registry import EFFECTS, effect_as_json
from mock_newrelic.domain.injections import Ask, Injection
from mock_newrelic.domain.query import selector_as_json
from svckit.errors import NotFound, SuiteError
from svckit.timestamps import format_timestamp_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mock_newrelic.domain.effects.base import Effect
    from mock_newrelic.domain.model import Terms
    from mock_newrelic.service.audit import Audit
    from mock_newrelic.service.instruments import Instruments
    from svckit.clock import Clock

MAX_INJECTIONS = 1000


class InjectionService:
    """The injections in force and those whose delay has not passed yet."""

    def __init__(self, *, clock: Clock, audit: Audit, instruments: Instruments) -> None:
        self._clock = clock
        self._audit = audit
        self._instruments = instruments
        self._log = structlog.get_logger()
        self._injections: dict[str, Injection] = {}
        self._queries: dict[str, int] = {}
        self._hits: dict[str, int] = {}
        self._created = 0
        for name in EFFECTS:
            instruments.active.labels(name).set_function(partial(self._count_active, name))

    def create(
        self,
        *,
        app: str,
        scope: Terms,
        metric: str | None,
        effect: Effect,
        ttl: float,
        delay: float = 0.0,
        probability: float = 1.0,
        priority: int = 0,
        seed: int = 0,
        reason: str = "",
    ) -> Injection:
        """Put an injection in force for `ttl` seconds, after `delay` seconds.

        Raises:
            SuiteError: there are too many already.
        """
        now = self._clock.now()
        self._expire(now)
        if len(self._injections) >= MAX_INJECTIONS:
            raise SuiteError(
                f"there are {MAX_INJECTIONS} injections already",
                code="too_many_injections",
                status=409,
                hint="DELETE /control/injections clears all",
            )
        self._created += 1
        injection = Injection(
            number=self._created,
            app=app,
            scope=scope,
            metric=metric,
            effect=effect,
            created_at=now,
            starts_at=now + delay,
            expires_at=now + delay + ttl,
            probability=probability,
            priority=priority,
            seed=seed,
            reason=reason,
        )
        self._injections[injection.id] = injection
        self._instruments.created.labels(effect.name).inc()
        document = injection_as_json(injection)
        self._audit.add("injection_created", now, injection=document)
        self._log.info("injection_created", **document)
        return injection

    def listed(self) -> list[dict[str, Any]]:
        """Return all injections that have not expired, oldest first."""
        now = self._clock.now()
        self._expire(now)
        return [
            {
                **injection_as_json(injection),
                "active": injection.active(now),
                "hits": self._hits.get(injection.id, 0),
            }
            for injection in self._injections.values()
        ]

    def delete(self, identity: str) -> None:
        """End one injection, or raise NotFound."""
        now = self._clock.now()
        self._expire(now)
        if identity not in self._injections:
            raise NotFound("there is no such injection", hint="GET /control/injections lists them")
        self._drop([identity], "injection_deleted", now)

    def clear(self, *, app: str | None = None) -> int:
        """End all injections, or those made for exactly this application; return how many."""
        now = self._clock.now()
        self._expire(now)
        gone = [one.id for one in self._injections.values() if app is None or one.app == app]
        self._drop(gone, "injection_cleared", now)
        return len(gone)

    def covers(self, app: str) -> bool:
        """Whether any injection concerns the application now or may within this second."""
        return any(one.covers(app) for one in self._injections.values())

    def touching(self, ask: Ask, now: float) -> list[Injection]:
        """Return the injections that touch this question, each after its own draw."""
        if not self._injections:
            return []
        self._expire(now)
        found = []
        for one in self._injections.values():
            if not (one.active(now) and one.covers(ask.app) and one.concerns(ask.metric)):
                continue
            if not isinstance(one.effect, DataEffect) and not one.scope <= ask.terms:
                continue
            number = self._queries.get(one.id, 0)
            self._queries[one.id] = number + 1
            if one.strikes(number):
                found.append(one)
        return found

    def applied(self, injections: Iterable[Injection], ask: Ask, now: float) -> None:
        """Record that an answer was touched."""
        for one in injections:
            self._hits[one.id] = self._hits.get(one.id, 0) + 1
            self._instruments.injected.labels(one.effect.name).inc()
            facts = {
                "injection": one.id,
                "effect": one.effect.name,
                "app": ask.app,
                "metric": ask.metric or "histogram",
                "selector": selector_as_json(ask.terms),
            }
            self._audit.add("injection_applied", now, **facts)
            self._log.info("injected_answer_given", **facts)

    def _expire(self, now: float) -> None:
        gone = [one.id for one in self._injections.values() if one.expires_at <= now]
        if gone:
            self._drop(gone, "injection_expired", now)

    def _drop(self, identities: list[str], action: str, now: float) -> None:
        for identity in identities:
            del self._injections[identity]
            self._queries.pop(identity, None)
            self._hits.pop(identity, None)
            self._audit.add(action, now, injection=identity)
            self._log.info(action, id=identity)

    def _count_active(self, effect: str) -> int:
        now = self._clock.now()
        return sum(
            one.active(now) and one.effect.name == effect for one in self._injections.values()
        )


def injection_as_json(injection: Injection) -> dict[str, Any]:
    """Return an injection as the control plane shows it."""
    return {
        "id": injection.id,
        "app": injection.app,
        **selector_as_json(injection.scope),
        "metric": injection.metric,
        "effect": effect_as_json(injection.effect),
        "createdAt": format_timestamp_ms(injection.created_at),
        "startsAt": format_timestamp_ms(injection.starts_at),
        "expiresAt": format_timestamp_ms(injection.expires_at),
        "probability": injection.probability,
        "priority": injection.priority,
        "seed": injection.seed,
        "reason": injection.reason,
    }
