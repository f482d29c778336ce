"""Reads the argument of an effect from its wire form, refusing what could mean two things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any

from svckit.durations import DurationError, parse_duration
from svckit.errors import InvalidInput

MAX_SECONDS = 24 * 3600.0


def bad(detail: str, hint: str = "") -> InvalidInput:
    """Return the refusal of an effect."""
    return InvalidInput(detail, code="bad_effect", hint=hint)


def number(
    argument: object, *, name: str, lowest: float = 0.0, highest: float | None = None
) -> float:
    """Return the argument as a finite number within bounds.

    Raises:
        InvalidInput: it is something else (a text with digits and a boolean are something else).
    """
    if isinstance(argument, bool) or not isinstance(argument, int | float):
        raise bad(f"effect.{name} is not a number")
    try:
        value = float(argument)
    except OverflowError:  # a whole number beyond every float
        value = inf
    if not (isfinite(value) and value >= lowest and (highest is None or value <= highest)):
        if highest is None:
            expected = "a finite number" if lowest == -inf else f"{lowest:g} or more"
        else:
            expected = f"from {lowest:g} to {highest:g}"
        raise bad(f"effect.{name} is out of range, expected {expected}")
    return value


def whole(argument: object, *, name: str, lowest: int, highest: int) -> int:
    """Return the argument as a whole number within bounds, or raise InvalidInput."""
    if isinstance(argument, bool) or not isinstance(argument, int):
        raise bad(f"effect.{name} is not a whole number")
    if not lowest <= argument <= highest:
        raise bad(f"effect.{name} is out of range, expected {lowest} to {highest}")
    return argument


def seconds(
    argument: object, *, name: str, lowest: float = 0.0, highest: float = MAX_SECONDS
) -> float:
    """Return a Go duration in seconds, above `lowest` unless that is negative or zero allowed.

    Raises:
        InvalidInput: no duration, or out of bounds.
    """
    if not isinstance(argument, str):
        raise bad(f"effect.{name} is not a duration", "a text such as 300ms, 5s or 1m30s")
    try:
        value = parse_duration(argument)
    except DurationError:
        raise bad(f"effect.{name} is not a duration", "such as 300ms, 5s or 1m30s") from None
    if not lowest <= value <= highest:
        raise bad(f"effect.{name} is out of range, expected {lowest:g}s to {highest:g}s")
    return value


def only_true(argument: object, *, name: str) -> None:
    """Accept true and nothing else: `false` would be an injection that does nothing."""
    if argument is not True:
        raise bad(
            f"effect.{name} is not true", "to end the injection, DELETE /control/injections/<id>"
        )


class Members:
    """An object argument whose members are read one by one; unknown ones are refused."""

    def __init__(self, argument: object, *, name: str, known: Sequence[str]) -> None:
        self._name = name
        if not isinstance(argument, Mapping):
            raise bad(f"effect.{name} is not an object", f"members: {', '.join(known)}")
        if unknown := set(map(str, argument)) - set(known):
            del unknown  # the caller's text is not repeated
            raise bad(f"effect.{name} has an unknown member", f"known: {', '.join(known)}")
        self.given: dict[str, Any] = dict(argument)

    def __contains__(self, key: str) -> bool:
        return key in self.given

    def require(self, key: str) -> object:
        """Return a member, or raise InvalidInput when it is missing."""
        if key not in self.given:
            raise bad(f"effect.{self._name}.{key} is missing")
        return self.given[key]

    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        lowest: float = 0.0,
        highest: float | None = None,
    ) -> float:
        """Return a numeric member."""
        if default is not None and key not in self.given:
            return default
        return number(self.require(key), name=f"{self._name}.{key}", lowest=lowest, highest=highest)

    def whole(self, key: str, default: int | None = None, *, lowest: int, highest: int) -> int:
        """Return a whole-number member."""
        if default is not None and key not in self.given:
            return default
        return whole(self.require(key), name=f"{self._name}.{key}", lowest=lowest, highest=highest)

    def seconds(
        self,
        key: str,
        default: float | None = None,
        *,
        lowest: float = 0.0,
        highest: float = MAX_SECONDS,
    ) -> float:
        """Return a duration member in seconds."""
        if default is not None and key not in self.given:
            return default
        return seconds(
            self.require(key), name=f"{self._name}.{key}", lowest=lowest, highest=highest
        )

    def choice(self, key: str, default: str, *, known: Sequence[str]) -> str:
        """Return a member that is one of a few words."""
        value = self.given.get(key, default)
        if value not in known:
            raise bad(
                f"effect.{self._name}.{key} is not known", f"one of: {', '.join(map(str, known))}"
            )
        return str(value)
