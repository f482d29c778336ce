"""Runs GraphQL documents over the schema, and says errors as NerdGraph does.

A path holds texts only, because New Relic's Go client decodes nothing else.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLError,
    GraphQLSyntaxError,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from mock_newrelic.api.graphql.resolvers import QuerySyntaxError
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from graphql import DocumentNode

    from mock_newrelic.api.graphql.resolvers import Root

MAX_TOKENS = 5000
MAX_REMEMBERED = 256

_SCHEMA = build_schema(files("mock_newrelic.api.graphql").joinpath("schema.graphql").read_text())


def answer(
    root: Root, source: str, variables: dict[str, Any], operation: str | None
) -> dict[str, Any]:
    """Return the document that answers a GraphQL request."""
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
