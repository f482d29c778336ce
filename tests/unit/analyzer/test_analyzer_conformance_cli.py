"""`canary-analyzer conformance`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analyzer.cli import cli
from svckit.errors import ExitCode, InvalidInput

VECTORS = Path(__file__).parents[2] / "vectors" / "statistics"


def test_files_that_agree_end_with_0_and_are_counted_in_json() -> None:
    """Files that agree end with 0 and are counted in json."""
    files = [str(VECTORS / "cmh.json"), str(VECTORS / "kayenta_issues.json")]
    result = CliRunner().invoke(cli, ["conformance", *files, "--output", "json"])
    assert result.exit_code == ExitCode.OK
    empty: dict[str, object] = {"total": 3, "passed": 3, "failed": [], "unsupported": []}
    assert json.loads(result.stdout) == {files[0]: empty, files[1]: empty}


def test_a_record_that_fails_is_named_with_both_values_and_ends_with_3(tmp_path: Path) -> None:
    """A record that fails is named with both values and ends with 3."""
    text = (VECTORS / "cmh.json").read_text(encoding="utf-8")
    changed = tmp_path / "cmh.json"
    changed.write_text(text.replace("9.456785299164478", "9.5"), encoding="utf-8")
    result = CliRunner().invoke(cli, ["conformance", str(changed)])
    assert result.exit_code == ExitCode.GATE_FAILED
    assert "2 of 3 passed" in result.stdout
    assert "cmh is 9.456785" in result.stdout
    assert "expected 9.5" in result.stdout


@pytest.mark.parametrize("text", ["", "[]", '{"vectors": {}}', '{"vectors": [1]}'])
def test_a_file_that_is_no_vector_file_is_unusable_input(tmp_path: Path, text: str) -> None:
    """A file that is no vector file is unusable input."""
    path = tmp_path / "cmh.json"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(cli, ["conformance", str(path)])
    assert isinstance(result.exception, InvalidInput)
