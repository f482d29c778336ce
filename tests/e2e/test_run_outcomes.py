"""Whole rollouts: real programs, real HTTP, the QA manifests as they are deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatelab_runs import QUIET_TRAFFIC, gatelab, run_scenario

pytestmark = pytest.mark.e2e


def counts(run: dict[str, object]) -> dict[str, tuple[int, int]]:
    """Return successful measurements and count by metric."""
    metrics = run["metrics"]
    assert isinstance(metrics, list)
    return {each["name"]: (each["successful"], each["count"]) for each in metrics}


def test_a_healthy_canary_is_promoted(tmp_path: Path) -> None:
    """Nine steps, three Successful runs, weights 20, 50, 100 and back to 0."""
    done = run_scenario("name: healthy\n" + QUIET_TRAFFIC, tmp_path)
    assert done.exit_code == 0, done.stderr
    result = done.result
    assert (result["outcome"], result["phase"]) == ("promoted", "Healthy")
    assert result["weights"] == [20, 50, 100, 0]
    assert [step["state"] for step in result["steps"]] == ["completed"] * 9
    assert [run["phase"] for run in result["analysisRuns"]] == ["Successful"] * 3
    assert counts(done.run_of_step(2)) == {"http-health-check": (5, 5), "http-direct": (5, 5)}
    for index in (5, 8):
        measured = counts(done.run_of_step(index))
        assert measured["http-health"] == (3, 3)
        assert measured["error-rate"] == (2, 2)
        assert measured["canary-vs-stable"] == (2, 2)
    scaled = [event for event in done.events if event["event"] == "replica_set_scaled"]
    assert [event["replicas"] for event in scaled] == [1, 2, 0]


def test_a_bad_canary_is_rolled_back(tmp_path: Path) -> None:
    """Failing votes that were really served end in an abort at index 5, with stable untouched."""
    done = run_scenario("name: bad\ncanary: {errors: 15%}\n" + QUIET_TRAFFIC, tmp_path)
    assert done.exit_code == 3, done.stderr
    result = done.result
    assert (result["outcome"], result["phase"]) == ("aborted", "Degraded")
    assert result["abortedAtStep"] == 5
    reason = 'Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)'
    assert result["message"] == (
        "RolloutAborted: Rollout aborted update to revision 2:"
        f" Step-based analysis phase error/failed: {reason}"
    )
    assert result["weights"] == [20, 50, 0]
    traffic = [event for event in done.events if event["event"] == "traffic_observed"][-1]
    started = done.events[0]
    errors = {each["hash"]: each["errors"] for each in traffic["versions"]}
    assert errors[started["stable"]["hash"]] == 0
    assert errors[started["canary"]["hash"]] > 0
    assert {path.name for path in tmp_path.glob("re*")} == {
        "report.html",
        "report.md",
        "result.json",
    }


@pytest.mark.slow
def test_the_outcome_follows_the_error_rate(tmp_path: Path) -> None:
    """The same scenario with a rate below what the gate can see is promoted by the old gate."""
    done = run_scenario("name: mild\ncanary: {errors: 0.5%}\n" + QUIET_TRAFFIC, tmp_path)
    assert done.result["outcome"] == "promoted"


@pytest.mark.slow
def test_without_traffic_nothing_is_promoted(tmp_path: Path) -> None:
    """No data is an error, five of them end the analysis."""
    done = run_scenario("name: idle\ntraffic: {rate: 0}\n", tmp_path)
    assert (done.exit_code, done.result["outcome"]) == (3, "aborted")
    assert done.result["abortedAtStep"] == 5
    assert "consecutiveErrors (5) > consecutiveErrorLimit (4)" in done.result["message"]


def test_a_sick_canary_fails_its_health_check(tmp_path: Path) -> None:
    """Three failures exceed the health check's limit of two at weight 20."""
    done = run_scenario(
        "name: sick\n" + QUIET_TRAFFIC + "timeline: [{on: {step: 2}, canary: {status: 503}}]\n",
        tmp_path,
    )
    assert (done.exit_code, done.result["abortedAtStep"]) == (3, 2)
    assert "failed (3) > failureLimit (2)" in done.result["message"]
    assert done.result["weights"] == [20, 0]


def test_an_inconclusive_verdict_pauses(tmp_path: Path) -> None:
    """Too few requests to judge: the comparison pauses the rollout, and the exit code says so."""
    done = run_scenario("name: sparse\ntraffic: {rate: 0.3}\n", tmp_path)
    assert (done.exit_code, done.result["outcome"]) == (4, "paused")
    assert done.result["phase"] == "Paused"
    assert done.result["message"] == "InconclusiveAnalysisRun"


@pytest.mark.slow
def test_a_report_can_be_written_again(tmp_path: Path) -> None:
    """The event log alone gives the same files as the run did."""
    run_scenario("name: sick\ncanary: {status: 503}\n" + QUIET_TRAFFIC, tmp_path)
    log = str(tmp_path / "events.jsonl")
    for form, name in (("html", "report.html"), ("markdown", "report.md"), ("json", "result.json")):
        again = gatelab("report", log, "--format", form, folder=tmp_path)
        assert again.exit_code == 0
        assert again.stdout.rstrip() == (tmp_path / name).read_text().rstrip()
