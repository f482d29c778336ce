"""Metrics that New Relic makes from transactions, said in terms of the transactions themselves.

`FROM Metric` with one of them is answered like `FROM Transaction`, so both have one opinion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.attributes import DURATION, ERROR
from mock_newrelic.domain.nrql.data import TRANSACTION
from mock_newrelic.domain.nrql.expressions import parts
from mock_newrelic.domain.nrql.lowering import conjunction, conjuncts

if TYPE_CHECKING:
    from mock_newrelic.domain.nrql.ast import Query

METRIC = "Metric"
TRANSACTION_METRICS = frozenset({"apm.service.transaction.duration"})
ERROR_METRICS = frozenset({"apm.service.error.count", "apm.service.transaction.error.count"})
TIMESLICE_VALUE = "newrelic.timeslice.value"
TIMESLICE_NAME = "metricTimesliceName"
TIMESLICES = {
    "HttpDispatcher": DURATION,
    "WebTransaction": DURATION,
    "Errors/all": ERROR,
    "Errors/allWeb": ERROR,
}
"""Timeslice metrics that the transactions themselves answer."""


def apm_names(query: Query) -> dict[str, str]:
    """Return which metrics of the query are made from transactions, and from what of them.

    Empty when the query names none of them, or reads something else than metrics.
    """
    if query.source != (METRIC,):
        return {}
    names = dict.fromkeys(TRANSACTION_METRICS, DURATION) | dict.fromkeys(ERROR_METRICS, ERROR)
    timeslice = _timeslice(query)
    if timeslice is not None:
        names[TIMESLICE_VALUE] = TIMESLICES[timeslice]
    exprs = [item.value for item in query.select if not isinstance(item.value, ast.Star)]
    used = {part.name for expr in exprs for part in parts(expr) if isinstance(part, ast.Ref)}
    return names if used & names.keys() else {}


def _timeslice(query: Query) -> str | None:
    for one in conjuncts(query.where):
        match one:
            case ast.Compare("=", ast.Ref(name, None), ast.Literal(str(value))):
                if name == TIMESLICE_NAME and value in TIMESLICES:
                    return value
    return None


def as_transactions(query: Query) -> Query:
    """Return the query over transactions; the name of a timeslice is no condition any more."""
    kept = [
        one
        for one in conjuncts(query.where)
        if not any(isinstance(p, ast.Ref) and p.name == TIMESLICE_NAME for p in parts(one))
    ]
    return replace(query, source=(TRANSACTION,), where=conjunction(kept))
