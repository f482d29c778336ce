"""`GET /v1/metrics`: from the raw query string to the bytes of the answer.

Polled by every gate, so it does without the framework's routing and validation: the parsed query
is remembered per query string, and the answer until the second or the data change.
"""

from __future__ import annotations

import uuid
from math import floor
from typing import TYPE_CHECKING, Any, NamedTuple

from mock_newrelic.api.callers import caller_of
from mock_newrelic.domain.metrics import ERROR_METRICS, error_percent
from mock_newrelic.domain.query import (
    Query,
    parse_metric_query,
    selector_as_json,
    split_query_string,
)
from mock_newrelic.domain.rendering import DECIMALS, facade_body
from mock_newrelic.domain.surfaces import Surface
from svckit.errors import SuiteError
from svckit.problem import MEDIA_TYPE, problem_body
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.domain.metrics import Metric
    from mock_newrelic.ports import Store
    from mock_newrelic.service.injections import InjectionService
    from mock_newrelic.service.instruments import Instruments
    from mock_newrelic.service.queries import Answer, QueryService
    from svckit.clock import Clock

MAX_REMEMBERED = 1024
INJECTION_HEADER = "X-Mock-Injection"

_JSON = (b"content-type", b"application/json")
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
    ) -> None:
        self._store = store
        self._queries = queries
        self._injections = injections
        self._keys = keys
        self._clock = clock
        self._counter = instruments.queries
        self._ok = instruments.queries.labels("ok")
        self._parsed: dict[bytes, Query] = {}
        self._replies: dict[bytes, tuple[int, int, Reply]] = {}

    def reply(self, scope: Scope) -> Reply:
        """Return the answer to a request; every refusal is one too."""
        query = None
        query_string: bytes = scope["query_string"]
        try:
            key = next((value for name, value in scope["headers"] if name == b"api-key"), None)
            self._keys.check_reading(key)
            query = self._parsed.get(query_string)
            if query is None:
                query = self._parse(query_string)
            return self._reply(query_string, query, scope)
        except SuiteError as error:
            self._counter.labels(error.code).inc()
            return _refuse(error, query)

    def _parse(self, query_string: bytes) -> Query:
        query = parse_metric_query(split_query_string(query_string))
        if len(self._parsed) >= MAX_REMEMBERED:
            self._parsed.clear()
            self._replies.clear()
        self._parsed[query_string] = query
        return query

    def _reply(self, query_string: bytes, query: Query, scope: Scope) -> Reply:
        now = self._clock.now()
        second, version = floor(now), self._store.version(query.app)
        lasting = query.slides and not self._injections.covers(query.app)
        if lasting:
            known = self._replies.get(query_string)
            if known is not None and known[0] == second and known[1] == version:
                self._ok.inc()
                return known[2]
        caller = None if lasting else caller_of(scope, Surface.FACADE)
        answer = self._queries.answer(query, now, caller)
        if answer.refusal is not None or answer.value is None or query.metric is None:
            refusal = answer.refusal or SuiteError("there is no value; this is a bug")
            self._counter.labels(refusal.code).inc()
            return _refuse(refusal, query, answer.injected)
        body = facade_body(
            app=query.app,
            metric=query.metric.name,
            window=query.window_text,
            value=answer.value,
            timestamp=format_timestamp(answer.end),
            extension=self._detail(answer, query.metric) if query.detail else None,
        )
        reply = Reply(
            200, _headers(_JSON, body, answer.injected), body, query, ",".join(answer.injected)
        )
        if answer.injected:
            self._counter.labels("injected").inc()
        else:
            self._ok.inc()
        if lasting:
            self._replies[query_string] = (second, version, reply)
        return reply

    def _detail(self, answer: Answer, metric: Metric) -> dict[str, Any]:
        counts = answer.reading.counts
        last = answer.last_second
        return {
            "unit": metric.unit,
            "errorRatio": _error_ratio(answer, metric),
            "sampleCount": counts.samples,
            "errorCount": counts.errors,
            "windowStart": format_timestamp(
                max(answer.end - answer.query.width, answer.query.since or 0.0)
            ),
            "windowEnd": format_timestamp(answer.end),
            "lastSampleAt": None if last is None else format_timestamp(last),
            "freshnessSeconds": None if last is None else floor(answer.end) - last,
            "source": "api",
            "selector": selector_as_json(answer.query.terms),
            "injected": answer.injected or None,
        }


def _error_ratio(answer: Answer, metric: Metric) -> float | None:
    counts = answer.reading.counts
    if metric.name in ERROR_METRICS and answer.value is not None:
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
