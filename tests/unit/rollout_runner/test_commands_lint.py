"""`gatelab lint` on the command line: exit codes, forms, selection."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
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


SARIF = {
    "type": "object",
    "required": ["version", "runs", "$schema"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                },
            },
        },
    },
    "$defs": {
        "result": {
            "type": "object",
            "required": ["message", "ruleId", "ruleIndex", "level", "locations"],
            "properties": {
                "level": {"enum": ["none", "note", "warning", "error"]},
                "message": {"type": "object", "required": ["text"]},
                "locations": {
                    "minItems": 1,
                    "items": {
                        "required": ["physicalLocation"],
                        "properties": {
                            "physicalLocation": {
                                "required": ["artifactLocation", "region"],
                                "properties": {
                                    "region": {
                                        "additionalProperties": False,
                                        "properties": {
                                            "startLine": {"type": "integer", "minimum": 1},
                                            "startColumn": {"type": "integer", "minimum": 1},
                                        },
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


def test_sarif_is_what_code_scanning_reads(tmp_path: Path) -> None:
    """The properties that SARIF 2.1.0 demands are there, and rule and result belong together."""
    path = tmp_path / "a gate.yaml"
    path.write_text(f"{BAD}---\n{RULES['GL802'].bad.document}", encoding="utf-8")
    document = json.loads(run(path, "--output", "sarif").stdout)
    jsonschema.validate(document, SARIF)
    (only,) = document["runs"]
    rules = only["tool"]["driver"]["rules"]
    assert {each["id"] for each in rules} == set(RULES)
    for result in only["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.endswith("a%20gate.yaml")
    fingerprints = [each["partialFingerprints"]["finding/v1"] for each in only["results"]]
    assert len(set(fingerprints)) == len(fingerprints) >= 2


def test_the_fingerprint_does_not_move_with_the_line(bad: Path) -> None:
    """An empty line above changes the region and not the identity of a finding."""

    def result() -> tuple[int, str]:
        document = json.loads(run(bad, "--output", "sarif").stdout)
        (found,) = document["runs"][0]["results"]
        line = found["locations"][0]["physicalLocation"]["region"]["startLine"]
        return line, found["partialFingerprints"]["finding/v1"]

    line, fingerprint = result()
    bad.write_text(f"# a comment\n{BAD}", encoding="utf-8")
    assert result() == (line + 1, fingerprint)


def test_markup_in_a_manifest_stays_text(tmp_path: Path) -> None:
    """A name with a pipe and a tag in it does not break the table."""
    path = tmp_path / "gate.yaml"
    path.write_text(BAD.replace("name: verdict", "name: 'a|<b>'"), encoding="utf-8")
    (row,) = [
        line for line in run(path, "--output", "markdown").stdout.splitlines() if "GL308" in line
    ]
    assert "a\\|&lt;b>" in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 6


def test_files_are_taken_together_and_folders_alone(tmp_path: Path) -> None:
    """A template in another file is found when both files are named; a folder is its own world."""
    rollout, _, rest = RULES["GL802"].good.document.partition("---\n")
    one, other = tmp_path / "rollout.yaml", tmp_path / "rest.yaml"
    one.write_text(rollout, encoding="utf-8")
    other.write_text(rest, encoding="utf-8")
    assert run(one, other).exit_code == 0
    assert run(one).exit_code == 3
    assert run(tmp_path).exit_code == 0
