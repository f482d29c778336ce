"""A compiled condition."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rollout_runner.argo.expr.checker import check
from rollout_runner.argo.expr.compiler import Compiler, Evaluator
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.frame import Frame
from rollout_runner.argo.expr.gotypes import GoType, type_of
from rollout_runner.argo.expr.optimizer import optimize
from rollout_runner.argo.expr.parser import parse
from rollout_runner.argo.expr.values import type_name

_TOO_DEEP = "the condition is nested too deeply to be evaluated here"


@dataclass(frozen=True, slots=True)
class Program:
    """A condition, compiled for one type of result."""

    text: str
    _evaluator: Evaluator
    _variables: int

    def run(self, result: Any, *, now: float | None = None) -> bool:
        """Evaluate the condition.

        Args:
            result: a value of the type that the condition was compiled for.
            now: instant that `now()` gives, in seconds since the Unix epoch.

        Raises:
            ConditionError: it fails, or its value is no bool.
        """
        try:
            value = self._evaluator(Frame(result, self._variables, now))
        except RecursionError:
            raise ConditionError(_TOO_DEEP) from None
        if value is True or value is False:
            return value
        raise ConditionError(f"expected bool, but got {type_name(value)}")


@lru_cache(maxsize=4096)
def compile_condition(text: str, result: GoType, dialect: Dialect = Dialect.V1_17) -> Program:
    """Compile a condition for results of a type.

    Args:
        text: the condition, without template tags.
        result: type of the results, from `type_of`.
        dialect: the library to follow.

    Raises:
        ConditionError: it does not parse, or can never apply to such a result.
    """
    try:
        tree = parse(text, dialect)
        types = check(tree, result, dialect)
        compiler = Compiler(types, dialect)
        evaluator = compiler.compile(optimize(tree, types, dialect))
    except RecursionError:
        raise ConditionError(_TOO_DEEP) from None
    return Program(text, evaluator, compiler.variables)


def evaluate(
    text: str, result: Any, *, dialect: Dialect = Dialect.V1_17, now: float | None = None
) -> bool:
    """Evaluate a condition on a result.

    >>> evaluate("result.score > 0.95 and result.verdict == 'pass'",
    ...          {"score": 0.97, "verdict": "pass"})
    True

    Raises:
        ConditionError: with the library's message.
    """
    return compile_condition(text, type_of(result), dialect).run(result, now=now)
