"""`GET /v1/metrics`: from the raw query string to the bytes of the answer.

Polled by every gate, so it does without the framework's routing and validation: the parsed query
is remembered per query string, and the answer until the second or the data change.
"""

from __future__ import annotations

import uuid
from math import floor
from typing import TYPE_CHECKING, Any, NamedTuple

from mock_newrelic.api.callers import caller_of
from mock_newrelic.api.session import session_of
from mock_newrelic.domain.metrics import ERROR_METRICS, error_percent
from mock_newrelic.domain.query import (
    Query,
    Question,
    parse_question,
    selector_as_json,
    split_query_string,
)
from mock_newrelic.domain.rendering import DECIMALS, exposition, facade_bodies, facade_body
from mock_newrelic.domain.surfaces import Surface
from svckit.errors import SuiteError
from svckit.problem import MEDIA_TYPE, problem_body
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.domain.injections import Ask
    from mock_newrelic.ports import Store
    from mock_newrelic.service.injections import InjectionService
    from mock_newrelic.service.instruments import Instruments
    from mock_newrelic.service.nrql import NrqlService
    from mock_newrelic.service.queries import Answer, QueryService
    from svckit.clock import Clock

MAX_REMEMBERED = 1024
INJECTION_HEADER = "X-Mock-Injection"

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_PROBLEM = (b"content-type", MEDIA_TYPE.encode())


class Reply(NamedTuple):
    """An answer ready to be sent; `query` is what was understood of the question."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    query: Query | None = None
    injected: str = ""


class Facade:
    """Answers the one question that a canary gate asks."""

    def __init__(
        self,
        *,
        store: Store,
        queries: QueryService,
        injections: InjectionService,
        keys: Keys,
        clock: Clock,
        instruments: Instruments,
        nrql: NrqlService,
    ) -> None:
        self._store = store
        self._queries = queries
        self._injections = injections
        self._keys = keys
        self._clock = clock
        self._counter = instruments.queries
        self._ok = instruments.queries.labels("ok")
        self._nrql = nrql
        self._parsed: dict[bytes, Question] = {}
        self._replies: dict[bytes, tuple[int, int, Reply]] = {}

    def reply(self, scope: Scope) -> Reply:
        """Return the answer to a request; every refusal is one too."""
        query = None
        query_string: bytes = scope["query_string"]
        try:
            key = next((value for name, value in scope["headers"] if name == b"api-key"), None)
            self._keys.check_reading(key)
            question = self._parsed.get(query_string)
            if question is None:
                question = self._parse(query_string)
            query = question.queries[0]
            return self._reply(query_string, question, scope)
        except SuiteError as error:
            self._counter.labels(error.code).inc()
            return _refuse(error, query)

    def _parse(self, query_string: bytes) -> Question:
        question = parse_question(split_query_string(query_string))
        if len(self._parsed) >= MAX_REMEMBERED:
            self._parsed.clear()
            self._replies.clear()
        self._parsed[query_string] = question
        return question

    def _reply(self, query_string: bytes, question: Question, scope: Scope) -> Reply:
        query = question.queries[0]
        now = self._clock.now()
        session = session_of(scope)
        second, version = floor(now), self._store.version(query.app)
        lasting = (
            not session
            and query.slides
            and question.plain
            and not self._injections.covers(query.app)
        )
        if lasting:
            known = self._replies.get(query_string)
            if known is not None and known[0] == second and known[1] == version:
                self._ok.inc()
                return known[2]
        caller = None if lasting else caller_of(scope, Surface.FACADE)
        if question.nrql or question.custom:
            return self._compute(question, caller or caller_of(scope, Surface.FACADE), now)
        answers = [self._queries.answer(one, now, caller) for one in question.queries]
        if question.other is not None:
            answers.append(self._queries.answer(question.other, now, caller))
        injected = list(dict.fromkeys(name for answer in answers for name in answer.injected))
        for answer in answers:
            if answer.refusal is not None or answer.value is None:
                refusal = answer.refusal or SuiteError("there is no value; this is a bug")
                self._counter.labels(refusal.code).inc()
                return _refuse(refusal, query, injected)
        reply = self._told(question, answers, injected)
        if lasting:
            self._replies[query_string] = (second, version, reply)
        return reply

    def _told(self, question: Question, answers: list[Answer], injected: list[str]) -> Reply:
        """Return the answer when there is a number for everything that was asked."""
        query, first = question.queries[0], answers[0]
        values = {
            one.asked: answer.value
            for one, answer in zip(question.queries, answers, strict=False)
            if answer.value is not None
        }
        selector = selector_as_json(query.terms)
        if question.exposition:
            body = exposition(
                app=query.app, window=query.window_text, selector=selector, values=values
            )
            return self._counted(query, body, injected, _TEXT)
        extension: dict[str, Any] = {}
        if question.other is not None:
            other = answers[-1]
            extension |= {
                "compareValue": round(other.value or 0, DECIMALS),
                "compareSelector": selector_as_json(question.other.terms),
                "compareSampleCount": other.reading.counts.samples,
            }
        if query.detail:
            units = [one.metric.unit for one in question.queries if one.metric is not None]
            extension = self._detail(first, units, injected) | extension
        body = facade_bodies(
            app=query.app,
            metric=question.asked,
            window=query.window_text,
            values=values,
            timestamp=format_timestamp(first.end),
            extension=extension,
        )
        return self._counted(query, body, injected)

    def _counted(
        self,
        query: Query,
        body: bytes,
        injected: list[str],
        content_type: tuple[bytes, bytes] = _JSON,
    ) -> Reply:
        if injected:
            self._counter.labels("injected").inc()
        else:
            self._ok.inc()
        return Reply(200, _headers(content_type, body, injected), body, query, ",".join(injected))

    def _compute(self, question: Question, caller: Ask, now: float) -> Reply:
        """Answer `metric=nrql` and `metric=custom:<name>`."""
        query = question.queries[0]
        value, injected = self._nrql.number(question, caller, now)
        end = query.end(now)
        if question.exposition:
            body = exposition(
                app=query.app,
                window=query.window_text,
                selector={},
                values={question.asked: value},
            )
            return self._counted(query, body, injected, _TEXT)
        body = facade_body(
            app=query.app,
            metric=question.asked,
            window=query.window_text,
            value=value,
            timestamp=format_timestamp(end),
        )
        return self._counted(query, body, injected)

    def _detail(self, answer: Answer, units: list[str], injected: list[str]) -> dict[str, Any]:
        counts, query = answer.reading.counts, answer.query
        last = answer.last_second
        start = max(answer.end - query.width, query.since or 0.0)
        return {
            "unit": units[0] if len(units) == 1 else units,
            "errorRatio": _error_ratio(answer),
            "sampleCount": counts.samples,
            "errorCount": counts.errors,
            "windowStart": format_timestamp(start),
            "windowEnd": format_timestamp(answer.end),
            "lastSampleAt": None if last is None else format_timestamp(last),
            "freshnessSeconds": None if last is None else floor(answer.end) - last,
            "source": answer.source or None,
            "selector": selector_as_json(query.terms),
            "injected": injected or None,
            "approximate": answer.reading.approximate,
        }


def _error_ratio(answer: Answer) -> float | None:
    counts, metric = answer.reading.counts, answer.query.metric
    if metric is not None and metric.name in ERROR_METRICS and answer.value is not None:
        return round(error_percent(metric.name, answer.value) / 100, DECIMALS)
    return round(counts.errors / counts.samples, DECIMALS) if counts.samples else None


def _refuse(error: SuiteError, query: Query | None, injected: Iterable[str] = ()) -> Reply:
    body = problem_body(error, instance=f"urn:request:{uuid.uuid4().hex}")
    return Reply(error.status, _headers(_PROBLEM, body, injected), body, query, ",".join(injected))


def _headers(
    content_type: tuple[bytes, bytes], body: bytes, injected: Iterable[str]
) -> list[tuple[bytes, bytes]]:
    headers = [content_type, (b"content-length", str(len(body)).encode())]
    names = ",".join(injected)
    if names:
        headers.append((INJECTION_HEADER.lower().encode(), names.encode()))
    return headers
