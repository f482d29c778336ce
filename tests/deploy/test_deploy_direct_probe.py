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
def test_a_page_in_the_analyzers_place_is_found(overlay: str) -> None:
    """Releases before 1.10 pass it unread; 1.10 reads it and stops."""
    path = ROOT / "deploy" / "rendered" / f"{overlay}.yaml"
    opened = {"analyzer-html", "analyzer-empty-body", "analyzer-302-login"}
    assert verdicts(path, "1.9") == (3, opened)
    assert verdicts(path, "1.10") == (0, set())


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders the component")
@pytest.mark.parametrize("overlay", ["qa", "staging"])
def test_with_the_component_the_health_check_holds(overlay: str, tmp_path: Path) -> None:
    """The page itself says that the canary is down."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    folder = tmp_path / "deploy" / "overlays" / "probed"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
        f"namespace: voting01-{overlay}\nresources: [../{overlay}]\n"
        "components: [../../components/direct-probe]\n"
    )
    built = subprocess.run(
        ["kubectl", "kustomize", str(folder)], check=True, capture_output=True, text=True
    )
    rendered = tmp_path / f"{overlay}.yaml"
    rendered.write_text(built.stdout)
    assert verdicts(rendered, "1.9") == (0, set())
