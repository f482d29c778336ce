"""Success and failure condition together."""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.argo.conditions import assess, dialect_of
from rollout_runner.argo.expr import Dialect, Floats
from rollout_runner.argo.types import ArgoVersion, Phase


def _assess(
    value: Any, success: str = "", failure: str = "", version: ArgoVersion = ArgoVersion.V1_10
) -> tuple[Phase, str]:
    return assess(value, success_condition=success, failure_condition=failure, version=version)


@pytest.mark.parametrize(
    ("success", "failure", "phase"),
    [
        pytest.param("", "", Phase.SUCCESSFUL, id="no-conditions"),
        pytest.param("true", "", Phase.SUCCESSFUL, id="success-holds"),
        pytest.param("false", "", Phase.FAILED, id="success-fails"),
        pytest.param("", "true", Phase.FAILED, id="failure-holds"),
        pytest.param("", "false", Phase.SUCCESSFUL, id="failure-does-not-hold"),
        pytest.param("true", "true", Phase.FAILED, id="failure-wins"),
        pytest.param("false", "true", Phase.FAILED, id="failure"),
        pytest.param("true", "false", Phase.SUCCESSFUL, id="success"),
        pytest.param("false", "false", Phase.INCONCLUSIVE, id="neither"),
    ],
)
def test_combination(success: str, failure: str, phase: Phase) -> None:
    """The table of Argo's EvaluateResult."""
    assert _assess(1.0, success, failure) == (phase, "")


def test_success_error_hides_the_failure_condition() -> None:
    """The first error decides; the failure condition is not looked at."""
    phase, message = _assess(1.0, "nope", "true")
    assert phase is Phase.ERROR
    assert message == 'could not evaluate successCondition "nope": unknown name nope'


def test_failure_condition_is_named_in_its_error() -> None:
    """The message tells which of the two conditions it was."""
    assert _assess(1.0, "true", "nope")[1].startswith('could not evaluate failureCondition "nope"')


@pytest.mark.parametrize("value", [None, [], Floats()], ids=["nil", "empty-list", "empty-vector"])
def test_no_data_is_said(value: Any) -> None:
    """An error on nil or an empty list says that there was no data (from 1.10 on)."""
    assert _assess(value, "result[0] > 1")[1] == (
        'could not evaluate successCondition "result[0] > 1": '
        "metric result is nil or empty: no data returned from the metric provider"
    )


def test_an_empty_map_is_data() -> None:
    """Only nil and lists count as empty."""
    assert "no data" not in _assess({}, "result.x > 1")[1]


@pytest.mark.parametrize("version", [ArgoVersion.V1_8, ArgoVersion.V1_9])
def test_older_releases_pass_on_the_bare_message(version: ArgoVersion) -> None:
    """No name of a condition, no word about missing data."""
    message = _assess(Floats(), "result[0] > 1", version=version)[1]
    assert message == "reflect: slice index out of range"


def test_library_of_a_release() -> None:
    """1.10 changed the library."""
    assert [dialect_of(version) for version in ArgoVersion] == [
        Dialect.V1_15,
        Dialect.V1_15,
        Dialect.V1_17,
    ]


def test_instant_is_passed_on() -> None:
    """`now()` gives the caller's instant."""
    assert assess(
        1.0,
        success_condition="now().Year() == 2026",
        failure_condition="",
        version=ArgoVersion.V1_10,
        now=1.77e9,
    ) == (Phase.SUCCESSFUL, "")
