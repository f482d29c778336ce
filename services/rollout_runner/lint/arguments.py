"""Arguments as a reader sees them: what is declared, what a Rollout gives, what fills a tag.

Unlike the engine this never fails: what has no value gets a stand-in, so that the rest of a metric
can still be looked at. That it has none is a finding of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.lint.objects import entries, mapping, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rollout_runner.lint.objects import Item

TAG: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_STAND_IN: Final = "1"


class Origin(StrEnum):
    """Where the value of an argument comes from."""

    VALUE = "value"
    SECRET = "secret"  # noqa: S105 - a word, not a password
    HASH = "hash"
    FIELD = "field"
    NOWHERE = "nowhere"


_STAND_INS: Final = {
    Origin.SECRET: "temp-for-secret",
    Origin.HASH: "7cd75c6d7c",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The value that an argument has in a run; a stand-in unless its origin is VALUE."""

    value: str
    origin: Origin


def declared_args(templates: Iterable[Item]) -> dict[str, dict[str, Any]]:
    """Return the declarations by name; a default beats a declaration without."""
    found: dict[str, dict[str, Any]] = {}
    for template in templates:
        for _, arg in entries(template.get("spec", "args")):
            name = text_of(arg.get("name"))
            if name not in found or "value" not in found[name]:
                found[name] = arg
    return found


def given_args(declared: dict[str, dict[str, Any]], analysis: dict[str, Any]) -> dict[str, Given]:
    """Return each declared argument with what the Rollout's analysis makes of it."""
    handed = {text_of(arg.get("name")): arg for _, arg in entries(analysis.get("args"))}
    return {name: _given(arg, handed.get(name, {})) for name, arg in declared.items()}


def _given(declared: dict[str, Any], handed: dict[str, Any]) -> Given:
    source = mapping(declared.get("valueFrom"))
    if "secretKeyRef" in source:
        origin = Origin.SECRET
    elif isinstance(handed.get("value"), str):
        return Given(value=handed["value"], origin=Origin.VALUE)
    elif "podTemplateHashValue" in mapping(handed.get("valueFrom")):
        origin = Origin.HASH
    elif "fieldRef" in mapping(handed.get("valueFrom")):
        origin = Origin.FIELD
    elif isinstance(declared.get("value"), str):
        return Given(value=declared["value"], origin=Origin.VALUE)
    else:
        origin = Origin.NOWHERE
    return Given(value=_STAND_INS.get(origin, _STAND_IN), origin=origin)


def tags_in(text: str) -> list[str]:
    """Return what stands between double braces, trimmed."""
    return [tag.strip() for tag in TAG.findall(text)]


def filled(value: Any, given: dict[str, Given]) -> Any:
    """Return a value with every known tag replaced; unknown tags stay."""
    if isinstance(value, str):
        return TAG.sub(lambda match: _value_of(match, given), value)
    if isinstance(value, dict):
        return {key: filled(each, given) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, given) for each in value]
    return value


def _value_of(match: re.Match[str], given: dict[str, Given]) -> str:
    found = given.get(match[1].strip().removeprefix("args."))
    return match[0] if found is None else found.value
