"""Losing a program at the worst moment delays or ends a rollout; it never promotes it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from gatelab_runs import QUIET_TRAFFIC, ends_within, pids, read_events, started, wait_for_line

pytestmark = pytest.mark.e2e

HEALTHY = "name: healthy\n" + QUIET_TRAFFIC


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("mock-newrelic", marks=pytest.mark.slow),
        "votegen",
        pytest.param("canary-analyzer", marks=pytest.mark.slow),
        pytest.param("stable", marks=pytest.mark.slow),
        pytest.param("canary", marks=pytest.mark.slow),
    ],
)
def test_a_program_killed_in_the_last_step_prevents_the_promotion(
    program: str, tmp_path: Path
) -> None:
    """Killed once the final analysis has begun, when nearly everything has been passed."""
    with started(HEALTHY, tmp_path) as process:
        wait_for_line(process, "step 9/9")
        os.kill(pids(tmp_path)[program], signal.SIGKILL)
        process.communicate(timeout=90)
    finished = [event for event in read_events(tmp_path) if event["event"] == "run_finished"]
    assert [event["outcome"] for event in finished] == ["aborted"]
    assert process.returncode == 5
    lost = [event for event in read_events(tmp_path) if event["event"] == "process_exited"]
    assert {"name": program, "exitCode": -9, "expected": False}.items() <= lost[0].items()


@pytest.mark.slow
def test_a_generator_that_hangs_prevents_the_promotion(tmp_path: Path) -> None:
    """A program that runs but does not answer is lost as well."""
    with started(HEALTHY, tmp_path) as process:
        wait_for_line(process, "step 9/9")
        os.kill(pids(tmp_path)["votegen"], signal.SIGSTOP)
        process.communicate(timeout=90)
    finished = [event for event in read_events(tmp_path) if event["event"] == "run_finished"]
    assert [event["outcome"] for event in finished] == ["aborted"]
    warnings = [event["message"] for event in read_events(tmp_path) if event["event"] == "warned"]
    assert any(message.startswith("votegen did not tell its status") for message in warnings)
    assert process.returncode not in {0, 1}


@pytest.mark.parametrize(
    ("number", "exit_code"),
    [
        pytest.param(signal.SIGTERM, 130, id="asked-to-stop"),
        pytest.param(signal.SIGINT, 130, id="interrupted"),
        pytest.param(signal.SIGKILL, -9, id="killed"),
    ],
)
def test_nothing_is_left_running(number: int, exit_code: int, tmp_path: Path) -> None:
    """However the runner ends, its programs end with it."""
    with started(HEALTHY, tmp_path) as process:
        wait_for_line(process, "step 2/9")
        programs = {name: os.pidfd_open(pid) for name, pid in pids(tmp_path).items()}
        process.send_signal(number)
        process.communicate(timeout=30)
    assert set(programs) == {"mock-newrelic", "canary-analyzer", "votegen", "stable", "canary"}
    assert process.returncode == exit_code
    assert [name for name, pidfd in programs.items() if not ends_within(pidfd, 5)] == []
    if number != signal.SIGKILL:
        assert (tmp_path / "report.html").exists()
