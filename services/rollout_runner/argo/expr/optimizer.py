"""Rewrites that the library applies before it runs a condition.

They are kept because they are visible: `x && false` is false even where `x` is an error,
`result.score && true` becomes `result.score`, `filter(list, p)[0]` stops at the first match, and
`x in ["a", "b"]` looks into a set, where a number is an error.

Rules: optimizer/*.go of expr-lang/expr v1.17.8 and antonmedv/expr v1.15.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any

from rollout_runner.argo.expr import nodes
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.folding import fold
from rollout_runner.argo.expr.gotypes import GoType, Kind
from rollout_runner.argo.expr.residue import children

Types = dict[nodes.Node, GoType]
Rewrite = Callable[[nodes.Node], nodes.Node | None]
_FOLD_LIMIT = 1000


def optimize(tree: nodes.Node, types: Types, dialect: Dialect) -> nodes.Node:
    """Return the tree as the library would run it.

    Args:
        tree: a checked tree.
        types: the types of its nodes; rewritten nodes are added.
        dialect: which library.

    Raises:
        ConditionError: a constant remainder divides by zero.
    """
    optimizer = _Optimizer(types)
    tree = optimizer.walk(tree, optimizer.constant_members)
    for _ in range(_FOLD_LIMIT):
        folded = optimizer.walk(tree, partial(fold, dialect=dialect))
        if folded is tree:
            break
        tree = folded
    passes: list[Rewrite] = [
        optimizer.constant_range,
        _filter_map,
        _filter_length,
        _filter_last,
        _filter_first,
    ]
    if dialect is Dialect.V1_17:
        passes += [_combine, _sum_of_list, _sum_of_map, _count_any, _count_threshold]
    for rewrite in passes:
        tree = optimizer.walk(tree, rewrite)
    return tree


class _Optimizer:
    def __init__(self, types: Types) -> None:
        self._types = types

    def walk(self, node: nodes.Node, rewrite: Rewrite) -> nodes.Node:
        """Rewrite a tree from its leaves up; an untouched tree is returned as it is."""
        changes: dict[str, Any] = {}
        for part in fields(node):
            before = getattr(node, part.name)
            after = self._walk_part(before, rewrite)
            if after is not before:
                changes[part.name] = after
        walked = replace(node, **changes) if changes else node
        result = rewrite(walked) or walked
        if result is not node and node in self._types:
            self._types.setdefault(result, self._types[node])
        return result

    def _walk_part(self, part: Any, rewrite: Rewrite) -> Any:
        if isinstance(part, nodes.Node):
            return self.walk(part, rewrite)
        if isinstance(part, tuple):
            walked = tuple(self._walk_part(item, rewrite) for item in part)
            changed = any(new is not old for new, old in zip(walked, part, strict=True))
            return walked if changed else part
        return part

    def constant_members(self, node: nodes.Node) -> nodes.Node | None:
        """Turn `x in ["a", "b"]` into a look-up in a set of strings, or of ints for an int x."""
        match node:
            case nodes.Binary(operator="in", left=left, right=nodes.Array(nodes=items)) if items:
                values = [item.value for item in items if isinstance(item, nodes.Literal)]
                if len(values) != len(items):
                    return None
                strings = dict.fromkeys(value for value in values if isinstance(value, str))
                ints = frozenset(value for value in values if type(value) is int)
                left_is_int = left in self._types and self._types[left].kind is Kind.INT
                if left_is_int and all(type(value) is int for value in values):
                    return replace(node, right=nodes.Constant(ints))
                if all(isinstance(value, str) for value in values):
                    return replace(node, right=nodes.Constant(strings))
        return None

    def constant_range(self, node: nodes.Node) -> nodes.Node | None:
        """Turn `x in 1..10` into two comparisons if x is known to be an int."""
        match node:
            case nodes.Binary(
                operator="in",
                left=left,
                right=nodes.Binary(
                    operator="..",
                    left=nodes.Literal(value=int()) as start,
                    right=nodes.Literal(value=int()) as stop,
                ),
            ):
                kind = self._types.get(left)
                if kind is not None and kind.kind is Kind.INT:
                    above = nodes.Binary(">=", left, start)
                    return nodes.Binary("and", above, nodes.Binary("<=", left, stop))
        return None


def _uses_index(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Pointer):
        return node.name == "index"
    return any(map(_uses_index, children(node)))


def _filter_map(node: nodes.Node) -> nodes.Node | None:
    """Turn map(filter(list, p), f) into one walk."""
    match node:
        case nodes.Builtin(
            name="map",
            arguments=(
                nodes.Builtin(name="filter", mapped=None) as inner,
                nodes.Predicate(body=body) as predicate,
            ),
        ) if not _uses_index(predicate):
            return replace(inner, mapped=body)
    return None


def _filter_length(node: nodes.Node) -> nodes.Node | None:
    """Turn len(filter(list, p)) into a count."""
    match node:
        case nodes.Builtin(name="len", arguments=(nodes.Builtin(name="filter") as inner,)):
            return nodes.Builtin("count", inner.arguments)
    return None


def _filter_end(node: nodes.Node, position: int, end: str, find: str) -> nodes.Node | None:
    match node:
        case nodes.Member(
            base=nodes.Builtin(name="filter") as inner,
            key=nodes.Literal(value=int() as index),
            optional=False,
        ) if index == position and not isinstance(index, bool):
            return nodes.Builtin(find, inner.arguments, inner.mapped, throws=True)
        case nodes.Builtin(name=name, arguments=(nodes.Builtin(name="filter") as inner,)) if (
            name == end
        ):
            return nodes.Builtin(find, inner.arguments, inner.mapped)
    return None


def _filter_first(node: nodes.Node) -> nodes.Node | None:
    """Turn filter(list, p)[0] and first(filter(list, p)) into a search."""
    return _filter_end(node, 0, "first", "find")


def _filter_last(node: nodes.Node) -> nodes.Node | None:
    """Turn filter(list, p)[-1] and last(filter(list, p)) into a search from the end."""
    return _filter_end(node, -1, "last", "findLast")


_COMBINED = {
    ("all", "and"): "and",
    ("all", "&&"): "&&",
    ("any", "or"): "or",
    ("any", "||"): "||",
    ("none", "and"): "or",
    ("none", "&&"): "||",
}


def _combine(node: nodes.Node) -> nodes.Node | None:
    """Turn all(x, p) and all(x, q) into all(x, p and q)."""
    match node:
        case nodes.Binary(
            operator=operator,
            left=nodes.Builtin(name=name, arguments=(collection, nodes.Predicate(body=first))),
            right=nodes.Builtin(name=other, arguments=(again, nodes.Predicate(body=second))),
        ) if name == other and (name, operator) in _COMBINED and repr(collection) == repr(again):
            both = nodes.Binary(_COMBINED[name, operator], first, second)
            body = _combine(both) or both
            return nodes.Builtin(name, (collection, nodes.Predicate(body)))
    return None


def _sum_of_list(node: nodes.Node) -> nodes.Node | None:
    """Turn sum([a, b, c]) into a + (b + c)."""
    match node:
        case nodes.Builtin(name="sum", arguments=(nodes.Array(nodes=items),)) if len(items) > 1:
            *rest, total = items
            for item in reversed(rest):
                total = nodes.Binary("+", item, total)
            return total
    return None


def _sum_of_map(node: nodes.Node) -> nodes.Node | None:
    """Turn sum(map(list, f)) into one walk."""
    match node:
        case nodes.Builtin(name="sum", arguments=(nodes.Builtin(name="map") as inner,)):
            return nodes.Builtin("sum", inner.arguments)
    return None


def _count_any(node: nodes.Node) -> nodes.Node | None:
    """Turn count(list, p) > 0 into any(list, p)."""
    match node:
        case nodes.Binary(
            operator=">" | ">=" as operator,
            left=nodes.Builtin(name="count", arguments=(_, _)) as count,
            right=nodes.Literal(value=int() as least),
        ) if not isinstance(least, bool) and least == (0 if operator == ">" else 1):
            return nodes.Builtin("any", count.arguments)
    return None


def _count_threshold(node: nodes.Node) -> nodes.Node | None:
    """Let count(list, p) > n stop when the answer is known."""
    match node:
        case nodes.Binary(
            operator=">" | ">=" | "<" | "<=" as operator,
            left=nodes.Builtin(name="count", arguments=(_, _)) as count,
            right=nodes.Literal(value=int() as bound),
        ) if not isinstance(bound, bool):
            threshold = bound + 1 if operator in {">", "<="} else bound
            if bound >= 0 and threshold > 1:
                return replace(node, left=replace(count, threshold=threshold))
    return None
