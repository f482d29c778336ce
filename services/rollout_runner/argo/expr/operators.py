"""Operators on values whose types are known only when the condition runs.

Rules: vm/runtime of expr-lang/expr v1.17.8. Numbers of different types meet as float64 if one of
them is a float, as int otherwise; nothing else is converted.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.values import (
    MAPS,
    NUMBERS,
    SLICES,
    AnyMap,
    GoDuration,
    GoTime,
    NilSlice,
    Uint8,
    conversion_panic,
    is_nil,
    to_float,
    type_name,
    wrap,
)

Operation = Callable[[Any, Any], Any]


def _comparison(symbol: str, compare: Callable[[Any, Any], bool]) -> Operation:
    def run(left: Any, right: Any) -> bool:
        kind, other = type(left), type(right)
        if kind in NUMBERS and other in NUMBERS:
            if kind is float or other is float:
                return compare(float(left), float(right))
            return compare(left, right)
        if kind is other and kind in {str, GoTime, GoDuration}:
            return compare(left, right)
        raise _mismatch(symbol, left, right)

    return run


def _mismatch(symbol: str, left: Any, right: Any) -> ConditionError:
    return ConditionError(f"invalid operation: {type_name(left)} {symbol} {type_name(right)}")


less = _comparison("<", operator.lt)
greater = _comparison(">", operator.gt)
less_or_equal = _comparison("<=", operator.le)
greater_or_equal = _comparison(">=", operator.ge)


def equal(left: Any, right: Any) -> bool:
    """Compare as the newer library: lists element by element, maps with exact types inside."""
    kind, other = type(left), type(right)
    if kind in NUMBERS and other in NUMBERS:
        if kind is float or other is float:
            return float(left) == float(right)
        return bool(left == right)
    if kind is other and kind in {str, bool, GoTime, GoDuration}:
        return bool(left == right)
    if kind in SLICES and other in SLICES and (list in {kind, other} or kind is other):
        return len(left) == len(right) and all(map(equal, left, right))
    if is_nil(left) and is_nil(right):
        return True
    return deep_equal(left, right)


def equal_v1_15(left: Any, right: Any) -> bool:
    """Compare as the older library: inside lists, 1.0 (a JSON number) is not 1 (a literal)."""
    kind, other = type(left), type(right)
    if kind in NUMBERS and other in NUMBERS:
        if kind is float or other is float:
            return float(left) == float(right)
        return bool(left == right)
    if is_nil(left) and is_nil(right):
        return True
    return deep_equal(left, right)


def equal_ints(left: Any, right: Any) -> bool:
    """Compare what the checker takes for two ints; `mean(1)` is one that is none."""
    for value in (right, left):
        if type(value) is not int:
            raise conversion_panic(value, "int")
    return bool(left == right)


def deep_equal(left: Any, right: Any) -> bool:
    """Compare as reflect.DeepEqual: types must be the same at every level."""
    if type(left) is not type(right):
        return False
    if left is right and type(left) in SLICES | MAPS:
        return True
    if type(left) in MAPS:
        return left.keys() == right.keys() and all(
            deep_equal(value, right[key]) for key, value in left.items()
        )
    if type(left) in SLICES:
        return len(left) == len(right) and all(map(deep_equal, left, right))
    return bool(left == right)


EQUALITY: dict[Dialect, Callable[[Any, Any], bool]] = {
    Dialect.V1_15: equal_v1_15,
    Dialect.V1_17: equal,
}


def add(left: Any, right: Any) -> Any:
    """Add numbers, join strings, move a time."""
    kind, other = type(left), type(right)
    if kind in NUMBERS and other in NUMBERS:
        if kind is float or other is float:
            return float(left) + float(right)
        return wrap(left + right)
    if kind is str and other is str:
        return left + right
    moments = {kind, other}
    if moments <= {GoTime, GoDuration} and GoDuration in moments:
        result = GoTime if GoTime in moments else GoDuration
        return result(wrap(left.nanoseconds + right.nanoseconds))
    raise _mismatch("+", left, right)


def subtract(left: Any, right: Any) -> Any:
    """Subtract numbers, times, durations."""
    kind, other = type(left), type(right)
    if kind in NUMBERS and other in NUMBERS:
        if kind is float or other is float:
            return float(left) - float(right)
        return wrap(left - right)
    if kind in {GoTime, GoDuration} and other in {kind, GoDuration}:
        difference = wrap(left.nanoseconds - right.nanoseconds)
        return (
            GoTime(difference) if kind is GoTime and other is GoDuration else GoDuration(difference)
        )
    raise _mismatch("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    """Multiply numbers and durations."""
    kind, other = type(left), type(right)
    if kind in NUMBERS and other in NUMBERS:
        if kind is float or other is float:
            return float(left) * float(right)
        return wrap(left * right)
    if GoDuration in {kind, other} and {kind, other} <= NUMBERS | {GoDuration}:
        factors = [v.nanoseconds if type(v) is GoDuration else v for v in (left, right)]
        return GoDuration(wrap(int(factors[0] * factors[1])))
    raise _mismatch("*", left, right)


def divide(left: Any, right: Any) -> float:
    """Divide as floats, always: 7 / 2 is 3.5 and x / 0 is infinite or NaN."""
    if type(left) not in NUMBERS or type(right) not in NUMBERS:
        raise _mismatch("/", left, right)
    dividend, divisor = float(left), float(right)
    if divisor:
        return dividend / divisor
    if dividend == 0.0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def modulo(left: Any, right: Any) -> int:
    """Take the remainder of two integers; its sign is the dividend's."""
    if {type(left), type(right)} <= NUMBERS - {float}:
        if right == 0:
            raise ConditionError("runtime error: integer divide by zero")
        remainder = int(abs(left) % abs(right))
        return -remainder if left < 0 else remainder
    raise _mismatch("%", left, right)


def exponent(left: Any, right: Any) -> float:
    """Raise to a power, as floats."""
    return power(to_float(left), to_float(right))


def power(base: float, exponent_: float) -> float:
    """Raise to a power with Go's answers where Python raises an error."""
    try:
        return math.pow(base, exponent_)
    except OverflowError:
        odd = exponent_ % 2 == 1
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        if base == 0:  # a pole: zero to a negative power
            odd = exponent_ % 2 == 1
            return math.copysign(math.inf, base) if odd else math.inf
        return math.nan


def negate(value: Any) -> Any:
    """Change the sign of a number."""
    if type(value) is float:
        return -value
    if type(value) is Uint8:
        return Uint8(-value % 256)
    if type(value) in NUMBERS:
        return type(value)(wrap(-value))
    raise ConditionError(f"invalid operation: - {type_name(value)}")


def contains_key(mapping: Any, key: Any) -> bool:
    """Tell whether a map has a key; nil stands for the empty key, as in Go."""
    if isinstance(mapping, AnyMap):
        return any_key(key) in mapping
    return _text_key(key) in mapping


def _text_key(key: Any) -> str:
    if key is None:
        return ""
    if type(key) is not str:
        raise _not_assignable(key, "string")
    return key


def in_ints(members: frozenset[int], key: Any) -> bool:
    """Tell whether an int is in a set of ints; nil stands for zero."""
    if key is not None and type(key) is not int:
        raise _not_assignable(key, "int")
    return (key or 0) in members


def any_key(key: Any) -> tuple[type, Any]:
    """Return a key of a map[any], which keeps its type."""
    if type(key) in SLICES or type(key) in MAPS:
        raise ConditionError(f"hash of unhashable type: {type_name(key)}")
    return type(key), key


def _not_assignable(key: Any, wanted: str) -> ConditionError:
    return ConditionError(
        f"reflect.Value.MapIndex: value of type {type_name(key)} is not assignable to type {wanted}"
    )


def lookup(mapping: Any, key: Any) -> Any:
    """Return the value of a key; a missing one is nil."""
    if isinstance(mapping, AnyMap):
        missing = NilSlice() if type(mapping) is not AnyMap else None
        return mapping.get(any_key(key), missing)
    return mapping.get(_text_key(key))
