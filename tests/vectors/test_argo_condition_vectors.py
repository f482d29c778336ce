"""Generated conditions against what the real expression libraries said about them.

`expr/generated_conditions.json` holds conditions that were run through both libraries; the ones
written by people are in `test_argo_conformance_vectors.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollout_runner.argo import gojson
from rollout_runner.argo.expr import ConditionError, Dialect, evaluate
from rollout_runner.conformance.record import Record
from rollout_runner.conformance.runner import read_records

NOW = 1_770_000_000.0

_VECTORS = read_records(Path(__file__).parent / "expr" / "generated_conditions.json")
_FIND_LAST = "refused: the library's fault with findLast hides more than the left side here"
_TIMES = "refused: names of months and weekdays, and time zones as values"
_WORDING = "an error as in the library, in other words"
_DIFFERENCES = {
    "k0800": _FIND_LAST,
    "k0801": _FIND_LAST,
    "k0802": "refused: byte strings",
    "k0803": _TIMES,
    "k0804": _TIMES,
    "k0807": _TIMES,
    "k0810": "refused: Unicode classes in a pattern",
    "k0814": _WORDING,
    "k0816": "no element gives an empty map, which is not nil",
    "k0818": _WORDING,
}


def _generated() -> list[Any]:
    params = []
    for vector in _VECTORS:
        reason = _DIFFERENCES.get(vector["id"])
        marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
        params.append(pytest.param(vector, id=vector["id"], marks=marks))
    return params


@pytest.mark.parametrize("vector", _generated())
def test_generated_condition(vector: Record) -> None:
    """A generated condition gives the truth value or message of the library it was run through."""
    outcome: dict[str, Any]
    result = gojson.decode(vector["result"])
    try:
        value = evaluate(vector["condition"], result, dialect=Dialect(vector["library"]), now=NOW)
        outcome = {"value": value}
    except ConditionError as error:
        outcome = {"error": str(error)}
    assert outcome == {key: vector[key] for key in ("value", "error") if key in vector}


def test_every_named_difference_exists() -> None:
    """The table of differences names vectors that are there."""
    assert _DIFFERENCES.keys() <= {vector["id"] for vector in _VECTORS}
