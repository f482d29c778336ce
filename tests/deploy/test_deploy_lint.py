"""Our own manifests are clean to our own linter, and the document's template is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.commands.lint import LintRequest, chosen_codes, perform_lint

ROOT = Path(__file__).resolve().parents[2]
# GL901 says what `gatelab run` does not run; that is no fault of a manifest.
CODES = chosen_codes([], ["GL901"])
COMPONENTS = sorted(
    path.parent.relative_to(ROOT)
    for path in (ROOT / "deploy/components").glob("*/kustomization.yaml")
)


def found(path: Path, version: ArgoVersion = ArgoVersion.V1_9) -> list[str]:
    """Return every finding in a folder, as text."""
    request = LintRequest(paths=(ROOT / path,), version=version, codes=CODES)
    return [f"{each.code} {each.place} {each.reason}" for each in perform_lint(request)]


@pytest.mark.parametrize("version", ArgoVersion)
@pytest.mark.parametrize("overlay", ["dev", "qa", "staging", "platform"])
def test_overlays_are_clean(overlay: str, version: ArgoVersion) -> None:
    """Not one finding, down to notes, for each release line of Argo Rollouts."""
    assert found(Path("deploy/overlays") / overlay, version) == []


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda path: path.name)
def test_components_are_clean(component: Path) -> None:
    """So is what overlays may add."""
    assert found(component) == []


def test_there_are_components() -> None:
    """The test above is not one of nothing."""
    assert len(COMPONENTS) >= 10
