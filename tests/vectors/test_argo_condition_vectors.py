"""Conditions against what the real expression libraries said about them.

`argo/conditions_unit.json` and `argo/executed_conditions.json` hold conditions written by people,
`expr/generated_conditions.json` holds generated ones that were run through both libraries.
"""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.argo import gojson
from rollout_runner.argo.conditions import assess
from rollout_runner.argo.expr import ConditionError, Dialect, evaluate
from rollout_runner.argo.types import ArgoVersion
from vectors.argo_replay_web import load, result_of

NOW = 1_770_000_000.0

_WRITTEN = [*load("conditions_unit"), *load("executed_conditions")]
_ASSESSED = [vector for vector in _WRITTEN if vector.get("kind") != "evalCondition"]
_EVALUATED = [vector for vector in _WRITTEN if vector.get("kind") == "evalCondition"]

_FIND_LAST = "refused: the library's fault with findLast hides more than the left side here"
_TIMES = "refused: of times, only the common methods and layouts are supported"
_ENVIRONMENT = "refused: $env"
_PATTERN = "refused: Unicode classes and flags inside of a pattern"
_WORDING = "an error as in the library, in other words"
_GENERATED_DIFFERENCES = {
    "k0800": _FIND_LAST,
    "k0801": _FIND_LAST,
    "k0802": "refused: byte strings",
    "k0803": _TIMES,
    "k0804": _TIMES,
    "k0805": _TIMES,
    "k0806": _TIMES,
    "k0807": _TIMES,
    "k0808": _ENVIRONMENT,
    "k0809": _ENVIRONMENT,
    "k0810": _PATTERN,
    "k0811": _PATTERN,
    "k0813": _WORDING,
    "k0814": _WORDING,
    "k0816": "no element gives an empty map, which is not nil",
    "k0818": _WORDING,
}


def _params(vectors: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(vector, id=vector["id"]) for vector in vectors]


@pytest.mark.parametrize("vector", _params(_EVALUATED))
def test_one_condition(vector: dict[str, Any]) -> None:
    """One condition gives the recorded truth value or the recorded message."""
    try:
        outcome = {"value": evaluate(vector["condition"], result_of(vector)), "error": None}
    except ConditionError as error:
        outcome = {"value": False, "error": str(error)}
    assert outcome == vector["expected"]


@pytest.mark.parametrize("vector", _params(_ASSESSED))
def test_phase_and_message_of_1_10(vector: dict[str, Any]) -> None:
    """Both conditions together give the recorded phase and the exact message."""
    phase, message = _assess(vector, ArgoVersion.V1_10)
    expected = vector["expected"]
    assert (phase, message) == (expected["phase"], expected["error"] or "")


@pytest.mark.parametrize("vector", _params(_ASSESSED))
def test_phase_of_1_9(vector: dict[str, Any]) -> None:
    """The older library gives the same phase unless another one is recorded, with its message.

    Its messages were recorded only where the phase differs; elsewhere they are checked against the
    generated conditions.
    """
    phase, message = _assess(vector, ArgoVersion.V1_9)
    expected = vector.get("expected_v1_9", vector["expected"])
    assert phase == expected["phase"]
    if "expected_v1_9" in vector:
        assert message == (expected["error"] or "")
    assert bool(message) == (phase == "Error")
    assert not message.startswith("could not evaluate")


def _assess(vector: dict[str, Any], version: ArgoVersion) -> tuple[str, str]:
    return assess(
        result_of(vector),
        success_condition=vector["successCondition"],
        failure_condition=vector["failureCondition"],
        version=version,
        now=NOW,
    )


def _generated() -> list[Any]:
    params = []
    for vector in load("generated_conditions", folder="expr"):
        reason = _GENERATED_DIFFERENCES.get(vector["id"])
        marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
        params.append(pytest.param(vector, id=vector["id"], marks=marks))
    return params


@pytest.mark.parametrize("vector", _generated())
def test_generated_condition(vector: dict[str, Any]) -> None:
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
    assert _GENERATED_DIFFERENCES.keys() <= {
        vector["id"] for vector in load("generated_conditions", folder="expr")
    }
