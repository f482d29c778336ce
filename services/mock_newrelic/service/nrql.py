"""Answers NRQL: one instant's view of the reader, for the language to read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from mock_newrelic.domain.injections import Injection
from mock_newrelic.domain.labels import DIMENSIONS
from mock_newrelic.domain.nrql.data import TRANSACTION, Row
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.execution import run
from mock_newrelic.domain.nrql.parser import parse
from mock_newrelic.domain.nrql.result import Result
from mock_newrelic.service.deployments import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mock_newrelic.domain.injections import Ask, Strike
    from mock_newrelic.domain.model import Reading, Span, Terms
    from mock_newrelic.domain.nrql.ast import Query
    from mock_newrelic.ports import Store
    from mock_newrelic.service.deployments import DeploymentService
    from mock_newrelic.service.reader import Reader
    from svckit.clock import Clock

MAX_REMEMBERED = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A result, and the injections that touched it."""

    result: Result
    injections: tuple[Injection, ...] = ()

    @property
    def injected(self) -> list[str]:
        """The ids of the injections."""
        return [one.id for one in self.injections]


class NrqlService:
    """Runs queries against the reader."""

    def __init__(
        self, *, store: Store, reader: Reader, deployments: DeploymentService, clock: Clock
    ) -> None:
        self._store = store
        self._reader = reader
        self._deployments = deployments
        self._clock = clock
        self._parse = lru_cache(maxsize=MAX_REMEMBERED)(parse)

    def answer(self, text: str, caller: Ask, *, now: float | None = None) -> Answered:
        """Answer a query.

        Args:
            text: the query.
            caller: surface, session and client of the question.
            now: the instant; the clock's unless given.

        Raises:
            NrqlError: it cannot be answered, or not in full.
        """
        return self.run(self._parse(text), caller, now=now)

    def run(self, query: Query, caller: Ask, *, now: float | None = None) -> Answered:
        """Answer a query that has been read already."""
        instant = self._clock.now() if now is None else now
        view = _View(self._store, self._reader, self._deployments, caller, instant)
        result = run(query, view, instant)
        touched = tuple(view.touched[number] for number in sorted(view.touched))
        if touched:
            ask = replace(caller, app=",".join(sorted(result.apps)))
            self._reader.applied(touched, ask, instant)
        return Answered(result=result, injections=touched)


class _View:
    """What one question sees; every injection draws once for each application and selector."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        deployments: DeploymentService,
        caller: Ask,
        now: float,
    ) -> None:
        self._store = store
        self._reader = reader
        self._deployments = deployments
        self._caller = caller
        self._session = caller.session
        self._now = now
        self._drawn: dict[str, list[Strike]] = {}
        self.touched: dict[int, Injection] = {}

    def apps(self) -> Iterable[str]:
        """Return the names of the applications."""
        return [app.name for app in self._store.applications()]

    def answerable(self, app: str, label: str, span: Span) -> bool:
        """Whether every sample that carries the label is kept with it."""
        known = self._store.application(app)
        if known is None:
            return True
        if known.has_unlabelled(span) or known.unanswerable(frozenset({(label, "")})) is not None:
            return False
        return label in DIMENSIONS or bool(known.values(label))

    def series(
        self, app: str, terms: Terms, span: Span, *, latency: bool
    ) -> Iterator[tuple[Terms, Reading]]:
        """Yield labels and reading of every series that carries the terms."""
        for labels, reading, injection in self._reader.each(
            app, terms, span, self._now,
            latency=latency, drawn=self._draw(app), session=self._session,
        ):  # fmt: skip
            if injection is not None:
                self.touched[injection.number] = injection
            yield labels, reading

    def rows(self, apps: frozenset[str] | None, kind: str, span: Span) -> Iterator[Row]:
        """Yield the events of one type."""
        if kind == DEPLOYMENT:
            yield from self._deployments.rows(apps, span, self._session)
        elif kind == TRANSACTION:
            raise NrqlError(
                "the query needs raw events, which are not kept",
                hint="conditions on labels, errors and HTTP 5xx or 4xx can be answered without",
            )

    def _draw(self, app: str) -> list[Strike]:
        if app not in self._drawn:
            self._drawn[app] = self._reader.draw(replace(self._caller, app=app), self._now)
        return self._drawn[app]
