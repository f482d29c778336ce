"""All rules by code, in the order of their codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rollout_runner.lint.rule import Rule
from rollout_runner.lint.rules import (
    arguments,
    comments,
    conditions,
    jobs,
    limits,
    references,
    schema,
    sources,
    strategy,
    web,
)

if TYPE_CHECKING:
    from types import ModuleType

_MODULES: Final[tuple[ModuleType, ...]] = (
    schema,
    references,
    arguments,
    limits,
    conditions,
    web,
    sources,
    jobs,
    strategy,
    comments,
)


def _collected() -> dict[str, Rule]:
    found = [
        each for module in _MODULES for each in vars(module).values() if isinstance(each, Rule)
    ]
    return {each.code: each for each in sorted(found, key=lambda each: each.code)}


RULES: Final[dict[str, Rule]] = _collected()
