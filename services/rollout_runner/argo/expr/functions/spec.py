"""What a library function is: a name, a static check and an implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.frame import Frame
from rollout_runner.argo.expr.gotypes import ANY, NIL, GoType, Kind, func
from rollout_runner.argo.expr.values import type_name

Check = Callable[[Sequence[GoType]], GoType]
Run = Callable[[Frame, Sequence[Any]], Any]

UNTYPED = func(GoType("interface {}", Kind.INTERFACE), returns=ANY, variadic=True, error=True)
"""The type that a function shows when it is named without being called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function of the library.

    Attributes:
        name: as conditions call it.
        run: computes the value; raises ConditionError.
        check: computes the static type of a call from the arguments' types, or raises.
        overloads: the signatures, tried in order, where there is no `check`.
    """

    name: str
    run: Run
    check: Check | None = None
    overloads: tuple[GoType, ...] = ()

    @property
    def type(self) -> GoType:
        """The function's own Go type."""
        return self.overloads[0] if self.overloads else UNTYPED


def shown(kind: GoType) -> str:
    """Spell a type as `%s` does, which has no word for the type of nil."""
    return "%!s(<nil>)" if kind is NIL else kind.name


def shown_value(value: object) -> str:
    """Spell the type of a value as `%s` of its reflection type does."""
    return "%!s(<nil>)" if value is None else type_name(value)


def expect_count(args: Sequence[object], count: int) -> None:
    """Refuse any other number of arguments."""
    if len(args) != count:
        raise ConditionError(f"invalid number of arguments (expected {count}, got {len(args)})")


def one_argument(refusal: str, kinds: frozenset[Kind], returns: GoType | None) -> Check:
    """Check for one argument of some kinds; the result is `returns`, or the argument's type."""

    def check(args: Sequence[GoType]) -> GoType:
        expect_count(args, 1)
        if args[0].kind not in kinds:
            raise ConditionError(refusal.format(shown(args[0])))
        return returns or args[0]

    return check
