"""The workflows: pinned, least privilege, and calling what exists. Linters have the last word."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy_manifests import DEPLOY, ROOT, documents

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.iterdir())
GATED = (
    "ci-build-push-voting01-dev",
    "ci-build-push-voting01-qa",
    "ci-build-push-voting01-staging",
    "promote-voting01",
)
WRITES = {
    ("release", "images"): {"packages", "id-token", "attestations"},
    ("release", "pypi"): {"id-token", "attestations"},
    ("release", "notes"): {"contents"},
    ("ci-build-push-voting01-dev", "build"): {"id-token"},
    ("ci-build-push-voting01-dev", "deploy"): {"contents", "id-token"},
    ("ci-build-push-voting01-qa", "deploy"): {"contents", "id-token"},
    ("ci-build-push-voting01-staging", "deploy"): {"contents", "id-token"},
    ("promote-voting01", "deploy"): {"contents", "id-token"},
    ("rollback-voting01", "deploy"): {"contents", "id-token"},
    ("deploy-voting01", "deploy"): {"contents", "id-token"},
    ("promote-staging-rollout-voting01", "promote"): {"id-token"},
}


def workflow(name: str) -> dict[str, Any]:
    """Return a workflow by its file's stem. YAML 1.1 reads the key `on` as true."""
    (path,) = (each for each in WORKFLOWS if each.stem == name)
    (found,) = documents(path)
    return found | {"on": found.get("on", found.get(True))}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield workflow, job name and job."""
    for path in WORKFLOWS:
        for name, job in workflow(path.stem)["jobs"].items():
            yield path.stem, name, job


def commands() -> Iterator[str]:
    """Yield every shell script of every step."""
    for _, _, job in jobs():
        yield from (step["run"] for step in job.get("steps", []) if "run" in step)


def test_the_pipelines_of_the_report_are_there() -> None:
    """The workflow files have the names that the report and its repository give them."""
    assert {path.stem for path in WORKFLOWS} >= {
        "ci-build-push-voting01-dev",
        "ci-build-push-voting01-qa",
        "ci-build-push-voting01-staging",
        "promote-voting01",
        "promote-staging-rollout-voting01",
        "rollback-voting01",
        "ci",
        "release",
    }


def test_dev_jobs_are_those_of_the_report() -> None:
    """Seven jobs: scan, quality, three builds, deploy, notification."""
    found = workflow("ci-build-push-voting01-dev")["jobs"]
    names = {job.get("name") for job in found.values()}
    assert names >= {"Security Scan", "SonarQube", "Build ${{ matrix.app }}", "Deploy", "Slack"}
    assert found["build"]["strategy"]["matrix"]["app"] == ["vote", "result", "worker"]
    assert found["sonarqube"]["continue-on-error"] is True


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned(path: Path) -> None:
    """A foreign action is a commit with its release beside it; our own are of this commit."""
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    for each in uses:
        pinned = re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+(\.\d+)*", each)
        assert pinned or re.fullmatch(r"\./\.github/workflows/[\w.-]+", each), each


def test_one_commit_per_action() -> None:
    """No workflow runs another version of an action than its neighbour."""
    texts = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", texts))
    assert len({action for action, _ in pins}) == len(pins)


def test_permissions_are_least() -> None:
    """Nothing is granted to a whole workflow; a job that writes is on the list above."""
    for path in WORKFLOWS:
        assert workflow(path.stem)["permissions"] == {}, path.name
    for name, job_name, job in jobs():
        granted = {key for key, value in job["permissions"].items() if value == "write"}
        assert granted == WRITES.get((name, job_name), set()), (name, job_name)


def test_no_token_stays_in_a_checkout() -> None:
    """Steps after a checkout cannot push by accident."""
    for name, _, job in jobs():
        for step in job.get("steps", []):
            if "actions/checkout@" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, name


def test_jobs_end() -> None:
    """Every job with steps has a time limit."""
    for name, job_name, job in jobs():
        assert "steps" not in job or job["timeout-minutes"] <= 90, (name, job_name)


def test_the_gate_comes_before_every_deployment() -> None:
    """A new version is deployed only after the gates were linted, audited and tested.

    A rollback does not wait for that: it returns to what passed before.
    """
    for name in GATED:
        found = workflow(name)["jobs"]
        assert found["gate"]["uses"] == "./.github/workflows/gate.yaml"
        before, waiting = set(), ["deploy"]
        while waiting:
            needed = found[waiting.pop()].get("needs", [])
            waiting += needed
            before.update(needed)
        assert "gate" in before, name
    assert "gate" not in workflow("rollback-voting01")["jobs"]


def test_gate_commands() -> None:
    """The gate lints all environments, audits those with a gate, and plays the scenarios."""
    text = "\n".join(commands())
    assert set(re.findall(r"gatelab (lint|audit|test)\b", text)) == {
        "lint",
        "audit",
        "test",
    }
    assert "for environment in dev qa staging" in text


def test_promotion_wants_a_word() -> None:
    """Staging is switched only by somebody who typed `promote`, with the environment's approval."""
    found = workflow("promote-staging-rollout-voting01")
    assert found["on"]["workflow_dispatch"]["inputs"]["confirm"]["required"] is True
    job = found["jobs"]["promote"]
    assert job["if"] == "inputs.confirm == 'promote'"
    assert job["environment"] == "voting01-staging"
    assert 'promote "$app" -n voting01-staging' in job["steps"][-1]["run"]


def test_expressions_stay_out_of_scripts() -> None:
    """Text from outside reaches a script as a variable and is never pasted into it."""
    for command in commands():
        assert "${{" not in command, command


def test_scripts_that_are_called_exist() -> None:
    """Programs of this repository that a workflow starts are there and can be started."""
    for name in set(re.findall(r"deploy/pipeline/[\w.-]+", "\n".join(commands()))):
        assert (ROOT / name).stat().st_mode & 0o111, name


def _lint(*command: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name: str) -> str:
    """Return a tool that is installed beside this Python, or its name."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name


def test_zizmor() -> None:
    """No known weakness of workflows, by zizmor."""
    _lint(tool("zizmor"), "--offline", "--quiet", "--config", ".github/zizmor.yml", ".github")


def test_yamllint() -> None:
    """The YAML is tidy, by the repository's own rules."""
    _lint(tool("yamllint"), "--strict", ".github")


def test_hadolint() -> None:
    """The Dockerfile follows the rules of hadolint."""
    _lint(tool("hadolint"), "deploy/images/Dockerfile")


@pytest.mark.external
def test_actionlint() -> None:
    """Workflows are valid, expressions typed, and their scripts clean, by actionlint."""
    _lint(tool("actionlint"), "-color")


@pytest.mark.external
def test_shellcheck() -> None:
    """Our shell scripts are clean."""
    scripts = [str(path) for path in DEPLOY.rglob("*.sh")]
    assert scripts
    _lint("shellcheck", *scripts, ".ci/run")
