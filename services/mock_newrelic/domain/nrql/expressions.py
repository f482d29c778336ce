"""Expressions as functions of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.attributes import lookup
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.functions import SCALAR
from mock_newrelic.domain.nrql.patterns import like_expression, regular_expression
from mock_newrelic.domain.nrql.values import arithmetic, boolean, compare, equal, text, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mock_newrelic.domain.nrql.ast import Expr

    Value = Callable[[Mapping[str, Any]], Any]
    Condition = Callable[[Mapping[str, Any]], bool]


def value_of(expr: Expr) -> Value:  # noqa: PLR0911 - one branch a node
    """Return the function that computes the expression from a row.

    Raises:
        NrqlError: it holds a function of many rows, or a subquery that was not run.
    """
    match expr:
        case ast.Literal(value):
            return lambda _row: value
        case ast.Ref(name, None):
            return lambda row: lookup(row, name)
        case ast.Ref(name, key):
            return lambda row: _entry(lookup(row, name), key)
        case ast.Negative(operand):
            inner = value_of(operand)
            return lambda row: arithmetic("-", 0.0, inner(row))
        case ast.Arithmetic(operator, left, right):
            first, second = value_of(left), value_of(right)
            return lambda row: arithmetic(operator, first(row), second(row))
        case ast.Or(left, right) if not is_condition(expr):
            first, second = value_of(left), value_of(right)
            return lambda row: second(row) if (found := first(row)) is None else found
        case ast.Call():
            return _call(expr)
        case ast.Subquery():
            raise NrqlError("a subquery cannot stand here")
        case _:
            return condition_of(expr)


def condition_of(expr: Expr) -> Condition:  # noqa: PLR0911 - one branch a node
    """Return the function that tells whether the condition holds for a row."""
    match expr:
        case ast.And(left, right):
            first, second = condition_of(left), condition_of(right)
            return lambda row: first(row) and second(row)
        case ast.Or(left, right):
            first, second = condition_of(left), condition_of(right)
            return lambda row: first(row) or second(row)
        case ast.Not(operand):
            holds = condition_of(operand)
            return lambda row: not holds(row)
        case ast.Compare(operator, left, right):
            one, other = value_of(left), value_of(right)
            return lambda row: compare(operator, one(row), other(row))
        case ast.Is(operand, wanted, negated):
            inner = value_of(operand)
            if wanted is None:
                return lambda row: (inner(row) is None) is not negated
            return lambda row: (boolean(inner(row)) is wanted) is not negated
        case ast.In(operand, options, negated):
            return _membership(operand, options, negated=negated)
        case ast.Like(operand, pattern, regular, negated):
            inner = value_of(operand)
            matches = (regular_expression if regular else like_expression)(pattern).fullmatch

            def fits(row: Mapping[str, Any]) -> bool:
                value = inner(row)
                return value is not None and (matches(text(value)) is not None) is not negated

            return fits
        case _:
            inner = value_of(expr)
            return lambda row: truth(inner(row))


def is_condition(expr: Expr) -> bool:
    """Whether an expression says true or false, and not another value."""
    if isinstance(expr, ast.Or):
        return is_condition(expr.left) or is_condition(expr.right)
    return isinstance(expr, ast.CONDITIONS)


def parts(expr: Expr) -> Iterator[Expr]:
    """Yield the expression and everything inside it, subqueries excepted."""
    yield expr
    for child in children(expr):
        yield from parts(child)


def children(expr: Expr) -> Iterator[Expr]:  # noqa: C901 - one branch a node
    """Yield the expressions directly inside."""
    match expr:
        case ast.Negative(operand) | ast.Not(operand) | ast.Is(operand) | ast.Like(operand):
            yield operand
        case ast.Arithmetic(_, left, right) | ast.Compare(_, left, right):
            yield from (left, right)
        case ast.And(left, right) | ast.Or(left, right):
            yield from (left, right)
        case ast.In(operand, options):
            yield operand
            if isinstance(options, tuple):
                yield from options
            else:
                yield options
        case ast.Call(_, args):
            for arg in args:
                if isinstance(arg, ast.Where):
                    yield arg.condition
                elif isinstance(arg, ast.Named):
                    yield arg.value
                elif not isinstance(arg, ast.Star | ast.Duration):
                    yield arg


def _entry(value: Any, key: str | None) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _membership(
    operand: Expr, options: tuple[Expr, ...] | ast.Subquery, *, negated: bool
) -> Condition:
    if isinstance(options, ast.Subquery):
        raise NrqlError("a subquery cannot stand here")
    inner, listed = value_of(operand), [value_of(option) for option in options]

    def holds(row: Mapping[str, Any]) -> bool:
        value = inner(row)
        if value is None:
            return False
        among = any((other := option(row)) is not None and equal(value, other) for option in listed)
        return among is not negated

    return holds


def _call(call: ast.Call) -> Value:
    if call.function == "if":
        return _if(call)
    compute = SCALAR.get(call.function)
    if compute is None:
        raise NrqlError(
            f"{call.function}() is over many rows and cannot stand here",
            call.at,
            "use it in SELECT, outside of other such functions",
        )
    inner = []
    for arg in call.args:
        if isinstance(arg, ast.Named):
            inner.append(value_of(arg.value))
        elif isinstance(arg, ast.Star | ast.Duration | ast.Where):
            raise NrqlError(f"{call.function}() does not take this argument", call.at)
        else:
            inner.append(value_of(arg))
    return lambda row: compute(*(one(row) for one in inner))


def _if(call: ast.Call) -> Value:
    first, *rest = call.args
    wanted: Expr | None = first.condition if isinstance(first, ast.Where) else None
    if wanted is None and not isinstance(first, ast.Star | ast.Duration | ast.Named | ast.Where):
        wanted = first
    if wanted is None:
        raise NrqlError("if() begins with a condition", call.at)
    holds = condition_of(wanted)
    outcomes: list[Value] = []
    for arg in rest:
        if isinstance(arg, ast.Star | ast.Duration | ast.Named | ast.Where):
            raise NrqlError("if() takes a condition and one or two values", call.at)
        outcomes.append(value_of(arg))
    then = outcomes[0]
    otherwise: Value = outcomes[1] if len(outcomes) > 1 else lambda _row: None
    return lambda row: then(row) if holds(row) else otherwise(row)
