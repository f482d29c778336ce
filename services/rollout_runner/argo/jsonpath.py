"""The JSONPath dialect of kubectl and of Argo's web provider: what it selects.

>>> compile_path("{$.list[?(@.name=='y')].value}").first(
...     {"list": [{"name": "x", "value": 1.0}, {"name": "y", "value": 2.0}]})
2.0

A missing key is an error, and so is an index out of range. JSON numbers are floats and a literal
such as 1 is an int; comparing the two is an error (`1.0` is the way to write it). Go walks the
members of an object in random order; here it is the order of the document.

Rules: util/jsonpath/jsonpath.go of k8s.io/client-go v0.34 (Apache-2.0), as set up by
metricproviders/webmetric of argoproj/argo-rollouts.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.expr.gotext import format_value
from rollout_runner.argo.expr.values import Uint8, type_name, utf8
from rollout_runner.argo.jsonpath_parser import (
    Block,
    Field,
    Filter,
    Identifier,
    JsonPathError,
    Part,
    Slice,
    Text,
    Union,
    Value,
    Wildcard,
    parse_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["JsonPathCrashError", "JsonPathError", "NoResultError", "Path", "compile_path"]


class NoResultError(JsonPathError):
    """The path is right but selects nothing."""


class JsonPathCrashError(JsonPathError):
    """The controller would not survive this: client-go panics on a document that is null."""


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path."""

    text: str
    parts: tuple[Part, ...]

    def first(self, document: Any) -> Any:
        """Return the first value of the first expression that selects one.

        Args:
            document: decoded JSON, from `gojson.decode`.

        Raises:
            JsonPathError: the path does not fit the document.
            NoResultError: nothing is selected.
            JsonPathCrashError: the document is null and the path selects it.
        """
        results = _Walk(self.parts).results(0, document)
        for values in results:
            for value in values:
                if value is _NOTHING:
                    raise JsonPathCrashError("the body is null, and the jsonPath selects all of it")
                return value
        raise NoResultError("no value")


@lru_cache(maxsize=1024)
def compile_path(text: str) -> Path:
    """Parse a path.

    Raises:
        JsonPathError: with client-go's message; Argo cannot make the provider then.
    """
    return Path(text, parse_path(text))


class _Nothing:
    """The document null itself, which is less than a null inside of a document."""


_NOTHING = _Nothing()


class _SelectError(JsonPathError):
    """An error on the way, with what had been selected when it struck.

    A filter that asks whether something exists looks at that selection and not at the error.
    """

    def __init__(self, message: str, selected: Sequence[Any]) -> None:
        super().__init__(message)
        self.selected = selected


class _Walk:
    """One evaluation: it counts the ranges that are open."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self._parts = parts
        self._begun = 0
        self._open = 0
        self._ended = 0
        self._last_end = -1

    def results(self, start: int, document: Any) -> list[list[Any]]:
        """Return the values of each part of the template from `start` on."""
        current = [_NOTHING if document is None else document]
        collected: list[list[Any]] = []
        index = start
        while index < len(self._parts):
            values = self._select(current, self._parts[index])
            if 0 < self._ended <= self._open:
                self._ended -= 1
                self._last_end = index
                break
            if self._begun:
                collected.extend(self._range(index + 1, values))
                index = max(self._last_end, index) + 1
                continue
            collected.append(values)
            index += 1
        return collected

    def _range(self, start: int, values: list[Any]) -> list[list[Any]]:
        """Run what stands between `range` and `end` for each value (once on nothing if none)."""
        self._begun -= 1
        self._open += 1
        collected: list[list[Any]] = []
        for value in values:
            if value is _NOTHING:
                raise JsonPathCrashError("the body is null, which the jsonPath ranges over")
            collected.extend(self.results(start, value))
        if not values:
            self.results(start, None)
        self._open -= 1
        return collected

    def _select(self, values: list[Any], part: Part) -> list[Any]:
        match part:
            case Block(parts=parts):
                for inner in parts:
                    values = self._select(values, inner)
                return values
            case Identifier(name=name):
                return self._identifier(values, name)
            case Union(blocks=blocks):
                return [value for block in blocks for value in self._select(values, block)]
            case Filter():
                return self._filter(values, part)
            case _:
                return _pick(values, part)

    def _identifier(self, values: list[Any], name: str) -> list[Any]:
        if name == "range":
            self._begun += 1
            return values
        if name == "end":
            if not self._open:
                raise _SelectError("not in range, nothing to end", [])
            self._ended += 1
            return []
        raise _SelectError(f"unrecognized identifier {name}", values)

    def _filter(self, values: list[Any], part: Filter) -> list[Any]:
        kept: list[Any] = []
        for value in values:
            if not isinstance(value, list):
                shown = "<invalid reflect.Value>" if value is _NOTHING else format_value(value)
                raise _SelectError(f"{shown} is not array or slice and cannot be filtered", values)
            kept.extend(item for item in value if self._passes(item, part, values, kept))
        return kept

    def _passes(self, item: Any, part: Filter, values: list[Any], kept: list[Any]) -> bool:
        if part.operator == "exists":
            try:
                return bool(self._select([item], part.left))
            except _SelectError as fault:
                return bool(fault.selected)
        try:
            sides = [self._select([item], side) for side in (part.left, part.right)]
        except _SelectError as fault:
            raise _SelectError(str(fault), values) from None
        for side in sides:
            if not side:
                return False
            if len(side) > 1:
                raise _SelectError("can only compare one element at a time", values)
        compare = _COMPARISONS.get(part.operator)
        if compare is None:
            raise _SelectError(f"unrecognized filter operator {part.operator}", kept)
        return compare(sides[0][0], sides[1][0])


def _pick(values: list[Any], part: Part) -> list[Any]:
    """Select by name, position or wildcard, or give a literal."""
    match part:
        case Text(text=text):
            return [text]
        case Value(value=value):
            return [value] * len(values)
        case Field(name=name):
            return _fields(values, name)
        case Slice():
            return _slices(values, part)
        case Wildcard():
            return [member for value in values for member in _members(value)]
        case _:
            return _descend(values)


def _fields(values: list[Any], name: str) -> list[Any]:
    if not values:
        return []
    found = [value[name] for value in values if isinstance(value, dict) and name in value]
    if not found:
        raise _SelectError(f"{name} is not found", [])
    return found


def _slices(values: list[Any], part: Slice) -> list[Any]:
    selected: list[Any] = []
    for value in values:
        if value is None:
            continue
        if value is _NOTHING:
            raise JsonPathCrashError("the body is null, which has no elements")
        if not isinstance(value, list):
            raise _SelectError(f"{type_name(value)} is not array or slice", values)
        bounds = _bounds(part, len(value), values)
        if bounds is None:
            return selected
        selected.extend(value[bounds])
    return selected


def _bounds(part: Slice, length: int, values: list[Any]) -> slice | None:
    """Return what to take of a list, or None where no element is asked for."""
    start = part.start or 0
    stop = length if part.stop is None else part.stop
    if start < 0:
        start += length
    if stop < 0 or (stop == 0 and part.single):
        stop += length
    if start == stop:
        return None
    if not 0 <= start < length:
        raise _SelectError(f"array index out of bounds: index {start}, length {length}", values)
    if not 0 <= stop <= length:
        raise _SelectError(f"array index out of bounds: index {stop - 1}, length {length}", values)
    if start > stop:
        raise _SelectError(f"starting index {start} is greater than ending index {stop}", values)
    if part.step is not None and part.step <= 0:
        raise _SelectError("step must be > 0", values)
    return slice(start, stop, part.step)


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        return [Uint8(byte) for byte in utf8(value)]
    return []


def _descend(values: Sequence[Any]) -> list[Any]:
    """Return all values that have members, each before what is inside of it."""
    found: list[Any] = []
    for value in values:
        members = _members(value)
        if members:
            found.append(value)
            found.extend(_descend(members))
    return found


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Uint8):
        return "uint"
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind.__name__
    raise _SelectError("invalid type for comparison", [])


def _same_kind(left: Any, right: Any) -> str:
    kinds = _kind(left), _kind(right)
    if kinds[0] != kinds[1] and set(kinds) != {"int", "uint"}:
        raise _SelectError("incompatible types for comparison", [])
    return kinds[0]


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def run(left: Any, right: Any) -> bool:
        if _same_kind(left, right) == "bool":
            raise _SelectError("invalid type for comparison", [])
        return compare(left, right)

    return run


def _equal(left: Any, right: Any) -> bool:
    _same_kind(left, right)
    return bool(left == right)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
}
