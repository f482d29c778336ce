"""The keys under which values stand in the rows.

An alias is the key as it is written. Without one it is `function` or `function.attribute`, and
`result` for a computation; two values with the same key are refused, because one would be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.catalogue import AGGREGATES
from mock_newrelic.domain.nrql.errors import NrqlError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mock_newrelic.domain.nrql.ast import Expr, Item

COMPUTED = "result"


def column_name(item: Item) -> str:
    """Return the key of a selected value."""
    if item.alias is not None:
        return item.alias
    return COMPUTED if isinstance(item.value, ast.Star) else _named(item.value)


def insights_name(item: Item) -> str:
    """Return the key in the older query API, which leaves the attribute out."""
    if item.alias is not None or not isinstance(item.value, ast.Call):
        return column_name(item)
    value = _inner(item.value)
    plural = {"percentile": "percentiles", "apdex": "score", "uniques": "members"}
    return plural.get(value.function, value.function)


def facet_name(item: Item) -> str:
    """Return the key of a facet."""
    if item.alias is not None:
        return item.alias
    return item.value.name if isinstance(item.value, ast.Ref) else column_name(item)


def selected(item: Item) -> Expr:
    """Return the value of an item that is not `*`."""
    if isinstance(item.value, ast.Star):
        raise NrqlError("* cannot stand beside functions of many rows")
    return item.value


def require_distinct(columns: Iterable[str]) -> None:
    """Refuse two values with the same key."""
    seen: set[str] = set()
    for name in columns:
        if name in seen:
            raise NrqlError(
                f"two selected values would have the same key {name[:40]!a}",
                hint="name them with AS",
            )
        seen.add(name)


def _named(value: Expr) -> str:
    match value:
        case ast.Ref(name, key):
            return name if key is None else f"{name}.{key}"
        case ast.Call(function):
            call = _inner(value)
            if call.function not in AGGREGATES or call.function in {"percentage", "apdex"}:
                return call.function if function in AGGREGATES else COMPUTED
            if call.function == "rate":
                return f"rate.{_named(_first(call)).partition('.')[0]}"
            if not call.args or not isinstance(call.args[0], ast.Ref):
                return call.function
            return f"{call.function}.{call.args[0].name}"
        case _:
            return COMPUTED


def _inner(call: ast.Call) -> ast.Call:
    """Return what a filter() is over, as far as it is one function."""
    while call.function == "filter" and isinstance(call.args[0], ast.Call):
        call = call.args[0]
    return call


def _first(call: ast.Call) -> Expr:
    first = call.args[0]
    if isinstance(first, ast.Star | ast.Duration | ast.Where | ast.Named):
        return ast.Literal(None)
    return first
