"""Where findings are: file, line and column, through lists, anchors, scripts and kustomizations."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.commands.lint import LintRequest, chosen_codes, perform_lint
from rollout_runner.lint import Finding, lint
from rollout_runner.manifests.origins import read_origins
from rollout_runner.manifests.render import Source

METRIC = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: gate}
spec:
  metrics:
    - name: m
      count: 3
      interval: 30s
      failureLimit: 3
      successCondition: result.verdict == "pass"
      provider: {web: {url: https://analyzer.example/v1/analysis}}
"""


def found(text: str) -> tuple[Finding, ...]:
    """Lint one text called `f.yaml`."""
    return lint([Source(name="f.yaml", text=text)], version=ArgoVersion.V1_9)


def places(text: str) -> list[tuple[str, int, int]]:
    """Return code, line and column of what is found."""
    return [(each.code, each.place.line, each.place.column) for each in found(text)]


def test_second_document_of_a_file() -> None:
    """Lines count through the whole file."""
    text = METRIC.replace("failureLimit: 3", "failureLimit: 1")
    assert places(f"{text}---\n{METRIC.replace('gate', 'other')}") == [("GL308", 21, 7)]


def test_inside_of_a_list() -> None:
    """`kind: List`, as `kubectl get -o yaml` writes it, is looked into."""
    inner = "".join(f"    {line}\n" for line in METRIC.splitlines())
    text = f"apiVersion: v1\nkind: List\nitems:\n  -\n{inner}"
    assert places(text) == [("GL308", 13, 11)]


def test_behind_an_anchor() -> None:
    """A field that a merge brings in is where the anchor is, for each metric that has it."""
    text = METRIC.replace(
        "    - name: m\n      count: 3\n      interval: 30s\n      failureLimit: 3\n",
        "    - &base\n      name: m\n      count: 3\n      interval: 30s\n      failureLimit: 3\n",
    )
    text += "    - <<: *base\n      name: other\n"
    assert places(text) == [("GL308", 10, 7)] * 2


def test_a_line_of_a_script() -> None:
    """A finding in a block of text names the line in the file, not the block's first."""
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: gate}
spec:
  metrics:
    - name: m
      provider:
        job:
          spec:
            backoffLimit: 0
            activeDeadlineSeconds: 60
            template:
              spec:
                restartPolicy: Never
                containers:
                  - name: c
                    image: registry.example/tools:1.2
                    command: [sh, -c]
                    args:
                      - |
                        set -eu
                        curl -fsS https://apm.example/v1/check || true
"""
    assert places(text) == [("GL705", 22, 1)]


def test_an_unknown_field_names_file_line_and_the_closest_field() -> None:
    """What the API server would drop is said with its place."""
    (finding,) = found(METRIC.replace("failureLimit: 3", "failureLimits: 1"))
    assert (finding.code, str(finding.place)) == ("GL001", "f.yaml:9:7")
    assert finding.fix == "did you mean `failureLimit`?"
    assert finding.place.path == "spec.metrics[0].failureLimits"


def test_generate_name_and_runs_by_hand() -> None:
    """An AnalysisRun made with `kubectl create` has no name yet; its metrics are looked at."""
    text = METRIC.replace("AnalysisTemplate", "AnalysisRun").replace(
        "{name: gate}", "{generateName: gate-}"
    )
    (finding,) = found(f"{text}---\n{text.replace('failureLimit: 3', 'failureLimit: 1')}")
    assert (finding.code, finding.place.name) == ("GL308", "gate-")


@pytest.fixture(name="overlay")
def _overlay(tmp_path: Path) -> Path:
    """Return an overlay with a base, a JSON patch in a file and one written inline."""
    base = tmp_path / "base"
    overlay = tmp_path / "overlay"
    base.mkdir()
    overlay.mkdir()
    (base / "kustomization.yaml").write_text("resources: [gate.yaml]\n", encoding="utf-8")
    (base / "gate.yaml").write_text(METRIC, encoding="utf-8")
    (overlay / "count.yaml").write_text(
        "- op: replace\n  path: /spec/metrics/0/count\n  value: -1\n", encoding="utf-8"
    )
    (overlay / "kustomization.yaml").write_text(
        """\
namespace: qa
resources: [../base]
patches:
  - path: count.yaml
    target: {kind: AnalysisTemplate}
  - target: {kind: AnalysisTemplate, name: gate}
    patch: |-
      - op: replace
        path: /spec/metrics/0/interval
        value: 1d
""",
        encoding="utf-8",
    )
    return overlay


def test_origins_of_a_kustomization(overlay: Path) -> None:
    """A field is found where it was written: in the base, in a patch, in the kustomization."""
    origins = read_origins(overlay)
    metric = ("spec", "metrics", 0)
    kind, name = "AnalysisTemplate", "gate"
    base = overlay.parent / "base" / "gate.yaml"
    assert origins.find(kind, name, (*metric, "failureLimit"), 3) == (str(base), 9, 7)
    assert origins.find(kind, name, (*metric, "count"), -1) == (str(overlay / "count.yaml"), 3, 3)
    inline = origins.find(kind, name, (*metric, "interval"), "1d")
    assert inline is not None
    assert inline[:2] == (str(overlay / "kustomization.yaml"), 10)


def test_what_kustomize_has_changed_has_no_origin(overlay: Path) -> None:
    """A value that no file holds is not traced to a place that says something else."""
    origins = read_origins(overlay)
    assert origins.find("AnalysisTemplate", "gate", ("metadata", "namespace"), "qa") is None
    assert origins.find("AnalysisTemplate", "other", ("spec",), {}) is None


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl renders the overlay")
def test_an_overlay_is_traced_and_its_comments_are_read(overlay: Path) -> None:
    """Findings of a rendered overlay are in the sources, where comments can accept them."""
    request = LintRequest(
        paths=(overlay,), version=ArgoVersion.V1_9, codes=chosen_codes(["GL312,GL305"], [])
    )
    where = {each.code: each.place.file for each in perform_lint(request)}
    assert where == {
        "GL312": str(overlay / "count.yaml"),
        "GL305": str(overlay / "kustomization.yaml"),
    }
    patch = overlay / "count.yaml"
    text = patch.read_text(encoding="utf-8").rstrip()
    patch.write_text(f"{text}  # gatelab: ignore GL312 one look is enough\n", encoding="utf-8")
    assert [each.code for each in perform_lint(request)] == ["GL305"]


def test_a_component_is_read_as_it_is_written(tmp_path: Path) -> None:
    """A Component cannot be rendered alone; its resources are looked at, its patches not."""
    (tmp_path / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
        "resources: [gate.yaml]\npatches: [{path: patch.yaml}]\n",
        encoding="utf-8",
    )
    (tmp_path / "gate.yaml").write_text(METRIC, encoding="utf-8")
    (tmp_path / "patch.yaml").write_text(
        "kind: Secret\nmetadata: {name: absent}\n$patch: delete\n", encoding="utf-8"
    )
    request = LintRequest(paths=(tmp_path,), version=ArgoVersion.V1_9, codes=chosen_codes([], []))
    assert [each.code for each in perform_lint(request)] == ["GL308"]
