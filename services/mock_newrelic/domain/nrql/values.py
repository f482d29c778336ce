"""Values and their rules: NULL, comparison across types, numbers that do not exist.

A missing attribute is NULL. A comparison with NULL is false. A number that is none (division by
zero, the root of a negative number) is NULL. A text of digits compares with a number as a number,
because status codes and labels arrive as texts.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

_TRUTH = {"true": True, "false": False}


def number(value: Any) -> float | None:
    """Return a finite number, or None when the value is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if isfinite(result) else None


def numeric(value: Any) -> float | None:
    """Return the number that a number or a text of digits stands for."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return number(value)


def boolean(value: Any) -> bool | None:
    """Return the boolean that a boolean or its name stands for."""
    if isinstance(value, bool):
        return value
    return _TRUTH.get(value.lower()) if isinstance(value, str) else None


def text(value: Any) -> str:
    """Return the value as texts show it; whole numbers have no decimals."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def equal(left: Any, right: Any) -> bool:
    """Whether two values that are not NULL are the same."""
    if isinstance(left, bool) or isinstance(right, bool):
        return boolean(left) is not None and boolean(left) == boolean(right)
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    first, second = numeric(left), numeric(right)
    return first is not None and first == second


def compare(operator: str, left: Any, right: Any) -> bool:
    """Whether the comparison holds; never with NULL on a side."""
    if left is None or right is None:
        return False
    if operator == "=":
        return equal(left, right)
    if operator == "!=":
        return not equal(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return _ordered(operator, left, right)
    first, second = numeric(left), numeric(right)
    return first is not None and second is not None and _ordered(operator, first, second)


def _ordered(operator: str, left: Any, right: Any) -> bool:
    if operator == "<":
        return bool(left < right)
    if operator == "<=":
        return bool(left <= right)
    if operator == ">":
        return bool(left > right)
    return bool(left >= right)


def truth(value: Any) -> bool:
    """Whether a value stands for true where a condition is expected."""
    known = boolean(value)
    return known if known is not None else bool(number(value))


def arithmetic(operator: str, left: Any, right: Any) -> float | None:
    """Return the result, or None where there is none."""
    first, second = number(left), number(right)
    if first is None or second is None:
        return None
    if operator == "+":
        result = first + second
    elif operator == "-":
        result = first - second
    elif operator == "*":
        result = first * second
    elif second == 0:
        return None
    else:
        result = first / second
    return result if isfinite(result) else None


def sort_key(value: Any) -> tuple[int, Any]:
    """Return a key by which any values can be sorted: NULL first, then numbers, then texts."""
    if value is None:
        return 0, 0
    if isinstance(value, bool | int | float):
        return 1, value
    return 2, str(value)
