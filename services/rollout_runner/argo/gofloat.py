"""Floats in the formats of Go's strconv, with the fewest digits that read back the same."""

from __future__ import annotations

import math


def shortest_digits(number: float) -> tuple[str, str, int]:
    """Split a finite float into sign, shortest digits and the position of the decimal point.

    (0.00123 is digits 123 with point -2; 1500.0 is digits 15 with point 4.)
    """
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    mantissa, _, exponent = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    return (sign, digits, point) if digits else (sign, "0", 1)


def plain_float(number: float) -> str:
    """Print a finite float without an exponent, as strconv's 'f' format with precision -1."""
    sign, digits, point = shortest_digits(number)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"


def scientific_float(number: float) -> str:
    """Print a finite float with an exponent of at least two digits, as strconv's 'e' format."""
    sign, digits, point = shortest_digits(number)
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    exponent = point - 1
    return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
