"""Expressions that give a time: `start` and `end` of a Prometheus range query.

>>> evaluate_time('now() - duration("5m")', now=1_770_000_300.0)
1770000000.0

Source: `EvalTime` in utils/evaluate/evaluate.go of argoproj/argo-rollouts. Unlike a condition, such
an expression knows no result, and of Argo's functions only `isNaN` and `isInf`.
"""

from __future__ import annotations

from rollout_runner.argo.expr.checker import check
from rollout_runner.argo.expr.compiler import Compiler
from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.environment import ARGO_FUNCTIONS
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.frame import Frame
from rollout_runner.argo.expr.optimizer import optimize
from rollout_runner.argo.expr.parser import parse
from rollout_runner.argo.expr.values import GoTime, type_name

_FUNCTIONS = {name: ARGO_FUNCTIONS[name] for name in ("isNaN", "isInf")}


def evaluate_time(text: str, *, now: float, dialect: Dialect = Dialect.V1_17) -> float:
    """Return the instant that an expression gives, in seconds since the Unix epoch.

    Raises:
        ConditionError: with the library's message; also when its value is no time.
    """
    tree = parse(text, dialect)
    types = check(tree, None, dialect, functions=_FUNCTIONS)
    compiler = Compiler(types, dialect)
    evaluator = compiler.compile(optimize(tree, types, dialect))
    value = evaluator(Frame(None, compiler.variables, now))
    if not isinstance(value, GoTime):
        raise ConditionError(f"expected time.Time, but got {type_name(value)}")
    return value.nanoseconds / 1e9
