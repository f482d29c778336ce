"""`POST /graphql`: New Relic's GraphQL API, as far as canary analysis speaks to it.

Errors are answered as NerdGraph does: 200 with `errors`, 401 with `BAD_API_KEY`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from mock_newrelic.api.bodies import read_body
from mock_newrelic.api.callers import caller_of
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.faults import INJECTION_HEADER
from mock_newrelic.api.graphql.resolvers import Root
from mock_newrelic.domain.surfaces import Surface
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.deployments import DeploymentService
    from mock_newrelic.service.entities import EntityService
    from mock_newrelic.service.nrql import NrqlService
    from svckit.clock import Clock


def nerdgraph_router(
    *,
    nrql: NrqlService,
    entities: EntityService,
    deployments: DeploymentService,
    keys: Keys,
    clock: Clock,
) -> APIRouter:
    """Return the route of NerdGraph."""
    router = APIRouter(tags=["nerdgraph"])

    @router.post(
        "/graphql",
        summary="NerdGraph",
        description="A GraphQL request: `{query, variables?, operationName?}`. NRQL through "
        "`actor { account(id:) { nrql(query:) { results } } }`.",
        openapi_extra={
            "requestBody": {
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["query"],
                            "properties": {
                                "query": {"type": "string"},
                                "variables": {"type": ["object", "string", "null"]},
                                "operationName": {"type": ["string", "null"]},
                            },
                        }
                    }
                }
            }
        },
    )
    async def graphql(request: Request) -> Response:
        try:
            key = request.headers.get("api-key")
            keys.check_reading(None if key is None else key.encode("latin-1"))
        except SuiteError as error:
            return _no_key(error)
        try:
            source, variables, operation = _asked(await read_body(request))
        except SuiteError as error:
            return _refused(error.detail, status=error.status)
        root = Root(
            nrql=nrql,
            entities=entities,
            deployments=deployments,
            caller=caller_of(request.scope, Surface.NERDGRAPH),
            now=clock.now(),
        )
        # Loaded with the first question: most services never hear one.
        from mock_newrelic.api.graphql.execution import answer  # noqa: PLC0415

        document = answer(root, source, variables, operation)
        facts = request.scope.get(JOURNAL_KEY)
        if facts is not None:
            facts.update(app=",".join(sorted(root.apps)), query=" ; ".join(root.queries))
        injected = ",".join(root.injected)
        return JSONResponse(document, headers={INJECTION_HEADER: injected} if injected else None)

    return router


def _asked(body: bytes) -> tuple[str, dict[str, Any], str | None]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInput("the body is not JSON", status=400) from None
    if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
        raise InvalidInput("the body has no query", status=400)
    # Argo's web provider sends an empty text where there are no variables.
    variables = asked.get("variables") or {}
    operation = asked.get("operationName") or None
    if not isinstance(variables, dict) or not isinstance(operation, str | None):
        raise InvalidInput("variables is not an object, or operationName not a text", status=400)
    return asked["query"], variables, operation


def _no_key(error: SuiteError) -> Response:
    code = "BAD_API_KEY" if error.status == 401 else "FORBIDDEN"
    message = "Invalid credentials provided." if error.status == 401 else error.detail
    return JSONResponse(
        {"errors": [{"message": message, "extensions": {"error_code": code}}]},
        status_code=error.status,
    )


def _refused(message: str, *, status: int) -> Response:
    return JSONResponse(
        {"errors": [{"message": message, "extensions": {"errorClass": "BAD_USER_INPUT"}}]},
        status_code=status,
    )
