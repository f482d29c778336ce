"""Waiting for a Rollout: the script against a kubectl that tells a story, one line per question."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from deploy_manifests import DEPLOY

SCRIPT = DEPLOY / "pipeline" / "await-rollout.sh"
TAG = "e3e1a9b-20260204015120"
KUBECTL = """#!/bin/sh
count=$(cat "$STORY/count" 2>/dev/null || echo 0)
count=$((count + 1))
echo "$count" > "$STORY/count"
echo "$@" > "$STORY/arguments"
line=$(sed -n "${count}p" "$STORY/lines")
[ -n "$line" ] || line=$(tail -n 1 "$STORY/lines")
[ "$line" != unreachable ] || exit 1
printf '%s' "$line"
"""


def state(
    phase: str, message: str = "", *, generation: int = 7, observed: str = "7", tag: str = TAG
) -> str:
    """Return what kubectl's jsonpath prints."""
    return f"{generation}|{observed}|registry/opsera/voting01-vote:{tag}|{phase}|{message}"


def wait(folder: Path, *lines: str, wanted: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script while kubectl answers with these lines, the last one for ever."""
    bash = shutil.which("bash")
    assert bash is not None
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    (folder / "lines").write_text("\n".join(lines) + "\n")
    return subprocess.run(
        [bash, str(SCRIPT), "voting01-qa", "vote", TAG, *([wanted] if wanted else [])],
        env={
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "STORY": str(folder),
            "AWAIT_INTERVAL": "0",
            "AWAIT_TRIES": "5",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_healthy(tmp_path: Path) -> None:
    """It goes on asking until the phase is there, and asks for the right object."""
    done = wait(
        tmp_path, state("Progressing"), state("Paused", "CanaryPauseStep"), state("Healthy")
    )
    assert done.returncode == 0
    assert (tmp_path / "count").read_text() == "3\n"
    arguments = (tmp_path / "arguments").read_text()
    assert arguments.startswith("--namespace voting01-qa get rollout vote")


def test_aborted(tmp_path: Path) -> None:
    """A Degraded rollout ends the wait at once, with Argo's message."""
    done = wait(tmp_path, state("Degraded", "RolloutAborted: metric failed"))
    assert done.returncode == 3
    assert "RolloutAborted: metric failed" in done.stderr


def test_inconclusive(tmp_path: Path) -> None:
    """A pause that only a person can end is told apart from the pauses of the steps."""
    assert wait(tmp_path, state("Paused", "InconclusiveAnalysisRun")).returncode == 4


def test_paused_when_that_is_wanted(tmp_path: Path) -> None:
    """Blue-green ends in a pause for a person, which is where the pipeline stops."""
    done = wait(tmp_path, state("Progressing"), state("Paused", "BlueGreenPause"), wanted="Paused")
    assert done.returncode == 0


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(state("Healthy", observed="6"), id="spec-not-seen-yet"),
        pytest.param(state("Healthy", tag="9f2c1ab-20260101000000"), id="the-version-before"),
        pytest.param(state("Degraded", observed="6"), id="old-failure"),
        pytest.param("unreachable", id="no-answer"),
        pytest.param("||||", id="empty-answer"),
    ],
)
def test_what_does_not_count(tmp_path: Path, stale: str) -> None:
    """The phase of the version before, or no answer at all, is neither success nor failure."""
    assert wait(tmp_path, stale).returncode == 5
    (tmp_path / "count").unlink()
    assert wait(tmp_path, stale, state("Healthy")).returncode == 0
