"""`gatelab test`: scenario files as unit tests of a rollout, with what decided when one fails."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs_project import blocks, read
from rollout_runner.commands.test import TestRequest, exit_code, run_tests
from rollout_runner.scenarios.load import collect_scenarios, find_scenario, load_scenario
from rollout_runner.simulation.gate_test_report import as_json, as_junit, as_markdown, as_text
from svckit.errors import ExitCode, InvalidInput

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "scenarios" / "gate-tests"
QA = ROOT / "deploy" / "rendered" / "qa.yaml"


def request(*places: Path | str, **changes: Any) -> TestRequest:
    """Return a request for files and folders."""
    fields: dict[str, Any] = {
        "places": tuple(str(place) for place in places),
        "mode": None,
        "manifests": QA,
        "argo_version": None,
        "seed": None,
        "speed": 10.0,
        "folder": Path("unused"),
        "quiet": True,
    }
    return TestRequest(**(fields | changes))


def write(folder: Path, stem: str, **fields: Any) -> Path:
    """Write a scenario."""
    path = folder / f"{stem}.yaml"
    healthy = {"name": stem, "mode": "simulate", "baseline": {"errors": "0.5%"}}
    path.write_text(yaml.safe_dump({**healthy, "canary": {"errors": "0.5%"}, **fields}))
    return path


def test_a_met_expectation_passes(tmp_path: Path) -> None:
    """A scenario that ends as expected is a passed test, and the exit code says so."""
    path = write(tmp_path, "good", expect={"outcome": "promoted", "within": "11m"})
    [test] = tests = run_tests(request(path))
    assert test.passed
    assert exit_code(tests) == ExitCode.OK
    assert "promoted after 10m30s" in as_text(tests)


def test_a_failed_expectation_says_what_decided(tmp_path: Path) -> None:
    """Template, metric, value, condition and step of the measurements that decided are told."""
    path = write(
        tmp_path,
        "wrong",
        baseline={"errors": "0%"},
        canary={"errors": "5.2%"},
        expect={"outcome": "promoted"},
    )
    tests = run_tests(request(path))
    assert exit_code(tests) == ExitCode.GATE_FAILED
    text = as_text(tests)
    assert "FAIL  wrong" in text
    assert "expected outcome promoted, got aborted" in text
    [line] = [each for each in text.splitlines() if "error-rate #2" in each]
    assert "step 5, voting01-canary-analysis, error-rate #2" in line
    assert "Failed, errorRate = 2." in line
    assert "needs result.errorRate < 2" in line


def test_a_promotion_that_was_not_wanted_tells_what_the_gate_saw(tmp_path: Path) -> None:
    """Nothing failed, so the last measurement of every metric is told."""
    path = write(tmp_path, "missed", expect={"outcome": "aborted"})
    text = as_text(run_tests(request(path)))
    assert "step 8, voting01-canary-analysis, error-rate #2" in text
    assert "step 2, voting01-health-check, http-health-check #5" in text


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        (
            {"outcome": "aborted", "abortedAtStep": 8},
            "expected the abort at step 8, got it at step 5",
        ),
        ({"outcome": "aborted", "within": "8m"}, "expected the end within 480 s"),
        (
            {"outcome": "aborted", "decidedBy": "http-health"},
            "expected metric http-health to decide",
        ),
        ({"outcome": "aborted", "message": "bananas"}, "expected the message to contain 'bananas'"),
    ],
)
def test_every_part_of_an_expectation_counts(
    tmp_path: Path, expect: dict[str, Any], problem: str
) -> None:
    """Step, duration, metric and message are each held against the run."""
    path = write(
        tmp_path, "bad", baseline={"errors": "0%"}, canary={"errors": "5.2%"}, expect=expect
    )
    [test] = run_tests(request(path))
    assert problem in test.problem


def test_a_share_of_several_runs_can_be_expected(tmp_path: Path) -> None:
    """A canary near the threshold is stopped sometimes: a small share is met, all is not."""
    near = {"baseline": {"errors": "0%"}, "canary": {"errors": "3.9%"}, "runs": 4}
    every = write(tmp_path, "every", **near, expect={"outcome": "promoted"})
    some = write(tmp_path, "some", **near, expect={"outcome": "promoted", "share": "0%"})
    first, second = run_tests(request(every, some))
    assert not first.passed
    assert "of 4 runs ended as expected, wanted 100 %" in first.problem
    assert second.passed


def test_all_outputs_tell_the_same(tmp_path: Path) -> None:
    """JSON, JUnit and Markdown have the failed test with its problem, and the passed one."""
    write(tmp_path, "a-good", expect={"outcome": "promoted"})
    write(tmp_path, "b-bad", expect={"outcome": "aborted"}, description="a|b <c>")
    tests = run_tests(request(tmp_path))
    document = json.loads(as_json(tests))
    assert (document["tests"], document["failed"]) == (2, 1)
    assert [each["passed"] for each in document["results"]] == [True, False]
    assert document["results"][1]["result"]["outcome"] == "promoted"
    suite = ET.fromstring(as_junit(tests))  # noqa: S314 - our own document
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert cases["a-good"].find("failure") is None
    failure = cases["b-bad"].find("failure")
    assert failure is not None
    assert failure.get("message") == "expected outcome aborted, got promoted"
    summary = as_markdown(tests)
    assert summary.startswith("## Gate tests: 1 of 2 gate tests failed")
    assert "| ❌ | b-bad | aborted |" in summary


def test_what_cannot_be_run_is_an_error_and_not_a_failure(tmp_path: Path) -> None:
    """An injection that the APM refuses, or a step that is not there, ends in exit code 5."""
    refused = [{"on": {"step": 1}, "inject": {"app": "*", "effect": {"nonsense": 1}}}]
    write(tmp_path, "refused", timeline=refused, expect={"outcome": "promoted"})
    write(
        tmp_path,
        "beyond",
        timeline=[{"on": {"step": 30}, "clear": "all"}],
        expect={"outcome": "promoted"},
    )
    tests = run_tests(request(tmp_path))
    assert exit_code(tests) == ExitCode.COULD_NOT_JUDGE
    beyond, refusal = tests
    assert "the Rollout has 9 steps" in beyond.problem
    assert "refused" in refusal.problem
    assert 'type="error"' in as_junit(tests)


def test_a_scenario_that_expects_nothing_is_refused(tmp_path: Path) -> None:
    """It would test nothing, so nothing is run."""
    with pytest.raises(InvalidInput, match="it would test nothing"):
        run_tests(request(write(tmp_path, "idle")))


def test_manifests_are_needed(tmp_path: Path) -> None:
    """Neither the file nor the command line names any."""
    path = write(tmp_path, "lost", expect={"outcome": "promoted"})
    with pytest.raises(InvalidInput, match="there is no `manifests`"):
        run_tests(request(path, manifests=None))


def test_two_tests_of_one_name_are_refused(tmp_path: Path) -> None:
    """Their results could not be told apart."""
    write(tmp_path, "one", expect={"outcome": "promoted"})
    write(tmp_path, "two", name="one", expect={"outcome": "promoted"})
    with pytest.raises(InvalidInput, match="has the name 'one' already"):
        run_tests(request(tmp_path))


def test_several_runs_are_for_virtual_time(tmp_path: Path) -> None:
    """Live, a hundred rollouts would take hours."""
    path = write(tmp_path, "many", runs=100, mode="live", expect={"outcome": "promoted"})
    with pytest.raises(InvalidInput, match="need virtual time"):
        run_tests(request(path))


def test_files_folders_and_globs_are_collected_once(tmp_path: Path) -> None:
    """Each file once, in the order given; what names nothing is refused."""
    deep = tmp_path / "deep"
    deep.mkdir()
    one, two = write(tmp_path, "one"), write(deep, "two")
    assert collect_scenarios([str(two), str(tmp_path)]) == [two, one]
    assert collect_scenarios([f"{tmp_path}/*.yaml"]) == [one]
    with pytest.raises(InvalidInput, match="there is no scenario"):
        collect_scenarios([f"{tmp_path}/*.json"])


def test_shipped_scenarios_are_found_by_name_in_every_folder() -> None:
    """`--scenario late-errors` needs no path."""
    assert find_scenario("late-errors", ROOT / "scenarios").parent == SHIPPED
    assert find_scenario("healthy", ROOT / "scenarios").parent == ROOT / "scenarios"


def test_at_least_25_gate_tests_ship() -> None:
    """Each runs in virtual time, has a name like its file, and says what it expects."""
    files = sorted(SHIPPED.glob("*.yaml"))
    assert len(files) >= 25
    for path in files:
        scenario = load_scenario(path)
        assert (scenario.name, scenario.mode) == (path.stem, "simulate")
        assert scenario.expect is not None
        assert scenario.description.endswith(".")
        assert (path.parent / str(scenario.manifests)).is_dir()


@pytest.mark.parametrize(
    "name", ["probes-fail", "apm-says-5.2", "login-page-argo-1.10", "too-few-votes"]
)
def test_shipped_gate_tests_pass(name: str) -> None:
    """What ships is true of the QA overlay; the slow test runs all of them."""
    [test] = run_tests(request(SHIPPED / f"{name}.yaml"))
    assert test.passed, test.problem


@pytest.mark.slow
def test_every_shipped_gate_test_passes() -> None:
    """All that ship, those of many runs included."""
    tests = run_tests(request(SHIPPED, manifests=None))
    assert [f"{test.scenario.name}: {test.problem}" for test in tests if not test.passed] == []


@pytest.mark.parametrize(("expected", "passes"), [("as written", False), ("repaired", True)])
def test_the_tutorials_test_does_what_it_says(tmp_path: Path, expected: str, passes: bool) -> None:  # noqa: FBT001 - a parameter
    """The first expectation fails by the comparison, the repaired one is met."""
    guide = read("docs/guides/first-gate-test.md")
    [first] = [block for block in blocks(guide, "yaml") if block.file]
    [repaired] = [line for line in guide.splitlines() if line.startswith("expect: {outcome: abo")]
    path = tmp_path / "diluted.yaml"
    text = first.text
    if expected == "repaired":
        text = text.replace("expect: {outcome: promoted}", repaired)
    path.write_text(text)
    [test] = run_tests(request(path))
    assert test.passed is passes
    assert passes or "canary-vs-stable" in as_text([test])
