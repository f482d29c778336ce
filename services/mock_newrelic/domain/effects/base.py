"""The layers at which an effect can change an answer.

    ValueEffect    says what the number is
    DataEffect     changes what the samples look like; they themselves stay as they came
    AnswerEffect   says how the request is answered, whatever the number

An effect is a frozen value. It is made by a function `parse(argument, metric)` that refuses bad
arguments, and is found by its wire name in `registry.EFFECTS`.
"""

from __future__ import annotations

from math import inf, isfinite
from typing import TYPE_CHECKING, Any, ClassVar

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from mock_newrelic.domain.model import Reading


class Effect:
    """One way to make an answer wrong."""

    __slots__ = ()
    name: ClassVar[str]

    @property
    def unit(self) -> str:
        """The unit of the argument; empty when it has none."""
        return ""

    def argument(self) -> Any:
        """Return the argument as it was given on the wire."""
        raise NotImplementedError


class ValueEffect(Effect):
    """Replaces the number of some metrics."""

    __slots__ = ()

    def value_of(self, metric: str) -> float | None:
        """Return the number that the metric shall have, or None when it is left alone."""
        raise NotImplementedError


class DataEffect(Effect):
    """Changes what the samples of a scope look like."""

    __slots__ = ()

    def observe(self, reading: Reading) -> Reading:
        """Return the reading as the effect shows it."""
        raise NotImplementedError


class AnswerEffect(Effect):
    """Replaces the whole answer by an HTTP status."""

    __slots__ = ()

    @property
    def status(self) -> int:
        """The status to answer with."""
        raise NotImplementedError


def number(argument: object, *, name: str, highest: float | None) -> float:
    """Return the argument as a finite number from 0 to `highest`.

    Raises:
        InvalidInput: it is something else (a text with digits and a boolean are something else).
    """
    if isinstance(argument, bool) or not isinstance(argument, int | float):
        raise InvalidInput(f"effect.{name} is not a number", code="bad_effect")
    try:
        value = float(argument)
    except OverflowError:  # a whole number beyond every float
        value = inf
    if not (isfinite(value) and value >= 0 and (highest is None or value <= highest)):
        expected = "0 or more" if highest is None else f"from 0 to {highest:g}"
        raise InvalidInput(f"effect.{name} is out of range, expected {expected}", code="bad_effect")
    return value
