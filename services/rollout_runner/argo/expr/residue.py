"""A fault of the library that conditions can see: what `findLast` leaves on its stack.

Searching from the end, the library's virtual machine leaves a bool under the value that it finds.
Whatever was computed before is then hidden: `findLast(list, p) == 4` is right, but
`4 == findLast(list, p)` compares true with the value found. `last(filter(...))` and
`filter(...)[-1]` are rewritten to such a search. A gate that meets this in the cluster must meet it
here: the left side of an operator is replaced in the same way, and places where more than one value
would be hidden are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from rollout_runner.argo.expr import nodes
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.frame import Frame

Evaluator = Callable[[Frame], Any]
_SEARCHES = frozenset({"findLast", "findLastIndex"})


def children(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield the parts of a node in the order in which they are evaluated."""
    for part in fields(node):
        yield from _nodes_in(getattr(node, part.name))


def _nodes_in(part: object) -> Iterator[nodes.Node]:
    if isinstance(part, nodes.Node):
        yield part
    elif isinstance(part, tuple):
        for item in part:
            yield from _nodes_in(item)


def leaves_residue(node: nodes.Node) -> bool:
    """Tell whether a search from the end is anywhere in a node."""
    if isinstance(node, nodes.Builtin) and node.name in _SEARCHES:
        return True
    return any(map(leaves_residue, children(node)))


def refuse_hidden_values(node: nodes.Node) -> None:
    """Refuse a node whose parts would hide each other's values.

    Raises:
        ConditionError: a search from the end stands where only the library's fault says what
            comes out.
    """
    match node:
        case nodes.Binary(operator="and" | "&&" | "or" | "||" | "??"):
            return
        case nodes.Binary(right=last) | nodes.Member(key=last):
            hidden = leaves_residue(last) and not _comes_first(last)
        case nodes.MapLiteral():
            hidden = leaves_residue(node)
        case nodes.Builtin(name="map" | "filter"):
            hidden = any(map(leaves_residue, [*children(node)][1:]))
        case nodes.Builtin(arguments=(_, nodes.Predicate(), *_)):
            return
        case nodes.Builtin() | nodes.Call() | nodes.Array() | nodes.Slice():
            hidden = any(map(leaves_residue, [*children(node)][1:]))
        case _:
            return
    if hidden:
        raise ConditionError(
            "findLast (or last(filter(...)), or filter(...)[-1]) is supported here only as the "
            "first part of an operation; write it on the left, or use find"
        )


def _comes_first(node: nodes.Node) -> bool:
    """Tell whether the search is the only one in a node and evaluated before all else in it."""
    if isinstance(node, nodes.Builtin) and node.name in _SEARCHES:
        return not any(map(leaves_residue, children(node)))
    first, *rest = children(node)
    return not any(map(leaves_residue, rest)) and _comes_first(first)


def hide_left(left: Evaluator, right: Evaluator, operation: Callable[[Any, Any], Any]) -> Evaluator:
    """Evaluate an operation whose right side is a search from the end."""

    def run(frame: Frame) -> Any:
        before = left(frame)
        frame.residue = None
        found = right(frame)
        return operation(before if frame.residue is None else frame.residue, found)

    return run
