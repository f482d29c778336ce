"""A person acts on a run in progress, as with `kubectl argo rollouts`."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatelab_runs import gatelab, read_events, started, wait_for_line

pytestmark = pytest.mark.e2e

SPARSE = "name: sparse\ntraffic: {rate: 0.3}\n"
"""So few requests that the comparison is inconclusive and the rollout pauses at index 5."""

STAY = ("--pause-on", "inconclusive")


def outcome(folder: Path) -> str:
    """Return how the run ended."""
    (finished,) = [event for event in read_events(folder) if event["event"] == "run_finished"]
    return str(finished["outcome"])


@pytest.mark.slow
def test_abort_ends_a_paused_run(tmp_path: Path) -> None:
    """The run that waits at an inconclusive pause goes back to stable."""
    with started(SPARSE, tmp_path, *STAY) as process:
        wait_for_line(process, "InconclusiveAnalysisRun")
        acted = gatelab("abort", "--dir", str(tmp_path), folder=tmp_path)
        assert acted.exit_code == 0, acted.stderr
        process.communicate(timeout=60)
    assert (process.returncode, outcome(tmp_path)) == (3, "aborted")
    assert not (tmp_path / "control.json").exists()


@pytest.mark.slow
def test_promote_skips_the_inconclusive_step(tmp_path: Path) -> None:
    """The weight goes on to 100 without another analysis at index 5."""
    with started(SPARSE, tmp_path, *STAY) as process:
        wait_for_line(process, "InconclusiveAnalysisRun")
        assert gatelab("promote", "--dir", str(tmp_path), folder=tmp_path).exit_code == 0
        wait_for_line(process, "50 → 100")
        assert gatelab("promote", "--full", "--dir", str(tmp_path), folder=tmp_path).exit_code == 0
        process.communicate(timeout=60)
    assert (process.returncode, outcome(tmp_path)) == (0, "promoted")
    commands = [event for event in read_events(tmp_path) if event["event"] == "operator_command"]
    assert [event["command"] for event in commands] == ["promote", "promote-full"]


def test_without_a_run_there_is_nothing_to_act_on(tmp_path: Path) -> None:
    """The error says how to start or name one."""
    done = gatelab("abort", "--dir", str(tmp_path), folder=tmp_path)
    assert done.exit_code == 2
    assert "no run is in progress" in done.stderr
