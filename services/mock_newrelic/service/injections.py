"""Keeps the injections: creates them, lets them expire, and draws which questions they strike."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from mock_newrelic import schemas
from mock_newrelic.domain.effects.base import DataEffect, Effect, ValueEffect
from mock_newrelic.domain.effects.registry import EFFECTS, effect_as_json
from mock_newrelic.domain.injections import Ask, Injection, Strike
from mock_newrelic.domain.model import NO_TERMS
from mock_newrelic.domain.query import selector_as_json
from mock_newrelic.domain.schedule import holds
from mock_newrelic.domain.surfaces import READING
from mock_newrelic.service.drafts import draft
from svckit.errors import NotFound, SuiteError
from svckit.timestamps import format_timestamp_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mock_newrelic.domain.schedule import Trigger
    from mock_newrelic.ports import Store
    from mock_newrelic.schemas import Injection as Wanted
    from mock_newrelic.service.audit import Audit
    from mock_newrelic.service.instruments import Instruments
    from mock_newrelic.service.measure import Measure
    from svckit.clock import Clock

MAX_INJECTIONS = 1000
_KIND, _COUNTER = "injection", "injection_counter"
MAX_RECENT = 10_000
"""Times of requests that are remembered for rate limits, per injection."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """An injection as it is kept over a restart."""

    wish: dict[str, Any]
    number: int
    created_at: float
    queries: int
    hits: int
    triggered: bool


@dataclass(slots=True)
class Tally:
    """What an injection has seen so far."""

    queries: int = 0
    hits: int = 0
    triggered: bool = False
    in_flight: int = 0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RECENT))


class InjectionService:
    """The injections in force and those whose delay has not passed yet."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        audit: Audit,
        instruments: Instruments,
        measure: Measure,
    ) -> None:
        self._store = store
        self._clock = clock
        self._audit = audit
        self._instruments = instruments
        self._measure = measure
        self._log = structlog.get_logger()
        self._injections: dict[str, Injection] = {}
        self._tallies: dict[str, Tally] = {}
        self._wishes: dict[str, Wanted] = {}
        self._created = int(store.get(_COUNTER, "last") or b"0")
        self.armed = False
        """Whether any injection acts on requests as such: on their status, body or transport."""
        for name in EFFECTS:
            instruments.active.labels(name).set_function(partial(self._count_active, name))
        self._restore()

    def create(self, wanted: Wanted) -> Injection:
        """Put an injection in force; its number is given here.

        Raises:
            InvalidInput: a part of the wish is wrong.
            SuiteError: there are too many already.
        """
        now = self._clock.now()
        wish = draft(wanted, now)
        self._expire(now)
        if len(self._injections) >= MAX_INJECTIONS:
            raise SuiteError(
                f"there are {MAX_INJECTIONS} injections already",
                code="too_many_injections",
                status=409,
                hint="DELETE /control/injections clears all",
            )
        self._created += 1
        injection = replace(wish, number=self._created)
        self._injections[injection.id] = injection
        self._tallies[injection.id] = Tally()
        self._wishes[injection.id] = wanted
        self._store.put(_COUNTER, "last", str(self._created).encode())
        self._save(injection)
        self._arm()
        self._instruments.created.labels(injection.effect.name).inc()
        document = injection_as_json(injection)
        self._audit.add(
            "injection_created",
            now,
            session=injection.session,
            app=injection.app,
            injection=document,
        )
        self._log.info("injection_created", **document)
        return injection

    def listed(self, session: str = "") -> list[dict[str, Any]]:
        """Return all injections of a session that have not expired, oldest first."""
        now = self._clock.now()
        self._expire(now)
        return [
            {
                **injection_as_json(injection),
                "active": injection.active(now),
                "hits": self._tallies[injection.id].hits,
            }
            for injection in self._injections.values()
            if injection.session == session
        ]

    def delete(self, identity: str) -> None:
        """End one injection, or raise NotFound."""
        now = self._clock.now()
        self._expire(now)
        if identity not in self._injections:
            raise NotFound("there is no such injection", hint="GET /control/injections lists them")
        self._drop([identity], "injection_deleted", now)

    def clear(self, *, app: str | None = None, session: str = "") -> int:
        """End all injections of a session, or those made for exactly this application."""
        now = self._clock.now()
        self._expire(now)
        gone = [
            one.id
            for one in self._injections.values()
            if one.session == session and (app is None or one.app == app)
        ]
        self._drop(gone, "injection_cleared", now)
        return len(gone)

    def covers(self, app: str) -> bool:
        """Whether any injection concerns the application now or may within this second."""
        return any(one.covers(app) for one in self._injections.values())

    def touching(
        self, ask: Ask, now: float, layers: tuple[type[Effect], ...] = (ValueEffect, DataEffect)
    ) -> list[Strike]:
        """Return what strikes this question, each injection after its one draw."""
        if not self._injections:
            return []
        self._expire(now)
        found = []
        for one in list(self._injections.values()):
            if not isinstance(one.effect, layers) or not (one.active(now) and one.matches(ask)):
                continue
            tally = self._tallies[one.id]
            number = tally.queries
            tally.queries += 1
            struck = (
                (not one.max_hits or tally.hits < one.max_hits)
                and self._triggered(one, tally, ask, now)
                and one.strikes(number)
            )
            if struck and one.dry_run:
                self._record(one, ask, now, "injection_would_apply")
            elif struck:
                found.append(Strike(one, number))
            self._save(one)
        return found

    def tally(self, injection: Injection) -> Tally:
        """Return what an injection has seen; an empty tally when it is gone."""
        return self._tallies.get(injection.id) or Tally()

    def applied(self, injections: Iterable[Injection], ask: Ask, now: float) -> None:
        """Record that an answer was touched."""
        for one in injections:
            self._instruments.injected.labels(one.effect.name).inc()
            self._record(one, ask, now, "injection_applied")

    def deployed(self, app: str, revision: str) -> None:
        """Fire the triggers that wait for the deployment of a revision."""
        for one in self._injections.values():
            wanted = one.trigger.deployment if one.trigger else None
            if wanted is not None and one.covers(app) and fnmatchcase(revision, wanted or "*"):
                self._tallies[one.id].triggered = True
                self._save(one)

    def _record(self, one: Injection, ask: Ask, now: float, action: str) -> None:
        if one.id in self._tallies:
            self._tallies[one.id].hits += 1
            self._save(one)
        facts = {
            "injection": one.id,
            "effect": one.effect.name,
            "app": ask.app,
            "metric": ask.metric or "histogram",
            "selector": selector_as_json(ask.terms),
            "surface": str(ask.surface),
        }
        self._audit.add(action, now, session=ask.session, **facts)
        self._log.info(
            "injected_answer_given" if action == "injection_applied" else action, **facts
        )

    def _triggered(self, one: Injection, tally: Tally, ask: Ask, now: float) -> bool:
        if one.trigger is None or tally.triggered:
            return True
        tally.triggered = self._fires(one.trigger, tally, ask, now)
        return tally.triggered

    def _fires(self, trigger: Trigger, tally: Tally, ask: Ask, now: float) -> bool:
        if trigger.hit is not None:
            return tally.queries >= trigger.hit
        app = ask.app.split(",")[0]
        if trigger.weight is not None:
            weight = self._measure.canary_percent(app, now, session=ask.session)
            return weight is not None and weight >= trigger.weight
        if trigger.metric is not None:
            value = self._measure.value(app, NO_TERMS, trigger.metric, now, session=ask.session)
            return value is not None and holds(trigger.op, value, trigger.value)
        return False

    def _expire(self, now: float) -> None:
        gone = [one.id for one in self._injections.values() if one.expires_at <= now]
        if gone:
            self._drop(gone, "injection_expired", now)

    def _drop(self, identities: list[str], action: str, now: float) -> None:
        for identity in identities:
            gone = self._injections.pop(identity)
            hits = self._tallies.pop(identity).hits
            del self._wishes[identity]
            self._store.remove(_KIND, identity)
            self._audit.add(
                action, now, session=gone.session, app=gone.app, injection=identity, hits=hits
            )
            if hits or action != "injection_expired":
                self._log.info(action, id=identity, hits=hits)
            else:
                # Most often a misspelt application or label: whoever relies on it should know.
                self._log.warning("injection_never_hit", id=identity)
        self._arm()

    def _save(self, one: Injection) -> None:
        """Keep an injection with its counts, so that a restarted service goes on with them."""
        tally = self._tallies[one.id]
        record = _Record(
            wish=self._wishes[one.id].model_dump(by_alias=True, exclude_unset=True),
            number=one.number,
            created_at=one.created_at,
            queries=tally.queries,
            hits=tally.hits,
            triggered=tally.triggered,
        )
        self._store.put(_KIND, one.id, msgspec.json.encode(record))

    def _restore(self) -> None:
        decode = msgspec.json.Decoder(_Record).decode
        for _, value in self._store.items(_KIND):
            record = decode(value)
            wanted = schemas.Injection.model_validate(record.wish)
            one = replace(draft(wanted, record.created_at), number=record.number)
            self._injections[one.id] = one
            self._wishes[one.id] = wanted
            self._tallies[one.id] = Tally(
                queries=record.queries, hits=record.hits, triggered=record.triggered
            )
        self._expire(self._clock.now())
        self._arm()

    def _arm(self) -> None:
        self.armed = any(
            not isinstance(one.effect, ValueEffect | DataEffect)
            for one in self._injections.values()
        )

    def _count_active(self, effect: str) -> int:
        now = self._clock.now()
        return sum(
            one.active(now) and one.effect.name == effect for one in self._injections.values()
        )


def injection_as_json(injection: Injection) -> dict[str, Any]:
    """Return an injection as the control plane shows it, without selectors that are not set."""
    document: dict[str, Any] = {
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
    if injection.surfaces != READING:
        document["surface"] = sorted(injection.surfaces)
    more: dict[str, Any] = {
        "window": injection.window,
        "method": injection.method,
        "client": injection.client,
        "key": injection.key,
        "session": injection.session,
        "nth": sorted(injection.nth),
        "maxHits": injection.max_hits,
        "trigger": injection.trigger.as_json() if injection.trigger else None,
        "dryRun": injection.dry_run,
        "createdBy": injection.created_by,
        **injection.extra,
    }
    return document | {name: value for name, value in more.items() if value}
