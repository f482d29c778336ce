"""Answers NRQL: one instant's view of the reader, for the language to read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from mock_newrelic.domain.injections import Injection
from mock_newrelic.domain.labels import DIMENSIONS
from mock_newrelic.domain.model import NO_TERMS, Source
from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.apm_metrics import METRIC
from mock_newrelic.domain.nrql.attributes import APP
from mock_newrelic.domain.nrql.data import TRANSACTION
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.execution import run
from mock_newrelic.domain.nrql.parser import parse
from mock_newrelic.domain.nrql.result import Result
from mock_newrelic.domain.nrql.timing import Range
from mock_newrelic.domain.nrql.values import number
from mock_newrelic.domain.records import RecordsLost
from mock_newrelic.service.audit import EVENT_TYPE
from mock_newrelic.service.deployments import DEPLOYMENT
from svckit.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mock_newrelic.domain.injections import Ask, Strike
    from mock_newrelic.domain.model import Reading, Span, Terms
    from mock_newrelic.domain.nrql.ast import Query
    from mock_newrelic.domain.query import Question
    from mock_newrelic.domain.records import Row
    from mock_newrelic.ports import Store
    from mock_newrelic.service.audit import Audit
    from mock_newrelic.service.deployments import DeploymentService
    from mock_newrelic.service.reader import Reader
    from svckit.clock import Clock

MAX_REMEMBERED = 512
_WITHOUT_EVENTS = frozenset({Source.OTEL, Source.SPANS, Source.API})
"""Sources whose senders tell of requests otherwise than by `Transaction` events."""


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
        self,
        *,
        store: Store,
        reader: Reader,
        deployments: DeploymentService,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._audit = audit
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

    def run(
        self,
        query: Query,
        caller: Ask,
        *,
        now: float | None = None,
        window: Range | None = None,
    ) -> Answered:
        """Answer a query that has been read already; `window` is its range unless it has one."""
        instant = self._clock.now() if now is None else now
        view = _View(
            self._store, self._reader, self._deployments, self._audit, caller=caller, now=instant
        )
        result = run(query, view, instant, window=window)
        touched = tuple(view.touched[number] for number in sorted(view.touched))
        if touched:
            ask = replace(caller, app=",".join(sorted(result.apps)))
            self._reader.applied(touched, ask, instant)
        return Answered(result=result, injections=touched)

    def number(self, question: Question, caller: Ask, now: float) -> tuple[float, list[str]]:
        """Return the one number of `metric=nrql` or of a custom metric, and what touched it.

        The query reads the window of the question, unless it says its own, and rows of the
        question's application only.

        Raises:
            SuiteError: it cannot be answered, or not by one number that is not negative.
        """
        asked = question.queries[0]
        try:
            query = self._parse(question.nrql) if question.nrql else _custom_query(question)
            own = ast.Compare("=", ast.Ref(APP), ast.Literal(asked.app))
            where = own if query.where is None else ast.And(query.where, own)
            if not isinstance(query.source, ast.Subquery):
                query = replace(query, where=where)
            end = asked.end(now)
            window = Range(max(end - asked.width, asked.since or 0.0), end, open=asked.at is None)
            answered = self.run(query, caller, now=now, window=window)
        except NrqlError as error:
            raise InvalidInput(
                f"parameter 'q': {_plain(error.detail)}", code="bad_q", status=400
            ) from None
        result = answered.result
        if len(result.rows) != 1 or len(result.columns) != 1 or result.events:
            raise InvalidInput(
                "parameter 'q' does not ask for one number",
                code="bad_q",
                status=400,
                hint="one function of many rows, without FACET and TIMESERIES",
            )
        value = number(result.rows[0][result.columns[0]])
        if value is None:
            raise NotFound("the query has no number to tell", code="no_data")
        if value < 0:
            raise InvalidInput("the number is negative", code="negative_value")
        return value, answered.injected


def _custom_query(question: Question) -> Query:
    """Return the query over the metric data of one name."""
    name = question.custom
    return ast.Query(
        select=(ast.Item(ast.Call(question.aggregation, (ast.Ref(name),))),),
        source=(METRIC,),
        where=ast.Compare("=", ast.Ref("metricName"), ast.Literal(name)),
    )


def _plain(detail: str) -> str:
    """Return the detail without the caller's own words, which could hold a metric's key."""
    return re.sub(r"'[^']*'", "what is given", detail)


class _View:
    """What one question sees; every injection draws once for each application and selector."""

    def __init__(
        self,
        store: Store,
        reader: Reader,
        deployments: DeploymentService,
        audit: Audit,
        *,
        caller: Ask,
        now: float,
    ) -> None:
        self._store = store
        self._reader = reader
        self._deployments = deployments
        self._audit = audit
        self._caller = caller
        self._session = caller.session
        self._now = now
        self._drawn: dict[str, list[Strike]] = {}
        self.touched: dict[int, Injection] = {}

    def apps(self) -> Iterable[str]:
        """Return the names of the applications."""
        return [app.name for app in self._store.applications(self._session)]

    def answerable(self, app: str, label: str, span: Span) -> bool:
        """Whether every sample that carries the label is kept with it."""
        known = self._store.application(app, self._session)
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
        elif kind == EVENT_TYPE:
            yield from self._audit.rows(apps, span, self._session)
        else:
            names = ["", *self.apps()] if apps is None else sorted(apps)
            for app in names:
                yield from self._kept(app, kind, span)

    def _kept(self, app: str, kind: str, span: Span) -> list[Row]:
        drawn = self._draw(app) if app else []
        try:
            rows, touched = self._reader.rows(
                app, kind, span, self._now, drawn=drawn, session=self._session
            )
        except RecordsLost as error:
            raise NrqlError(error.detail, hint=error.hint) from None
        self.touched |= {one.number: one for one in touched}
        if not rows and kind == TRANSACTION:
            self._refuse_other_sources(app, span)
        return rows

    def _refuse_other_sources(self, app: str, span: Span) -> None:
        """Refuse to count no transactions of an application whose samples came as something else.

        Raises:
            NrqlError: they did.
        """
        known = self._store.application(app, self._session)
        if known is None:
            return
        source = known.choose(NO_TERMS, span, self._now, latency=False)
        last = None if source is None else known.last_second(NO_TERMS, span.stop, source)
        if source in _WITHOUT_EVENTS and last is not None and last >= span.first:
            raise NrqlError(
                f"the samples of the application came by '{source}', without Transaction events",
                hint="FROM Span and FROM Metric have what was sent; conditions on labels, errors "
                "and HTTP 5xx or 4xx can be answered FROM Transaction too",
            )

    def _draw(self, app: str) -> list[Strike]:
        if app not in self._drawn:
            self._drawn[app] = self._reader.draw(replace(self._caller, app=app), self._now)
        return self._drawn[app]
