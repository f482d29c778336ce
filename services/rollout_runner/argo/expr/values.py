"""Go values as Python values, and how Go spells their types.

| Go                       | Python                                         |
|--------------------------|------------------------------------------------|
| nil, bool, string        | None, bool, str                                |
| int, int64, uint8        | int, Int64, Uint8                              |
| float64 (every JSON number) | float                                       |
| []any, []float64         | list, Floats                                   |
| []int, []string          | range, Strings                                 |
| map[string]any           | dict                                           |
| map[any]any, map[any][]any | AnyMap, Groups (keys keep their Go type)     |
| nrdb.NRDBResult          | NrdbRow, NrdbRows for a list of them           |
| time.Time, time.Duration | GoTime, GoDuration                             |
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from rollout_runner.argo.expr.errors import ConditionError

INT_MIN = -(2**63)
INT_MAX = 2**63 - 1


class Int64(int):
    """Go's int64, which is another type than int: the result of `asInt`."""

    __slots__ = ()


class Uint8(int):
    """Go's uint8: what indexing a string gives."""

    __slots__ = ()


class Floats(list[float]):
    """Go's []float64: the samples that the Prometheus provider hands to a condition."""

    __slots__ = ()


class Strings(list[str]):
    """Go's []string: the result of `split`."""

    __slots__ = ()


class NilSlice(list[Any]):
    """A nil []any: empty, and equal to nil."""

    __slots__ = ()


class Pair(list[Any]):
    """Go's [2]any: a key and its value."""

    __slots__ = ()


class Pairs(list[Pair]):
    """Go's [][2]any: the result of `toPairs`."""

    __slots__ = ()


class NrdbRow(dict[str, Any]):
    """Go's nrdb.NRDBResult: one row of a NRQL answer."""

    __slots__ = ()


class NrdbRows(list[NrdbRow]):
    """Go's []nrdb.NRDBResult: several rows of a NRQL answer."""

    __slots__ = ()


class AnyMap(dict[tuple[type, Any], Any]):
    """Go's map[any]any: the key is stored with its type, because 1, 1.0 and true are three keys."""

    __slots__ = ()


class Groups(AnyMap):
    """Go's map[any][]any: the result of `groupBy`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class GoDuration:
    """Go's time.Duration."""

    nanoseconds: int


@dataclass(frozen=True, slots=True, order=True)
class GoTime:
    """Go's time.Time: nanoseconds since the Unix epoch, read in UTC."""

    nanoseconds: int


NUMBERS = frozenset({int, float, Int64, Uint8})
"""Python types that hold Go numbers (bool is none of them)."""

SLICES = frozenset({list, Floats, Strings, range, NilSlice, Pair, Pairs, NrdbRows})
MAPS = frozenset({dict, NrdbRow, AnyMap, Groups})

_TYPE_NAMES: dict[type, str] = {
    type(None): "<nil>",
    bool: "bool",
    int: "int",
    Int64: "int64",
    Uint8: "uint8",
    float: "float64",
    str: "string",
    list: "[]interface {}",
    NilSlice: "[]interface {}",
    Floats: "[]float64",
    Strings: "[]string",
    range: "[]int",
    Pair: "[2]interface {}",
    Pairs: "[][2]interface {}",
    NrdbRow: "nrdb.NRDBResult",
    NrdbRows: "[]nrdb.NRDBResult",
    dict: "map[string]interface {}",
    AnyMap: "map[interface {}]interface {}",
    Groups: "map[interface {}][]interface {}",
    GoTime: "time.Time",
    GoDuration: "time.Duration",
}


def type_name(value: object) -> str:
    """Spell the Go type of a value as `%T` does."""
    return _TYPE_NAMES.get(type(value), "func")


def kind_name(value: object) -> str:
    """Spell the reflection kind of a value as Go's panics do."""
    if value is None:
        return "invalid"
    kind = type(value)
    if kind is Pair:
        return "array"
    if kind in SLICES:
        return "slice"
    if kind in MAPS:
        return "map"
    named = {GoTime: "struct", GoDuration: "int64"}
    return named.get(kind) or type_name(value)


def is_nil(value: object) -> bool:
    """Tell whether Go calls the value nil (an empty list is not)."""
    return value is None or type(value) is NilSlice


def conversion_panic(value: object, wanted: str) -> ConditionError:
    """Build the error of a failed Go type assertion on a value of unknown type."""
    held = "nil" if value is None else type_name(value)
    return ConditionError(f"interface conversion: interface {{}} is {held}, not {wanted}")


def need_bool(value: object) -> bool:
    """Assert that a value is a bool."""
    if value is True or value is False:
        return value
    raise conversion_panic(value, "bool")


def need_string(value: object) -> str:
    """Assert that a value is a string."""
    if type(value) is str:
        return value
    raise conversion_panic(value, "string")


def wrap(number: int) -> int:
    """Wrap an integer around at 64 bits, as Go's int does."""
    if INT_MIN <= number <= INT_MAX:
        return number
    return (number - INT_MIN) % 2**64 + INT_MIN


def truncate(number: float) -> int:
    """Convert a float64 to int as amd64 does: NaN and what does not fit become the minimum."""
    if not math.isfinite(number) or not float(INT_MIN) <= number < -float(INT_MIN):
        return INT_MIN
    return int(number)


def to_int(value: Any) -> int:
    """Convert any number to int."""
    kind = type(value)
    if kind is float:
        return truncate(value)
    if kind in NUMBERS:
        return int(value)
    raise ConditionError(f"invalid operation: int({type_name(value)})")


def to_float(value: Any) -> float:
    """Convert any number to float64."""
    if type(value) in NUMBERS:
        return float(value)
    raise ConditionError(f"invalid operation: float({type_name(value)})")


def utf8(text: str) -> bytes:
    """Give the bytes of a Go string; a cut character stays as it was cut."""
    return text.encode("utf-8", "surrogateescape")


def from_utf8(data: bytes) -> str:
    """Read a Go string from its bytes, keeping what is no UTF-8."""
    return data.decode("utf-8", "surrogateescape")
