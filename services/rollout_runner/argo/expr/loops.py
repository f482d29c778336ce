"""Functions that walk a list with a predicate.

Each maker gets the node, the list, the predicate (or `#` where it is left out) and a third part:
`reduce`'s start, `sortBy`'s order, or what the optimizer makes of each match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rollout_runner.argo.expr import nodes
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.frame import Frame, Scope
from rollout_runner.argo.expr.functions.lists import sort_by
from rollout_runner.argo.expr.operators import add, any_key
from rollout_runner.argo.expr.values import Groups, need_bool

Evaluator = Callable[[Frame], Any]
Body = Callable[[Frame, Scope], Any]
Maker = Callable[[nodes.Builtin, Evaluator, Evaluator, Evaluator | None], Evaluator]


def _walk(collection: Evaluator, body: Body) -> Evaluator:
    """Run a body with a new scope over the list, and leave the outer scope as it was."""

    def run(frame: Frame) -> Any:
        outer = frame.scope
        scope = Scope(collection(frame))
        frame.scope = scope
        try:
            return body(frame, scope)
        finally:
            frame.scope = outer

    return run


def _steps(scope: Scope, start: int = 0) -> Iterable[int]:
    """Move the scope over the rest of its list."""
    for index in range(start, scope.length):
        scope.index = index
        yield index


def _quantifier(*, stop_at: bool, negate: bool = False) -> Maker:
    """Make `all`, `any` or `none`: they stop at the first predicate that decides."""

    def make(
        _node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, _extra: Evaluator | None
    ) -> Evaluator:
        def body(frame: Frame, scope: Scope) -> bool:
            for _ in _steps(scope):
                if need_bool(predicate(frame)) is stop_at:
                    return stop_at is not negate
            return stop_at is negate

        return _walk(collection, body)

    return make


def _count(
    node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, _extra: Evaluator | None
) -> Evaluator:
    threshold = node.threshold

    def body(frame: Frame, scope: Scope) -> int:
        found = 0
        for _ in _steps(scope):
            found += need_bool(predicate(frame))
            if found == threshold:
                break
        return found

    return _walk(collection, body)


def _one(
    node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, extra: Evaluator | None
) -> Evaluator:
    count = _count(node, collection, predicate, extra)
    return lambda frame: count(frame) == 1


def _filter(
    _node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, mapped: Evaluator | None
) -> Evaluator:
    def body(frame: Frame, scope: Scope) -> list[Any]:
        kept = [
            mapped(frame) if mapped else scope.item()
            for _ in _steps(scope)
            if need_bool(predicate(frame))
        ]
        frame.grow(len(kept))
        return kept

    return _walk(collection, body)


def _map(
    _node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, _extra: Evaluator | None
) -> Evaluator:
    def body(frame: Frame, scope: Scope) -> list[Any]:
        made = [predicate(frame) for _ in _steps(scope)]
        frame.grow(len(made))
        return made

    return _walk(collection, body)


def _sum(
    _node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, _extra: Evaluator | None
) -> Evaluator:
    def body(frame: Frame, scope: Scope) -> Any:
        total: Any = 0
        for _ in _steps(scope):
            total = add(predicate(frame), total)
        return total

    return _walk(collection, body)


def _find(*, backwards: bool, position: bool) -> Maker:
    def make(
        node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, mapped: Evaluator | None
    ) -> Evaluator:
        def body(frame: Frame, scope: Scope) -> Any:
            order = range(scope.length)
            for index in reversed(order) if backwards else order:
                scope.index = index
                if need_bool(predicate(frame)):
                    if backwards:
                        frame.residue = True
                    if position:
                        return index
                    return mapped(frame) if mapped else scope.item()
            if backwards:
                frame.residue = False
            if node.throws:
                raise ConditionError("reflect: slice index out of range")
            return None

        return _walk(collection, body)

    return make


def _group_by(
    _node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, _extra: Evaluator | None
) -> Evaluator:
    def body(frame: Frame, scope: Scope) -> Groups:
        groups = Groups()
        for _ in _steps(scope):
            groups.setdefault(any_key(predicate(frame)), []).append(scope.item())
        return groups

    return _walk(collection, body)


def _sort_by(
    _node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, order: Evaluator | None
) -> Evaluator:
    def body(frame: Frame, scope: Scope) -> list[Any]:
        wanted = order(frame) if order else "asc"
        if type(wanted) is not str:
            raise ConditionError("sortBy order argument must be a string")
        if wanted not in {"asc", "desc"}:
            raise ConditionError("unknown order, use asc or desc")
        items, values = [], []
        for _ in _steps(scope):
            values.append(predicate(frame))
            items.append(scope.item())
        frame.grow(len(items))
        return sort_by(items, values, descending=wanted == "desc")

    return _walk(collection, body)


def _reduce(
    _node: nodes.Builtin, collection: Evaluator, predicate: Evaluator, start: Evaluator | None
) -> Evaluator:
    def body(frame: Frame, scope: Scope) -> Any:
        if start:
            scope.accumulator = start(frame)
        elif scope.length:
            scope.accumulator = scope.item()
        else:
            raise ConditionError("reduce of empty array with no initial value")
        for _ in _steps(scope, 0 if start else 1):
            scope.accumulator = predicate(frame)
        return scope.accumulator

    return _walk(collection, body)


LOOPS: dict[str, Maker] = {
    "all": _quantifier(stop_at=False),
    "any": _quantifier(stop_at=True),
    "none": _quantifier(stop_at=True, negate=True),
    "one": _one,
    "count": _count,
    "filter": _filter,
    "map": _map,
    "sum": _sum,
    "find": _find(backwards=False, position=False),
    "findLast": _find(backwards=True, position=False),
    "findIndex": _find(backwards=False, position=True),
    "findLastIndex": _find(backwards=True, position=True),
    "groupBy": _group_by,
    "sortBy": _sort_by,
    "reduce": _reduce,
}
