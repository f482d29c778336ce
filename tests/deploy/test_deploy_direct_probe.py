"""The component that gives health checks a second source, and why it is needed up to 1.9."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rollout_runner.cli import cli

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ("analyzer-html", "analyzer-empty-body", "analyzer-302-login", "analyzer-503")


def verdicts(path: Path, version: str) -> tuple[int, set[str]]:
    """Audit the health check; return exit code and the faults that open it."""
    flags = [flag for name in FAULTS for flag in ("--fault", name)]
    if path.name == "qa.yaml":
        flags += ["--step", "2"]
    done = CliRunner().invoke(
        cli, ["audit", str(path), "-q", "--output", "json", "--argo-version", version, *flags]
    )
    cells = json.loads(done.stdout)["cells"]
    return done.exit_code, {cell["fault"] for cell in cells if cell["verdict"] == "fail-open"}


@pytest.mark.parametrize("overlay", ["qa", "staging"])
def test_a_page_in_the_analyzers_place_passes_nothing(overlay: str) -> None:
    """The page of the service itself says that the canary is down, in every release."""
    path = ROOT / "deploy" / "rendered" / f"{overlay}.yaml"
    for version in ("1.8", "1.9", "1.10"):
        assert verdicts(path, version) == (0, set()), version


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders the overlay")
@pytest.mark.parametrize("overlay", ["qa", "staging"])
def test_without_the_component_it_passes_up_to_1_9(overlay: str, tmp_path: Path) -> None:
    """So the component is what holds; 1.10 reads the answer and stops by itself."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    folder = tmp_path / "deploy" / "overlays" / overlay
    kustomization = folder / "kustomization.yaml"
    written = kustomization.read_text(encoding="utf-8")
    line = "  - ../../components/direct-probe\n"
    assert line in written
    kustomization.write_text(written.replace(line, ""), encoding="utf-8")
    built = subprocess.run(
        ["kubectl", "kustomize", str(folder)], check=True, capture_output=True, text=True
    )
    rendered = tmp_path / f"{overlay}.yaml"
    rendered.write_text(built.stdout, encoding="utf-8")
    opened = {"analyzer-html", "analyzer-empty-body", "analyzer-302-login"}
    assert verdicts(rendered, "1.9") == (3, opened)
    assert verdicts(rendered, "1.10") == (0, set())
