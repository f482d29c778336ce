"""From the wish on the wire to an injection: everything that can be wrong with it is found here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.effects.agent import AgentEffect
from mock_newrelic.domain.effects.base import DataEffect, ValueEffect
from mock_newrelic.domain.effects.registry import parse_effect
from mock_newrelic.domain.injections import MAX_TTL_SECONDS, Injection
from mock_newrelic.domain.metrics import find_metric
from mock_newrelic.domain.schedule import Every, Trigger, parse_cron
from mock_newrelic.domain.surfaces import INGEST, NRQL, READING, Surface, surfaces_named
from svckit.durations import parse_duration
from svckit.errors import InvalidInput
from svckit.timestamps import parse_timestamp

if TYPE_CHECKING:
    from mock_newrelic import schemas
    from mock_newrelic.domain.effects.base import Effect
    from mock_newrelic.domain.model import Terms
    from mock_newrelic.domain.schedule import Cron

_DIMENSIONS = ("role", "hash", "version", "host")


def draft(wanted: schemas.Injection, now: float) -> Injection:
    """Return the injection that a wish describes, without a number.

    Raises:
        InvalidInput: the effect, the metric, a surface, the schedule or the trigger is wrong.
    """
    effect = parse_effect(wanted.effect, wanted.metric)
    metric = wanted.metric if wanted.metric != "*" else None
    if isinstance(effect, ValueEffect):
        metric = effect.metric
    elif metric is not None:
        find_metric(metric, status=422)
    surfaces = _surfaces(wanted.surface, effect)
    _require_possible(effect, surfaces, wanted.app)
    starts_at = _start(wanted, now)
    return Injection(
        number=0,
        app=wanted.app,
        scope=_scope(wanted),
        metric=metric,
        effect=effect,
        created_at=now,
        starts_at=starts_at,
        expires_at=starts_at + parse_duration(wanted.ttl),
        probability=wanted.probability,
        priority=wanted.priority,
        seed=wanted.seed,
        reason=wanted.reason,
        created_by=wanted.created_by,
        surfaces=surfaces,
        window=wanted.window,
        method=wanted.method,
        client=wanted.client,
        key=wanted.key,
        session=wanted.session,
        nth=frozenset(wanted.nth),
        max_hits=wanted.max_hits,
        schedule=_schedule(wanted.schedule),
        trigger=_trigger(wanted.trigger),
        dry_run=wanted.dry_run,
        extra=_extra(wanted),
    )


def _extra(wanted: schemas.Injection) -> dict[str, Any]:
    if wanted.schedule is None:
        return {}
    return {"schedule": wanted.schedule.model_dump(by_alias=True, exclude_none=True)}


def _scope(wanted: schemas.Injection) -> Terms:
    given = {name: getattr(wanted, name) for name in _DIMENSIONS}
    pairs = {name: value for name, value in given.items() if value is not None}
    for name, value in wanted.labels.items():
        if not name or not value or len(name) > 255 or len(value) > 255:
            raise InvalidInput("labels has an empty or too long name or value", code="bad_scope")
        if name in _DIMENSIONS:
            raise InvalidInput(
                f"labels.{name} is a member of its own", code="bad_scope", hint=f'"{name}": …'
            )
        pairs[name] = value
    return frozenset(pairs.items())


def _surfaces(given: str | list[str] | None, effect: Effect) -> frozenset[Surface]:
    if given is None:
        return frozenset({Surface.AGENT}) if isinstance(effect, AgentEffect) else READING
    names = [given] if isinstance(given, str) else given
    found: frozenset[Surface] = frozenset()
    for name in names:
        known = surfaces_named(name) & (READING | INGEST)
        if not known:
            raise InvalidInput(
                "surface is not known",
                code="bad_surface",
                hint=f"query, ingest, {', '.join(sorted(READING | INGEST))}",
            )
        found |= known
    if not found:
        raise InvalidInput("surface is an empty list", code="bad_surface")
    return found


def _require_possible(effect: Effect, surfaces: frozenset[Surface], app: str) -> None:
    if isinstance(effect, AgentEffect):
        _require_agents(effect, surfaces, app)
        return
    if isinstance(effect, ValueEffect) and surfaces <= NRQL:
        raise InvalidInput(
            f"effect.{effect.name} says what a metric is; NRQL computes from samples",
            code="bad_surface",
            hint="use a data effect such as error_ratio or latency, or one of payload",
        )
    if not surfaces & INGEST:
        return
    if isinstance(effect, ValueEffect | DataEffect):
        raise InvalidInput(
            f"effect.{effect.name} changes answers; on ingest there are none",
            code="bad_surface",
            hint="leave surface out, or use status, payload, hang or transport",
        )
    if app != "*":
        raise InvalidInput(
            "on ingest the application is not known before the body is read",
            code="bad_surface",
            hint='"app": "*"',
        )


def _require_agents(effect: AgentEffect, surfaces: frozenset[Surface], app: str) -> None:
    if surfaces != {Surface.AGENT}:
        raise InvalidInput(
            "effect.agent changes what agents are told, on no other surface",
            code="bad_surface",
            hint='"surface": "agent", or leave it out',
        )
    if effect.redirect and app != "*":
        raise InvalidInput(
            "before it is redirected, an agent does not tell its application",
            code="bad_surface",
            hint='"app": "*"; to strike one agent only, name its "client"',
        )


def _start(wanted: schemas.Injection, now: float) -> float:
    if wanted.start_at is None:
        return now + parse_duration(wanted.delay)
    if parse_duration(wanted.delay):
        raise InvalidInput("delay and startAt exclude each other", code="bad_schedule")
    try:
        starts_at = parse_timestamp(wanted.start_at)
    except ValueError:
        raise InvalidInput(
            "startAt is not a time", code="bad_schedule", hint="RFC 3339: 2026-02-04T02:02:23Z"
        ) from None
    if not now - 1 <= starts_at <= now + MAX_TTL_SECONDS:
        raise InvalidInput("startAt is past or more than 24h ahead", code="bad_schedule")
    return starts_at


def _schedule(given: schemas.Schedule | None) -> Every | Cron | None:
    if given is None:
        return None
    lasts = parse_duration(given.lasts)
    if (given.every is None) == (given.cron is None):
        raise InvalidInput("schedule needs exactly one of every and cron", code="bad_schedule")
    if given.cron is not None:
        return parse_cron(given.cron, lasts)
    every = parse_duration(given.every or "0s")
    if lasts > every:
        raise InvalidInput("schedule.for is longer than schedule.every", code="bad_schedule")
    return Every(every=every, lasts=lasts)


def _trigger(given: schemas.Trigger | None) -> Trigger | None:
    if given is None:
        return None
    names = ("hit", "metric", "weight", "deployment")
    if sum(getattr(given, name) is not None for name in names) != 1:
        raise InvalidInput(f"trigger needs exactly one of {', '.join(names)}", code="bad_schedule")
    if given.metric is not None:
        find_metric(given.metric, status=422)
    deployment = given.deployment
    return Trigger(
        hit=given.hit,
        metric=given.metric,
        op=given.op,
        value=given.value,
        weight=given.weight,
        deployment="" if deployment is True else deployment,
    )
