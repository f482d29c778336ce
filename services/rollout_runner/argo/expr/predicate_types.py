"""The static check of functions that take a predicate: `all(list, # > 1)`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rollout_runner.argo.expr import gotypes as go
from rollout_runner.argo.expr import nodes
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotypes import GoType, func

if TYPE_CHECKING:
    from collections.abc import Callable

_TEST = func(go.ANY, returns=go.BOOL)
_MAPPING = func(go.ANY, returns=go.ANY)
_FOLD = func(go.ANY, go.ANY, returns=go.ANY)

_SHARED = {
    "all": func(go.LIST, _TEST, returns=go.BOOL),
    "none": func(go.LIST, _TEST, returns=go.BOOL),
    "any": func(go.LIST, _TEST, returns=go.BOOL),
    "one": func(go.LIST, _TEST, returns=go.BOOL),
    "filter": func(go.LIST, _TEST, returns=go.LIST),
    "map": func(go.LIST, _MAPPING, returns=go.LIST),
    "find": func(go.LIST, _TEST, returns=go.ANY),
    "findIndex": func(go.LIST, _TEST, returns=go.INT),
    "findLast": func(go.LIST, _TEST, returns=go.ANY),
    "findLastIndex": func(go.LIST, _TEST, returns=go.INT),
    "count": func(go.LIST, _TEST, returns=go.INT),
    "groupBy": func(go.LIST, _MAPPING, returns=go.GROUPS),
    "reduce": func(go.LIST, _FOLD, go.ANY, returns=go.ANY),
}
PREDICATE_FUNCTIONS: dict[Dialect, dict[str, GoType]] = {
    Dialect.V1_15: _SHARED,
    Dialect.V1_17: _SHARED
    | {
        "sum": func(go.LIST, _TEST, returns=go.INT),
        "sortBy": func(go.LIST, _TEST, go.STRING, returns=go.LIST),
    },
}
"""Functions with a predicate, with the types that their names show."""

_TESTS = frozenset(
    {
        "all",
        "none",
        "any",
        "one",
        "filter",
        "count",
        "find",
        "findLast",
        "findIndex",
        "findLastIndex",
    }
)


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


@dataclass(frozen=True, slots=True)
class _Scope:
    collection: GoType
    names: dict[str, GoType] = field(default_factory=dict)


class PredicateTypes:
    """Types of predicates and of what they are applied to."""

    def __init__(self, checker: Visitor) -> None:
        self._checker = checker
        self._scopes: list[_Scope] = []

    def pointer(self, node: nodes.Pointer) -> GoType:
        """Return the type of `#`, `#index` or `#acc`."""
        checker = self._checker
        if not self._scopes:
            raise ConditionError("cannot use pointer accessor outside predicate")
        scope = self._scopes[-1]
        if node.name:
            if node.name not in scope.names:
                raise ConditionError(f"unknown pointer #{node.name}")
            return scope.names[node.name]
        if go.is_unknown(scope.collection):
            return checker.unknown
        return checker.element(scope.collection)

    def predicate(self, node: nodes.Predicate) -> GoType:
        """Return the type that a predicate gives for one element."""
        body = self._checker.visit(node.body)
        if body is go.NIL and not self._checker.modern:
            raise ConditionError("closure cannot be nil")
        return body

    def call(self, node: nodes.Builtin) -> GoType:
        """Return the type of a call with a predicate."""
        name, arguments = node.name, node.arguments
        collection = self._checker.visit(arguments[0])
        if not go.is_list(collection) and not go.is_unknown(collection):
            raise ConditionError(
                f"builtin {name} takes only array (got {self._checker.shown(collection)})"
            )
        if len(arguments) == 1:
            return self._without_predicate(name, collection)
        outcome = self._outcome(name, collection, arguments[1])
        if len(arguments) == 3:
            extra = self._checker.visit(arguments[2])
            if name == "sortBy" and not go.is_string(extra) and not go.is_unknown(extra):
                raise ConditionError(
                    f"sortBy order argument must be a string (got {self._checker.shown(extra)})"
                )
        if outcome is go.NIL:
            inputs = "two" if name == "reduce" else "one"
            raise ConditionError(f"predicate should has {inputs} input and one output param")
        if name in _TESTS and not go.is_bool(outcome) and not go.is_unknown(outcome):
            raise ConditionError(f"predicate should return boolean (got {outcome.name})")
        return _RESULTS[name](self, collection, outcome)

    def _outcome(self, name: str, collection: GoType, predicate: nodes.Node) -> GoType:
        names: dict[str, GoType] = {}
        if name in {"map", "reduce"}:
            names["index"] = go.INT
        if name == "reduce":
            names["acc"] = self._checker.unknown
        self._scopes.append(_Scope(collection, names))
        outcome = self._checker.visit(predicate)
        self._scopes.pop()
        return outcome

    def _without_predicate(self, name: str, collection: GoType) -> GoType:
        if name == "count":
            return go.INT
        if go.is_unknown(collection):
            return self._checker.unknown
        return self._checker.element(collection)

    def _element(self, collection: GoType, _outcome: GoType) -> GoType:
        if go.is_unknown(collection):
            return self._checker.unknown
        return self._checker.element(collection)

    def _filtered(self, collection: GoType, _outcome: GoType) -> GoType:
        if go.is_unknown(collection):
            return go.LIST
        return self._list_of(self._checker.element(collection))

    def _mapped(self, _collection: GoType, outcome: GoType) -> GoType:
        return self._list_of(outcome)

    def _list_of(self, content: GoType) -> GoType:
        return go.list_of(content) if self._checker.modern else go.slice_of(content)

    def _sorted(self, collection: GoType, _outcome: GoType) -> GoType:
        return collection

    def _summed(self, _collection: GoType, outcome: GoType) -> GoType:
        return go.ANY if outcome is go.UNKNOWN else outcome


def _always(kind: GoType) -> Callable[[PredicateTypes, GoType, GoType], GoType]:
    return lambda _types, _collection, _outcome: kind


_RESULTS: dict[str, Callable[[PredicateTypes, GoType, GoType], GoType]] = {
    **dict.fromkeys(("all", "none", "any", "one"), _always(go.BOOL)),
    **dict.fromkeys(("count", "findIndex", "findLastIndex"), _always(go.INT)),
    **dict.fromkeys(("find", "findLast"), PredicateTypes._element),  # noqa: SLF001 - own class
    "filter": PredicateTypes._filtered,  # noqa: SLF001 - own class
    "map": PredicateTypes._mapped,  # noqa: SLF001 - own class
    "groupBy": _always(go.GROUPS),
    "sortBy": PredicateTypes._sorted,  # noqa: SLF001 - own class
    "sum": PredicateTypes._summed,  # noqa: SLF001 - own class
    "reduce": lambda _types, _collection, outcome: outcome,
}
