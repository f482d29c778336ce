"""max, min, mean, median (and the older library's sum) over lists."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.functions.spec import Check, Function, Run, expect_count, shown
from rollout_runner.argo.expr.gotypes import ANY, FLOAT, GoType, Kind
from rollout_runner.argo.expr.operators import add, greater, less
from rollout_runner.argo.expr.values import NUMBERS, SLICES, Uint8, kind_name, to_float, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rollout_runner.argo.expr.frame import Frame

_LISTS = frozenset({Kind.INTERFACE, Kind.SLICE})
_NUMERIC = frozenset({Kind.FLOAT, Kind.INT, Kind.INT64, Kind.UINT8})


def _check(name: str) -> Check:
    """Accept numbers and, from the first list or unknown value on, anything."""

    def check(args: Sequence[GoType]) -> GoType:
        if not args:
            raise ConditionError(f"not enough arguments to call {name}")
        for arg in args:
            if arg.kind in _LISTS:
                return ANY
            if arg.kind not in _NUMERIC:
                raise ConditionError(f"invalid argument for {name} (type {shown(arg)})")
        return args[0]

    return check


def _extreme(name: str, is_worse: Callable[[Any, Any], bool]) -> Run:
    def of_list(items: Sequence[Any]) -> Any:
        best: Any = None
        for item in items:
            found = of_list(item) if type(item) in SLICES else item
            if type(item) not in SLICES and type(item) not in NUMBERS:
                raise ConditionError(f"invalid argument for {name} (type {type_name(item)})")
            if found is not None and (best is None or is_worse(best, found)):
                best = found
        return best

    def run(_frame: Frame, args: Sequence[Any]) -> Any:
        if len(args) == 1 and type(args[0]) not in SLICES:
            return args[0]
        return of_list(args)

    return run


def _numbers(name: str, items: Sequence[Any]) -> Iterator[float]:
    for item in items:
        if type(item) in NUMBERS:
            yield float(item)
        elif type(item) in SLICES:
            yield from _numbers(name, item)
        else:
            raise ConditionError(f"invalid argument for {name} (type {type_name(item)})")


def _mean_of(numbers: Sequence[float]) -> float:
    total = 0.0
    for number in numbers:  # in order, as Go adds: `sum` would compensate for rounding
        total += number
    return total / len(numbers) if numbers else 0.0


def _median_of(numbers: Sequence[float]) -> float:
    if not numbers:
        return 0.0
    ordered = sorted(numbers, key=lambda number: (not math.isnan(number), number))
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def _summary(name: str, operation: Callable[[Sequence[float]], float]) -> Function:
    def run(_frame: Frame, args: Sequence[Any]) -> float:
        return operation(list(_numbers(name, args)))

    return Function(name=name, run=run, check=_check(name))


FUNCTIONS = (
    Function(name="max", run=_extreme("max", less), check=_check("max")),
    Function(name="min", run=_extreme("min", greater), check=_check("min")),
    _summary("mean", _mean_of),
    _summary("median", _median_of),
)


def _check_v1_15(name: str) -> Check:
    """Accept numbers and unknown values: a list that is known to be one is refused."""

    def check(args: Sequence[GoType]) -> GoType:
        if not args:
            raise ConditionError(f"not enough arguments to call {name}")
        for arg in args:
            if arg.kind is Kind.INTERFACE:
                return ANY
            if arg.kind not in _NUMERIC:
                raise ConditionError(f"invalid argument for {name} (type {shown(arg)})")
        return args[0]

    return check


def _extreme_v1_15(is_worse: Callable[[Any, Any], bool]) -> Run:
    """Compare the arguments themselves: a list is never looked into."""

    def run(_frame: Frame, args: Sequence[Any]) -> Any:
        best: Any = None
        for arg in args:
            if best is None or is_worse(best, arg):
                best = arg
        return best

    return run


def _one_list_v1_15(
    name: str, verb: str, returns: GoType, operation: Callable[[Sequence[Any]], Any]
) -> Function:
    def check(args: Sequence[GoType]) -> GoType:
        expect_count(args, 1)
        if args[0].kind not in _LISTS:
            raise ConditionError(f"cannot {verb} {shown(args[0])}")
        return returns

    def run(_frame: Frame, args: Sequence[Any]) -> Any:
        if type(args[0]) not in SLICES:
            raise ConditionError(f"cannot {name} {kind_name(args[0])}")
        for item in args[0]:
            if type(item) not in NUMBERS - {Uint8}:
                held = "interface" if item is None else kind_name(item)
                raise ConditionError(f"cannot {name} {held}")
        return operation(args[0])

    return Function(name=name, run=run, check=check)


def _sum_v1_15(items: Sequence[Any]) -> Any:
    total: Any = 0
    for item in items:
        total = add(total, item)
    return total


FUNCTIONS_V1_15 = (
    Function(name="max", run=_extreme_v1_15(less), check=_check_v1_15("max")),
    Function(name="min", run=_extreme_v1_15(greater), check=_check_v1_15("min")),
    _one_list_v1_15("sum", "sum", ANY, _sum_v1_15),
    _one_list_v1_15("mean", "avg", FLOAT, lambda items: _mean_of(list(map(to_float, items)))),
    _one_list_v1_15(
        "median", "median", FLOAT, lambda items: _median_of(list(map(to_float, items)))
    ),
)
