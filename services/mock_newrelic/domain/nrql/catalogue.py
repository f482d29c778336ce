"""Which functions there are, and how many arguments they take."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from mock_newrelic.domain.nrql.errors import NrqlError

if TYPE_CHECKING:
    from mock_newrelic.domain.nrql.ast import Call

MANY = 64

AGGREGATES: dict[str, tuple[int, int]] = {
    "apdex": (1, 2),
    "average": (1, 1),
    "bucketPercentile": (2, MANY),
    "cdfPercentage": (2, MANY),
    "count": (1, 1),
    "derivative": (1, 2),
    "earliest": (1, 1),
    "filter": (2, 2),
    "histogram": (1, 3),
    "latest": (1, 1),
    "max": (1, 1),
    "median": (1, 1),
    "min": (1, 1),
    "percentage": (2, 2),
    "percentile": (1, MANY),
    "rate": (1, 2),
    "stddev": (1, 1),
    "sum": (1, 1),
    "uniqueCount": (1, MANY),
    "uniques": (1, 2),
}
"""Functions of many rows: fewest and most arguments."""

SCALARS: dict[str, tuple[int, int]] = {
    "abs": (1, 1),
    "accountId": (0, 0),
    "aparse": (2, 2),
    "boolean": (1, 1),
    "capture": (2, 2),
    "ceil": (1, 1),
    "clamp_max": (2, 2),
    "clamp_min": (2, 2),
    "concat": (1, MANY),
    "floor": (1, 1),
    "getField": (2, 2),
    "if": (2, 3),
    "lower": (1, 1),
    "numeric": (1, 1),
    "pow": (2, 2),
    "round": (1, 2),
    "sqrt": (1, 1),
    "string": (1, 2),
    "substring": (2, 3),
    "tuple": (1, MANY),
    "upper": (1, 1),
}
"""Functions of one row."""

_SPELLINGS = {name.lower(): name for name in (*AGGREGATES, *SCALARS)}
_SPELLINGS |= {"stdev": "stddev", "avg": "average", "ceiling": "ceil"}


def spelling(name: str, at: int) -> str:
    """Return the function's name as the documentation writes it.

    Raises:
        NrqlError: there is no such function; the hint names a similar one.
    """
    known = _SPELLINGS.get(name.lower())
    if known is None:
        similar = get_close_matches(name.lower(), _SPELLINGS, n=1)
        hint = (
            f"did you mean {_SPELLINGS[similar[0]]}?"
            if similar
            else f"known: {', '.join(sorted({*AGGREGATES, *SCALARS}))}"
        )
        raise NrqlError(f"unknown function {name[:40]!a}", at, hint)
    return known


def check_arity(call: Call) -> None:
    """Refuse a call with too few or too many arguments."""
    fewest, most = AGGREGATES.get(call.function) or SCALARS[call.function]
    if not fewest <= len(call.args) <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise NrqlError(
            f"{call.function}() takes {wanted} arguments, {len(call.args)} are given", call.at
        )
