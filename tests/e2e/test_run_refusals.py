"""Input that cannot be used: one line, a hint, exit code 2, and nothing was started."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gatelab_runs import OVERLAY, ROOT, gatelab
from rollout_runner.adapters.event_log import run_folder

pytestmark = pytest.mark.e2e

RENDERED = (ROOT / "deploy" / "rendered" / "qa.yaml").read_text()


def refusal(*arguments: str, folder: Path) -> list[str]:
    """Run gatelab, which must refuse, and return the lines that it says."""
    done = gatelab(*arguments, folder=folder)
    assert done.exit_code == 2, done.stderr
    assert done.stdout == ""
    assert not (folder / "events.jsonl").exists()
    return done.stderr.splitlines()


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        pytest.param("setWeight: 20", "setWeigth: 20", "setWeigth", id="unknown-field"),
        pytest.param("setWeight: 20", "setWeight: twenty", "setWeight", id="wrong-type"),
        pytest.param("setWeight: 20", "setWeight: 120", "setWeight", id="out-of-range"),
        pytest.param(
            "name: service-name\n            value: vote-canary",
            "name: other-name\n            value: vote-canary",
            "args.service-name was not resolved",
            id="unresolved-argument",
        ),
        pytest.param(
            "templateName: voting01-health-check",
            "templateName: voting01-helth-check",
            "AnalysisTemplate 'voting01-helth-check' not found",
            id="missing-template",
        ),
        pytest.param("duration: 2m", "duration: 2d", "pause.duration", id="bad-duration"),
        pytest.param(
            "e3e1a9b-20260204015120", "v16", "nothing to roll out", id="same-version-as-stable"
        ),
        pytest.param("kind: Rollout", "kind: Rollout\n  x: [", "not valid YAML", id="not-yaml"),
    ],
)
def test_a_bad_manifest_is_refused(before: str, after: str, named: str, tmp_path: Path) -> None:
    """The line names the field and where it is; the next one says what to do."""
    assert before in RENDERED
    manifest = tmp_path / "manifests.yaml"
    manifest.write_text(RENDERED.replace(before, after, 1))
    lines = refusal("run", str(manifest), "--dir", str(tmp_path), folder=tmp_path)
    assert lines[0].startswith("error: ")
    assert named in lines[0]
    assert lines[1].startswith("hint: ")
    assert len(lines) == 2


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere is named."""
    lines = refusal("run", str(tmp_path / "nowhere"), "--dir", str(tmp_path), folder=tmp_path)
    assert "nowhere" in lines[0]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("name: x\ncanary: {errors: 200%}\n", "canary.errors", id="wrong-value"),
        pytest.param("name: x\ncanari: {errors: 2%}\n", "canari", id="unknown-field"),
        pytest.param("name: x\ntimeline: [{at: 9m}]\n", "timeline.0", id="no-action"),
        pytest.param("- 1\n", "mapping", id="not-a-mapping"),
        pytest.param("name: ../x\n", "name", id="name-leaves-the-folder"),
        pytest.param(
            "name: x\ntimeline: [{on: {step: 9}, clear: all}]\n",
            "timeline.0.on.step is 9, but the Rollout has 9 steps",
            id="no-such-step",
        ),
        pytest.param(
            "name: x\nexpect: {outcome: aborted, abortedAtStep: 42}\n",
            "expect.abortedAtStep is 42",
            id="no-such-step-to-abort-at",
        ),
        pytest.param("name: x\nmode: simulate\n", "mode is simulate", id="not-a-live-one"),
        pytest.param("name: x\ntraffic: {rate: 10000/s}\n", "at most 5000", id="too-fast"),
    ],
)
def test_a_bad_scenario_is_refused(text: str, named: str, tmp_path: Path) -> None:
    """A scenario's wrong field is named before anything starts."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(text)
    arguments = ("run", str(OVERLAY), "--scenario", str(scenario), "--dir", str(tmp_path))
    lines = refusal(*arguments, folder=tmp_path)
    assert named in lines[0]


def test_a_folder_has_one_run(tmp_path: Path) -> None:
    """A second run would write into the record of the first."""
    with run_folder(tmp_path):
        lines = refusal("run", str(OVERLAY), "--dir", str(tmp_path), folder=tmp_path)
    assert lines[0] == f"error: a run is in progress in {tmp_path}"
    assert lines[1].startswith("hint: ")


def test_an_unknown_scenario_lists_those_that_exist(tmp_path: Path) -> None:
    """The hint helps to find the right name."""
    lines = refusal(
        "run", str(OVERLAY), "--scenario", "helthy", "--dir", str(tmp_path), folder=tmp_path
    )
    assert " bad-canary," in lines[1]
    assert " healthy," in lines[1]


@pytest.mark.parametrize("module", ["mock_newrelic", "analyzer", "votegen", "voteapp"])
def test_an_occupied_port_is_refused(module: str) -> None:
    """A service that cannot have its port says so in one line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", module, "serve", "--port", port],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 2
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert lines[0] == f"error: port {port} on 127.0.0.1 is already in use"
    assert lines[1].startswith("hint: ")
