"""The pipeline's own program, run on a scratch repository with the real overlays."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deploy_manifests import DEPLOY

PROGRAM = DEPLOY / "pipeline" / "release.py"
OLD = "e3e1a9b-20260204015120"
NEW = "9f2c1ab-20260205101500"
NEWER = "0a1b2c3-20260206101500"
IDENTITY = ["-c", "user.name=Pipeline", "-c", "user.email=pipeline@example.invalid"]

Release = Callable[..., subprocess.CompletedProcess[str]]


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it printed."""
    command = ["git", "-C", str(folder), *IDENTITY, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(name="scratch")
def _scratch(tmp_path: Path) -> Path:
    """Return a repository that holds the overlays and one commit."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    shutil.copytree(DEPLOY / "overlays", tmp_path / "deploy" / "overlays")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "Pipeline")
    git(tmp_path, "config", "user.email", "pipeline@example.invalid")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "Begin")
    return tmp_path


@pytest.fixture(name="release")
def _release(scratch: Path) -> Release:
    """Return a function that runs the program on the scratch repository."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", str(PROGRAM), "--repository", str(scratch), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a refused command says."""
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    return line


def test_tag(scratch: Path, release: Release) -> None:
    """Seven digits of the commit, and the second in UTC whatever the zone it is given in."""
    sha = git(scratch, "rev-parse", "HEAD")[:7]
    done = release("tag", "--at", "2026-02-04T03:51:20+02:00")
    assert done.stdout == f"{sha}-20260204015120\n"


def test_show(release: Release) -> None:
    """What runs where is read from the overlays."""
    assert release("show").stdout == f"dev {OLD}\nqa {OLD}\nstaging {OLD}\n"


def test_set_image(scratch: Path, release: Release) -> None:
    """All three images of one environment change, nothing else does, and it is one commit."""
    before = (scratch / "deploy/overlays/dev/kustomization.yaml").read_text()
    done = release("set-image", "dev", NEW, "--commit")
    assert done.stdout == f"dev: {OLD} -> {NEW}\n"
    after = (scratch / "deploy/overlays/dev/kustomization.yaml").read_text()
    assert after == before.replace(OLD, NEW)
    assert after.count(NEW) == 3
    assert git(scratch, "status", "--porcelain") == ""
    assert git(scratch, "show", "--name-only", "--format=%s", "HEAD").splitlines() == [
        f"Deploy {NEW} to dev",
        "",
        "deploy/overlays/dev/kustomization.yaml",
    ]
    assert git(scratch, "show", "--format=%b", "--no-patch", "HEAD").strip() == f"Previous: {OLD}"


def test_the_same_tag_again_is_no_deployment(scratch: Path, release: Release) -> None:
    """A tag that runs already makes no commit: there would be no rollout either."""
    done = release("set-image", "qa", OLD, "--commit")
    assert (done.returncode, done.stdout) == (0, f"qa runs {OLD} already; nothing to deploy\n")
    assert git(scratch, "rev-list", "--count", "HEAD") == "1"


@pytest.mark.parametrize("tag", ["v17", "latest", "E3E1A9B-20260204015120", f"{NEW}0", f"{NEW};x"])
def test_only_tags_of_builds(release: Release, tag: str) -> None:
    """A moving or foreign tag never gets into an environment."""
    assert "is no build's tag" in refusal(release("set-image", "dev", tag))


def test_promote(scratch: Path, release: Release) -> None:
    """An environment gets what the one before it runs, and that one stays as it is."""
    release("set-image", "dev", NEW, "--commit")
    assert release("promote", "dev", "qa", "--commit").stdout == f"qa: {OLD} -> {NEW}\n"
    assert release("show").stdout == f"dev {NEW}\nqa {NEW}\nstaging {OLD}\n"
    assert git(scratch, "log", "-1", "--format=%s") == f"Deploy {NEW} to qa"


@pytest.mark.parametrize(("source", "target"), [("dev", "staging"), ("qa", "dev"), ("qa", "qa")])
def test_no_environment_is_skipped(release: Release, source: str, target: str) -> None:
    """The order is dev, qa, staging."""
    assert f"{source} is not promoted to {target}" in refusal(release("promote", source, target))


def test_an_environment_that_does_not_exist(release: Release) -> None:
    """The refusal lists those that do."""
    assert "dev, qa, staging" in refusal(release("set-image", "prod", NEW))


def test_rollback_goes_to_the_tag_before(scratch: Path, release: Release) -> None:
    """Each rollback goes back to what ran before, not to what was just left."""
    release("set-image", "qa", NEW, "--commit")
    release("set-image", "qa", NEWER, "--commit")
    done = release("rollback", "qa", "--commit")
    assert done.stdout == f"qa: {NEWER} -> {NEW} (rollback)\n"
    assert git(scratch, "log", "-1", "--format=%s") == f"Roll qa back to {NEW}"


def test_rollback_to_a_tag(release: Release) -> None:
    """Any tag that the environment ran can be named, and no other."""
    release("set-image", "qa", NEW, "--commit")
    release("set-image", "qa", NEWER, "--commit")
    assert "has never run 1111111" in refusal(
        release("rollback", "qa", "--to", "1111111-" + "1" * 14)
    )
    assert release("rollback", "qa", "--to", OLD).stdout == f"qa: {NEWER} -> {OLD} (rollback)\n"


def test_nothing_to_roll_back_to(release: Release) -> None:
    """The first deployment cannot be undone."""
    assert "nothing to go back to" in refusal(release("rollback", "staging"))


def test_images_that_disagree(scratch: Path, release: Release) -> None:
    """Three images of different builds are nobody's release."""
    path = scratch / "deploy/overlays/qa/kustomization.yaml"
    path.write_text(path.read_text().replace(OLD, NEW, 1))
    assert "expected one newTag for all images" in refusal(release("promote", "qa", "staging"))


def test_report(scratch: Path, release: Release) -> None:
    """Phase, step, every measurement of this version's runs, and what ran before."""
    release("set-image", "qa", NEW, "--commit")
    rollout = {
        "metadata": {"name": "vote"},
        "spec": {"strategy": {"canary": {"steps": [{}] * 9}}},
        "status": {
            "phase": "Degraded",
            "currentStepIndex": 5,
            "stableRS": "54bc444575",
            "currentPodHash": "7cd75c6d7c",
            "message": "RolloutAborted: a | b",
        },
    }
    measured = {"startedAt": "2026-02-04T02:02:23Z", "finishedAt": "2026-02-04T02:02:24Z"}
    run = {
        "metadata": {
            "name": "vote-7cd75c6d7c-34-5",
            "labels": {"rollouts-pod-template-hash": "7cd75c6d7c"},
        },
        "status": {
            "phase": "Failed",
            "message": 'Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)',
            "metricResults": [
                {
                    "name": "error-rate",
                    "measurements": [{"phase": "Failed", "value": '{"errorRate":5.2}', **measured}],
                },
                {
                    "name": "http-health",
                    "measurements": [{"phase": "Error", "message": "no route", **measured}],
                },
            ],
        },
    }
    other = {"metadata": {"name": "vote-other-33-5", "labels": {}}}
    (scratch / "rollouts.json").write_text(json.dumps({"kind": "List", "items": [rollout]}))
    (scratch / "runs.json").write_text(json.dumps({"kind": "List", "items": [run, other]}))
    files = ["--rollouts", str(scratch / "rollouts.json"), "--runs", str(scratch / "runs.json")]
    text = release("report", "qa", *files).stdout
    assert text.startswith(f"# Deployment to qa: {NEW}\n")
    row = "| vote | Degraded | 5/9 | 54bc444575 | 7cd75c6d7c | RolloutAborted: a \\| b |"
    assert row in text
    assert "### vote-7cd75c6d7c-34-5: Failed" in text
    assert "failed (2) > failureLimit (1)" in text
    times = "2026-02-04T02:02:23Z | 2026-02-04T02:02:24Z"
    assert f'| error-rate | Failed | {{"errorRate":5.2}} | {times} |' in text
    assert f"| http-health | Error | no route | {times} |" in text
    assert "vote-other" not in text
    assert text.endswith(f"## Earlier tags\n\n- {OLD}\n")
