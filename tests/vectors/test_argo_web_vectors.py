"""The web provider where a recording does not show all: crashes, silent passes, paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollout_runner.argo import gojson
from rollout_runner.argo.jsonpath import (
    JsonPathCrashError,
    JsonPathError,
    NoResultError,
    compile_path,
)
from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.conformance.record import Record
from rollout_runner.conformance.runner import read_records
from rollout_runner.conformance.web import WebCase, executed_case

_FOLDER = Path(__file__).parent
_EXECUTED = [executed_case(record) for record in read_records(_FOLDER / "argo/executed_web.json")]


def _params(cases: list[WebCase]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


@pytest.mark.parametrize("case", _params([case for case in _EXECUTED if not case.crashes]))
def test_a_pass_without_judgement_is_marked(case: WebCase) -> None:
    """Where 1.9 comes to another phase than 1.10, it has skipped the conditions, and says so."""
    reading = case.replay(ArgoVersion.V1_9, case.recorded)
    differs = case.expected(ArgoVersion.V1_9) != case.expected(ArgoVersion.V1_10)
    assert reading.unevaluated or not differs
    assert not case.replay(ArgoVersion.V1_10, case.recorded).unevaluated


@pytest.mark.parametrize("case", _params([case for case in _EXECUTED if case.crashes]))
def test_bare_null_is_an_error_that_says_so(case: WebCase) -> None:
    """Where the real controller would crash, the measurement is an Error that names the cause."""
    for version in ArgoVersion:
        reading = case.replay(version, case.recorded)
        assert (reading.phase, reading.value) == (Phase.ERROR, "")
        assert "null" in reading.message
        assert "crashes" in reading.message


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(vector, id=vector["id"])
        for vector in read_records(_FOLDER / "expr/generated_jsonpaths.json")
    ],
)
def test_generated_path(vector: Record) -> None:
    """A generated path selects, or refuses, what client-go did."""
    assert _outcome(vector["path"], vector["body"]) == vector["outcome"]


def _outcome(text: str, body: str) -> dict[str, Any]:
    try:
        path = compile_path(text)
    except JsonPathError as error:
        return {"parse": str(error)}
    try:
        return {"value": gojson.encode(path.first(gojson.decode(body)))}
    except NoResultError:
        return {"none": True}
    except JsonPathCrashError:
        return {"panic": True}
    except JsonPathError as error:
        return {"find": str(error)}
