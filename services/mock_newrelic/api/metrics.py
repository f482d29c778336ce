"""Reading: the facade as the documentation shows it, charts, batches, histograms, applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from mock_newrelic.api.callers import caller_of
from mock_newrelic.api.dependencies import reading_key
from mock_newrelic.api.edge import HOT_PATH, JOURNAL_KEY
from mock_newrelic.api.facade import INJECTION_HEADER
from mock_newrelic.api.parameters import parameters
from mock_newrelic.api.session import session_of
from mock_newrelic.domain.histogram import SCALE, upper_bound
from mock_newrelic.domain.query import (
    parse_histogram_query,
    parse_metric_query,
    parse_series_query,
    require_app,
    selector_as_json,
    split_query_string,
)
from mock_newrelic.domain.rendering import DECIMALS
from mock_newrelic.domain.surfaces import Surface
from mock_newrelic.schemas import Batch  # noqa: TC001 - the framework reads the annotation
from svckit.errors import NotFound, SuiteError
from svckit.problem import problem_response
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from mock_newrelic.api.facade import Facade
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.domain.application import Application
    from mock_newrelic.domain.injections import Ask
    from mock_newrelic.domain.query import Query
    from mock_newrelic.ports import Store
    from mock_newrelic.service.queries import Answer, QueryService
    from svckit.clock import Clock

_LABELS = "Besides the selectors below: `label.<name>` for any attribute that was sent."


def metrics_router(
    *, facade: Facade, queries: QueryService, store: Store, keys: Keys, clock: Clock
) -> APIRouter:
    """Return the routes under /v1 that read."""
    router = APIRouter(tags=["metrics"])
    guarded = [Depends(reading_key(keys))]

    @router.get(
        HOT_PATH,
        summary="One metric over a sliding window",
        description=_LABELS,
        openapi_extra=parameters(
            "app", "metric", "window", "detail", "min_samples", "at", "since", "t",
            required=("app", "metric", "window"),
        ),
    )  # fmt: skip
    async def one_metric(request: Request) -> Response:
        # The edge answers this path before it gets here; both ask the same facade.
        reply = facade.reply(request.scope)
        _note(request, reply.query)
        response = Response(reply.body, status_code=reply.status)
        response.raw_headers = reply.headers
        return response

    @router.get(
        "/v1/metrics/series",
        summary="A metric step by step",
        description=f"Steps without samples have no point. {_LABELS}",
        openapi_extra=parameters(
            "app", "metric", "window", "step", "at", "since", "t",
            required=("app", "metric", "window"),
        ),
        dependencies=guarded,
    )  # fmt: skip
    async def series(request: Request) -> Response:
        query = _read(request, parse_series_query)
        now = clock.now()
        answer, points = queries.chart(query, now, caller_of(request.scope, Surface.SERIES))
        if answer.refusal is not None:
            return _refused(answer)
        return _answered(
            {
                **_asked(answer),
                "step": query.step,
                "points": [
                    {
                        "at": format_timestamp(point.start),
                        "value": round(point.value, DECIMALS),
                        "sampleCount": point.samples,
                    }
                    for point in points
                ],
                "timestamp": format_timestamp(answer.end),
                "injected": answer.injected or None,
            },
            answer,
        )

    @router.get(
        "/v1/metrics/histogram",
        summary="Counts and latency histogram",
        description="`count` of a bucket is its own, not cumulative; `le` is its upper bound in "
        f"milliseconds. Bounded by `window`, by `since`, or by both. {_LABELS}",
        openapi_extra=parameters("app", "window", "since", "at", "min_samples", required=("app",)),
        dependencies=guarded,
    )
    async def histogram(request: Request) -> Response:
        caller = caller_of(request.scope, Surface.HISTOGRAM)
        answer = queries.answer(_read(request, parse_histogram_query), clock.now(), caller)
        if answer.refusal is not None:
            return _refused(answer)
        counts, buckets = answer.reading
        last = answer.last_second
        return _answered(
            {
                **_asked(answer),
                "scale": SCALE,
                "buckets": [
                    {"le": upper_bound(bucket) * 1000, "count": buckets[bucket]}
                    for bucket in sorted(buckets)
                ],
                "count": counts.samples,
                "errors": counts.errors,
                "http5xx": counts.http_5xx,
                "http4xx": counts.http_4xx,
                "windowStart": format_timestamp(answer.span.first),
                "windowEnd": format_timestamp(answer.end),
                "lastSampleAt": None if last is None else format_timestamp(last),
                "injected": answer.injected or None,
            },
            answer,
        )

    @router.post("/v1/metrics:batch", summary="Several queries, one instant", dependencies=guarded)
    async def batch(request: Request, body: Batch) -> dict[str, Any]:
        now = clock.now()
        caller = caller_of(request.scope, Surface.FACADE)
        _note_apps(request, {pairs.get("app", "") for pairs in body.queries})
        return {
            "timestamp": format_timestamp(now),
            "results": [_one_of_batch(queries, pairs, now, caller) for pairs in body.queries],
        }

    @router.get("/v1/apps", summary="Known applications", dependencies=guarded)
    async def applications(request: Request) -> dict[str, Any]:
        now = clock.now()
        return {
            "apps": [
                _application(app, now) for app in store.applications(session_of(request.scope))
            ]
        }

    @router.get("/v1/apps/{app}", summary="One application", dependencies=guarded)
    async def application(request: Request, app: str) -> dict[str, Any]:
        known = store.application(require_app(app), session_of(request.scope))
        if known is None:
            raise NotFound(
                "the application has never sent a sample",
                code="unknown_app",
                hint="GET /v1/apps lists those that have",
            )
        return _application(known, clock.now())

    return router


def _read(request: Request, parse: Any) -> Query:
    query: Query = parse(split_query_string(request.scope["query_string"]))
    _note(request, query)
    return query


def _note_apps(request: Request, apps: set[str]) -> None:
    facts = request.scope.get(JOURNAL_KEY)
    if facts is not None:
        facts["app"] = ",".join(sorted(apps))


def _note(request: Request, query: Query | None) -> None:
    facts = request.scope.get(JOURNAL_KEY)
    if facts is not None and query is not None:
        facts.update(app=query.app, query=request.scope["query_string"].decode("latin-1"))


def _asked(answer: Answer) -> dict[str, Any]:
    query = answer.query
    asked: dict[str, Any] = {"app": query.app}
    if query.metric is not None:
        asked |= {"metric": query.metric.name, "unit": query.metric.unit}
    return {**asked, "window": query.window_text, "selector": selector_as_json(query.terms)}


def _one_of_batch(
    queries: QueryService, pairs: dict[str, str], now: float, caller: Ask
) -> dict[str, Any]:
    try:
        answer = queries.answer(parse_metric_query(pairs.items()), now, caller)
    except SuiteError as error:
        return _problem(error)
    if answer.refusal is not None:
        return {**_asked(answer), **_problem(answer.refusal), "injected": answer.injected or None}
    counts = answer.reading.counts
    return {
        **_asked(answer),
        "status": 200,
        "value": round(answer.value or 0.0, DECIMALS),
        "sampleCount": counts.samples,
        "errorCount": counts.errors,
        "injected": answer.injected or None,
    }


def _problem(error: SuiteError) -> dict[str, Any]:
    return {"status": error.status, "error": error.code, "detail": error.detail}


def _application(app: Application, now: float) -> dict[str, Any]:
    last = app.last_second(frozenset(), int(now) + 1)
    return {
        "app": app.name,
        "samples": app.samples,
        "series": app.series_count,
        "roles": app.values("role"),
        "hashes": app.values("hash"),
        "versions": app.values("version"),
        "hosts": app.values("host"),
        "lastSampleAt": None if last is None else format_timestamp(last),
    }


def _answered(document: dict[str, Any], answer: Answer) -> Response:
    return JSONResponse(document, headers=_marks(answer))


def _refused(answer: Answer) -> Response:
    assert answer.refusal is not None  # noqa: S101 - the callers have looked
    return problem_response(answer.refusal, headers=_marks(answer))


def _marks(answer: Answer) -> dict[str, str]:
    return {INJECTION_HEADER: ",".join(answer.injected)} if answer.injections else {}
