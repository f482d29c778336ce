"""All effects by their wire name: a new effect is one new function and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mock_newrelic.domain.effects import (
    agent,
    error_ratio,
    http,
    labelling,
    latency,
    payload,
    transport,
    values,
    visibility,
    volume,
    waves,
)
from mock_newrelic.domain.effects.base import Effect
from svckit.errors import InvalidInput

Parse: TypeAlias = Callable[[object, str | None], Effect]

GROUPS: dict[str, dict[str, Parse]] = {
    "value": {
        "set": values.parse_set,
        "add": values.parse_add,
        "scale": values.parse_scale,
        "clamp": values.parse_clamp,
        "noise": values.parse_noise,
        "flap": waves.parse_flap,
        "ramp": waves.parse_ramp,
        "step": waves.parse_step,
        "sawtooth": waves.parse_sawtooth,
        "spike": waves.parse_spike,
        "replay": waves.parse_replay,
        "copy": values.parse_copy,
    },
    "data": {
        "error_ratio": error_ratio.parse,
        "latency": latency.parse,
        "throughput_scale": volume.parse_throughput_scale,
        "drop": volume.parse_drop,
        "duplicate": volume.parse_duplicate,
        "sampling": volume.parse_sampling,
        "no_data": visibility.parse_no_data,
        "stale": visibility.parse_stale,
        "delay_ingest": visibility.parse_delay_ingest,
        "gap": visibility.parse_gap,
        "label_loss": labelling.parse_label_loss,
        "cardinality_bomb": labelling.parse_cardinality_bomb,
    },
    "payload": {"payload": payload.parse},
    "http": {
        "status": http.parse_status,
        "rate_limit": http.parse_rate_limit,
        "auth_flap": http.parse_auth_flap,
        "quota": http.parse_quota,
    },
    "transport": {
        "hang": transport.parse_hang,
        "transport": transport.parse_transport,
    },
    "agent": {"agent": agent.parse},
}
"""The effects by the layer at which they act."""

EFFECTS: dict[str, Parse] = {
    name: parse for effects in GROUPS.values() for name, parse in effects.items()
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
