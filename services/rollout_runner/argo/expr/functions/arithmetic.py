"""Functions on single numbers, and conversions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.functions.spec import Function, Run, one_argument
from rollout_runner.argo.expr.gotext import format_value, parse_float, parse_int
from rollout_runner.argo.expr.gotypes import ANY, FLOAT, INT, STRING, GoType, Kind, func
from rollout_runner.argo.expr.operators import negate
from rollout_runner.argo.expr.values import (
    MAPS,
    NUMBERS,
    SLICES,
    GoDuration,
    GoTime,
    Int64,
    NrdbRow,
    Uint8,
    to_int,
    type_name,
    wrap,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rollout_runner.argo.expr.frame import Frame

_NUMERIC = frozenset({Kind.FLOAT, Kind.INT, Kind.INT64, Kind.UINT8, Kind.INTERFACE})
_READABLE = _NUMERIC | {Kind.STRING}
_SIMPLE_NAMES: dict[type, str] = {
    type(None): "nil",
    bool: "bool",
    int: "int",
    Int64: "int",
    Uint8: "uint",
    float: "float",
    str: "string",
    NrdbRow: "github.com/newrelic/newrelic-client-go/v2/pkg/nrdb.NRDBResult",
    GoTime: "time.Time",
    GoDuration: "time.Duration",
}


def _type(_frame: Frame, args: Sequence[Any]) -> str:
    kind = type(args[0])
    if kind in _SIMPLE_NAMES:
        return _SIMPLE_NAMES[kind]
    if kind in SLICES:
        return "array"
    return "map" if kind in MAPS else "func"


def _absolute(_frame: Frame, args: Sequence[Any]) -> Any:
    value = args[0]
    if type(value) not in NUMBERS:
        raise ConditionError(f"invalid argument for abs (type {type_name(value)})")
    return negate(value) if value < 0 else value


def _rounding(name: str, operation: Callable[[float], float]) -> Run:
    def run(_frame: Frame, args: Sequence[Any]) -> float:
        value = args[0]
        if type(value) not in NUMBERS:
            raise ConditionError(f"invalid argument for {name} (type {type_name(value)})")
        number = float(value)
        return operation(number) if math.isfinite(number) else number

    return run


def _ceil(number: float) -> float:
    return math.copysign(float(math.ceil(number)), number)


def _floor(number: float) -> float:
    return math.copysign(float(math.floor(number)), number)


def _round(number: float) -> float:
    """Round half away from zero."""
    whole = math.trunc(number)
    away = 1 if abs(number - whole) >= 0.5 else 0
    return math.copysign(abs(whole) + away, number)


def _int(_frame: Frame, args: Sequence[Any]) -> int:
    value = args[0]
    if type(value) is str:
        try:
            return parse_int(value)
        except ConditionError:
            raise ConditionError(f"invalid operation: int({value})") from None
    if type(value) is GoDuration:
        return value.nanoseconds
    if value is None:
        raise ConditionError("reflect: call of reflect.Value.Type on zero Value")
    return to_int(value)


def _int_v1_15(frame: Frame, args: Sequence[Any]) -> int:
    return to_int(args[0]) if type(args[0]) is not str else _int(frame, args)


def _float(_frame: Frame, args: Sequence[Any]) -> float:
    value = args[0]
    if type(value) is str:
        try:
            return parse_float(value)
        except ConditionError:
            raise ConditionError(f"invalid operation: float({value})") from None
    if type(value) in NUMBERS:
        return float(value)
    raise ConditionError(f"invalid operation: float({type_name(value)})")


def _string(_frame: Frame, args: Sequence[Any]) -> str:
    return format_value(args[0])


def _bits(name: str, operation: Callable[..., int], arity: int) -> Function:
    """Define a function on the bits of ints."""

    def run(_frame: Frame, args: Sequence[Any]) -> int:
        for value in args:
            if type(value) is float or type(value) not in NUMBERS:
                raise ConditionError(
                    f"cannot use {type_name(value)} as argument (type int) to call {name}"
                )
        return wrap(operation(*map(int, args)))

    return Function(name=name, run=run, overloads=(func(*[INT] * arity, returns=INT),))


def _shift(value: int, count: int, *, left: bool) -> int:
    if count < 0:
        raise ConditionError(f"invalid operation: negative shift count {count} (type int)")
    if left:
        return value << count if count < 64 else 0
    return value >> min(count, 64)


def _number_function(
    name: str, run: Run, kinds: frozenset[Kind], returns: GoType | None, blamed: str = ""
) -> Function:
    refusal = f"invalid argument for {blamed or name} (type {{}})"
    return Function(name=name, run=run, check=one_argument(refusal, kinds, returns))


FUNCTIONS = (
    Function(name="type", run=_type, overloads=(func(ANY, returns=STRING),)),
    _number_function("abs", _absolute, _NUMERIC, None),
    _number_function("ceil", _rounding("ceil", _ceil), _NUMERIC, FLOAT),
    _number_function("floor", _rounding("floor", _floor), _NUMERIC, FLOAT),
    _number_function("round", _rounding("round", _round), _NUMERIC, FLOAT),
    _number_function("int", _int, _READABLE, INT),
    _number_function("float", _float, _READABLE, FLOAT),
    Function(name="string", run=_string, overloads=(func(ANY, returns=STRING),)),
)

FUNCTIONS_V1_15 = (
    _number_function("round", _rounding("round", _round), _NUMERIC, FLOAT, blamed="floor"),
    _number_function("int", _int_v1_15, _READABLE, INT),
)
"""What the older library does otherwise; its `round` blames `floor` for a wrong argument."""

BIT_FUNCTIONS = (
    _bits("bitand", lambda x, y: x & y, 2),
    _bits("bitor", lambda x, y: x | y, 2),
    _bits("bitxor", lambda x, y: x ^ y, 2),
    _bits("bitnand", lambda x, y: x & ~y, 2),
    _bits("bitshl", lambda x, y: _shift(x, y, left=True), 2),
    _bits("bitshr", lambda x, y: _shift(x, y, left=False), 2),
    _bits("bitushr", lambda x, y: _shift(x % 2**64, y, left=False), 2),
    _bits("bitnot", lambda x: ~x, 1),
)
