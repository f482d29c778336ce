"""Functions of one row: values in, a value out; NULL in mostly means NULL out."""

from __future__ import annotations

import re
from math import ceil, floor, isfinite, sqrt
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.nrql.patterns import regular_expression
from mock_newrelic.domain.nrql.values import boolean, number, numeric, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACCOUNT_ID = 1


def _numbers(compute: Callable[..., float | int]) -> Callable[..., float | int | None]:
    """Return the function with NULL for what is no number, in or out."""

    def checked(*values: Any) -> float | int | None:
        numbers = [number(value) for value in values]
        if None in numbers:
            return None
        try:
            result = compute(*numbers)
            return result if isfinite(result) else None
        except (ValueError, OverflowError, ZeroDivisionError, TypeError):
            return None

    return checked


def _texts(compute: Callable[[str], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else compute(text(value))


def _round(value: float, digits: float = 0.0) -> float | int:
    if abs(digits) > 15:
        raise ValueError
    return round(value, int(digits))


def _power(base: float, exponent: float) -> float:
    result = base**exponent
    if isinstance(result, complex):
        raise ValueError  # noqa: TRY004 - the root of a negative number is no wrong type
    return float(result)


def _string(value: Any, precision: Any = None) -> str | None:
    if value is None:
        return None
    digits = number(precision)
    if digits is not None and number(value) is not None and 0 <= digits <= 15:
        return f"{value:.{int(digits)}f}"
    return text(value)


def _substring(value: Any, start: Any, length: Any = None) -> str | None:
    first = number(start)
    if value is None or first is None:
        return None
    whole, begin = text(value), int(first)
    count = number(length)
    return whole[begin:] if count is None else whole[begin:][: max(int(count), 0)]


def _concat(*values: Any) -> str | None:
    return None if None in values else "".join(text(value) for value in values)


def _field(value: Any, key: Any) -> Any:
    if not isinstance(value, dict):
        return None
    found = value.get(text(key))
    if found is None and numeric(key) is not None:
        found = next((one for name, one in value.items() if numeric(name) == numeric(key)), None)
    return found


def _capture(value: Any, pattern: Any) -> str | None:
    if value is None or pattern is None:
        return None
    match = regular_expression(text(pattern)).fullmatch(text(value))
    return match.group(1) if match is not None and match.re.groups else None


def _aparse(value: Any, pattern: Any) -> str | None:
    """`*` is what is wanted, `%` is anything."""
    if value is None or pattern is None:
        return None
    parts = re.split(r"([*%])", text(pattern))
    wild = {"*": "(.*?)", "%": ".*?"}
    built = "(?s)" + "".join(wild.get(part) or re.escape(part) for part in parts)
    match = regular_expression(built).fullmatch(text(value))
    return match.group(1) if match is not None and match.re.groups else None


SCALAR: Mapping[str, Callable[..., Any]] = {
    "abs": _numbers(abs),
    "accountId": lambda: ACCOUNT_ID,
    "aparse": _aparse,
    "boolean": boolean,
    "capture": _capture,
    "ceil": _numbers(ceil),
    "clamp_max": _numbers(min),
    "clamp_min": _numbers(max),
    "concat": _concat,
    "floor": _numbers(floor),
    "getField": _field,
    "lower": _texts(str.lower),
    "numeric": numeric,
    "pow": _numbers(_power),
    "round": _numbers(_round),
    "sqrt": _numbers(sqrt),
    "string": _string,
    "substring": _substring,
    "tuple": lambda *values: list(values),
    "upper": _texts(str.upper),
}
"""By name; `if` is missing because it decides which of its arguments is looked at."""
