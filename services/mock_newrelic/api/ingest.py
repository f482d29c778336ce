"""Ingest: New Relic's Event API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import JSONResponse

from mock_newrelic.api.dependencies import ingest_key
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.session import session_of
from mock_newrelic.service.ingest import MAX_BODY_BYTES, IngestService, Receipt, too_large

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys

_MAX_REQUEST_ID = 128
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "array", "items": {"type": "object"}},
                "example": [
                    {
                        "eventType": "Transaction",
                        "appName": "voting01-vote-qa",
                        "timestamp": 1770170400000,
                        "duration": 0.021,
                        "error": False,
                        "httpResponseCode": "200",
                        "podTemplateHash": "7cd75c6d7c",
                        "role": "canary",
                        "host": "vote-7cd75c6d7c-7hqnx",
                        "request.uri": "/",
                    }
                ],
            }
        },
    }
}


def ingest_router(*, ingest: IngestService, keys: Keys) -> APIRouter:
    """Return the routes that take in samples."""
    router = APIRouter(tags=["ingest"], dependencies=[Depends(ingest_key(keys))])

    @router.post(
        "/v1/accounts/{account}/events",
        summary="Events of one account",
        description="gzip and deflate are understood. A body counts as a whole or not at all; "
        "one with an x-request-id counts once within ten minutes.",
        openapi_extra=_BODY,
    )
    async def account_events(request: Request, account: Annotated[int, Path(ge=0)]) -> JSONResponse:
        del account  # there is one store for all accounts
        return await take(request)

    @router.post("/v1/accounts/events", summary="Events", openapi_extra=_BODY)
    async def events(request: Request) -> JSONResponse:
        return await take(request)

    async def take(request: Request) -> JSONResponse:
        receipt = await ingest.take(
            await _body(request),
            encoding=request.headers.get("content-encoding", ""),
            request_id=request.headers.get("x-request-id", "")[:_MAX_REQUEST_ID],
            session=session_of(request.scope),
        )
        facts = request.scope.get(JOURNAL_KEY)
        if facts is not None:
            facts.update(app=",".join(receipt.apps), samples=receipt.samples)
        return JSONResponse(_document(receipt))

    return router


async def _body(request: Request) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_large(f"the body is longer than {MAX_BODY_BYTES} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large(f"the body is longer than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _document(receipt: Receipt) -> dict[str, Any]:
    return {
        "success": True,
        "uuid": receipt.uuid,
        "accepted": receipt.accepted,
        "samples": receipt.samples,
        "probes": receipt.probes,
        "others": receipt.others,
        "duplicate": receipt.duplicate,
    }
