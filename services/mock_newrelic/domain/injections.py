"""Injections: who is answered wrongly, how, and for how long.

The scope rule. An injection names an application (a glob) and optionally labels. A value or
answer effect without labels answers every query of the application; with labels, only queries
whose selector names all of them. A data effect changes the samples that carry the labels, so an
answer over the whole application moves in proportion.

At each layer one injection wins: the highest priority, and among equals the newest.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeVar

from mock_newrelic.domain.effects.base import Effect
from mock_newrelic.domain.metrics import ERROR_METRICS
from mock_newrelic.domain.model import NO_TERMS, Terms
from svckit.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_TTL_SECONDS = 15 * 60
MAX_TTL_SECONDS = 24 * 3600

E = TypeVar("E", bound=Effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What an injection may be matched against: one question, whatever the surface.

    Attributes:
        app: the application that is asked about.
        terms: label pairs of its selector.
        metric: name of the metric; None when the samples themselves are asked for.
        session: token of the session, empty for the default one.
    """

    app: str
    terms: Terms = NO_TERMS
    metric: str | None = None
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One injection; `number` counts them in the order of their creation.

    Attributes:
        app: glob over application names, case-sensitive.
        scope: labels, as described above.
        metric: the only metric it concerns; None means all of them.
        starts_at: instant from which it applies.
        expires_at: instant from which it does not apply any more.
        probability: share of the queries in its scope that it touches.
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

    @property
    def id(self) -> str:
        """The name by which it is listed, deleted and shown in answers."""
        return f"inj_{self.number:06d}"

    def active(self, now: float) -> bool:
        """Whether it applies at this instant."""
        return self.starts_at <= now < self.expires_at

    def covers(self, app: str) -> bool:
        """Whether it concerns the application at all."""
        return fnmatchcase(app, self.app)

    def concerns(self, metric: str | None) -> bool:
        """Whether it concerns a query for this metric; None asks for the samples themselves."""
        if self.metric is None or metric is None or metric == self.metric:
            return True
        return metric in ERROR_METRICS and self.metric in ERROR_METRICS

    def strikes(self, hit: int) -> bool:
        """Whether the query number `hit` in its scope is touched; the same every time."""
        if self.probability >= 1:
            return True
        return stream(self.seed, self.id, hit).random() < self.probability


def winner(
    injections: Iterable[Injection], layer: type[E], labels: Terms
) -> tuple[Injection, E] | None:
    """Return the injection of a layer that wins for these labels, with its effect."""
    best: tuple[Injection, E] | None = None
    for injection in injections:
        effect = injection.effect
        if not isinstance(effect, layer) or not injection.scope <= labels:
            continue
        rank = (injection.priority, injection.number)
        if best is None or rank > (best[0].priority, best[0].number):
            best = (injection, effect)
    return best
