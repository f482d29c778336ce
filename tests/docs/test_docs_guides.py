"""Files that guides tell the reader to write are good input."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from docs_project import ROOT, blocks, read
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.bench.bench import PROVIDERS
from rollout_runner.bench.subject import Subject
from rollout_runner.lint import Severity, lint
from rollout_runner.manifests.render import Source
from rollout_runner.scenarios.load import load_scenario

FIRST_GATE = "docs/guides/first-gate.md"


@pytest.fixture(name="written")
def _written(tmp_path: Path) -> Path:
    """A folder with the files of the tutorial."""
    for block in blocks(read(FIRST_GATE), "yaml"):
        path = tmp_path / block.file
        path.parent.mkdir(exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    return tmp_path


def _load(folder: Path, scenario: Path) -> Subject:
    versions = load_scenario(scenario).versions
    return Subject.load(folder, rollout=None, versions=versions, providers=PROVIDERS)


@pytest.mark.parametrize("scenario", ["bad-release.yaml", "silent-apm.yaml"])
def test_the_tutorial_can_be_run(written: Path, scenario: str) -> None:
    """Manifests and scenarios of the tutorial pass every check that is made before a run."""
    subject = _load(written / "my-gate", written / scenario)
    assert subject.app_name == "shop"
    assert subject.apm_key == "test-key"
    assert [step.kind for step in subject.canary.canary.steps] == ["setWeight", "pause", "analysis"]


def test_the_tutorial_repairs_its_gate(written: Path) -> None:
    """The repaired template takes the place of the first one: a web metric for the Job."""
    (written / "repaired" / "shop-errors.yaml").replace(written / "my-gate" / "shop-errors.yaml")
    subject = _load(written / "my-gate", written / "silent-apm.yaml")
    [template] = subject.templates
    [metric] = template.spec.metrics
    assert set(metric["provider"]) == {"web"}


def test_lint_tells_of_the_tutorials_gate(written: Path) -> None:
    """The gate that fails open is found by the linter; its repair only has a dummy key in it."""
    gate = written / "my-gate" / "shop-errors.yaml"

    def errors() -> set[str]:
        source = Source(name="gate.yaml", text=gate.read_text(encoding="utf-8"))
        found = lint([source], version=ArgoVersion.V1_9)
        return {each.code for each in found if each.severity is Severity.ERROR}

    assert errors() == {"GL706", "GL710"}
    (written / "repaired" / "shop-errors.yaml").replace(gate)
    assert errors() == {"GL511"}


def test_the_tutorial_injects_into_its_own_application(written: Path) -> None:
    """The injection names the application that the bench reports under."""
    [entry] = load_scenario(written / "silent-apm.yaml").timeline
    assert entry.inject is not None
    assert entry.inject["app"] == _load(written / "my-gate", written / "silent-apm.yaml").app_name


def test_the_overlay_of_the_job_form_names_what_exists() -> None:
    """The kustomization of the guide leads to folders of the repository."""
    [block] = [each for each in blocks(read("docs/guides/job-form.md"), "yaml") if each.file]
    kustomization = yaml.safe_load(block.text)
    for reference in (*kustomization["resources"], *kustomization["components"]):
        assert (ROOT / "qa-jobs" / reference / "kustomization.yaml").resolve().is_file()
