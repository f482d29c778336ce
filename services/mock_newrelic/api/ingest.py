"""Ingest: New Relic's Event API."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from mock_newrelic.api.bodies import raw_body
from mock_newrelic.api.dependencies import ingest_key
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.session import session_of
from mock_newrelic.domain.ingest.event_api import read_batch
from mock_newrelic.domain.surfaces import Surface

if TYPE_CHECKING:
    from starlette.types import Scope

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.domain.ingest.event_api import ProbeRule
    from mock_newrelic.service.ingest import IngestService, Receipt

_KEYS = (b"api-key", b"x-insert-key", b"x-license-key")
_HEADERS = frozenset({*_KEYS, b"content-encoding", b"x-request-id"})
_encode = msgspec.json.Encoder().encode
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


class EventDoor:
    """Takes in bodies of the Event API, for the framework's routes and for the edge."""

    def __init__(self, *, ingest: IngestService, keys: Keys, probes: ProbeRule) -> None:
        self._ingest = ingest
        self._keys = keys
        self._read = partial(read_batch, probes=probes)

    async def take(self, body: bytes, scope: Scope) -> tuple[bytes, Receipt]:
        """Return the answer to a body and what became of it.

        Raises:
            SuiteError: the key or the body is refused; nothing of it counts.
        """
        given = {name: value for name, value in scope["headers"] if name in _HEADERS}
        self._keys.check_reading(next((given[name] for name in _KEYS if name in given), None))
        receipt = await self._ingest.take(
            Surface.EVENT_API,
            body,
            self._read,
            encoding=given.get(b"content-encoding", b"").decode("latin-1"),
            request_id=given.get(b"x-request-id", b"").decode("latin-1"),
            session=session_of(scope),
        )
        return _encode(_document(receipt)), receipt


def ingest_router(*, door: EventDoor, keys: Keys) -> APIRouter:
    """Return the routes that take in samples."""
    router = APIRouter(tags=["ingest"], dependencies=[Depends(ingest_key(keys))])

    @router.post(
        "/v1/accounts/{account}/events",
        summary="Events of one account",
        description="gzip, deflate and zstd are understood. A body counts as a whole or not at "
        "all; one with an x-request-id counts once within ten minutes.",
        openapi_extra=_BODY,
    )
    async def account_events(request: Request, account: Annotated[int, Path(ge=0)]) -> Response:
        del account  # there is one store for all accounts
        return await take(request)

    @router.post("/v1/accounts/events", summary="Events", openapi_extra=_BODY)
    async def events(request: Request) -> Response:
        return await take(request)

    async def take(request: Request) -> Response:
        answer, receipt = await door.take(await raw_body(request), request.scope)
        facts = request.scope.get(JOURNAL_KEY)
        if facts is not None:
            facts.update(app=",".join(receipt.apps), samples=receipt.samples)
        return Response(answer, media_type="application/json")

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
