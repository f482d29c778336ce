"""The gate on the gates: what the pipeline asks of the overlays before anything is deployed."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_manifests import ROOT, Documents, documents, only, rendered

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.lint import lint
from rollout_runner.manifests.render import Source

OVERLAYS = ("dev", "qa", "staging", "platform")
# What comments in the overlays accept of worker; rendering drops the comments.
ACCEPTED = frozenset({"GL801", "GL820"})
(WORKFLOW,) = documents(ROOT / ".github" / "workflows" / "gate.yaml")


def codes(found: Documents, version: ArgoVersion = ArgoVersion.V1_9) -> list[str]:
    """Return the codes of what `gatelab lint` finds, without what the overlays accept."""
    source = Source(name="manifests.yaml", text=yaml.safe_dump_all(found))
    findings = lint([source], version=version)
    return [each.code for each in findings if each.code not in ACCEPTED]


def _analysis(found: Documents, step: int) -> dict[str, Any]:
    steps = only(found, "Rollout", "vote")["spec"]["strategy"]["canary"]["steps"]
    analysis: dict[str, Any] = steps[step]["analysis"]
    return analysis


def _metric(found: Documents, index: int) -> dict[str, Any]:
    template = only(found, "AnalysisTemplate", "voting01-canary-analysis")
    metric: dict[str, Any] = template["spec"]["metrics"][index]
    return metric


def _missing_argument(found: Documents) -> None:
    del _analysis(found, 2)["args"][0]


def _unquoted_number(found: Documents) -> None:
    _analysis(found, 5)["args"][3]["value"] = 2


def _ttl_strategy(found: Documents) -> None:
    spec = only(found, "AnalysisTemplate", "voting01-health-check")["spec"]
    spec["ttlStrategy"] = {"secondsAfterCompletion": 60}


def _no_image(found: Documents) -> None:
    (container,) = only(found, "Rollout", "vote")["spec"]["template"]["spec"]["containers"]
    del container["image"]


def _wrong_service(found: Documents) -> None:
    only(found, "Rollout", "vote")["spec"]["strategy"]["canary"]["canaryService"] = "vote-canari"


def _off_by_one(found: Documents) -> None:
    _metric(found, 1)["failureLimit"] = 2


def _no_data_passes(found: Documents) -> None:
    _metric(found, 1)["successCondition"] = "default(result.errorRate, 0) < 2"


def _no_condition(found: Documents) -> None:
    del _metric(found, 1)["successCondition"]
    _metric(found, 1).pop("failureCondition", None)


def _no_interval(found: Documents) -> None:
    _metric(found, 1)["interval"] = "60"


@pytest.mark.parametrize(
    ("breakage", "code"),
    [
        pytest.param(_missing_argument, "GL201", id="missing-arg"),
        pytest.param(_unquoted_number, "GL004", id="unquoted-number"),
        pytest.param(_ttl_strategy, "GL002", id="ttl-strategy-in-a-template"),
        pytest.param(_no_image, "GL817", id="image-lost"),
        pytest.param(_wrong_service, "GL102", id="wrong-service"),
        pytest.param(_off_by_one, "GL308", id="limit-never-exceeded"),
        pytest.param(_no_data_passes, "GL407", id="no-data-is-zero"),
        pytest.param(_no_condition, "GL404", id="no-condition"),
        pytest.param(_no_interval, "GL305", id="interval-without-unit"),
    ],
)
def test_lint_catches(breakage: Callable[[Documents], None], code: str) -> None:
    """One thing broken in the QA manifests, one finding, with the code for that."""
    found = copy.deepcopy(rendered("qa"))
    breakage(found)
    # Rendered text has no comments, so what those accept is found as well.
    assert set(codes(found)) - set(codes(rendered("qa"))) == {code}


def step(name: str) -> str:
    """Return the script of a step of the workflow."""
    (script,) = (
        each["run"] for each in WORKFLOW["jobs"]["gate"]["steps"] if each.get("name") == name
    )
    return str(script)


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that runs a step as the workflow does; gives the folder of reports."""
    for name in ("deploy", "scenarios"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (tmp_path / "reports").mkdir()

    def run(name: str) -> Path:
        command = ["bash", "-eo", "pipefail", "-c", step(name)]
        environment = {**os.environ, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return tmp_path / "reports"

    return run


@pytest.mark.slow
def test_the_workflow_lints(run: Callable[[str], Path]) -> None:
    """The step's own script passes on the overlays, and leaves a report of each."""
    reports = run("Lint the gates of every environment")
    names = {f"lint-{overlay}.xml" for overlay in OVERLAYS}
    assert {each.name for each in reports.iterdir()} == names


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_workflow_audits(run: Callable[[str], Path]) -> None:
    """No fault makes an analysis of QA or staging pass a bad canary."""
    reports = run("Audit them for failing open")
    assert {each.name for each in reports.iterdir()} == {"audit-qa.xml", "audit-staging.xml"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_workflow_plays_the_scenarios(run: Callable[[str], Path]) -> None:
    """Every scenario that ships ends as its file says, and the report holds all of them."""
    reports = run("Play the scenarios in virtual time")
    files = [*ROOT.glob("scenarios/*.yaml"), *ROOT.glob("scenarios/*/*.yaml")]
    text = (reports / "scenarios.xml").read_text(encoding="utf-8")
    assert text.count("<testcase ") == len(files) >= 40
    summary = (reports.parent / "summary.md").read_text(encoding="utf-8")
    assert "slow-start" in summary
