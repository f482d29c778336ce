"""Functions on lists and maps."""

from __future__ import annotations

from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.expr.access import fetch
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.functions.spec import (
    Check,
    Function,
    Run,
    expect_count,
    one_argument,
)
from rollout_runner.argo.expr.functions.spec import shown as shown_type
from rollout_runner.argo.expr.gotext import format_value
from rollout_runner.argo.expr.gotypes import (
    ANY,
    ANY_MAP,
    FLOATS,
    INT,
    INTS,
    LIST,
    STRING,
    STRINGS,
    GoType,
    Kind,
    func,
)
from rollout_runner.argo.expr.operators import any_key, equal, less, lookup
from rollout_runner.argo.expr.values import (
    MAPS,
    SLICES,
    AnyMap,
    NilSlice,
    Pair,
    Pairs,
    kind_name,
    to_int,
    type_name,
    utf8,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rollout_runner.argo.expr.frame import Frame

LISTS = frozenset({Kind.INTERFACE, Kind.SLICE})
_SIZED = LISTS | {Kind.MAP, Kind.STRING}
_MAPS = frozenset({Kind.INTERFACE, Kind.MAP})
_COUNTS = frozenset({Kind.INTERFACE, Kind.INT, Kind.INT64})


def _length(dialect: Dialect) -> Run:
    """Count elements, or a string's characters (its bytes, in the older library)."""

    def run(_frame: Frame, args: Sequence[Any]) -> int:
        value = args[0]
        if type(value) in SLICES or type(value) in MAPS:
            return len(value)
        if type(value) is str:
            return len(value) if dialect is Dialect.V1_17 else len(utf8(value))
        raise ConditionError(f"invalid argument for len (type {type_name(value)})")

    return run


def need_list(verb: str, value: Any) -> Any:
    """Refuse what is no list."""
    if type(value) not in SLICES:
        raise ConditionError(f"cannot {verb} {kind_name(value)}")
    return value


def _need_map(verb: str, value: Any) -> Any:
    if type(value) not in MAPS:
        raise ConditionError(f"cannot {verb} {kind_name(value)}")
    return value


def _end(name: str, position: int) -> Function:
    """Define `first` or `last`, which give nil where there is no element."""

    def check(args: Sequence[GoType]) -> GoType:
        expect_count(args, 1)
        if args[0].kind is Kind.SLICE and args[0].elem is not None:
            return args[0].elem
        if args[0].kind is Kind.INTERFACE:
            return ANY
        raise ConditionError(f"cannot get {name} element from {shown_type(args[0])}")

    def run(_frame: Frame, args: Sequence[Any]) -> Any:
        try:
            return fetch(args[0], position, Dialect.V1_17)
        except ConditionError:
            return None

    return Function(name=name, run=run, check=check)


def _get(_frame: Frame, args: Sequence[Any]) -> Any:
    """Fetch a member; nil where there is none."""
    base, key = args
    if type(base) in MAPS:
        return lookup(base, key)
    if type(base) in SLICES or type(base) is str:
        length = len(base) if type(base) in SLICES else len(utf8(base))
        if -length <= to_int(key) < length:
            return fetch(base, key, Dialect.V1_17)
    return None


def _check_take(args: Sequence[GoType]) -> GoType:
    expect_count(args, 2)
    if args[0].kind not in LISTS:
        raise ConditionError(f"cannot take from {shown_type(args[0])}")
    if args[1].kind not in _COUNTS:
        raise ConditionError(f"cannot take {shown_type(args[1])} elements")
    return args[0]


def _take(_frame: Frame, args: Sequence[Any]) -> Any:
    items, count = args
    if type(items) not in SLICES:
        raise ConditionError(f"cannot take from {kind_name(items)}")
    if not isinstance(count, int) or isinstance(count, bool):
        raise ConditionError(f"cannot take {kind_name(count)} elements")
    if count < 0:
        raise ConditionError("reflect.Value.Slice: slice index out of bounds")
    taken = items[:count]
    return taken if type(items) is range else type(items)(taken)


def _entries(mapping: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(mapping, AnyMap):
        return ((key, value) for (_, key), value in mapping.items())
    return iter(mapping.items())


def _keys(_frame: Frame, args: Sequence[Any]) -> list[Any]:
    return [key for key, _ in _entries(_need_map("get keys from", args[0]))]


def _values(_frame: Frame, args: Sequence[Any]) -> list[Any]:
    return [value for _, value in _entries(_need_map("get values from", args[0]))]


def _to_pairs(_frame: Frame, args: Sequence[Any]) -> Pairs:
    mapping = args[0]
    if type(mapping) not in MAPS:
        raise ConditionError(f"cannot transform {kind_name(mapping)} to pairs")
    return Pairs(Pair(entry) for entry in _entries(mapping))


def _from_pairs(_frame: Frame, args: Sequence[Any]) -> AnyMap:
    if type(args[0]) not in SLICES:
        raise ConditionError(f"cannot transform {format_value(args[0])} from pairs")
    made = AnyMap()
    for pair in args[0]:
        if type(pair) not in SLICES:
            raise ConditionError(f"invalid pair {format_value(pair)}")
        if len(pair) != 2:
            raise ConditionError(f"invalid pair length {format_value(pair)}")
        made[any_key(pair[0])] = pair[1]
    return made


def _reverse(frame: Frame, args: Sequence[Any]) -> list[Any]:
    items = need_list("reverse", args[0])
    frame.grow(len(items))
    return list(items[::-1])


def _unique(_frame: Frame, args: Sequence[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in need_list("uniq", args[0]):
        if not any(equal(item, other) for other in kept):
            kept.append(item)
    return kept


def _check_concat(args: Sequence[GoType]) -> GoType:
    if not args:
        raise ConditionError("invalid number of arguments (expected at least 1, got 0)")
    for arg in args:
        if arg.kind not in LISTS:
            raise ConditionError(f"cannot concat {shown_type(arg)}")
    return LIST


def _concat(frame: Frame, args: Sequence[Any]) -> list[Any]:
    joined = [item for items in args for item in need_list("concat", items)]
    frame.grow(len(joined))
    return joined or NilSlice()


def _flatten(frame: Frame, args: Sequence[Any]) -> list[Any]:
    flat = list(_leaves(need_list("flatten", args[0])))
    frame.grow(len(flat))
    return flat


def _leaves(items: Any) -> Iterator[Any]:
    for item in items:
        if type(item) in SLICES:
            yield from _leaves(item)
        else:
            yield item


def sort_by(items: Sequence[Any], values: Sequence[Any], *, descending: bool) -> list[Any]:
    """Order items by their values; values that do not compare are an error."""

    def order(one: int, other: int) -> int:
        a, b = values[one], values[other]
        if less(a, b):
            return 1 if descending else -1
        if less(b, a):
            return -1 if descending else 1
        return 0

    return [items[index] for index in sorted(range(len(items)), key=cmp_to_key(order))]


def is_descending(order: Any) -> bool:
    """Read the order argument of `sort`."""
    if type(order) is not str:
        raise ConditionError(f"sort order argument must be a string (got {type_name(order)})")
    if order not in {"asc", "desc"}:
        raise ConditionError(f"invalid order {order}, expected asc or desc")
    return order == "desc"


def _sort(frame: Frame, args: Sequence[Any]) -> list[Any]:
    items = args[0] if type(args[0]) in SLICES - {Pair, Pairs} else NilSlice()
    descending = len(args) > 1 and is_descending(args[1])
    frame.grow(len(items))
    return sort_by(items, items, descending=descending) or NilSlice()


def _check_lists(refusal: str, returns: GoType = LIST) -> Check:
    return one_argument(refusal, LISTS, returns)


def length_function(dialect: Dialect) -> Function:
    """Define `len`."""
    check = one_argument("invalid argument for len (type {})", _SIZED, INT)
    return Function(name="len", run=_length(dialect), check=check)


COMMON = (
    _end("first", 0),
    _end("last", -1),
    Function(name="take", run=_take, check=_check_take),
    Function(name="keys", run=_keys, check=one_argument("cannot get keys from {}", _MAPS, LIST)),
    Function(
        name="values", run=_values, check=one_argument("cannot get values from {}", _MAPS, LIST)
    ),
    Function(
        name="toPairs",
        run=_to_pairs,
        check=one_argument("cannot transform {} to pairs", _MAPS, LIST),
    ),
    Function(
        name="fromPairs",
        run=_from_pairs,
        check=_check_lists("cannot transform {} from pairs", ANY_MAP),
    ),
)

FUNCTIONS = (
    *COMMON,
    length_function(Dialect.V1_17),
    Function(name="get", run=_get),
    Function(name="reverse", run=_reverse, check=_check_lists("cannot reverse {}")),
    Function(name="uniq", run=_unique, check=_check_lists("cannot uniq {}")),
    Function(name="concat", run=_concat, check=_check_concat),
    Function(name="flatten", run=_flatten, check=_check_lists("cannot flatten {}")),
    Function(
        name="sort",
        run=_sort,
        overloads=tuple(
            func(*params, returns=LIST)
            for params in (
                (LIST, STRING),
                (INTS, STRING),
                (FLOATS, STRING),
                (STRINGS, STRING),
                (LIST,),
                (FLOATS,),
                (STRINGS,),
                (INTS,),
            )
        ),
    ),
)
