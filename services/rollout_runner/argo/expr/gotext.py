"""How Go prints values and reads numbers: `%v`, `%q`, strconv."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.values import (
    INT_MAX,
    INT_MIN,
    MAPS,
    SLICES,
    AnyMap,
    GoDuration,
    type_name,
)
from rollout_runner.argo.gofloat import plain_float, scientific_float, shortest_digits
from svckit.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_HEXADECIMAL = re.compile(
    r"[+-]?0[xX]_?([0-9a-fA-F_]+\.?[0-9a-fA-F_]*|\.[0-9a-fA-F_]+)[pP][+-]?[0-9]+", re.ASCII
)
_SPECIAL = re.compile(r"[+-]?inf(inity)?|nan", re.IGNORECASE | re.ASCII)
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def format_float(number: float) -> str:
    """Print a float64 as `%v` does: an exponent below 1e-4 and from 1e+06 on."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    exponent = shortest_digits(number)[2] - 1
    return scientific_float(number) if exponent < -4 or exponent >= 6 else plain_float(number)


def format_value(value: Any) -> str:
    """Print a value as `%v` does; map keys are sorted."""
    if isinstance(value, AnyMap):
        return _format_map((format_value(key), item) for (_, key), item in value.items())
    if type(value) in MAPS:
        return _format_map(value.items())
    if type(value) in SLICES:
        return f"[{' '.join(format_value(item) for item in value)}]"
    return _format_scalar(value)


def _format_scalar(value: Any) -> str:
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return format_float(value)
        case GoDuration():
            return format_duration(value.nanoseconds / 1e9)
        case str() | int():
            return f"{value}"
        case _:
            raise ConditionError(f"a value of type {type_name(value)} cannot be printed here")


def _format_map(entries: Iterable[tuple[str, Any]]) -> str:
    shown = sorted((key, format_value(item)) for key, item in entries)
    return f"map[{' '.join(f'{key}:{item}' for key, item in shown)}]"


def quote(text: str) -> str:
    """Quote a string as `%q` does."""
    return f'"{"".join(_quoted(char) for char in text)}"'


def _quoted(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def describe_rune(char: str) -> str:
    """Print a character as `%#U` does, for example U+0060 '`'."""
    shown = f" '{char}'" if char.isprintable() else ""
    return f"U+{ord(char):04X}{shown}"


def parse_int(text: str, *, base: int = 10) -> int:
    """Read a decimal (or, for a literal, hexadecimal, octal, binary) integer of 64 bits.

    Raises:
        ConditionError: with strconv's message.
    """
    try:
        if base == 10 and not _INTEGER.fullmatch(text):
            raise ValueError  # noqa: TRY301 - the same answer as int() gives
        number = int(text, base)
    except ValueError:
        raise ConditionError(_parse_error("ParseInt", text, "invalid syntax")) from None
    if not INT_MIN <= number <= INT_MAX:
        raise ConditionError(_parse_error("ParseInt", text, "value out of range"))
    return number


def parse_float(text: str) -> float:
    """Read a float64 as strconv.ParseFloat does: decimal, hexadecimal, Inf and NaN.

    Raises:
        ConditionError: with strconv's message.
    """
    if _SPECIAL.fullmatch(text):
        return float(text)
    if _DECIMAL.fullmatch(text):
        number = float(text)
    elif _HEXADECIMAL.fullmatch(text):
        try:
            number = float.fromhex(text.replace("_", ""))
        except OverflowError:
            number = math.inf
    else:
        raise ConditionError(_parse_error("ParseFloat", text, "invalid syntax"))
    if math.isinf(number):
        raise ConditionError(_parse_error("ParseFloat", text, "value out of range"))
    return number


def _parse_error(function: str, text: str, reason: str) -> str:
    return f"strconv.{function}: parsing {quote(text)}: {reason}"
