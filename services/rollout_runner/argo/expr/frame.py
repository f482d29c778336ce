"""What a running condition knows: the result, its variables, the element at hand."""

from __future__ import annotations

from typing import Any

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.values import MAPS, SLICES, Uint8, kind_name, utf8

MEMORY_BUDGET = 1_000_000
"""Elements that one evaluation may create; the library's own limit."""


class Scope:
    """The list that a predicate walks over, and where it is."""

    __slots__ = ("accumulator", "index", "items", "length")

    def __init__(self, items: Any) -> None:
        self.items = items
        self.length = _length(items)
        self.index = 0
        self.accumulator: Any = None

    def item(self) -> Any:
        """Return the element that `#` means."""
        items = self.items
        if type(items) not in SLICES and type(items) is not str:
            raise ConditionError("reflect: call of reflect.Value.Index on map Value")
        if self.index >= self.length:
            raise ConditionError(
                f"runtime error: index out of range [{self.index}] with length {self.length}"
            )
        return Uint8(utf8(items)[self.index]) if type(items) is str else items[self.index]


class Frame:
    """The state of one evaluation. It is created for it and thrown away after it."""

    __slots__ = ("memory", "now", "residue", "result", "scope", "variables")

    def __init__(self, result: Any, variables: int, now: float | None) -> None:
        self.result = result
        self.variables: list[Any] = [None] * variables
        self.scope: Scope | None = None
        self.memory = 0
        self.now = now
        self.residue: bool | None = None  # what the last search from the end left behind

    def grow(self, size: int) -> None:
        """Account for a list that was built.

        Raises:
            ConditionError: the budget is spent.
        """
        self.memory += size
        if self.memory >= MEMORY_BUDGET:
            raise ConditionError("memory budget exceeded")


def _length(items: Any) -> int:
    kind = type(items)
    if kind in SLICES or kind in MAPS:
        return len(items)
    if kind is str:
        return len(utf8(items))
    held = "zero" if items is None else kind_name(items)
    raise ConditionError(f"reflect: call of reflect.Value.Len on {held} Value")
