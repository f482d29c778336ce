"""The condition language of Argo Rollouts: expr-lang/expr, as far as conditions use it.

A condition is parsed, checked against the Go type of the actual result, optimized and compiled to
closures; `evaluate` does all of it and remembers the compiled form. `values` tells which Python
values stand for which Go values.

Rules: expr-lang/expr v1.17.8 and antonmedv/expr v1.15.5 (both MIT licensed), and
utils/evaluate of argoproj/argo-rollouts (Apache-2.0).
"""

from __future__ import annotations

from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotypes import type_of
from rollout_runner.argo.expr.program import Program, compile_condition, evaluate
from rollout_runner.argo.expr.values import Floats, NrdbRow, NrdbRows

__all__ = [
    "ConditionError",
    "Dialect",
    "Floats",
    "NrdbRow",
    "NrdbRows",
    "Program",
    "compile_condition",
    "evaluate",
    "type_of",
]
