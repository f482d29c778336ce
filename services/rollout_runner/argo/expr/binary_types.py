"""Which types an operator takes, and what type it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from rollout_runner.argo.expr import gotypes as go
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotypes import GoType, Kind
from rollout_runner.argo.expr.regex import compile_regex

Test = Callable[[GoType], bool]


class BinaryTypes:
    """The typing rules of binary operators in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._modern = dialect is Dialect.V1_17
        self._unknown = go.UNKNOWN if self._modern else go.ANY
        self._rules: dict[str, Callable[[GoType, GoType], GoType | None]] = {
            "+": self._add,
            "-": self._subtract,
            "*": self._multiply,
            "in": self._contains,
            "??": self._coalesce,
            "..": self._range,
            "%": self._modulo,
        }
        self._rules |= dict.fromkeys(("==", "!="), self._equality)
        self._rules |= dict.fromkeys(("or", "||", "and", "&&"), self._logic)
        self._rules |= dict.fromkeys(("<", ">", "<=", ">="), self._order)
        self._rules |= dict.fromkeys(("/", "**", "^"), self._division)
        self._rules |= dict.fromkeys(("contains", "startsWith", "endsWith", "matches"), self._text)

    def result(self, operator: str, left: GoType, right: GoType, pattern: object) -> GoType:
        """Return the type of `left operator right`.

        Args:
            operator: as written.
            left: type of the left side.
            right: type of the right side.
            pattern: the right side's value if it is a literal.

        Raises:
            ConditionError: the operator can never apply, or the pattern is no regular expression.
        """
        if operator == "matches" and isinstance(pattern, str):
            compile_regex(pattern)
        found = self._rules[operator](left, right)
        if found is None:
            raise ConditionError(
                f"invalid operation: {operator} (mismatched types "
                f"{self._shown(left)} and {self._shown(right)})"
            )
        return found

    def is_integer(self, kind: GoType) -> bool:
        """Tell whether it counts as an integer; the older library counts durations."""
        return go.is_integer(kind) or (not self._modern and kind is go.DURATION)

    def comparable(self, left: GoType, right: GoType) -> bool:
        """Tell whether `==` may compare the types."""
        if go.NIL in {left, right} or go.is_unknown(left) or go.is_unknown(right):
            return True
        if self.is_number(left) and self.is_number(right):
            return True
        if not self._modern:
            return left.kind is right.kind
        same_kind = go.is_list(left) and go.is_list(right)
        return same_kind or go.assignable(left, right)

    def _shown(self, kind: GoType) -> str:
        return "<nil>" if kind is go.NIL and not self._modern else kind.name

    def is_number(self, kind: GoType) -> bool:
        """Tell whether it counts as a number."""
        return go.is_number(kind) or self.is_integer(kind)

    def _maybe(self, left: GoType, right: GoType, *tests: Test) -> bool:
        """Tell whether an unknown side may turn out to fit the other one."""
        if go.is_unknown(left) and go.is_unknown(right):
            return True
        if go.is_unknown(left):
            return any(test(right) for test in tests)
        return go.is_unknown(right) and any(test(left) for test in tests)

    def _equality(self, left: GoType, right: GoType) -> GoType | None:
        return go.BOOL if self.comparable(left, right) else None

    def _logic(self, left: GoType, right: GoType) -> GoType | None:
        both = go.is_bool(left) and go.is_bool(right)
        return go.BOOL if both or self._maybe(left, right, go.is_bool) else None

    def _order(self, left: GoType, right: GoType) -> GoType | None:
        tests = [self.is_number, go.is_string, go.is_time]
        if self._modern:
            tests.append(go.is_duration)
        if any(test(left) and test(right) for test in tests):
            return go.BOOL
        return go.BOOL if self._maybe(left, right, *tests) else None

    def _number(self, left: GoType, right: GoType) -> GoType | None:
        if not (self.is_number(left) and self.is_number(right)):
            return None
        if not self._modern and left.kind is right.kind:
            return left
        return go.FLOAT if Kind.FLOAT in {left.kind, right.kind} else go.INT

    def _add(self, left: GoType, right: GoType) -> GoType | None:
        if number := self._number(left, right):
            return number
        if go.is_string(left) and go.is_string(right):
            return go.STRING
        pair = {left, right}
        if pair == {go.TIME, go.DURATION}:
            return go.TIME
        if pair == {go.DURATION}:
            return go.DURATION
        tests = (self.is_number, go.is_string, go.is_time, go.is_duration)
        return self._unknown if self._maybe(left, right, *tests) else None

    def _subtract(self, left: GoType, right: GoType) -> GoType | None:
        if number := self._number(left, right):
            return number
        if left is go.TIME and right in {go.TIME, go.DURATION}:
            return go.DURATION if right is go.TIME else go.TIME
        if left is right is go.DURATION:
            return go.DURATION
        tests: tuple[Test, ...] = (self.is_number, go.is_time, go.is_duration)
        return self._unknown if self._maybe(left, right, *tests) else None

    def _multiply(self, left: GoType, right: GoType) -> GoType | None:
        if number := self._number(left, right):
            return number
        either = {left, right}
        if go.DURATION in either and all(map(self.is_number, either - {go.DURATION})):
            return go.DURATION
        maybe = self._maybe(left, right, self.is_number, go.is_duration)
        return self._unknown if maybe else None

    def _division(self, left: GoType, right: GoType) -> GoType | None:
        if self.is_number(left) and self.is_number(right):
            return go.FLOAT
        return go.FLOAT if self._maybe(left, right, self.is_number) else None

    def _modulo(self, left: GoType, right: GoType) -> GoType | None:
        if self.is_integer(left) and self.is_integer(right):
            return go.INT if self._modern else self._number(left, right)
        if self._maybe(left, right, self.is_integer):
            return go.INT if self._modern else go.ANY
        return None

    def _range(self, left: GoType, right: GoType) -> GoType | None:
        both = self.is_integer(left) and self.is_integer(right)
        if both or self._maybe(left, right, self.is_integer):
            return go.list_of(go.INT) if self._modern else go.INTS
        return None

    def _text(self, left: GoType, right: GoType) -> GoType | None:
        both = go.is_string(left) and go.is_string(right)
        return go.BOOL if both or self._maybe(left, right, go.is_string) else None

    def _contains(self, left: GoType, right: GoType) -> GoType | None:
        if right.kind is Kind.MAP and right.key is not None:
            free = go.is_unknown(left) or (left is go.NIL and not self._modern)
            if not free and not go.assignable(left, right.key):
                self._refuse_in(left, right.key, "map key")
            return go.BOOL
        if go.is_list(right):
            if left is go.NIL and not self._modern:
                return go.BOOL
            elems = [right.content or right.elem] if self._modern else [right.elem, right.content]
            for elem in elems:
                if elem is not None and not self.comparable(left, elem):
                    self._refuse_in(left, elem, "array")
            return go.BOOL
        if go.is_unknown(right) or (go.is_unknown(left) and go.is_string(right)):
            return go.BOOL
        return None

    def _refuse_in(self, left: GoType, elem: GoType, where: str) -> NoReturn:
        raise ConditionError(f"cannot use {self._shown(left)} as type {elem.name} in {where}")

    def _coalesce(self, left: GoType, right: GoType) -> GoType | None:
        if left is go.NIL:
            return right
        if right is go.NIL or go.assignable(right, left):
            return left
        return self._unknown
