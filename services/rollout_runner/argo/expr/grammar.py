"""Tables of the language: precedences, and which functions take a predicate."""

from __future__ import annotations

from dataclasses import dataclass

from rollout_runner.argo.expr.dialect import Dialect

UNARY_PRECEDENCE = {"not": 50, "!": 50, "-": 90, "+": 90}

BINARY_PRECEDENCE = {
    "|": 0,
    "or": 10,
    "||": 10,
    "and": 15,
    "&&": 15,
    "==": 20,
    "!=": 20,
    "<": 20,
    ">": 20,
    ">=": 20,
    "<=": 20,
    "in": 20,
    "matches": 20,
    "contains": 20,
    "startsWith": 20,
    "endsWith": 20,
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
RIGHT_ASSOCIATIVE = frozenset({"**", "^"})
COMPARISONS = frozenset({"<", ">", ">=", "<="})
NEGATABLE = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})


@dataclass(frozen=True, slots=True)
class PredicateShape:
    """How a function with a predicate is written.

    Attributes:
        predicate_optional: `count(list)` and `sum(list)` may leave the predicate out.
        extra: a third argument may follow (`sortBy`'s order, `reduce`'s start).
    """

    predicate_optional: bool = False
    extra: bool = False


_PLAIN = PredicateShape()
_PREDICATES_V1_15 = dict.fromkeys(
    [
        "all",
        "none",
        "any",
        "one",
        "filter",
        "map",
        "count",
        "find",
        "findIndex",
        "findLast",
        "findLastIndex",
        "groupBy",
    ],
    _PLAIN,
) | {"reduce": PredicateShape(extra=True)}
_PREDICATES_V1_17 = _PREDICATES_V1_15 | {
    "count": PredicateShape(predicate_optional=True),
    "sum": PredicateShape(predicate_optional=True),
    "sortBy": PredicateShape(extra=True),
}
PREDICATES = {Dialect.V1_15: _PREDICATES_V1_15, Dialect.V1_17: _PREDICATES_V1_17}
