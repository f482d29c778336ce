"""`POST /graphql`: New Relic's GraphQL API, as far as canary analysis speaks to it.

Errors are answered as NerdGraph does: 200 with `errors`, 401 with `BAD_API_KEY`. A path holds
texts only, because New Relic's Go client decodes nothing else.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from graphql import (
    GraphQLError,
    GraphQLSyntaxError,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from starlette.responses import JSONResponse, Response

from mock_newrelic.api.bodies import read_body
from mock_newrelic.api.callers import caller_of
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.faults import INJECTION_HEADER
from mock_newrelic.api.graphql.resolvers import QuerySyntaxError, Root
from mock_newrelic.domain.surfaces import Surface
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from graphql import DocumentNode

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.deployments import DeploymentService
    from mock_newrelic.service.entities import EntityService
    from mock_newrelic.service.nrql import NrqlService
    from svckit.clock import Clock

MAX_TOKENS = 5000
MAX_REMEMBERED = 256

_SCHEMA = build_schema(files("mock_newrelic.api.graphql").joinpath("schema.graphql").read_text())


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
        document = _answer(root, source, variables, operation)
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


def _answer(
    root: Root, source: str, variables: dict[str, Any], operation: str | None
) -> dict[str, Any]:
    document, errors = _document(source)
    if document is None or errors:
        return {"errors": [_error(error, "GRAPHQL_VALIDATION") for error in errors]}
    if get_operation_ast(document, operation) is None:
        return {"errors": [_error(GraphQLError("no such operation"), "GRAPHQL_VALIDATION")]}
    result = execute_sync(
        _SCHEMA, document, root, variable_values=variables, operation_name=operation
    )
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer["errors"] = [_error(error, _class_of(error)) for error in result.errors]
    return answer


@lru_cache(maxsize=MAX_REMEMBERED)
def _document(source: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    try:
        document = parse(source, max_tokens=MAX_TOKENS)
    except GraphQLSyntaxError as error:
        return None, (error,)
    except RecursionError:
        return None, (GraphQLError("the query is nested too deeply"),)
    return document, tuple(validate(_SCHEMA, document))


def _class_of(error: GraphQLError) -> str:
    if isinstance(error.original_error, QuerySyntaxError | InvalidInput):
        return "BAD_USER_INPUT"
    return "BAD_USER_INPUT" if error.original_error is None else "SERVER_ERROR"


def _error(error: GraphQLError, kind: str) -> dict[str, Any]:
    original = error.original_error
    known = original is None or isinstance(original, SuiteError)
    shown: dict[str, Any] = {
        "message": error.message if known else "the service failed to answer; this is a bug",
        "extensions": {"errorClass": kind},
    }
    if error.locations:
        shown["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        shown["path"] = [str(part) for part in error.path]
    return shown


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
