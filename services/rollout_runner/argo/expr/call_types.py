"""The static check of the arguments of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rollout_runner.argo.expr import gotypes as go
from rollout_runner.argo.expr import nodes
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotypes import GoType, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence


class Visitor(Protocol):
    """The part of the checker that is needed here."""

    modern: bool
    unknown: GoType

    def visit(self, node: nodes.Node) -> GoType:
        """Return the type of a node."""

    def shown(self, kind: GoType) -> str:
        """Spell a type."""

    def element(self, kind: GoType) -> GoType:
        """Return the type of a list's elements."""


def fit_arguments(
    checker: Visitor, name: str, signature: GoType, arguments: Sequence[nodes.Node]
) -> GoType | str:
    """Return what a call returns, or why the arguments do not fit this signature.

    Raises:
        ConditionError: an argument is wrong in itself, whatever the signature.
    """
    params = signature.params
    if signature.variadic:
        params = (*params[:-1], *[params[-1]] * (len(arguments) - len(params) + 1))
    if len(arguments) != len(params):
        if checker.modern:
            for argument in arguments:
                checker.visit(argument)
        amount = "too many" if len(arguments) > len(params) else "not enough"
        return f"{amount} arguments to call {name}"
    for argument, param in zip(arguments, params, strict=True):
        given = checker.visit(argument)
        if given is go.NIL:
            if checker.modern and param.kind is not Kind.INTERFACE:
                return f"cannot use nil as argument (type {param.name}) to call {name}"
            continue
        if go.is_integer(given) and go.is_number(param):
            continue  # integer literals become what the parameter is
        if not go.assignable(given, param) and not go.is_unknown(given):
            return (
                f"cannot use {checker.shown(given)} as argument (type {param.name}) to call {name} "
            )
    return signature.returns or checker.unknown


def check_get(checker: Visitor, node: nodes.Builtin) -> GoType:
    """Return what `get(base, key)` returns."""
    if len(node.arguments) != 2:
        raise ConditionError(f"invalid number of arguments (expected 2, got {len(node.arguments)})")
    base = checker.visit(node.arguments[0])
    if not checker.modern and go.is_unknown(base):
        return checker.unknown
    if not checker.modern and base.kind not in {Kind.SLICE, Kind.MAP}:
        raise ConditionError(f"type {checker.shown(base)} does not support indexing")
    key = checker.visit(node.arguments[1])
    if go.is_unknown(base):
        return checker.unknown
    if key is go.NIL and not checker.modern:
        what = "slice" if base.kind is Kind.SLICE else "map"
        raise ConditionError(f"cannot use nil as {what} index")
    if base.kind is Kind.SLICE:
        if not go.is_integer(key) and not go.is_unknown(key):
            raise ConditionError(f"non-integer slice index {checker.shown(key)}")
        return checker.element(base)
    if base.kind is Kind.MAP and base.key is not None:
        if not go.assignable(key, base.key) and not go.is_unknown(key):
            raise ConditionError(
                f"cannot use {checker.shown(key)} to get an element from {base.name}"
            )
        return base.elem or checker.unknown
    raise ConditionError(f"type {checker.shown(base)} does not support indexing")
