"""Bisection: slow, but it needs nothing of the function except one change of sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the zero between low and high to the last bit; the signs there must differ.

    Raises:
        ValueError: the function has the same sign at both ends.
    """
    at_low = function(low)
    if at_low == 0:
        return low
    at_high = function(high)
    if at_high == 0:
        return high
    if (at_low < 0) == (at_high < 0):
        raise ValueError(f"no change of sign between {low} and {high}")
    while True:
        middle = low + (high - low) / 2
        if middle in {low, high}:
            return middle
        if (function(middle) < 0) == (at_low < 0):
            low = middle
        else:
            high = middle


def minimum(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function with one minimum in [low, high] is least (golden section)."""
    ratio = (5**0.5 - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-13 * (1 + abs(high)):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2
