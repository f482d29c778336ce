"""List functions of the older library: `get` and sorting by a field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout_runner.argo.expr.access import fetch
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.functions.lists import (
    COMMON,
    LISTS,
    length_function,
    need_list,
    sort_by,
)
from rollout_runner.argo.expr.functions.spec import Check, Function, shown, shown_value
from rollout_runner.argo.expr.gotypes import LIST, GoType, Kind
from rollout_runner.argo.expr.operators import lookup
from rollout_runner.argo.expr.values import MAPS, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.argo.expr.frame import Frame


def _get(_frame: Frame, args: Sequence[Any]) -> Any:
    try:
        return fetch(args[0], args[1], Dialect.V1_15)
    except ConditionError:
        return None


def _check_sort(least: int) -> Check:
    def check(args: Sequence[GoType]) -> GoType:
        if len(args) not in {least, least + 1}:
            raise ConditionError(
                f"invalid number of arguments (expected {least} or {least + 1}, got {len(args)})"
            )
        if args[0].kind not in LISTS:
            raise ConditionError(f"cannot sort {shown(args[0])}")
        for arg in args[1:]:
            if arg.kind not in {Kind.STRING, Kind.INTERFACE}:
                raise ConditionError(
                    f"invalid argument for sort (expected string, got {shown(args[1])})"
                )
        return LIST

    return check


def _sort(_frame: Frame, args: Sequence[Any]) -> list[Any]:
    items = need_list("sort", args[0])
    return _ordered(items, [_sort_key(item, "") for item in items], args[1:])


def _sort_key(item: Any, name: str) -> Any:
    """Return what an element is ordered by: of a map, the value of a key that it must have."""
    key = lookup(item, name) if type(item) in MAPS else item
    if key is None:
        raise ConditionError("cannot deref <invalid reflect.Value>")
    return key


def _sort_by(_frame: Frame, args: Sequence[Any]) -> list[Any]:
    items = need_list("sort", args[0])
    if type(args[1]) is not str:
        raise ConditionError(
            f"invalid argument for sort (expected string, got {shown_value(args[1])})"
        )
    values = [_sort_key(item, args[1]) for item in items]
    return _ordered(items, values, args[2:])


def _ordered(items: Any, values: Sequence[Any], order: Sequence[Any]) -> list[Any]:
    descending = False
    if order:
        if order[0] not in ("asc", "desc"):
            raise ConditionError('invalid argument for sort (expected "asc" or "desc")')
        descending = order[0] == "desc"
    for value in values:
        if type(value) is not type(values[0]):
            raise ConditionError(
                "cannot sort array of different types "
                f"({type_name(value)} and {type_name(values[0])})"
            )
    return sort_by(items, values, descending=descending)


FUNCTIONS = (
    *COMMON,
    length_function(Dialect.V1_15),
    Function(name="get", run=_get),
    Function(name="sort", run=_sort, check=_check_sort(1)),
    Function(name="sortBy", run=_sort_by, check=_check_sort(2)),
)
