"""From a checked tree to a function: each node becomes a closure over its parts.

A simulation evaluates the same condition millions of times, so all choices that do not depend on
the result are made here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rollout_runner.argo.expr import nodes
from rollout_runner.argo.expr.access import cut, fetch, length_in_bytes
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.environment import ARGO_FUNCTIONS, ArgoFunction
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.folding import as_float_literals
from rollout_runner.argo.expr.frame import MEMORY_BUDGET, Frame, Scope
from rollout_runner.argo.expr.functions import FUNCTIONS
from rollout_runner.argo.expr.functions.times import call_method, method_of
from rollout_runner.argo.expr.gotypes import FLOAT, UNKNOWN, GoType, Kind, type_of
from rollout_runner.argo.expr.loops import LOOPS
from rollout_runner.argo.expr.operations import (
    ARITHMETIC,
    SHORT_CIRCUIT,
    TEXT,
    Operation,
    equality,
    matching,
    membership,
)
from rollout_runner.argo.expr.operators import negate
from rollout_runner.argo.expr.residue import hide_left, leaves_residue, refuse_hidden_values
from rollout_runner.argo.expr.values import (
    is_nil,
    need_bool,
    need_string,
    to_int,
    type_name,
)

Evaluator = Callable[[Frame], Any]


class _Broken(Exception):  # noqa: N818 - a jump, not an error
    """An optional base is nil: the whole path is nil."""


class Compiler:
    """Compiles the nodes of one condition."""

    def __init__(self, types: dict[nodes.Node, GoType], dialect: Dialect) -> None:
        self.dialect = dialect
        self.modern = dialect is Dialect.V1_17
        self.variables = 0
        self._types = types
        self._slots: dict[str, int] = {}
        self._functions = FUNCTIONS[dialect]
        self._makers: dict[type[nodes.Node], Callable[..., Evaluator]] = {
            nodes.Nil: lambda _: lambda _frame: None,
            nodes.Literal: self._constant,
            nodes.Constant: self._constant,
            nodes.Identifier: self._identifier,
            nodes.Unary: self._unary,
            nodes.Binary: self._binary,
            nodes.Chain: self._chain,
            nodes.Member: self._member,
            nodes.Slice: self._slice,
            nodes.Call: self._call,
            nodes.Builtin: self._builtin,
            nodes.Predicate: lambda node: self.compile(node.body),
            nodes.Pointer: self._pointer,
            nodes.Let: self._let,
            nodes.Sequence: self._sequence,
            nodes.Conditional: self._conditional,
            nodes.Array: self._array,
            nodes.MapLiteral: self._map,
        }

    def compile(self, node: nodes.Node) -> Evaluator:
        """Return the function that computes a node."""
        refuse_hidden_values(node)
        return self._makers[type(node)](node)

    def _constant(self, node: nodes.Literal | nodes.Constant) -> Evaluator:
        value = node.value
        return lambda _frame: value

    def _identifier(self, node: nodes.Identifier) -> Evaluator:
        if node.name in self._slots:
            slot = self._slots[node.name]
            return lambda frame: frame.variables[slot]
        if node.name == "result":
            return lambda frame: frame.result
        function = ARGO_FUNCTIONS.get(node.name)
        return lambda _frame: function

    def _unary(self, node: nodes.Unary) -> Evaluator:
        operand = self.compile(node.operand)
        if node.operator == "-":
            return lambda frame: negate(operand(frame))
        if node.operator == "+":
            return operand
        return lambda frame: not need_bool(operand(frame))

    def _binary(self, node: nodes.Binary) -> Evaluator:
        left, right = self.compile(node.left), self.compile(node.right)
        short_circuit = SHORT_CIRCUIT.get(node.operator)
        if short_circuit is not None:
            return short_circuit(left, right)
        if node.operator == "..":
            return self._range(node, left, right)
        operation = self._operation(node)
        if leaves_residue(node.right):
            return hide_left(left, right, operation)
        return lambda frame: operation(left(frame), right(frame))

    def _operation(self, node: nodes.Binary) -> Operation:
        if node.operator in {"==", "!="}:
            ints = self._kind(node.left) is self._kind(node.right) is Kind.INT
            return equality(node.operator, self.dialect, ints=ints)
        if node.operator == "in":
            members = node.right.value if isinstance(node.right, nodes.Constant) else None
            return membership(members, self.dialect)
        if node.operator == "matches":
            return matching(self.dialect, constant=isinstance(node.right, nodes.Literal))
        return TEXT[self.dialect].get(node.operator) or ARITHMETIC[node.operator]

    def _kind(self, node: nodes.Node) -> Kind:
        if isinstance(node, nodes.Literal):
            return type_of(node.value).kind
        return self._types.get(node, UNKNOWN).kind

    def _range(self, node: nodes.Binary, left: Evaluator, right: Evaluator) -> Evaluator:
        literals = isinstance(node.left, nodes.Literal) and isinstance(node.right, nodes.Literal)
        counted = self.modern or not literals  # the older library builds constant ranges once

        def run(frame: Frame) -> range:
            start, stop = to_int(left(frame)), to_int(right(frame)) + 1
            size = max(stop - start, 0)
            if counted or size > MEMORY_BUDGET:
                frame.grow(size)
            return range(start, stop)

        return run

    def _chain(self, node: nodes.Chain) -> Evaluator:
        path, modern = self.compile(node.path), self.modern

        def run(frame: Frame) -> Any:
            try:
                value = path(frame)
            except _Broken:
                return None
            return None if modern and is_nil(value) else value

        return run

    def _member(self, node: nodes.Member) -> Evaluator:
        base, key, dialect = self.compile(node.base), self.compile(node.key), self.dialect
        if node.optional:

            def run(frame: Frame) -> Any:
                value = base(frame)
                if is_nil(value):
                    raise _Broken
                return fetch(value, key(frame), dialect)

            return run
        if isinstance(node.key, nodes.Literal) and isinstance(node.key.value, str):
            name = node.key.value

            def by_name(frame: Frame) -> Any:
                value = base(frame)
                if type(value) is dict:
                    return value.get(name)
                return fetch(value, name, dialect)

            return by_name
        if leaves_residue(node.key):
            return hide_left(base, key, lambda value, index: fetch(value, index, dialect))
        return lambda frame: fetch(base(frame), key(frame), dialect)

    def _slice(self, node: nodes.Slice) -> Evaluator:
        base = self.compile(node.base)
        start = self.compile(node.start) if node.start else None
        stop = self.compile(node.stop) if node.stop else None

        def run(frame: Frame) -> Any:
            value = base(frame)
            last = stop(frame) if stop else length_in_bytes(value)
            return cut(value, start(frame) if start else 0, last)

        return run

    def _call(self, node: nodes.Call) -> Evaluator:
        callee, arguments = node.callee, node.arguments
        if isinstance(callee, nodes.Identifier) and callee.name in ARGO_FUNCTIONS:
            function = ARGO_FUNCTIONS[callee.name]
            if function.type.params[0] is FLOAT:
                arguments = tuple(map(as_float_literals, arguments))
            return self._argo_call(function, [self.compile(part) for part in arguments])
        values = [self.compile(argument) for argument in arguments]
        if isinstance(callee, nodes.Member) and isinstance(callee.key, nodes.Literal):
            base = self._types.get(callee.base, UNKNOWN)
            found = method_of(base, str(callee.key.value))
            if found is not None:
                signature, method = found
                receiver = self.compile(callee.base)
                return lambda frame: call_method(
                    method, signature, receiver(frame), [value(frame) for value in values]
                )
        target = self.compile(callee)

        def run(frame: Frame) -> Any:
            given = [value(frame) for value in values]
            called = target(frame)
            if called is None:
                raise ConditionError("invalid operation: cannot call nil")
            if not isinstance(called, ArgoFunction):
                raise ConditionError(
                    f"invalid operation: cannot call non-function of type {type_name(called)}"
                )
            return called.run(frame, given)

        return run

    def _argo_call(self, function: ArgoFunction, values: list[Evaluator]) -> Evaluator:
        run = function.run
        return lambda frame: run(frame, [value(frame) for value in values])

    def _builtin(self, node: nodes.Builtin) -> Evaluator:
        loop = LOOPS.get(node.name)
        if loop is not None and node.name not in self._functions:
            predicate = self.compile(node.arguments[1]) if len(node.arguments) > 1 else None
            extra = self.compile(node.arguments[2]) if len(node.arguments) > 2 else None
            mapped = self.compile(node.mapped) if node.mapped else None
            collection = self.compile(node.arguments[0])
            return loop(node, collection, predicate or _item, extra or mapped)
        run = self._functions[node.name].run
        values = [self.compile(argument) for argument in node.arguments]
        return lambda frame: run(frame, [value(frame) for value in values])

    def _pointer(self, node: nodes.Pointer) -> Evaluator:
        if node.name == "index":
            return lambda frame: _scope(frame).index
        if node.name == "acc":
            return lambda frame: _scope(frame).accumulator
        return _item

    def _let(self, node: nodes.Let) -> Evaluator:
        value = self.compile(node.value)
        slot, self.variables = self.variables, self.variables + 1
        self._slots[node.name] = slot
        body = self.compile(node.body)
        del self._slots[node.name]

        def run(frame: Frame) -> Any:
            frame.variables[slot] = value(frame)
            return body(frame)

        return run

    def _sequence(self, node: nodes.Sequence) -> Evaluator:
        *before, last = [self.compile(part) for part in node.nodes]

        def run(frame: Frame) -> Any:
            for part in before:
                part(frame)
            return last(frame)

        return run

    def _conditional(self, node: nodes.Conditional) -> Evaluator:
        test, then = self.compile(node.test), self.compile(node.then)
        otherwise = self.compile(node.otherwise)
        return lambda frame: then(frame) if need_bool(test(frame)) else otherwise(frame)

    def _array(self, node: nodes.Array) -> Evaluator:
        items = [self.compile(item) for item in node.nodes]

        def run(frame: Frame) -> list[Any]:
            made = [item(frame) for item in items]
            frame.grow(len(made))
            return made

        return run

    def _map(self, node: nodes.MapLiteral) -> Evaluator:
        pairs = [(self.compile(key), self.compile(value)) for key, value in node.pairs]

        def run(frame: Frame) -> dict[str, Any]:
            entries = [(key(frame), value(frame)) for key, value in pairs]
            frame.grow(len(entries))
            made: dict[str, Any] = {}
            for key, value in reversed(entries):  # of equal keys the first one wins
                made[need_string(key)] = value
            return made

        return run


def _scope(frame: Frame) -> Scope:
    scope = frame.scope
    if scope is None:
        raise ConditionError("cannot use pointer accessor outside predicate")
    return scope


def _item(frame: Frame) -> Any:
    return _scope(frame).item()
