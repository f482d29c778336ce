"""New Relic's Metric API, Trace API and Log API.

As New Relic does, they accept what they can read and validate it afterwards: what was dropped is
told by `NrIntegrationError` events and by the counter of dropped items.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from mock_newrelic.api.bodies import raw_body
from mock_newrelic.api.callers import given_key
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.refusals import refusal
from mock_newrelic.api.session import session_of
from mock_newrelic.domain.ingest.log_api import read_logs
from mock_newrelic.domain.ingest.metric_api import GoldenSignals, read_metrics
from mock_newrelic.domain.ingest.trace_api import VERSIONS, Format, read_spans
from mock_newrelic.domain.surfaces import Surface
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.domain.ingest.event_api import ProbeRule
    from mock_newrelic.service.ingest import IngestService, Read

_NOT_JSON = ("application/x-protobuf", "application/x-www-form-urlencoded", "multipart/", "image/")
_HEADERS = [
    {"name": name, "in": "header", "schema": {"type": "string"}}
    for name in ("Content-Encoding", "x-request-id")
]


def telemetry_router(
    *, ingest: IngestService, keys: Keys, probes: ProbeRule, signals: GoldenSignals
) -> APIRouter:
    """Return the routes of the three APIs.

    Args:
        ingest: takes in the bodies.
        keys: who may send.
        probes: which requests are health checks.
        signals: what the metrics of the Metric API mean.
    """
    router = APIRouter(tags=["telemetry"])

    @router.post(
        "/metric/v1",
        status_code=202,
        summary="Metrics",
        openapi_extra=_documented(
            {
                "common": {"attributes": {"service.name": "voting01-vote-qa", "role": "canary"}},
                "metrics": [
                    {
                        "name": "http.requests",
                        "type": "count",
                        "value": 100,
                        "interval.ms": 10000,
                        "timestamp": 1770170400000,
                    }
                ],
            }
        ),
    )
    async def metrics(request: Request) -> Response:
        read = partial(read_metrics, signals=signals, probes=probes)
        return await take(request, Surface.METRIC_API, lambda: read)

    @router.post(
        "/trace/v1",
        status_code=202,
        summary="Spans, in New Relic's format or in Zipkin's",
        openapi_extra=_documented(
            {
                "common": {"attributes": {"service.name": "voting01-vote-qa"}},
                "spans": [
                    {
                        "id": "c265d49e8f15934d",
                        "trace.id": "5ff81f7595b01a6a",
                        "timestamp": 1770170400000,
                        "attributes": {"name": "GET /", "duration.ms": 12},
                    }
                ],
            }
        ),
    )
    async def spans(request: Request) -> Response:
        def reader() -> Read:
            return partial(read_spans, form=_format(request), probes=probes)

        return await take(request, Surface.TRACE_API, reader)

    @router.post(
        "/log/v1",
        status_code=202,
        summary="Logs",
        openapi_extra=_documented({"logs": [{"message": "started", "timestamp": 1770170400000}]}),
    )
    async def logs(request: Request) -> Response:
        text = request.headers.get("content-type", "").startswith("text/")
        return await take(request, Surface.LOG_API, lambda: partial(read_logs, text=text))

    async def take(request: Request, surface: Surface, reader: Callable[[], Read]) -> Response:
        try:
            keys.check_sending(given_key(request.scope))
            _check_content_type(request)
            read = reader()
            body = await raw_body(request)
            if not body:
                raise InvalidInput("the body is empty", code="empty_body", status=400)
            receipt = await ingest.take(
                surface,
                body,
                read,
                encoding=request.headers.get("content-encoding", ""),
                request_id=request.headers.get("x-request-id", ""),
                session=session_of(request.scope),
            )
        except SuiteError as error:
            media_type, content = refusal(surface, error)
            return Response(content, status_code=error.status, media_type=media_type)
        facts = request.scope.get(JOURNAL_KEY)
        if facts is not None:
            facts.update(app=",".join(receipt.apps), samples=receipt.samples)
        return JSONResponse({"requestId": receipt.uuid}, status_code=202)

    return router


def _documented(example: dict[str, Any]) -> dict[str, Any]:
    return {
        "parameters": _HEADERS,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "array", "items": {"type": "object"}},
                    "example": [example],
                }
            },
        },
        "responses": {
            "400": {"description": "The body is empty or does not unpack"},
            "403": {"description": "The key is missing or wrong"},
            "413": {"description": "The body is too long"},
            "415": {"description": "Neither JSON nor, for logs, text; or an unknown encoding"},
        },
    }


def _check_content_type(request: Request) -> None:
    if request.headers.get("content-type", "").lower().startswith(_NOT_JSON):
        raise InvalidInput("the content type is not JSON", code="bad_content_type", status=415)


def _format(request: Request) -> Format:
    """Return the format that the headers, or the query as New Relic has it too, name."""

    def told(name: str) -> str:
        return request.headers.get(name) or request.query_params.get(name, "")

    name = told("Data-Format") or Format.NEWRELIC
    if name not in set(Format):
        raise InvalidInput(
            "the Data-Format is neither newrelic nor zipkin", code="bad_data_format", status=400
        )
    form = Format(name)
    if told("Data-Format-Version") not in {"", VERSIONS[form]}:
        raise InvalidInput(
            f"the Data-Format-Version of {form} is not {VERSIONS[form]}",
            code="bad_data_format",
            status=400,
        )
    return form
