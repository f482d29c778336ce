"""The gate as Kubernetes Jobs: shell scripts that really run, judged by their exit codes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from gatelab_runs import OVERLAY, QUIET_TRAFFIC, ROOT, SPEED, Finished, gatelab

pytestmark = pytest.mark.e2e

COMPONENT = ROOT / "deploy" / "components" / "job-form"


@pytest.fixture(name="overlay")
def _overlay(tmp_path: Path) -> Path:
    """Return an overlay that puts the job form over the QA overlay."""
    if shutil.which("kubectl") is None and shutil.which("kustomize") is None:
        pytest.skip("a component is rendered by kubectl or kustomize, and neither is installed")
    for program in ("sh", "curl", "awk", "grep", "sed"):
        if shutil.which(program) is None:
            pytest.skip(f"the Jobs call {program}, which is not installed")
    folder = tmp_path / "overlay"
    folder.mkdir()
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(OVERLAY, folder)],
        "components": [os.path.relpath(COMPONENT, folder)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return folder


def run(overlay: Path, text: str, folder: Path, version: str) -> Finished:
    """Run the overlay under a scenario given as YAML, as a release of Argo Rollouts would."""
    scenario = folder / "scenario.yaml"
    scenario.write_text(text + QUIET_TRAFFIC)
    options = {
        "--scenario": str(scenario),
        "--speed": SPEED,
        "--dir": str(folder),
        "--argo-version": version,
        "--output": "json",
    }
    arguments = [word for option in options.items() for word in option]
    return gatelab("run", str(overlay), *arguments, folder=folder)


def phases(done: Finished, metric: str) -> list[str]:
    """Return the phases of a metric's measurements at step index 5."""
    return [
        event["phase"]
        for event in done.events
        if event["event"] == "measurement_taken"
        and event["analysisRun"].endswith("-2-5")
        and event["metric"] == metric
    ]


@pytest.mark.slow
def test_a_healthy_canary_is_promoted_by_jobs(overlay: Path, tmp_path: Path) -> None:
    """Each of the Jobs asks the real services by their cluster names and exits with 0."""
    done = run(overlay, "name: healthy\n", tmp_path, "1.9")
    assert done.exit_code == 0, done.stderr
    assert done.result["outcome"] == "promoted"
    assert phases(done, "http-health") == ["Successful"] * 3
    assert phases(done, "error-rate") == ["Successful"] * 2
    started = [event for event in done.events if event["event"] == "analysis_run_started"]
    providers = {metric["name"]: metric["provider"] for metric in started[-1]["metrics"]}
    assert providers == {"http-health": "job", "error-rate": "job", "canary-vs-stable": "web"}
    written = (tmp_path / "logs" / f"{started[1]['name']}.error-rate.1.log").read_text()
    assert written.startswith("Error Rate: 0")


def test_jobs_that_cannot_reach_the_apm_fail(overlay: Path, tmp_path: Path) -> None:
    """Silence is exit code 2, which is no success; the canary is rolled back."""
    text = "name: outage\ntimeline: [{on: {step: 5}, stop: mock-newrelic}]\n"
    done = run(overlay, text, tmp_path, "1.10")
    assert (done.exit_code, done.result["outcome"]) == (3, "aborted"), done.stderr
    assert done.result["abortedAtStep"] == 5
    assert phases(done, "error-rate")[0] == "Failed"
    assert "Successful" not in phases(done, "error-rate")
    (log,) = (tmp_path / "logs").glob("*-2-5.error-rate.1.log")
    assert "no reading: curl failed with exit code" in log.read_text()
