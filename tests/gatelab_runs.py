"""Runs `gatelab` as its user would: as a program, judged by its output, files and exit code."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OVERLAY = ROOT / "deploy" / "overlays" / "qa"
SPEED = "40"
"""Fast, but with so little traffic that two runs fit on two cores."""

QUIET_TRAFFIC = "traffic: {rate: 5/s, arrivals: constant}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run that is over."""

    exit_code: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def result(self) -> dict[str, Any]:
        """The result JSON that the run printed."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    @property
    def events(self) -> list[dict[str, Any]]:
        """The event log."""
        return read_events(self.folder)

    def run_of_step(self, index: int) -> dict[str, Any]:
        """Return the AnalysisRun of a step."""
        found = [
            each for each in self.result["analysisRuns"] if each["name"].endswith(f"-2-{index}")
        ]
        assert len(found) == 1, self.result["analysisRuns"]
        return found[0]


def read_events(folder: Path) -> list[dict[str, Any]]:
    """Read what has been written of an event log so far; a torn last line is left out."""
    path = folder / "events.jsonl"
    if not path.exists():
        return []
    return [
        json.loads(line) for line in path.read_text().splitlines(keepends=True) if line[-1] == "\n"
    ]


def command(*arguments: str) -> list[str]:
    """Return the command line of gatelab."""
    return [sys.executable, "-m", "rollout_runner", *arguments]


def gatelab(*arguments: str, folder: Path, timeout: float = 110) -> Finished:
    """Run gatelab to its end."""
    done = subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=timeout, check=False
    )
    return Finished(
        exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr, folder=folder
    )


def run_scenario(text: str, folder: Path, *flags: str, speed: str = SPEED) -> Finished:
    """Run the QA overlay under a scenario given as YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    scenario = folder / "scenario.yaml"
    scenario.write_text(text)
    return gatelab(*run_arguments(scenario, folder, speed), *flags, folder=folder)


def run_arguments(scenario: Path, folder: Path, speed: str = SPEED) -> list[str]:
    """Return the arguments of `gatelab run` for the QA overlay."""
    return [
        "run",
        str(OVERLAY),
        "--scenario",
        str(scenario),
        "--speed",
        speed,
        "--dir",
        str(folder),
        "--output",
        "json",
    ]


@contextmanager
def started(text: str, folder: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """Start a run and end it, whatever the test does."""
    folder.mkdir(parents=True, exist_ok=True)
    scenario = folder / "scenario.yaml"
    scenario.write_text(text)
    process = subprocess.Popen(
        command(*run_arguments(scenario, folder), *flags),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    """Read the progress until a line holds the text; the pipe is the clock."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"the run ended without saying {text!r}")


def pids(folder: Path) -> dict[str, int]:
    """Return the process ids of a run's programs by name."""
    return {
        event["name"]: event["pid"]
        for event in read_events(folder)
        if event["event"] == "process_started"
    }


def ends_within(descriptor: int, seconds: float) -> bool:
    """Whether the process of an `os.pidfd_open` descriptor is gone by then."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    gone = bool(poll.poll(seconds * 1000))
    os.close(descriptor)
    return gone
