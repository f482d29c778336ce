"""Number literals of a condition."""

from __future__ import annotations

from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotext import parse_float, parse_int

_RADIX = {"0x": ("hex", 16), "0b": ("binary", 2), "0o": ("octal", 8)}


def parse_number(text: str, dialect: Dialect) -> int | float:
    """Return the value of a number token: an int of 64 bits or a float.

    Raises:
        ConditionError: the literal has digits missing or does not fit.
    """
    digits = text.replace("_", "")
    prefix = digits[:2].lower()
    hexadecimal = prefix == "0x" if dialect is Dialect.V1_17 else "x" in digits
    if hexadecimal:
        return _integer(digits, "hex", 0)
    if set(digits.lower()) & {".", "e"}:
        try:
            return parse_float(digits)
        except ConditionError as error:
            raise ConditionError(f"invalid float literal: {error}") from None
    if dialect is Dialect.V1_17 and prefix in _RADIX:
        return _integer(digits, _RADIX[prefix][0], 0)
    return _integer(digits, "integer", 10)


def _integer(digits: str, name: str, base: int) -> int:
    try:
        return parse_int(digits, base=base)
    except ConditionError as error:
        raise ConditionError(f"invalid {name} literal: {error}") from None
