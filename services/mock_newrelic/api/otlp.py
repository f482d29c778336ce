"""OTLP/HTTP: `POST /v1/metrics`, `/v1/traces` and `/v1/logs`.

The path of metrics is the facade's too. A POST there is OTLP by its content type; any other one is
a facade request of the wrong method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mock_newrelic.api.bodies import raw_body
from mock_newrelic.api.callers import given_key
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.refusals import refusal
from mock_newrelic.api.session import session_of
from mock_newrelic.domain.ingest.otlp_wire import (
    JSON,
    NOT_OTLP,
    PROTOBUF,
    Signal,
    answer,
    media_type_of,
)
from mock_newrelic.domain.surfaces import Surface
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.otlp import OtlpService

_MEDIA_TYPES = frozenset({PROTOBUF, JSON})
_QUESTION = frozenset({"app", "metric", "window"})
"""Parameters of the facade."""
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            PROTOBUF: {"schema": {"type": "string", "format": "binary"}},
            JSON: {"schema": {"type": "object"}},
        },
    },
    "responses": {
        "200": {"description": "Accepted, wholly or in part (`partialSuccess`)"},
        "4XX": {"description": "Refused; a google.rpc.Status in the request's encoding"},
    },
}


def otlp_router(*, otlp: OtlpService, keys: Keys, empty_answers: bool = False) -> APIRouter:
    """Return the routes of OTLP.

    Args:
        otlp: takes in the bodies.
        keys: who may send.
        empty_answers: answer success without a body, as New Relic does.
    """
    router = APIRouter(tags=["otlp"])

    @router.post("/v1/metrics", summary="OTLP metrics", openapi_extra=_BODY)
    async def metrics(request: Request) -> Response:
        media_type = media_type_of(request.headers.get("content-type", ""))
        if media_type not in _MEDIA_TYPES or not _QUESTION.isdisjoint(request.query_params):
            raise _question_by_post()
        return await take(request, Signal.METRICS)

    @router.post("/v1/traces", summary="OTLP traces", openapi_extra=_BODY)
    async def traces(request: Request) -> Response:
        return await take(request, Signal.TRACES)

    @router.post("/v1/logs", summary="OTLP logs", openapi_extra=_BODY)
    async def logs(request: Request) -> Response:
        return await take(request, Signal.LOGS)

    async def take(request: Request, signal: Signal) -> Response:
        media_type = media_type_of(request.headers.get("content-type", ""))
        try:
            keys.check_sending(given_key(request.scope))
            if media_type not in _MEDIA_TYPES:
                raise InvalidInput(
                    f"the content type is neither {PROTOBUF} nor {JSON}",
                    code="bad_content_type",
                    status=415,
                )
            receipt, drops = await otlp.take(
                signal,
                media_type,
                await raw_body(request),
                encoding=request.headers.get("content-encoding", ""),
                request_id=request.headers.get("x-request-id", ""),
                session=session_of(request.scope),
            )
        except SuiteError as error:
            if error.code == NOT_OTLP and signal is Signal.METRICS:
                raise _question_by_post() from None
            kind, content = refusal(Surface.OTLP, error, sent=media_type)
            return Response(content, status_code=error.status, media_type=kind)
        facts = request.scope.get(JOURNAL_KEY)
        if facts is not None:
            facts.update(app=",".join(receipt.apps), samples=receipt.samples)
        body = b"" if empty_answers else answer(signal, media_type, drops)
        return Response(body, media_type=media_type)

    return router


def _question_by_post() -> HTTPException:
    return HTTPException(405, headers={"Allow": "GET"})
