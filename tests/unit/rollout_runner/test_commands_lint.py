"""`gatelab lint` on the command line: exit codes, forms, selection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from junitparser import JUnitXml
from typer.testing import CliRunner, Result

from rollout_runner.cli import cli
from rollout_runner.commands.lint import chosen_codes
from rollout_runner.lint import RULES
from svckit.errors import InvalidInput

BAD = RULES["GL308"].bad.document
GOOD = RULES["GL308"].good.document


@pytest.fixture(name="bad")
def _bad(tmp_path: Path) -> Path:
    path = tmp_path / "gate.yaml"
    path.write_text(BAD, encoding="utf-8")
    return path


def run(*arguments: str | Path) -> Result:
    """Run `gatelab lint` in this process."""
    return CliRunner().invoke(cli, ["lint", *map(str, arguments)])


def test_a_clean_file_is_exit_0(tmp_path: Path) -> None:
    """Nothing is written to stdout, and stderr says clean."""
    path = tmp_path / "gate.yaml"
    path.write_text(GOOD, encoding="utf-8")
    result = run(path)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "clean\n")


def test_a_finding_is_exit_3_with_place_reason_and_fix(bad: Path) -> None:
    """The text names file, line, column, object and field, and says what to do."""
    result = run(bad)
    assert result.exit_code == 3
    assert f"{bad}:9:7: error GL308" in result.stdout
    assert "AnalysisTemplate/gate: spec.metrics[0].failureLimit" in result.stdout
    assert "fix: lower failureLimit" in result.stdout
    assert result.stderr == "1 error\n"


def test_fail_on_sets_the_threshold(tmp_path: Path) -> None:
    """A warning alone passes with --fail-on error and fails without."""
    path = tmp_path / "gate.yaml"
    path.write_text(RULES["GL310"].bad.document, encoding="utf-8")
    assert run(path).exit_code == 3
    assert run(path, "--fail-on", "error").exit_code == 0


def test_select_and_ignore(bad: Path) -> None:
    """Codes and prefixes choose the rules; an unknown one is refused."""
    assert run(bad, "--ignore", "GL308").exit_code == 0
    assert run(bad, "--select", "GL3").exit_code == 3
    assert run(bad, "--select", "GL4").exit_code == 0
    assert isinstance(run(bad, "--select", "XY").exception, InvalidInput)
    assert chosen_codes(["GL3,GL401"], ["GL30"])[-1] == "GL401"


def test_json_says_everything(bad: Path) -> None:
    """Every part of a finding is a field."""
    document = json.loads(run(bad, "--output", "json").stdout)
    assert document["summary"] == {"error": 1, "warning": 0, "note": 0}
    assert document["argoVersion"] == "1.9"
    (finding,) = document["findings"]
    assert finding["code"] == "GL308"
    assert (finding["file"], finding["line"], finding["column"]) == (str(bad), 9, 7)
    assert (finding["kind"], finding["name"]) == ("AnalysisTemplate", "gate")
    assert finding["path"] == "spec.metrics[0].failureLimit"


def test_junit_fails_the_rule_that_found_something(bad: Path, tmp_path: Path) -> None:
    """One case for each rule, and one failure."""
    out = tmp_path / "lint.xml"
    assert run(bad, "--output", "junit", "--out", out).exit_code == 3
    (suite,) = JUnitXml.fromstring(out.read_bytes())
    failed = [case.name for case in suite if case.result]
    assert (suite.tests, suite.failures) == (len(RULES), 1)
    assert failed == ["GL308 failureLimit that is never exceeded"]


def test_markdown_is_one_table(bad: Path) -> None:
    """A job summary shows severity, code, place, reason and fix."""
    lines = run(bad, "--output", "markdown").stdout.splitlines()
    assert lines[0] == "### gatelab lint: 1 error"
    assert lines[-1].startswith("| error | GL308 |")


def test_rules_and_explain_need_no_path() -> None:
    """The catalogue can be read from the command line."""
    assert len(run("--rules").stdout.splitlines()) == len(RULES)
    text = run("--explain", "gl308").stdout
    assert RULES["GL308"].why in text
    assert "failureLimit: 3" in text


@pytest.mark.parametrize("arguments", [(), ("--explain", "GL999"), ("no/such/path",)])
def test_what_cannot_be_used_is_refused(arguments: tuple[str, ...]) -> None:
    """One sentence, exit code 2, never a traceback."""
    error = run(*arguments).exception
    assert isinstance(error, InvalidInput)
    assert error.exit_code == 2
    assert error.hint


def test_text_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    """Unusable input is not a finding."""
    path = tmp_path / "gate.yaml"
    path.write_text("a: [", encoding="utf-8")
    assert isinstance(run(path).exception, InvalidInput)
