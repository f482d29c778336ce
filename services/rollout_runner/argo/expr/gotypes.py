"""Go's types as the checker sees them, and which of them may meet.

A condition is compiled against the type of the actual result, so `result > 1` is refused for a
string before anything runs. What sits inside a JSON object or list is `interface {}`: unknown
until the condition runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from rollout_runner.argo.expr.values import (
    AnyMap,
    Floats,
    GoDuration,
    GoTime,
    Groups,
    Int64,
    NrdbRow,
    NrdbRows,
    Strings,
    Uint8,
)


class Kind(Enum):
    """The reflection kind of a type; UNKNOWN also stands for the type of nil."""

    UNKNOWN = auto()
    INTERFACE = auto()
    BOOL = auto()
    INT = auto()
    INT64 = auto()
    UINT8 = auto()
    FLOAT = auto()
    STRING = auto()
    SLICE = auto()
    MAP = auto()
    FUNC = auto()
    STRUCT = auto()


@dataclass(frozen=True, slots=True, eq=False)
class GoType:
    """A Go type.

    Attributes:
        name: the type as Go prints it; two types are the same type if their names are the same.
        kind: its reflection kind.
        elem: type of the elements of a slice or map.
        key: type of the keys of a map.
        content: what is known of a list's elements beyond its Go type: `[1, 2]` is an `[]any`
            that is known to hold ints.
        params, returns, variadic: a function's signature.
    """

    name: str
    kind: Kind
    elem: GoType | None = None
    key: GoType | None = None
    content: GoType | None = None
    params: tuple[GoType, ...] = ()
    returns: GoType | None = None
    variadic: bool = False


UNKNOWN = GoType("unknown", Kind.UNKNOWN)
NIL = GoType("unknown", Kind.UNKNOWN)
ANY = GoType("interface {}", Kind.INTERFACE)
BOOL = GoType("bool", Kind.BOOL)
INT = GoType("int", Kind.INT)
INT64 = GoType("int64", Kind.INT64)
UINT8 = GoType("uint8", Kind.UINT8)
FLOAT = GoType("float64", Kind.FLOAT)
STRING = GoType("string", Kind.STRING)
DURATION = GoType("time.Duration", Kind.INT64)
TIME = GoType("time.Time", Kind.STRUCT)
LIST = GoType("[]interface {}", Kind.SLICE, elem=ANY)
FLOATS = GoType("[]float64", Kind.SLICE, elem=FLOAT)
INTS = GoType("[]int", Kind.SLICE, elem=INT)
STRINGS = GoType("[]string", Kind.SLICE, elem=STRING)
MAP = GoType("map[string]interface {}", Kind.MAP, elem=ANY, key=STRING)
ANY_MAP = GoType("map[interface {}]interface {}", Kind.MAP, elem=ANY, key=ANY)
GROUPS = GoType("map[interface {}][]interface {}", Kind.MAP, elem=LIST, key=ANY)
NRDB_ROW = GoType("nrdb.NRDBResult", Kind.MAP, elem=ANY, key=STRING)
NRDB_ROWS = GoType("[]nrdb.NRDBResult", Kind.SLICE, elem=NRDB_ROW)

_INTEGERS = frozenset({INT.name, INT64.name, UINT8.name})
_NILABLE = frozenset({Kind.INTERFACE, Kind.FUNC, Kind.MAP, Kind.SLICE})
_RESULT_TYPES: dict[type, GoType] = {
    type(None): NIL,
    bool: BOOL,
    int: INT,
    Int64: INT64,
    Uint8: UINT8,
    float: FLOAT,
    str: STRING,
    list: LIST,
    Floats: FLOATS,
    range: INTS,
    Strings: STRINGS,
    dict: MAP,
    AnyMap: ANY_MAP,
    Groups: GROUPS,
    NrdbRow: NRDB_ROW,
    NrdbRows: NRDB_ROWS,
    GoTime: TIME,
    GoDuration: DURATION,
}


def type_of(value: object) -> GoType:
    """Return the Go type of a result.

    Raises:
        TypeError: the value is none of those that `values` lists; no provider makes it.
    """
    found = _RESULT_TYPES.get(type(value))
    if found is None:
        raise TypeError(f"a {type(value).__name__} is no result that a metric provider can give")
    return found


def list_of(content: GoType) -> GoType:
    """Return `[]any` with known content."""
    return replace(LIST, content=content)


def slice_of(elem: GoType) -> GoType:
    """Return the Go slice type of an element type."""
    return LIST if elem is ANY else GoType(f"[]{elem.name}", Kind.SLICE, elem=elem)


def func(*params: GoType, returns: GoType, variadic: bool = False, error: bool = False) -> GoType:
    """Return a function type; `error` says that it returns an error as well."""
    names = [param.name for param in params]
    if variadic:
        names[-1] = f"...{names[-1]}"
    result = f"({returns.name}, error)" if error else returns.name
    name = f"func({', '.join(names)}) {result}"
    return GoType(name, Kind.FUNC, params=params, returns=returns, variadic=variadic)


def is_unknown(kind: GoType) -> bool:
    """Tell whether nothing is known before the condition runs."""
    return kind is UNKNOWN or kind.kind is Kind.INTERFACE


def is_integer(kind: GoType) -> bool:
    """Tell whether it is one of Go's own integer types (a duration is not)."""
    return kind.name in _INTEGERS


def is_number(kind: GoType) -> bool:
    """Tell whether it is an integer or float type."""
    return kind.kind is Kind.FLOAT or kind.name in _INTEGERS


def is_bool(kind: GoType) -> bool:
    """Tell whether it is bool."""
    return kind.kind is Kind.BOOL


def is_string(kind: GoType) -> bool:
    """Tell whether it is string."""
    return kind.kind is Kind.STRING


def is_list(kind: GoType) -> bool:
    """Tell whether it is a slice."""
    return kind.kind is Kind.SLICE


def is_time(kind: GoType) -> bool:
    """Tell whether it is time.Time."""
    return kind is TIME


def is_duration(kind: GoType) -> bool:
    """Tell whether it is time.Duration."""
    return kind is DURATION


def assignable(source: GoType, target: GoType) -> bool:
    """Tell whether Go lets a value of the source type be assigned to the target type."""
    if source is NIL:
        return target.kind in _NILABLE
    if source is UNKNOWN or target.kind is Kind.UNKNOWN:
        return False
    if target.kind is Kind.INTERFACE or source.name == target.name:
        return True
    return source.kind is Kind.MAP and {source.name, target.name} == {MAP.name, NRDB_ROW.name}
