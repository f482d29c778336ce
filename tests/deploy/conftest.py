"""The manifests under test, read once, and the tools that render and validate them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deploy_manifests import DEPLOY, Documents, documents, only


@pytest.fixture(name="kustomize", scope="session")
def _kustomize() -> Callable[[Path], str]:
    """Return a function that renders a folder as `kubectl kustomize` does."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed: the sources cannot be rendered here")

    def render(folder: Path) -> str:
        done = subprocess.run(
            [kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return render


@pytest.fixture(name="qa", scope="session")
def _qa() -> Documents:
    """Return the committed QA manifests; a test of its own keeps them equal to the sources."""
    return documents(DEPLOY / "rendered" / "qa.yaml")


@pytest.fixture(name="templates", scope="session")
def _templates(qa: Documents) -> dict[str, dict[str, Any]]:
    """Return all three AnalysisTemplates by name, the one of blue-green from its source."""
    found = [each for each in qa if each["kind"] == "AnalysisTemplate"]
    found += documents(DEPLOY / "base/analysis/blue-green/bluegreen-analysis.yaml")
    return {each["metadata"]["name"]: each for each in found}


@pytest.fixture(name="rollout", scope="session")
def _rollout(qa: Documents) -> dict[str, Any]:
    return only(qa, "Rollout", "vote")
