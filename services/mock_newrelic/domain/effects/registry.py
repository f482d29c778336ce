"""All effects by their wire name: a new effect is one new module and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mock_newrelic.domain.effects import error_ratio, no_data, set_value, status
from mock_newrelic.domain.effects.base import Effect
from svckit.errors import InvalidInput

Parse: TypeAlias = Callable[[object, str | None], Effect]

EFFECTS: dict[str, Parse] = {
    "set": set_value.parse,
    "error_ratio": error_ratio.parse,
    "no_data": no_data.parse,
    "status": status.parse,
}


def parse_effect(wire: Mapping[str, Any], metric: str | None) -> Effect:
    """Read `{"<name>": <argument>}`; `"unit": "percent"` may stand beside a percentage.

    Raises:
        InvalidInput: no effect, more than one, an unknown one, or a bad argument.
    """
    given = dict(wire)
    unit = given.pop("unit", None)
    if len(given) != 1:
        raise InvalidInput(
            f"effect has {len(given)} members, expected exactly one",
            code="bad_effect",
            hint=_names(),
        )
    [(name, argument)] = given.items()
    parse = EFFECTS.get(name)
    if parse is None:
        raise InvalidInput("effect is not known", code="bad_effect", hint=_names())
    effect = parse(argument, metric)
    if unit is not None and unit != effect.unit:
        raise InvalidInput(
            "effect.unit is not the unit of this effect",
            code="bad_effect",
            hint=f"expected {effect.unit or 'no unit'}",
        )
    return effect


def effect_as_json(effect: Effect) -> dict[str, Any]:
    """Return the effect as it is written on the wire, with its unit where it has one."""
    wire = {effect.name: effect.argument()}
    return {**wire, "unit": effect.unit} if effect.unit else wire


def _names() -> str:
    return f"one of: {', '.join(sorted(EFFECTS))}"
