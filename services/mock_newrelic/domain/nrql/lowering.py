"""From selected expressions to what has to be counted.

`filter`, `percentage`, `rate` and `median` are other functions in disguise: what remains are
leaves (a function over the rows that satisfy a condition) and arithmetic over their results.
"""

from __future__ import annotations

from dataclasses import dataclass

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.ast import Expr
from mock_newrelic.domain.nrql.attributes import DURATION, ERROR
from mock_newrelic.domain.nrql.catalogue import AGGREGATES
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.expressions import parts
from mock_newrelic.domain.nrql.rewriting import rewrite

SECONDS_SLOT = "\0seconds"
"""The name under which an expression finds the length of the window."""

_ERRORS = ast.Is(ast.Ref(ERROR), True)
_NUMBER_OPTIONS = frozenset({
    "percentile", "histogram", "cdfPercentage", "bucketPercentile", "uniques",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leaf:
    """One function over rows.

    Attributes:
        function: its name.
        args: what it is over; empty for `count(*)`.
        options: numbers beside it: percentiles, the threshold of apdex, seconds of derivative.
        condition: which rows count; None for all that the query reads.
    """

    function: str
    args: tuple[Expr, ...]
    options: tuple[float, ...] = ()
    condition: Expr | None = None


class Leaves:
    """Collects the leaves of a query's expressions and gives each a slot."""

    def __init__(self, apm: dict[str, str] | None = None) -> None:
        self._slots: dict[Leaf, str] = {}
        self._apm = apm or {}

    @property
    def slots(self) -> list[tuple[Leaf, str]]:
        """The leaves, each with the name of its slot."""
        return list(self._slots.items())

    def lower(self, expr: Expr, condition: Expr | None = None) -> Expr:
        """Return the expression over slots, read from a row of results."""

        def change(part: Expr) -> Expr | None:
            if isinstance(part, ast.Call) and part.function in AGGREGATES:
                return self._aggregate(part, condition)
            return None

        return rewrite(expr, change)

    def _aggregate(self, call: ast.Call, condition: Expr | None) -> Expr:
        function = call.function
        if function in {"filter", "percentage"}:
            inner, where = call.args
            if not isinstance(where, ast.Where):
                raise NrqlError(f"{function}() needs a condition", call.at, "WHERE …")
            value = _expr(inner, call)
            if not is_aggregate(value):
                raise NrqlError(f"{function}() needs a function of many rows", call.at, "count(*)")
            part = self.lower(value, _both(condition, where.condition))
            if function == "filter":
                return part
            return ast.Arithmetic(
                "/",
                ast.Arithmetic("*", ast.Literal(100.0), part),
                self.lower(value, condition),
            )
        if function == "rate":
            value = _expr(call.args[0], call)
            if len(call.args) != 2 or not isinstance(call.args[1], ast.Duration):
                raise NrqlError(
                    "rate() needs a length of time", call.at, "rate(count(*), 1 minute)"
                )
            return ast.Arithmetic(
                "/",
                ast.Arithmetic(
                    "*", ast.Literal(call.args[1].seconds), self.lower(value, condition)
                ),
                ast.Ref(SECONDS_SLOT),
            )
        return self._leaf(call, condition)

    def _leaf(self, call: ast.Call, condition: Expr | None) -> Expr:
        function, args = call.function, list(call.args)
        options: tuple[float, ...] = ()
        if function == "apdex":
            options = (_threshold(args[1:], call),)
            args = args[:1]
        elif function == "derivative":
            unit = args[1] if len(args) > 1 else ast.Duration(60.0)
            if not isinstance(unit, ast.Duration):
                raise NrqlError("derivative() needs a length of time", call.at, "1 minute")
            options, args = (unit.seconds,), args[:1]
        elif function in _NUMBER_OPTIONS:
            options = tuple(_number(arg, call) for arg in args[1:])
            args = args[:1]
            if function in {"percentile", "bucketPercentile"}:
                options = options or (95.0,)
                if not all(0 < option <= 100 for option in options):
                    raise NrqlError("a percentile is above 0, at most 100", call.at)
        if args == [ast.Star()]:
            if function != "count":
                raise NrqlError(f"{function}() needs an attribute, not *", call.at)
            args = []
        over = tuple(_expr(arg, call) for arg in args)
        if any(is_aggregate(expr) for expr in over):
            raise NrqlError(
                f"{function}() cannot be over another such function",
                call.at,
                "use a nested query: FROM (SELECT …)",
            )
        leaf = self._of_transactions(Leaf(function, over, options, condition), call)
        slot = self._slots.setdefault(leaf, f"\0{len(self._slots)}")
        return ast.Ref(slot, "score" if function == "apdex" else None)

    def _of_transactions(self, leaf: Leaf, call: ast.Call) -> Leaf:
        """Say a leaf over metrics that are made from transactions in terms of these."""
        if not self._apm or len(leaf.args) != 1 or not isinstance(leaf.args[0], ast.Ref):
            return leaf
        kind = self._apm.get(leaf.args[0].name)
        if kind is None:
            return leaf
        if kind == DURATION:
            return Leaf(leaf.function, (ast.Ref(DURATION),), leaf.options, leaf.condition)
        if leaf.function not in {"count", "sum"}:
            raise NrqlError("of an error count only count() and sum() can be told", call.at)
        return Leaf("count", (), (), _both(leaf.condition, _ERRORS))


def is_aggregate(expr: Expr) -> bool:
    """Whether an expression holds a function of many rows."""
    return any(isinstance(part, ast.Call) and part.function in AGGREGATES for part in parts(expr))


def conjuncts(condition: Expr | None) -> list[Expr]:
    """Return the conditions that must all hold."""
    if condition is None:
        return []
    if isinstance(condition, ast.And):
        return [*conjuncts(condition.left), *conjuncts(condition.right)]
    return [condition]


def conjunction(conditions: list[Expr]) -> Expr | None:
    """Return the condition that all of these hold; None when there are none."""
    joined: Expr | None = None
    for condition in conditions:
        joined = _both(joined, condition)
    return joined


def _both(one: Expr | None, other: Expr) -> Expr:
    return other if one is None else ast.And(one, other)


def _expr(arg: ast.Arg, call: ast.Call) -> Expr:
    if isinstance(arg, ast.Star | ast.Duration | ast.Where | ast.Named):
        raise NrqlError(f"{call.function}() does not take this argument", call.at)
    return arg


def _number(arg: ast.Arg, call: ast.Call) -> float:
    value = arg.value if isinstance(arg, ast.Named) else arg
    number = value.value if isinstance(value, ast.Literal) else None
    if isinstance(number, bool) or not isinstance(number, float):
        raise NrqlError(f"{call.function}() needs a number here", call.at)
    return number


def _threshold(args: list[ast.Arg], call: ast.Call) -> float:
    if not args:
        return 0.5
    if isinstance(args[0], ast.Named) and args[0].name != "t":
        raise NrqlError("the threshold of apdex() is named t", call.at, "apdex(duration, t: 0.5)")
    threshold = _number(args[0], call)
    if threshold <= 0:
        raise NrqlError("the threshold of apdex() is above 0 seconds", call.at)
    return threshold
