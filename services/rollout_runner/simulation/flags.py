"""Behaviours, rates and sweeps as they are written on a command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from rollout_runner.scenarios.model import Behaviour, PerSecond, Ratio, Seconds
from rollout_runner.simulation.traffic import DEFAULT_P50_SECONDS, DEFAULT_P99_SECONDS
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = ("errors", "p50", "p99", "latency", "jitter", "status", "hang")
SWEPT = ("errors", "latency", "p50", "p99")
_HINT = "as in errors=5.2%,latency=x1.3; fields: " + ", ".join(FIELDS)
_SWEEP_HINT = "as in errors=0.5%..10%/20, latency=x1..x3/10 or p99=100ms..1s/10"
_MOST_POINTS = 200
_ratio: TypeAdapter[float] = TypeAdapter(Ratio)
_seconds: TypeAdapter[float] = TypeAdapter(Seconds)
_rate: TypeAdapter[float] = TypeAdapter(PerSecond)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One field of the canary at several values: ratios for errors, factors or seconds else."""

    field: str
    values: tuple[float, ...]
    factor: bool

    def label(self, value: float) -> str:
        """Return a value as it would be written: `5.2%`, `x1.3`, `120ms`."""
        if self.field == "errors":
            return f"{100 * value:.4g}%"
        return f"x{value:.4g}" if self.factor else f"{1000 * value:.4g}ms"

    def apply(self, canary: Behaviour, baseline: Behaviour, value: float) -> Behaviour:
        """Return the canary with the field at a value."""
        if self.field == "errors":
            return canary.model_copy(update={"errors": value})
        if self.factor:
            return slower(canary, baseline, value)
        return canary.model_copy(update={self.field: value})


def read_rate(text: str) -> float:
    """Return requests a second of `50/s` or `300/m`.

    Raises:
        InvalidInput: it is no rate.
    """
    return _parsed(_rate, text, "--traffic", "as in 50/s or 3000/m")


def read_behaviour(text: str, *, flag: str, baseline: Behaviour) -> Behaviour:
    """Return a behaviour of `errors=5.2%,latency=x1.3`; what is not given is as in the baseline.

    `latency=x1.3` multiplies the baseline's p50 and p99, `latency=200ms` adds to every request.

    Raises:
        InvalidInput: a field is unknown or its value wrong.
    """
    fields: dict[str, Any] = {}
    added: dict[str, str] = {}
    factor = 1.0
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in FIELDS:
            raise InvalidInput(f"{flag} {part!r}: expected FIELD=VALUE", hint=_HINT)
        if name in fields or name in added:
            raise InvalidInput(f"{flag}: {name} is given twice", hint=_HINT)
        if name == "latency" and value.startswith("x"):
            factor = _factor(value, flag)
        elif name == "latency":
            added["add"] = value
        elif name == "jitter":
            added["jitter"] = value
        else:
            fields[name] = value
    if added:
        fields["latency"] = added
    try:
        given = Behaviour.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{flag}: {where}: {message}", hint=_HINT) from None
    filled = baseline.model_copy(update=given.model_dump(exclude_none=True) | _models(given))
    return slower(filled, filled, factor) if factor != 1 else filled


def slower(canary: Behaviour, baseline: Behaviour, factor: float) -> Behaviour:
    """Return a canary whose median and 99 % point are so many times the baseline's."""
    p50 = baseline.p50 or DEFAULT_P50_SECONDS
    p99 = baseline.p99 or p50 * DEFAULT_P99_SECONDS / DEFAULT_P50_SECONDS
    return canary.model_copy(update={"p50": p50 * factor, "p99": p99 * factor})


def read_sweep(text: str) -> Sweep:
    """Return the points of `errors=0.5%..10%/20`, evenly spaced, both ends included.

    Raises:
        InvalidInput: it is no sweep.
    """
    match = re.fullmatch(r"\s*(\w+)\s*=\s*(\S+?)\s*\.\.\s*(\S+?)\s*/\s*([0-9]{1,4})\s*", text)
    if match is None or match[1] not in SWEPT:
        raise InvalidInput(f"--sweep {text!r}: expected FIELD=LOW..HIGH/POINTS", hint=_SWEEP_HINT)
    field, points = match[1], int(match[4])
    if not 2 <= points <= _MOST_POINTS:
        raise InvalidInput(f"--sweep: {points} points, expected 2 to {_MOST_POINTS}")
    parse: Callable[[str], float] = _reader(field)
    low, high = parse(match[2]), parse(match[3])
    if not low < high:
        raise InvalidInput(
            f"--sweep: {match[2]} is not below {match[3]}", hint="give the lower end first"
        )
    step = (high - low) / (points - 1)
    # Rounded, so that a point is the number that its label says.
    values = tuple(round(low + index * step, 9) for index in range(points))
    return Sweep(field=field, values=values, factor=field == "latency")


def _reader(field: str) -> Callable[[str], float]:
    if field == "errors":
        return lambda text: _parsed(_ratio, text, "--sweep", _SWEEP_HINT)
    if field == "latency":
        return lambda text: _factor(text, "--sweep")
    return lambda text: _parsed(_seconds, text, "--sweep", _SWEEP_HINT)


def _models(given: Behaviour) -> dict[str, Any]:
    """Return the fields that are models themselves, which a dump would have made plain."""
    return {"latency": given.latency} if given.latency is not None else {}


def _factor(text: str, flag: str) -> float:
    match = re.fullmatch(r"x([0-9]{1,6}(?:\.[0-9]{1,6})?)", text)
    if match is None or float(match[1]) <= 0:
        raise InvalidInput(f"{flag}: latency {text!r} is not a factor such as x1.3", hint=_HINT)
    return float(match[1])


def _parsed(adapter: TypeAdapter[float], text: str, flag: str, hint: str) -> float:
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{flag}: {message}", hint=hint) from None
