"""Queries with their named expressions and subqueries put in place."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.errors import NrqlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_newrelic.domain.nrql.ast import Expr, Query

    Change = Callable[[Expr], Expr | None]

MAX_MEMBERS = 5000


def bind(query: Query) -> Query:
    """Return the query with the names of `WITH … AS …` replaced by what they stand for."""
    if not query.bindings:
        return query
    bound: dict[str, Expr] = {}

    def change(expr: Expr) -> Expr | None:
        return bound.get(expr.name) if isinstance(expr, ast.Ref) and expr.key is None else None

    for name, value in query.bindings:
        bound[name] = rewrite(value, change)
    return replace(_everywhere(query, change), bindings=())


def replace_subqueries(query: Query, values: Callable[[Query], list[Any]]) -> Query:
    """Return the query with every subquery replaced by its values.

    Args:
        query: what holds the subqueries.
        values: runs one and returns the values of its only column.
    """

    def change(expr: Expr) -> Expr | None:
        if isinstance(expr, ast.In) and isinstance(expr.options, ast.Subquery):
            members = dict.fromkeys(
                value
                for value in values(expr.options.query)
                if isinstance(value, str | int | float | bool)
            )
            if len(members) > MAX_MEMBERS:
                raise NrqlError("the subquery gives too many values", hint=f"at most {MAX_MEMBERS}")
            options = tuple(_literal(value) for value in members)
            return ast.In(rewrite(expr.operand, change), options, expr.negated)
        if isinstance(expr, ast.Subquery):
            found = values(expr.query)
            if len(found) > 1:
                raise NrqlError("a subquery gives several values where one is needed")
            return _literal(found[0]) if found else ast.Literal(None)
        return None

    return _everywhere(query, change)


def rewrite(expr: Expr, change: Change) -> Expr:  # noqa: C901, PLR0911 - one branch a node
    """Return the expression with every part replaced for which `change` returns another."""
    changed = change(expr)
    if changed is not None:
        return changed
    match expr:
        case ast.Negative(operand):
            return ast.Negative(rewrite(operand, change))
        case ast.Not(operand):
            return ast.Not(rewrite(operand, change))
        case ast.Arithmetic(operator, left, right):
            return ast.Arithmetic(operator, rewrite(left, change), rewrite(right, change))
        case ast.Compare(operator, left, right):
            return ast.Compare(operator, rewrite(left, change), rewrite(right, change))
        case ast.And(left, right):
            return ast.And(rewrite(left, change), rewrite(right, change))
        case ast.Or(left, right):
            return ast.Or(rewrite(left, change), rewrite(right, change))
        case ast.Is(operand, value, negated):
            return ast.Is(rewrite(operand, change), value, negated)
        case ast.Like(operand, pattern, regular, negated):
            return ast.Like(rewrite(operand, change), pattern, regular, negated)
        case ast.In(operand, tuple(options), negated):
            return ast.In(
                rewrite(operand, change),
                tuple(rewrite(option, change) for option in options),
                negated,
            )
        case ast.Call(function, args, at):
            return ast.Call(function, tuple(_argument(arg, change) for arg in args), at)
        case _:
            return expr


def _argument(arg: ast.Arg, change: Change) -> ast.Arg:
    match arg:
        case ast.Star() | ast.Duration():
            return arg
        case ast.Where(condition):
            return ast.Where(rewrite(condition, change))
        case ast.Named(name, value):
            return ast.Named(name, rewrite(value, change))
        case _:
            return rewrite(arg, change)


def _everywhere(query: Query, change: Change) -> Query:
    def item(one: ast.Item) -> ast.Item:
        if isinstance(one.value, ast.Star):
            return one
        return ast.Item(rewrite(one.value, change), one.alias)

    return replace(
        query,
        select=tuple(item(one) for one in query.select),
        where=None if query.where is None else rewrite(query.where, change),
        facets=tuple(item(one) for one in query.facets),
        cases=tuple(ast.Case(rewrite(case.condition, change), case.alias) for case in query.cases),
        order=None
        if query.order is None
        else ast.Order(rewrite(query.order.by, change), query.order.descending),
    )


def _literal(value: Any) -> ast.Literal:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return ast.Literal(value)
    if isinstance(value, int | float):
        return ast.Literal(float(value))
    raise NrqlError("a subquery gives something else than one number or text")
