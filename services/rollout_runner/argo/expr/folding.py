"""Constant folding: what a condition says without looking at the result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout_runner.argo.expr import nodes
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.operators import (
    add,
    divide,
    exponent,
    modulo,
    multiply,
    negate,
    subtract,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "**": exponent,
    "^": exponent,
}


def fold(node: nodes.Node, *, dialect: Dialect) -> nodes.Node | None:
    """Return what a node folds to, or None.

    Args:
        node: a node whose parts are folded already.
        dialect: the older library leaves joined filters with constant parts as they are.

    Raises:
        ConditionError: a remainder of a division by zero.
    """
    match node:
        case nodes.Unary(operator=operator, operand=nodes.Literal(value=value)):
            return _fold_unary(operator, value)
        case nodes.Binary():
            return _fold_operation(node)
        case nodes.Array(nodes=items) if items:
            values = [item.value for item in items if isinstance(item, nodes.Literal)]
            return nodes.Constant(values) if len(values) == len(items) else None
        case nodes.Builtin(
            name="filter",
            arguments=(
                nodes.Builtin(name="filter", arguments=(base, nodes.Predicate() as inner)),
                nodes.Predicate() as outer,
            ),
        ):
            parts = (inner.body, outer.body) if dialect is Dialect.V1_17 else (inner, outer)
            return nodes.Builtin("filter", (base, nodes.Predicate(nodes.Binary("&&", *parts))))
        case _:
            return None


def _fold_operation(node: nodes.Binary) -> nodes.Node | None:
    match node:
        case nodes.Binary(operator="and" | "&&"):
            return _fold_logic(node, absorbing=False)
        case nodes.Binary(operator="or" | "||"):
            return _fold_logic(node, absorbing=True)
        case nodes.Binary(left=nodes.Literal(value=left), right=nodes.Literal(value=right)):
            return _fold_binary(node.operator, left, right)
        case _:
            return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fold_unary(operator: str, value: bool | float | str) -> nodes.Node | None:  # noqa: FBT001 - a literal
    if isinstance(value, bool):
        return nodes.Literal(not value) if operator in {"!", "not"} else None
    if _is_number(value) and operator in {"-", "+"}:
        return nodes.Literal(negate(value) if operator == "-" else value)
    return None


def _fold_logic(node: nodes.Binary, *, absorbing: bool) -> nodes.Node | None:
    """Fold `and` (false absorbs) or `or` (true absorbs) with a literal on a side."""
    left, right = _bool(node.left), _bool(node.right)
    if left is (not absorbing):
        return node.right
    if right is (not absorbing):
        return node.left
    if absorbing in {left, right}:
        return nodes.Literal(absorbing)
    return None


def _bool(node: nodes.Node) -> bool | None:
    if isinstance(node, nodes.Literal) and isinstance(node.value, bool):
        return node.value
    return None


def _fold_binary(operator: str, left: Any, right: Any) -> nodes.Node | None:
    both_ints = type(left) is int and type(right) is int
    if operator == "==" and type(left) is type(right) and not isinstance(left, float):
        return nodes.Literal(left == right)
    if operator == "%" and both_ints:
        if right == 0:
            raise ConditionError("integer divide by zero")
        return nodes.Literal(modulo(left, right))
    if operator not in _ARITHMETIC:
        return None
    both_texts = isinstance(left, str) and isinstance(right, str) and operator == "+"
    if both_texts or (_is_number(left) and _is_number(right)):
        return nodes.Literal(_ARITHMETIC[operator](left, right))
    return None


def as_float_literals(node: nodes.Node) -> nodes.Node:
    """Make the integer literals of a float argument floats, as the library does."""
    match node:
        case nodes.Literal(value=int() as value) if not isinstance(value, bool):
            return nodes.Literal(float(value))
        case nodes.Unary(operator=operator, operand=operand):
            return nodes.Unary(operator, as_float_literals(operand))
        case nodes.Binary(operator="+" | "-" | "*" as operator, left=left, right=right):
            return nodes.Binary(operator, as_float_literals(left), as_float_literals(right))
        case _:
            return node
