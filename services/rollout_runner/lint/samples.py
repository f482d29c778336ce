"""Results that a provider could give: what conditions are tried on.

The Go types of results: spec of the providers in `rollout_runner.argo`; a web provider gives what
its jsonPath selects, Prometheus a list of floats or one float, New Relic a row or a list of rows.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo.expr import Floats, NrdbRow, NrdbRows, nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rollout_runner.lint.world import MetricAt

_WHOLE: Final = frozenset({"", "{$}", "{@}", "{}", "{ $ }"})
_SCALAR_QUERY: Final = re.compile(r"\s*(scalar\s*\(|[0-9.]+\s*$)")
_SEVERAL_ROWS: Final = re.compile(r"\b(FACET|TIMESERIES|COMPARE\s+WITH)\b", re.IGNORECASE)
_NAN: Final = math.nan
_MOST_FIELDS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Values of every type that the result may have; `whole` if it is a whole JSON document."""

    typical: tuple[Any, ...]
    whole: bool = False
    provider: str = ""


def shapes_of(each: MetricAt) -> Shapes | None:
    """Return the types of a metric's result; None where conditions are not evaluated or unknown."""
    if len(each.metric.provider_names) != 1:
        return None
    provider = each.metric.provider_names[0]
    read = _READERS.get(provider)
    block = each.block(provider)
    return None if read is None or block is None else read(block)


def _web(block: dict[str, Any]) -> Shapes | None:
    path = str(block.get("jsonPath") or "")
    if path and not path.startswith("{"):
        return None  # a literal text: the jsonPath itself is wrong
    if path.strip() in _WHOLE:
        return Shapes(typical=({}, [], "", 0.0, True), whole=True, provider="web")
    return Shapes(typical=(0.0, "", True, {}, [], None), provider="web")


def _prometheus(block: dict[str, Any]) -> Shapes:
    scalar = _SCALAR_QUERY.match(str(block.get("query") or "")) and not block.get("rangeQuery")
    return Shapes(typical=(0.0,) if scalar else (Floats([0.0]),), provider="prometheus")


def _new_relic(block: dict[str, Any]) -> Shapes:
    several = _SEVERAL_ROWS.search(str(block.get("query") or ""))
    rows = NrdbRows([NrdbRow()]) if several else NrdbRow()
    return Shapes(typical=(rows,), provider="newRelic")


_READERS: Final[dict[str, Callable[[dict[str, Any]], Shapes | None]]] = {
    "web": _web,
    "prometheus": _prometheus,
    "newRelic": _new_relic,
    "datadog": lambda _: Shapes(typical=(0.0, None), provider="datadog"),
}


@dataclass(slots=True)
class Mentioned:
    """What a condition speaks of: paths below `result`, and the literals that it compares with."""

    paths: list[tuple[str | int, ...]] = field(default_factory=list)
    literals: list[Any] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    has_predicate: bool = False
    has_pattern: bool = False


def mentioned(tree: nodes.Node) -> Mentioned:
    """Return what a condition speaks of."""
    found = Mentioned()
    _look(tree, found)
    return found


def _look(node: nodes.Node, found: Mentioned) -> None:
    path = _path(node)
    if path is not None:
        found.paths.append(path)
        found.names.add("result")
        return
    if isinstance(node, nodes.Literal):
        found.literals.append(node.value)
    elif isinstance(node, nodes.Identifier):
        found.names.add(node.name)
    elif isinstance(node, nodes.Builtin):
        found.functions.add(node.name)
    elif isinstance(node, nodes.Call) and isinstance(node.callee, nodes.Identifier):
        found.functions.add(node.callee.name)
    elif isinstance(node, nodes.Binary):
        found.has_pattern |= node.operator in {"matches", "contains", "startsWith", "endsWith"}
    found.has_predicate |= isinstance(node, nodes.Predicate | nodes.Pointer)
    for child in children(node):
        _look(child, found)


def _path(node: nodes.Node) -> tuple[str | int, ...] | None:
    """Return the path of `result.a[0].b`; None for anything else."""
    if isinstance(node, nodes.Chain):
        return _path(node.path)
    if isinstance(node, nodes.Identifier) and node.name == "result":
        return ()
    if isinstance(node, nodes.Member):
        base = _path(node.base)
        key = node.key.value if isinstance(node.key, nodes.Literal) else None
        if base is not None and isinstance(key, str | int) and not isinstance(key, bool):
            return (*base, key)
    return None


def children(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield the nodes right below one."""
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        yield from _nodes_in(value)


def _nodes_in(value: Any) -> Iterator[nodes.Node]:
    if isinstance(value, nodes.Node):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _nodes_in(each)


def walk(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield a node and all below it."""
    yield node
    for child in children(node):
        yield from walk(child)


def leaves(found: Mentioned) -> list[Any]:
    """Return values around everything that a condition compares with."""
    values: list[Any] = [None, True, False, 0.0, 1.0, -1.0, "", "other", [], {}]
    for literal in found.literals:
        if isinstance(literal, bool):
            continue
        if isinstance(literal, int | float):
            number = float(literal)
            values += [number, number - 0.5, number + 0.5, number * 2 + 1, -number - 1]
        elif isinstance(literal, str):
            values.append(literal)
    values += [[each] for each in values if isinstance(each, float)]
    return values


def documents(found: Mentioned, shapes: Shapes) -> Iterator[Any]:
    """Yield results of every kind that the provider may give, with the values of `leaves`."""
    values = leaves(found)
    if shapes.provider == "prometheus":
        yield from _samples(shapes, [each for each in values if isinstance(each, float)])
        return
    paths = [path for path in found.paths if path]
    if not paths:
        yield from values
        return
    wrap = NrdbRow if shapes.provider == "newRelic" else dict
    for assigned in _assignments(len(paths), values):
        built = _built(paths, assigned)
        if built is not None:
            yield wrap(built) if isinstance(built, dict) else built
    yield wrap({})


def _samples(shapes: Shapes, numbers: list[float]) -> Iterator[Any]:
    if not any(isinstance(each, Floats) for each in shapes.typical):
        yield from (*numbers, _NAN)
        return
    yield from (Floats([each]) for each in (*numbers, _NAN))
    yield from (Floats([one, two]) for one in numbers for two in numbers[:6])
    yield Floats([])


def _assignments(fields: int, values: list[Any]) -> Iterator[list[Any]]:
    """Yield values for a number of fields: alike first, then one against a few of the others."""
    for value in values:
        yield [value] * fields
    if not 1 < fields <= _MOST_FIELDS:
        return
    few = [each for each in values if isinstance(each, float | str) and each != ""]
    for at in range(fields):
        for value in few:
            for rest in few[:8]:
                yield [value if index == at else rest for index in range(fields)]


def _built(paths: list[tuple[str | int, ...]], values: list[Any]) -> Any:
    """Return a document with values at paths; None where two paths contradict each other."""
    root: Any = None
    for path, value in zip(paths, values, strict=True):
        root = _put(root, path, value)
        if root is _CLASH:
            return None
    return root


_CLASH: Final = object()


def _put(base: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value if base is None else base
    head, rest = path[0], path[1:]
    if isinstance(head, str):
        base = {} if base is None else base
        if not isinstance(base, dict):
            return _CLASH
        inner = _put(base.get(head), rest, value)
        return _CLASH if inner is _CLASH else {**base, head: inner}
    base = [] if base is None else base
    if not isinstance(base, list) or not -8 <= head <= 8:
        return _CLASH
    at = max(head, 0)
    grown = base + [None] * (at + 1 - len(base))
    inner = _put(grown[at], rest, value)
    if inner is _CLASH:
        return _CLASH
    grown[at] = inner
    return grown


def without_data(found: Mentioned, shapes: Shapes) -> Iterator[tuple[str, Any]]:
    """Yield what a source gives that has no data, each with words for it."""
    if shapes.provider == "prometheus":
        if any(isinstance(each, Floats) for each in shapes.typical):
            yield "an empty vector", Floats([])
            yield "NaN (0/0, no traffic)", Floats([_NAN])
        else:
            yield "NaN (0/0, no traffic)", _NAN
        return
    paths = [path for path in found.paths if path]
    if shapes.provider == "newRelic":
        names = {str(path[0]): None for path in paths if isinstance(path[0], str)}
        if names:
            yield "a row whose fields are null", NrdbRow(names)
        return
    if shapes.provider == "datadog":
        yield "null", None
        return
    if shapes.whole:
        yield "an object without the field", {"error": "no data"}
        nulls = _built(paths, [None] * len(paths)) if paths else None
        if isinstance(nulls, dict):
            yield "a field that is null", nulls
        yield "an empty list", []
        return
    yield "null", None
    yield "an empty list", []
    yield "an empty object", {}
