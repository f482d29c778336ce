"""`gatelab conformance`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rollout_runner.cli import cli
from svckit.errors import ExitCode, InvalidInput

VECTORS = Path(__file__).parents[2] / "vectors" / "argo"


def test_files_that_agree_end_with_0_and_are_counted_in_json() -> None:
    """Files that agree end with 0 and are counted in JSON, under the names they were given by."""
    files = [str(VECTORS / "job_unit.json"), str(VECTORS / "newrelic_unit.json")]
    result = CliRunner().invoke(cli, ["conformance", *files, "--output", "json"])
    assert result.exit_code == ExitCode.OK
    assert json.loads(result.stdout) == {
        files[0]: {"total": 7, "passed": 7, "failed": [], "unsupported": []},
        files[1]: {"total": 8, "passed": 8, "failed": [], "unsupported": []},
    }


def test_a_record_that_fails_is_named_with_both_values_and_ends_with_3(tmp_path: Path) -> None:
    """A record that fails is named with what came out and what was expected."""
    text = (VECTORS / "job_unit.json").read_text(encoding="utf-8")
    changed = tmp_path / "job_unit.json"
    changed.write_text(text.replace('"phase": "Failed"', '"phase": "Successful"'), encoding="utf-8")
    result = CliRunner().invoke(cli, ["conformance", str(changed)])
    assert result.exit_code == ExitCode.GATE_FAILED
    assert "6 of 7 passed" in result.stdout
    assert "TestResumeFailedJob#1: phase is 'Failed', expected 'Successful'" in result.stdout


def test_a_kind_without_a_replay_is_unsupported_not_passed(tmp_path: Path) -> None:
    """A file of an unknown name passes nothing, and is told as unsupported."""
    unknown = tmp_path / "unknown.json"
    unknown.write_text('{"vectors": [{"id": "u1"}]}', encoding="utf-8")
    result = CliRunner().invoke(cli, ["conformance", str(unknown), "--output", "json"])
    assert json.loads(result.stdout) == {
        str(unknown): {"total": 1, "passed": 0, "failed": [], "unsupported": ["u1"]}
    }


def test_1_9_is_held_to_what_was_recorded_of_it(tmp_path: Path) -> None:
    """A record with a value of 1.9 is compared with that value, by the rules of 1.9."""
    record = {
        "id": "w",
        "web": {"url": "/"},
        "successCondition": "result == 'ok'",
        "failureCondition": "",
        "response": {"status": 200, "body": "no", "location": ""},
        "expected": {"phase": "Failed", "value": "no", "message": ""},
        "expected_v1_9_1": {"phase": "Successful", "value": "no", "message": ""},
    }
    path = tmp_path / "executed_web.json"
    path.write_text(json.dumps({"vectors": [record]}), encoding="utf-8")
    for version in ("1.9", "1.10"):
        result = CliRunner().invoke(cli, ["conformance", str(path), "--argo-version", version])
        assert (result.exit_code, result.stdout.strip()) == (0, f"{path}: 1 of 1 passed")


@pytest.mark.parametrize("text", ["", "[]", '{"vectors": {}}', '{"vectors": [1]}'])
def test_a_file_that_is_no_vector_file_is_unusable_input(tmp_path: Path, text: str) -> None:
    """A file that is no vector file is refused with a sentence."""
    path = tmp_path / "web_unit.json"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(cli, ["conformance", str(path)])
    assert isinstance(result.exception, InvalidInput)


@pytest.mark.parametrize("beside", [(), ("INDEX.json",)], ids=["empty", "index-alone"])
def test_nothing_to_replay_is_no_success(tmp_path: Path, beside: tuple[str, ...]) -> None:
    """A mistyped folder must not read as an engine that agrees."""
    for name in beside:
        (tmp_path / name).write_text("{}", encoding="utf-8")
    result = CliRunner().invoke(cli, ["conformance", str(tmp_path)])
    assert isinstance(result.exception, InvalidInput)
    assert "there is no vector file" in result.exception.detail
