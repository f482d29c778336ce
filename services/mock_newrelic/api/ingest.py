"""Ingest: New Relic's Event API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import JSONResponse

from mock_newrelic.api.bodies import raw_body
from mock_newrelic.api.dependencies import ingest_key
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.session import session_of
from mock_newrelic.domain.ingest.event_api import ProbeRule, read_batch
from mock_newrelic.domain.surfaces import Surface

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.ingest import IngestService, Receipt

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


def ingest_router(*, ingest: IngestService, keys: Keys, probes: ProbeRule) -> APIRouter:
    """Return the routes that take in samples."""
    read = partial(read_batch, probes=probes)
    router = APIRouter(tags=["ingest"], dependencies=[Depends(ingest_key(keys))])

    @router.post(
        "/v1/accounts/{account}/events",
        summary="Events of one account",
        description="gzip, deflate and zstd are understood. A body counts as a whole or not at "
        "all; one with an x-request-id counts once within ten minutes.",
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
            Surface.EVENT_API,
            await raw_body(request),
            read,
            encoding=request.headers.get("content-encoding", ""),
            request_id=request.headers.get("x-request-id", ""),
            session=session_of(request.scope),
        )
        facts = request.scope.get(JOURNAL_KEY)
        if facts is not None:
            facts.update(app=",".join(receipt.apps), samples=receipt.samples)
        return JSONResponse(_document(receipt))

    return router


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
