"""The functions that the expression library offers, by dialect."""

from __future__ import annotations

from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.functions import (
    aggregates,
    arithmetic,
    lists,
    lists_v1_15,
    text,
    times,
)
from rollout_runner.argo.expr.functions.spec import Function


def _table(*groups: tuple[Function, ...]) -> dict[str, Function]:
    return {function.name: function for group in groups for function in group}


FUNCTIONS: dict[Dialect, dict[str, Function]] = {
    Dialect.V1_15: _table(
        text.FUNCTIONS,
        arithmetic.FUNCTIONS,
        arithmetic.FUNCTIONS_V1_15,
        aggregates.FUNCTIONS_V1_15,
        lists_v1_15.FUNCTIONS,
        times.FUNCTIONS,
    ),
    Dialect.V1_17: _table(
        text.FUNCTIONS,
        arithmetic.FUNCTIONS,
        arithmetic.BIT_FUNCTIONS,
        aggregates.FUNCTIONS,
        lists.FUNCTIONS,
        times.FUNCTIONS,
    ),
}

__all__ = ["FUNCTIONS", "Function"]
