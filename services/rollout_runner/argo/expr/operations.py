"""Binary operators as functions of their two sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rollout_runner.argo.expr.access import contains
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.frame import Frame
from rollout_runner.argo.expr.operators import (
    EQUALITY,
    add,
    contains_key,
    divide,
    equal_ints,
    exponent,
    greater,
    greater_or_equal,
    in_ints,
    less,
    less_or_equal,
    modulo,
    multiply,
    subtract,
)
from rollout_runner.argo.expr.regex import compile_regex
from rollout_runner.argo.expr.values import conversion_panic, is_nil, need_bool, need_string

Evaluator = Callable[[Frame], Any]
Operation = Callable[[Any, Any], Any]

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "<": less,
    ">": greater,
    "<=": less_or_equal,
    ">=": greater_or_equal,
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "**": exponent,
    "^": exponent,
}


def equality(operator: str, dialect: Dialect, *, ints: bool) -> Operation:
    """Return `==` or `!=`; `ints` says that the checker takes both sides for ints."""
    same = EQUALITY[dialect]
    if ints and (dialect is Dialect.V1_17 or operator == "=="):
        same = equal_ints
    return same if operator == "==" else lambda left, right: not same(left, right)


def membership(members: object, dialect: Dialect) -> Operation:
    """Return `in`; `members` are those of a constant list, if the right side is one."""
    if isinstance(members, dict):
        return lambda key, _: contains_key(members, key)
    if isinstance(members, frozenset):
        return lambda key, _: in_ints(members, key)
    return lambda item, items: contains(item, items, dialect)


def matching(dialect: Dialect, *, constant: bool) -> Operation:
    """Return `matches`; a constant pattern has been looked at already."""
    lenient = dialect is Dialect.V1_17
    wanted = "[]uint8" if lenient else "string"

    def run(text: Any, pattern: Any) -> bool:
        if lenient and (is_nil(text) or is_nil(pattern)):
            return False
        compiled = compile_regex(pattern if constant else need_string(pattern))
        if type(text) is not str:
            raise conversion_panic(text, wanted)
        return compiled.search(text) is not None

    return run


def _on_texts(operation: Callable[[str, str], bool], *, lenient: bool) -> Operation:
    """Return an operator on strings; nil has no text, which is an error in the older library."""

    def run(text: Any, part: Any) -> bool:
        if lenient and (is_nil(text) or is_nil(part)):
            return False
        return operation(need_string(text), need_string(part))

    return run


def _text_operators(*, lenient: bool) -> dict[str, Operation]:
    return {
        "contains": _on_texts(lambda text, part: part in text, lenient=lenient),
        "startsWith": _on_texts(str.startswith, lenient=lenient),
        "endsWith": _on_texts(str.endswith, lenient=lenient),
    }


TEXT = {
    Dialect.V1_15: _text_operators(lenient=False),
    Dialect.V1_17: _text_operators(lenient=True),
}


def _and(left: Evaluator, right: Evaluator) -> Evaluator:
    return lambda frame: right(frame) if need_bool(left(frame)) else False


def _or(left: Evaluator, right: Evaluator) -> Evaluator:
    return lambda frame: True if need_bool(left(frame)) else right(frame)


def _coalesce(left: Evaluator, right: Evaluator) -> Evaluator:
    def run(frame: Frame) -> Any:
        value = left(frame)
        return right(frame) if is_nil(value) else value

    return run


SHORT_CIRCUIT: dict[str, Callable[[Evaluator, Evaluator], Evaluator]] = {
    "and": _and,
    "&&": _and,
    "or": _or,
    "||": _or,
    "??": _coalesce,
}
