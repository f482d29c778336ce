"""Reaching into values: members, indexes, slices, `in`.

Rules: `Fetch`, `Slice` and `In` of vm/runtime of the expression library.
"""

from __future__ import annotations

from typing import Any

from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotext import format_value
from rollout_runner.argo.expr.operators import EQUALITY, contains_key, lookup
from rollout_runner.argo.expr.values import (
    MAPS,
    SLICES,
    Uint8,
    from_utf8,
    to_int,
    type_name,
    utf8,
)


def fetch(base: Any, key: Any, dialect: Dialect) -> Any:
    """Return `base[key]`, which is also `base.key`.

    A missing key of a map is nil; a negative index counts from the end.

    Raises:
        ConditionError: the base is nil or has no members, or the index is out of range.
    """
    kind = type(base)
    if kind in MAPS:
        return lookup(base, key)
    if kind in SLICES:
        return base[_position(len(base), key, dialect, "slice")]
    if kind is str:
        data = utf8(base)
        return Uint8(data[_position(len(data), key, dialect, "string")])
    raise ConditionError(f"cannot fetch {format_value(key)} from {type_name(base)}")


def _position(length: int, key: Any, dialect: Dialect, kind: str) -> int:
    index = to_int(key)
    if index < 0:
        index += length
    if 0 <= index < length:
        return index
    if dialect is Dialect.V1_15:
        raise ConditionError(f"reflect: {kind} index out of range")
    raise ConditionError(f"index out of range: {index} (array length is {length})")


def length_in_bytes(value: Any) -> int:
    """Return a length as the virtual machine sees it: of a string, its bytes."""
    if type(value) in SLICES or type(value) in MAPS:
        return len(value)
    if type(value) is str:
        return len(utf8(value))
    raise ConditionError(f"invalid argument for len (type {type_name(value)})")


def cut(value: Any, start: Any, stop: Any) -> Any:
    """Return `value[start:stop]`, with both ends moved inside."""
    kind = type(value)
    if kind is str:
        data = utf8(value)
        first, last = _bounds(len(data), start, stop)
        return from_utf8(data[first:last])
    if kind not in SLICES:
        raise ConditionError(f"cannot slice {format_value(start)}")
    first, last = _bounds(len(value), start, stop)
    part = value[first:last]
    return part if kind is range else kind(part)


def _bounds(length: int, start: Any, stop: Any) -> tuple[int, int]:
    first, last = to_int(start), to_int(stop)
    first = max(first + length, 0) if first < 0 else first
    last = max(last + length, 0) if last < 0 else min(last, length)
    return min(first, last), last


def contains(needle: Any, haystack: Any, dialect: Dialect) -> bool:
    """Tell whether a list has an element, or a map a key; nothing is in nil."""
    if haystack is None:
        return False
    kind = type(haystack)
    if kind in SLICES:
        same = EQUALITY[dialect]
        return any(same(item, needle) for item in haystack)
    if kind in MAPS:
        return contains_key(haystack, needle)
    raise ConditionError(f'operator "in" not defined on {type_name(haystack)}')
