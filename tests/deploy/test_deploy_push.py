"""Pushing a deployment's commit on scratch repositories: two environments at once, one twice."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from deploy_manifests import DEPLOY

SCRIPT = DEPLOY / "pipeline" / "push.sh"


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed."""
    identity = ["-c", "user.name=Pipeline", "-c", "user.email=pipeline@example.invalid"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def clone(folder: Path, name: str) -> Path:
    """Return a fresh clone of the remote with an identity of its own."""
    made = folder / name
    git(folder, "clone", "--quiet", str(folder / "remote.git"), name)
    git(made, "config", "user.name", name)
    git(made, "config", "user.email", f"{name}@example.invalid")
    return made


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Path:
    """Return a folder with a bare remote that holds one file per environment."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    first = clone(tmp_path, "first")
    git(first, "checkout", "--quiet", "-B", "main")
    for environment in ("dev", "qa"):
        (first / environment).write_text("old\n")
    git(first, "add", ".")
    git(first, "commit", "--quiet", "--message", "Begin")
    git(first, "push", "--quiet", "origin", "main")
    return tmp_path


def change(folder: Path, environment: str, tag: str) -> None:
    """Commit another tag for an environment."""
    (folder / environment).write_text(f"{tag}\n")
    git(folder, "commit", "--quiet", "--all", "--message", f"Deploy {tag} to {environment}")


def push(folder: Path, remote: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script in a clone."""
    target = str(remote or folder.parent / "remote.git")
    command = [str(SCRIPT), target, "main"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def log(place: Path) -> list[str]:
    """Return the subjects on the remote's main branch, the latest first."""
    return git(place / "remote.git", "log", "--format=%s", "main").splitlines()


def test_a_commit_is_pushed(place: Path) -> None:
    """Nothing in the way: it is there."""
    dev = clone(place, "dev")
    change(dev, "dev", "new")
    assert push(dev).returncode == 0
    assert log(place) == ["Deploy new to dev", "Begin"]


def test_another_environment_was_faster(place: Path) -> None:
    """Both commits end up on main, one after the other, and no merge."""
    dev, qa = clone(place, "dev"), clone(place, "qa")
    change(dev, "dev", "new")
    change(qa, "qa", "new")
    assert push(qa).returncode == 0
    assert push(dev).returncode == 0
    assert log(place) == ["Deploy new to dev", "Deploy new to qa", "Begin"]


def test_the_same_environment_was_changed(place: Path) -> None:
    """Nobody is overwritten: the later one is refused, and its checkout is left as it was."""
    one, other = clone(place, "one"), clone(place, "other")
    change(one, "qa", "first")
    change(other, "qa", "second")
    assert push(one).returncode == 0
    refused = push(other)
    assert refused.returncode == 3
    assert "the same environment was changed" in refused.stderr
    assert log(place) == ["Deploy first to qa", "Begin"]
    assert git(other, "status", "--porcelain", "--branch").splitlines()[0].startswith("## main")


def test_a_remote_that_is_not_there(place: Path) -> None:
    """That is no success."""
    dev = clone(place, "dev")
    change(dev, "dev", "new")
    assert push(dev, place / "nowhere.git").returncode == 5
