"""The static check of a condition against the type of the actual result.

This is where Argo's typing surprises live: `result > 1` on a string, `result % 2` on a JSON number
and `result < 1` on nil are refused here, before anything runs, whatever stands around them.

Rules: checker/checker.go of expr-lang/expr v1.17.8 and antonmedv/expr v1.15.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.argo.expr import gotypes as go
from rollout_runner.argo.expr import nodes
from rollout_runner.argo.expr.binary_types import BinaryTypes
from rollout_runner.argo.expr.call_types import check_get, fit_arguments
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.environment import ARGO_FUNCTIONS
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.functions import FUNCTIONS
from rollout_runner.argo.expr.functions.spec import UNTYPED
from rollout_runner.argo.expr.functions.times import method_of
from rollout_runner.argo.expr.gotypes import GoType, Kind
from rollout_runner.argo.expr.predicate_types import PREDICATE_FUNCTIONS, PredicateTypes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rollout_runner.argo.expr.environment import ArgoFunction

Types = dict[nodes.Node, GoType]


def check(
    tree: nodes.Node,
    result: GoType | None,
    dialect: Dialect,
    *,
    functions: Mapping[str, ArgoFunction] = ARGO_FUNCTIONS,
) -> Types:
    """Check an expression and return the static type of each of its nodes.

    Args:
        tree: the expression.
        result: type of `result`; None where that name is not known.
        dialect: the library to follow.
        functions: what Argo puts in scope besides.

    Raises:
        ConditionError: an operation can never succeed with this result.
    """
    checker = Checker(result, dialect, functions)
    checker.visit(tree)
    return checker.types


class Checker:
    """One pass over a tree, keeping the variables and predicates that it is inside of."""

    def __init__(
        self, result: GoType | None, dialect: Dialect, functions: Mapping[str, ArgoFunction]
    ) -> None:
        self.types: Types = {}
        self.dialect = dialect
        self.modern = dialect is Dialect.V1_17
        self.unknown = go.UNKNOWN if self.modern else go.ANY
        self._result = result
        self._argo = functions
        self._variables: dict[str, GoType] = {}
        self._functions = FUNCTIONS[dialect]
        self._binary = BinaryTypes(dialect)
        self._predicates = PredicateTypes(self)
        self._visitors: dict[type[nodes.Node], Callable[..., GoType]] = {
            nodes.Nil: lambda _: go.NIL,
            nodes.Literal: lambda node: go.type_of(node.value),
            nodes.Identifier: self._identifier,
            nodes.Unary: self._unary,
            nodes.Binary: self._operation,
            nodes.Chain: lambda node: self.visit(node.path),
            nodes.Member: self._member,
            nodes.Slice: self._slice,
            nodes.Call: self._call,
            nodes.Builtin: self._builtin,
            nodes.Predicate: self._predicates.predicate,
            nodes.Pointer: self._predicates.pointer,
            nodes.Let: self._let,
            nodes.Sequence: lambda node: [self.visit(part) for part in node.nodes][-1],
            nodes.Conditional: self._conditional,
            nodes.Array: self._array,
            nodes.MapLiteral: self._map,
        }

    def visit(self, node: nodes.Node) -> GoType:
        """Return the type of a node, and note it."""
        found = self._visitors[type(node)](node)
        self.types[node] = found
        return found

    def shown(self, kind: GoType) -> str:
        """Spell a type in a message; the libraries name the type of nil differently."""
        return "<nil>" if kind is go.NIL and not self.modern else kind.name

    def element(self, kind: GoType) -> GoType:
        """Return the type of a list's elements, as far as the dialect tracks it."""
        if self.modern and kind.content is not None:
            return kind.content
        return kind.elem or self.unknown

    def _identifier(self, node: nodes.Identifier) -> GoType:
        name = node.name
        if name in self._variables:
            return self._variables[name]
        if name == "result" and self._result is not None:
            return self._result
        if name in self._argo:
            return self._argo[name].type
        if name in PREDICATE_FUNCTIONS[self.dialect]:
            return PREDICATE_FUNCTIONS[self.dialect][name] if self.modern else UNTYPED
        if name in self._functions:
            return self._functions[name].type if self.modern else UNTYPED
        if name == "$env":
            raise ConditionError("$env is supported with a name only, as in $env.result")
        raise ConditionError(f"unknown name {name}")

    def _unary(self, node: nodes.Unary) -> GoType:
        operand = self.visit(node.operand)
        if node.operator in {"!", "not"}:
            if go.is_bool(operand) or go.is_unknown(operand):
                return go.BOOL
        elif self._binary.is_number(operand):
            return operand
        elif go.is_unknown(operand):
            return self.unknown
        raise ConditionError(
            f"invalid operation: {node.operator} (mismatched type {self.shown(operand)})"
        )

    def _operation(self, node: nodes.Binary) -> GoType:
        left = self.visit(node.left)
        right = self.visit(node.right)
        pattern = node.right.value if isinstance(node.right, nodes.Literal) else None
        return self._binary.result(node.operator, left, right, pattern)

    def _member(self, node: nodes.Member) -> GoType:
        base = self.visit(node.base)
        key = self.visit(node.key)
        name = node.key.value if isinstance(node.key, nodes.Literal) else None
        if go.is_unknown(base):
            return self.unknown
        if isinstance(name, str):
            if base is go.NIL:
                raise ConditionError(
                    f"type {'nil' if self.modern else '<nil>'} has no field {name}"
                )
            method = method_of(base, name)
            if method is not None:
                return method[0]
        if base.kind is Kind.MAP and base.key is not None:
            free = key is go.NIL and not self.modern
            if not go.assignable(key, base.key) and not go.is_unknown(key) and not free:
                raise ConditionError(
                    f"cannot use {self.shown(key)} to get an element from {base.name}"
                )
            return base.elem or self.unknown
        if base.kind is Kind.SLICE:
            if not self._binary.is_integer(key) and not go.is_unknown(key):
                raise ConditionError(
                    f"array elements can only be selected using an integer (got {self.shown(key)})"
                )
            return self.element(base)
        if self.modern and isinstance(name, str):
            what = "method" if node.method else "field"
            raise ConditionError(f"type {base.name} has no {what} {name}")
        raise ConditionError(f"type {self.shown(base)}[{self.shown(key)}] is undefined")

    def _slice(self, node: nodes.Slice) -> GoType:
        base = self.visit(node.base)
        if go.is_unknown(base) and self.modern:
            return self.unknown
        if base.kind not in {Kind.STRING, Kind.SLICE, Kind.INTERFACE}:
            raise ConditionError(f"cannot slice {self.shown(base)}")
        for end in (node.start, node.stop):
            if end is None:
                continue
            index = self.visit(end)
            if not self._binary.is_integer(index) and not go.is_unknown(index):
                raise ConditionError(f"non-integer slice index {self.shown(index)}")
        return base

    def _call(self, node: nodes.Call) -> GoType:
        callee = self.visit(node.callee)
        if go.is_unknown(callee):
            return self.unknown
        name = "function"
        if isinstance(node.callee, nodes.Identifier):
            name = node.callee.name
        elif isinstance(node.callee, nodes.Member) and isinstance(node.callee.key, nodes.Literal):
            name = str(node.callee.key.value)
        if callee is go.NIL:
            raise ConditionError(f"{name} is nil; cannot call nil as function")
        if callee.kind is not Kind.FUNC:
            raise ConditionError(f"{callee.name} is not callable")
        found = fit_arguments(self, name, callee, node.arguments)
        if isinstance(found, str):
            raise ConditionError(found)
        return found

    def _builtin(self, node: nodes.Builtin) -> GoType:
        if node.name in PREDICATE_FUNCTIONS[self.dialect]:
            return self._predicates.call(node)
        if node.name == "get":
            return check_get(self, node)
        function = self._functions[node.name]
        if function.check is not None:
            kinds = [self._plain(self.visit(arg)) for arg in node.arguments]
            return function.check(kinds)
        refusal = ""
        for overload in function.overloads:
            found = fit_arguments(self, node.name, overload, node.arguments)
            if not isinstance(found, str):
                return found
            refusal = found
        raise ConditionError(refusal)

    def _plain(self, kind: GoType) -> GoType:
        """Forget what is known of a list's elements beyond its Go type, as the functions do."""
        if kind.kind is Kind.SLICE and kind.content is not None:
            return go.LIST
        return go.ANY if kind is go.UNKNOWN else kind

    def _let(self, node: nodes.Let) -> GoType:
        name = node.name
        if name in self._argo or (name == "result" and self._result is not None):
            raise ConditionError(f"cannot redeclare {name}")
        if name in self._functions or name in PREDICATE_FUNCTIONS[self.dialect]:
            raise ConditionError(f"cannot redeclare builtin {name}")
        if name in self._variables:
            raise ConditionError(f"cannot redeclare variable {name}")
        value = self.visit(node.value)
        self._variables[name] = value
        body = self.visit(node.body)
        del self._variables[name]
        return body

    def _conditional(self, node: nodes.Conditional) -> GoType:
        test = self.visit(node.test)
        if not go.is_bool(test) and not go.is_unknown(test):
            raise ConditionError(f"non-bool expression (type {self.shown(test)}) used as condition")
        then, otherwise = self.visit(node.then), self.visit(node.otherwise)
        if then is go.NIL:
            return otherwise
        if otherwise is go.NIL:
            return then
        if not go.assignable(then, otherwise):
            return self.unknown
        if self.modern and go.is_list(then) and go.is_list(otherwise):
            one, other = self.element(then), self.element(otherwise)
            if not (go.assignable(one, other) and go.assignable(other, one)):
                return go.LIST
        return then

    def _array(self, node: nodes.Array) -> GoType:
        kinds = [self.visit(item) for item in node.nodes]
        if not kinds:
            return go.list_of(self.unknown) if self.modern else go.LIST
        alike = all(kind.kind is kinds[0].kind for kind in kinds)
        if not self.modern and go.NIL in kinds:
            alike = False
        return go.list_of(kinds[-1]) if alike else go.LIST

    def _map(self, node: nodes.MapLiteral) -> GoType:
        for key, value in node.pairs:
            self.visit(key)
            self.visit(value)
        return go.MAP
