"""From a metric's result to a phase: successCondition and failureCondition together.

Rules: `EvaluateResult` in utils/evaluate/evaluate.go of argoproj/argo-rollouts. Without conditions
a measurement is Successful; failure wins over success; if neither holds it is Inconclusive; an
error in a condition is an Error.
"""

from __future__ import annotations

from typing import Any

from rollout_runner.argo.expr import ConditionError, Dialect, evaluate
from rollout_runner.argo.expr.values import SLICES, is_nil
from rollout_runner.argo.types import ArgoVersion, Phase

_NO_DATA = "metric result is nil or empty: no data returned from the metric provider"


def assess(
    value: Any,
    *,
    success_condition: str,
    failure_condition: str,
    version: ArgoVersion,
    now: float | None = None,
) -> tuple[Phase, str]:
    """Judge a result.

    Args:
        value: the result, as one of the values that `expr.values` lists.
        success_condition: empty if there is none.
        failure_condition: empty if there is none.
        version: decides the expression library and the wording of errors.
        now: instant that `now()` gives in a condition, in seconds since the Unix epoch.

    Returns:
        The phase, and for Error the message that Argo records.
    """
    dialect = dialect_of(version)
    name, text = "successCondition", success_condition
    success = failure = None
    try:
        if text:
            success = evaluate(text, value, dialect=dialect, now=now)
        name, text = "failureCondition", failure_condition
        if text:
            failure = evaluate(text, value, dialect=dialect, now=now)
    except ConditionError as error:
        return Phase.ERROR, _message(name, text, value, error, version)
    if failure or (failure is None and success is False):
        return Phase.FAILED, ""
    return (Phase.INCONCLUSIVE if success is False else Phase.SUCCESSFUL), ""


def dialect_of(version: ArgoVersion) -> Dialect:
    """Return the expression library that a release of Argo carries."""
    return Dialect.V1_17 if version is ArgoVersion.V1_10 else Dialect.V1_15


def _message(name: str, text: str, value: Any, error: ConditionError, version: ArgoVersion) -> str:
    """Word an error: releases before 1.10 pass on the bare message of the library."""
    if version is not ArgoVersion.V1_10:
        return str(error)
    empty = is_nil(value) or (type(value) in SLICES and not value)
    return f'could not evaluate {name} "{text}": {_NO_DATA if empty else error}'
