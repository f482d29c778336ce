"""Injections: who is answered wrongly, how, and for how long.

The scope rule. An injection names an application (a glob) and optionally labels. A value, payload,
HTTP or transport effect without labels strikes every question about the application; with labels,
only questions whose selector names all of them. A data effect changes the samples that carry the
labels, so an answer over the whole application moves in proportion.

At each layer one injection wins: the highest priority, and among equals the newest. A question
draws once per injection, however many arms, windows or facets it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mock_newrelic.domain.effects.base import DataEffect, Effect
from mock_newrelic.domain.metrics import ERROR_METRICS
from mock_newrelic.domain.model import NO_TERMS, Terms
from mock_newrelic.domain.schedule import Cron, Every, Trigger
from mock_newrelic.domain.surfaces import READING, Surface
from svckit.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


DEFAULT_TTL_SECONDS = 15 * 60
MAX_TTL_SECONDS = 24 * 3600

E = TypeVar("E", bound=Effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What an injection may be matched against: one question, whatever the surface.

    Attributes:
        app: the application that is asked about; several separated by commas; empty when unknown.
        terms: label pairs of its selector.
        metric: name of the metric; None when the samples themselves are asked for.
        window: the window as the caller wrote it, empty when there is none.
        session: token of the session, empty for the default one.
        surface: the door that it came through.
        method: HTTP method, or the collector's method of an agent.
        client: the User-Agent.
        key: first hex digits of the SHA-256 of the caller's key, as the journal shows them.
    """

    app: str
    terms: Terms = NO_TERMS
    metric: str | None = None
    window: str = ""
    session: str = ""
    surface: Surface = Surface.FACADE
    method: str = "GET"
    client: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One injection; `number` counts them in the order of their creation.

    Attributes:
        app: glob over application names, case-sensitive.
        scope: labels, as described above.
        metric: the only metric it concerns; None means all of them.
        starts_at: instant from which it applies.
        expires_at: instant from which it does not apply any more.
        probability: share of the questions in its scope that it strikes.
        surfaces: the doors it concerns.
        window: the only window it concerns, as the caller writes it; empty for all.
        method: HTTP or collector method, empty for all.
        client: glob over User-Agents, empty for all.
        key: first hex digits of the key's SHA-256, empty for all.
        session: the session it lives in.
        nth: numbers of the only questions in its scope that it strikes, from 1; empty for all.
        max_hits: how often it strikes at most; 0 for no limit.
        schedule: when it is in force within its lifetime.
        trigger: what has to happen before it strikes.
        dry_run: it is counted and audited, and changes nothing.
        extra: members of its wire form that are shown as they were given.
    """

    number: int
    app: str
    scope: Terms
    metric: str | None
    effect: Effect
    created_at: float
    starts_at: float
    expires_at: float
    probability: float = 1.0
    priority: int = 0
    seed: int = 0
    reason: str = ""
    created_by: str = ""
    surfaces: frozenset[Surface] = READING
    window: str = ""
    method: str = ""
    client: str = ""
    key: str = ""
    session: str = ""
    nth: frozenset[int] = frozenset()
    max_hits: int = 0
    schedule: Every | Cron | None = None
    trigger: Trigger | None = None
    dry_run: bool = False
    extra: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def id(self) -> str:
        """The name by which it is listed, deleted and shown in answers."""
        return f"inj_{self.number:06d}"

    def active(self, now: float) -> bool:
        """Whether it applies at this instant."""
        return self.starts_at <= now < self.expires_at and (
            self.schedule is None or self.schedule.on(now, self.starts_at)
        )

    def covers(self, app: str) -> bool:
        """Whether it concerns the application, or one of several, at all."""
        return any(fnmatchcase(one, self.app) for one in app.split(","))

    def concerns(self, metric: str | None) -> bool:
        """Whether it concerns a question for this metric; None asks for the samples themselves."""
        if self.metric is None or metric is None or metric == self.metric:
            return True
        return metric in ERROR_METRICS and self.metric in ERROR_METRICS

    def matches(self, ask: Ask) -> bool:
        """Whether the question is in its scope, apart from time, count and chance."""
        return (
            self.session == ask.session
            and ask.surface in self.surfaces
            and self.covers(ask.app)
            and self.concerns(ask.metric)
            and (not self.window or self.window == ask.window)
            and (not self.method or self.method == ask.method)
            and (not self.client or fnmatchcase(ask.client, self.client))
            and (not self.key or ask.key.startswith(self.key))
            and (isinstance(self.effect, DataEffect) or self.scope <= ask.terms)
        )

    def strikes(self, query: int) -> bool:
        """Whether the question of this number (from 0) is struck; the same every time."""
        if self.nth and query + 1 not in self.nth:
            return False
        if self.probability >= 1:
            return True
        return self.random(query).random() < self.probability

    def random(self, query: int) -> Random:
        """Return the random stream of the question of this number."""
        return stream(self.seed, self.id, query)


class Strike(NamedTuple):
    """An injection that strikes a question; `query` is the question's number in its scope."""

    injection: Injection
    query: int


def winner(strikes: Iterable[Strike], layer: type[E], labels: Terms) -> tuple[Strike, E] | None:
    """Return the strike of a layer that wins for these labels, with its effect."""
    best: tuple[Strike, E] | None = None
    for strike in strikes:
        injection = strike.injection
        effect = injection.effect
        if not isinstance(effect, layer) or not injection.scope <= labels:
            continue
        rank = (injection.priority, injection.number)
        if best is None or rank > (best[0].injection.priority, best[0].injection.number):
            best = (strike, effect)
    return best
