from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from deploy_manifests import DEPLOY, ROOT, only, parse

pytestmark = pytest.mark.deploy


@pytest.mark.parametrize("overlay", ["dev", "qa", "staging", "platform"])
def test_committed_manifests_equal_the_sources(
    kustomize: Callable[[Path], str], overlay: str
) -> None:
    """A machine without kubectl runs exactly what kubectl would render."""
    committed = (DEPLOY / "rendered" / f"{overlay}.yaml").read_text(encoding="utf-8")
    assert committed == kustomize(DEPLOY / "overlays" / overlay), "run `make render`"


def test_every_overlay_is_rendered() -> None:
    """No overlay is missing from the committed manifests, and none is left over."""
    overlays = {each.name for each in (DEPLOY / "overlays").iterdir()}
    assert {each.stem for each in (DEPLOY / "rendered").iterdir()} == overlays


def test_blue_green_template_takes_the_namespace_of_its_overlay(
    kustomize: Callable[[Path], str], tmp_path: Path
) -> None:
    """The template of the staging environment is there for an overlay to use."""
    base = os.path.relpath(DEPLOY / "base/analysis/blue-green", tmp_path)
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump({"namespace": "voting01-staging", "resources": [base]})
    )
    (template,) = parse(kustomize(tmp_path))
    assert template["metadata"]["name"] == "voting01-bluegreen-analysis"
    assert template["metadata"]["namespace"] == "voting01-staging"


def test_new_relic_host_of_the_config_map_reaches_the_gate(
    kustomize: Callable[[Path], str], tmp_path: Path
) -> None:
    """Changing the ConfigMap alone changes where the gate asks."""
    copy = shutil.copytree(DEPLOY, tmp_path / "deploy")
    config = copy / "base" / "config.yaml"
    text = config.read_text(encoding="utf-8")
    changed = text.replace("NEW_RELIC_HOST: mock-newrelic.", "NEW_RELIC_HOST: other.")
    assert changed != text
    config.write_text(changed, encoding="utf-8")
    rendered = parse(kustomize(copy / "overlays" / "qa"))
    template = only(rendered, "AnalysisTemplate", "voting01-canary-analysis")
    defaults = {each["name"]: each.get("value") for each in template["spec"]["args"]}
    assert defaults["newrelic-url"] == "http://other.voting01-apm.svc.cluster.local:8080"


def test_every_component_is_documented_and_every_documented_one_is_there() -> None:
    """The table of deploy/README.md has all components; guides name no other."""
    components = {each.name for each in (DEPLOY / "components").iterdir()}
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert {name for name in components if f"`{name}`" not in readme} == set()
    guides = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md"))
    named = set(re.findall(r"\bcomponents/([a-z][a-z-]+)", guides))
    assert len(named) >= 5
    assert named <= components
