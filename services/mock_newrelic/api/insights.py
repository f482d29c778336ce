"""`GET /v1/accounts/{id}/query?nrql=`: the older query API, which Flagger and Kayenta still use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request, Security
from fastapi.security import APIKeyHeader
from starlette.responses import JSONResponse, Response

from mock_newrelic.api.callers import caller_of
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.faults import INJECTION_HEADER
from mock_newrelic.domain.nrql.answers import insights_answer
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.surfaces import Surface
from svckit.errors import SuiteError

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.nrql import NrqlService

_Key = Annotated[
    str | None, Security(APIKeyHeader(name="X-Query-Key", scheme_name="QueryKey", auto_error=False))
]


def insights_router(*, nrql: NrqlService, keys: Keys) -> APIRouter:
    """Return the route of the query API."""
    router = APIRouter(tags=["insights"])

    @router.get(
        "/v1/accounts/{account}/query",
        summary="NRQL, answered as New Relic Insights did",
        openapi_extra={
            "parameters": [
                {"name": "nrql", "in": "query", "required": True, "schema": {"type": "string"}}
            ]
        },
    )
    async def query(
        request: Request, account: Annotated[int, Path(ge=0)], query_key: _Key = None
    ) -> Response:
        del account  # there is one store for all accounts
        given = query_key or request.headers.get("api-key")
        try:
            keys.check_reading(None if given is None else given.encode("latin-1"))
        except SuiteError as error:
            return _refused(error.detail, error.status)
        texts = request.query_params.getlist("nrql")
        if len(texts) != 1 or not texts[0].strip():
            return _refused("the parameter nrql is needed, once", 400)
        try:
            answered = nrql.answer(texts[0], caller_of(request.scope, Surface.INSIGHTS))
        except NrqlError as error:
            return _refused(error.describe(texts[0]), 400)
        facts = request.scope.get(JOURNAL_KEY)
        if facts is not None:
            facts.update(app=",".join(sorted(answered.result.apps)), query=texts[0])
        injected = ",".join(answered.injected)
        return JSONResponse(
            insights_answer(answered.result),
            headers={INJECTION_HEADER: injected} if injected else None,
        )

    return router


def _refused(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status_code=status)
