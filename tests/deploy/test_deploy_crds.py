"""Every manifest that we deploy is valid, strictly; and each check refuses what it is there for."""

from __future__ import annotations

import copy
import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_manifests import DEPLOY, Documents, documents, only, parse, rendered
from deploy_validation import (
    ARGO_VERSIONS,
    KUBERNETES_VERSIONS,
    reference_complaints,
    schema_complaints,
)

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.bench.subject import Subject
from rollout_runner.lint import lint
from rollout_runner.manifests import select_rollout
from rollout_runner.manifests.load import read_manifests
from rollout_runner.manifests.render import Source
from rollout_runner.scenarios.model import Versions
from svckit.errors import SuiteError

OVERLAYS = ("dev", "qa", "staging", "platform")
ROLLOUTS = [
    *(("qa", name) for name in ("vote", "result", "worker")),
    *(("staging", name) for name in ("vote", "result", "worker")),
]
NAMESPACES = {"platform": "voting01-apm"}
# Component, and the overlay that it goes over.
COMPONENTS = [
    ("job-form", "qa"),
    ("strict-limits", "qa"),
    ("strict-limits", "staging"),
    ("external-secrets", "qa"),
    ("external-secrets", "dev"),
    ("staging-apm-gate", "staging"),
    ("stand-in", "qa"),
    ("analyzer-gate", "qa"),
    ("analyzer-gate", "staging"),
    ("monitoring", "platform"),
    ("scale-out", "platform"),
    ("external-secrets-platform", "platform"),
    ("votegen-jobs", "platform"),
    ("locust", "platform"),
    ("fast-rollback", "qa"),
    ("autoscaling", "qa"),
    ("autoscaling", "staging"),
]


@pytest.fixture(name="layered")
def _layered(kustomize: Callable[[Path], str], tmp_path: Path) -> Callable[..., Documents]:
    """Return a function that renders an overlay with components or patches over it."""

    def render(overlay: str, *, components: tuple[str, ...] = (), patch: str = "") -> Documents:
        folders = [DEPLOY / "components" / name for name in components]
        kustomization = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": NAMESPACES.get(overlay, f"voting01-{overlay}"),
            "resources": [os.path.relpath(DEPLOY / "overlays" / overlay, tmp_path)],
            "components": [os.path.relpath(each, tmp_path) for each in folders],
            "patches": [{"patch": textwrap.dedent(patch)}] if patch else [],
        }
        (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return parse(kustomize(tmp_path))

    return render


@pytest.mark.parametrize("kubernetes", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_core_kinds_are_valid(overlay: str, kubernetes: str) -> None:
    """Kubernetes' own schemas have nothing against any object, unknown fields included."""
    for each in rendered(overlay):
        assert schema_complaints(each, kubernetes=kubernetes) == []


@pytest.mark.parametrize("argo", ARGO_VERSIONS)
@pytest.mark.parametrize("overlay", ["qa", "staging"])
def test_argo_kinds_are_valid(overlay: str, argo: str) -> None:
    """Rollouts and AnalysisTemplates have only fields that the release knows."""
    kinds = [each for each in rendered(overlay) if each["kind"] in {"Rollout", "AnalysisTemplate"}]
    assert len(kinds) >= 4
    for each in kinds:
        assert schema_complaints(each, argo=argo) == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_references_lead_somewhere(overlay: str) -> None:
    """Accounts, maps, secrets, selectors and backends name what the overlay brings itself."""
    assert reference_complaints(rendered(overlay)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("component", "overlay"), COMPONENTS)
def test_components_keep_an_overlay_valid(
    layered: Callable[..., Documents], component: str, overlay: str
) -> None:
    """Each component over its overlay passes all the checks that the overlay passes."""
    found = layered(overlay, components=(component,))
    complaints = [text for each in found for text in schema_complaints(each)]
    # The stand-in leaves policies of what it removed behind; they select nothing and allow nothing.
    complaints += [
        text
        for text in reference_complaints(found)
        if not (component == "stand-in" and text.startswith("NetworkPolicy"))
    ]
    assert complaints == []
    source = Source(name="manifests.yaml", text=yaml.safe_dump_all(found))
    # By comments in the overlays and components, which rendering drops.
    accepted = {"GL413", "GL512", "GL801", "GL820"}
    if component == "analyzer-gate":
        accepted.add("GL111")  # its templates are there for a Rollout to choose from
    findings = [
        each for each in lint([source], version=ArgoVersion.V1_9) if each.code not in accepted
    ]
    assert findings == []
    for each in found:
        if each["kind"] == "Rollout":
            assert_rollout_is_accepted(found, each["metadata"]["name"])


def assert_rollout_is_accepted(manifests: Documents, name: str) -> None:
    """Fail unless Argo's controller would accept the references of a Rollout."""
    source = Source(name="manifests.yaml", text=yaml.safe_dump_all(manifests))
    select_rollout(read_manifests([source]), name)


@pytest.mark.parametrize(("overlay", "name"), ROLLOUTS)
def test_rollouts_are_accepted(overlay: str, name: str) -> None:
    """Services, ingress and templates of every Rollout are there and fit."""
    assert_rollout_is_accepted(rendered(overlay), name)


@pytest.mark.parametrize("name", ["vote", "result"])
def test_canary_arguments_resolve(name: str) -> None:
    """Every analysis step resolves all of its arguments: the Rollout could be run."""
    subject = Subject.load(
        DEPLOY / "rendered" / "qa.yaml", rollout=name, versions=Versions(), providers=("web",)
    )
    assert subject.app_name == f"voting01-{name}-qa"


def test_keys_are_texts() -> None:
    """No key of a source is one that YAML 1.1 reads as a boolean (on, off, yes, no, y, n)."""

    def keys(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [*value, *(key for each in value.values() for key in keys(each))]
        if isinstance(value, list):
            return [key for each in value for key in keys(each)]
        return []

    for path in DEPLOY.rglob("*.yaml"):
        found = [key for each in documents(path) for key in keys(each)]
        assert [key for key in found if not isinstance(key, str) or key in {"y", "n"}] == [], path


def vote(found: Documents) -> dict[str, Any]:
    """Return the Rollout `vote`, to be broken."""
    return only(found, "Rollout", "vote")


def _steps(found: Documents) -> list[dict[str, Any]]:
    return vote(found)["spec"]["strategy"]["canary"]["steps"]


def _unquoted_number(found: Documents) -> None:
    _steps(found)[5]["analysis"]["args"][3]["value"] = 2


def _ttl_strategy(found: Documents) -> None:
    spec = only(found, "AnalysisTemplate", "voting01-health-check")["spec"]
    spec["ttlStrategy"] = {"secondsAfterCompletion": 60}


def _secret_in_arguments(found: Documents) -> None:
    reference = {"secretKeyRef": {"name": "newrelic-api-key", "key": "api-key"}}
    _steps(found)[5]["analysis"]["args"].append({"name": "api-key", "valueFrom": reference})


def _misspelt_step(found: Documents) -> None:
    _steps(found)[0] = {"setWeigth": 20}


def _probe_port(found: Documents) -> None:
    (container,) = only(found, "Deployment", "redis")["spec"]["template"]["spec"]["containers"]
    container["livenessProbe"]["tcpSocket"]["prot"] = "redis"


def _text_for_a_port(found: Documents) -> None:
    only(found, "Service", "vote")["spec"]["ports"][0]["port"] = "80"


def _wrong_api_version(found: Documents) -> None:
    only(found, "PodDisruptionBudget", "vote")["apiVersion"] = "policy/v1beta1"


def _policy_type(found: Documents) -> None:
    only(found, "NetworkPolicy", "default-deny")["spec"]["policyTypes"] = "Ingress"


@pytest.mark.parametrize(
    ("breakage", "said"),
    [
        pytest.param(_unquoted_number, "2 is not of type 'string'", id="unquoted-number"),
        pytest.param(_ttl_strategy, "ttlStrategy", id="ttl-strategy-in-a-template"),
        pytest.param(_secret_in_arguments, "secretKeyRef", id="secret-in-rollout-arguments"),
        pytest.param(_misspelt_step, "setWeigth", id="misspelt-step"),
        pytest.param(_probe_port, "prot", id="unknown-field-of-a-core-kind"),
        pytest.param(_text_for_a_port, "'80' is not of type 'integer'", id="text-for-a-port"),
        pytest.param(_wrong_api_version, "no schema", id="api-version-that-is-gone"),
        pytest.param(_policy_type, "'Ingress' is not", id="text-for-a-list"),
    ],
)
def test_the_schemas_catch(breakage: Callable[[Documents], None], said: str) -> None:
    """A manifest broken in one place gets exactly the complaint about that place."""
    found = copy.deepcopy(rendered("qa"))
    breakage(found)
    (complaint,) = [text for each in found for text in schema_complaints(each)]
    assert said in complaint


def test_a_field_of_a_later_release_is_caught() -> None:
    """What 1.9.1 knows and 1.8.3 does not is refused for 1.8.3 alone."""
    rollout = copy.deepcopy(vote(rendered("qa")))
    rollout["spec"]["strategy"]["canary"]["replicaProgressThreshold"] = {
        "type": "Percent",
        "value": 90,
    }
    assert schema_complaints(rollout, argo="1.9.1") == []
    (complaint,) = schema_complaints(rollout, argo="1.8.3")
    assert "replicaProgressThreshold" in complaint


def _no_account(found: Documents) -> None:
    found.remove(only(found, "ServiceAccount", "vote-sa"))


def _no_secret(found: Documents) -> None:
    found.remove(only(found, "Secret", "voting01-db"))


def _other_label(found: Documents) -> None:
    only(found, "Service", "redis")["spec"]["selector"] = {"app": "valkey"}


def _budget_for_nobody(found: Documents) -> None:
    selector = only(found, "PodDisruptionBudget", "vote")["spec"]["selector"]
    selector["matchLabels"] = {"app": "votes"}


def _policy_for_nobody(found: Documents) -> None:
    only(found, "NetworkPolicy", "db")["spec"]["podSelector"]["matchLabels"] = {"app": "postgres"}


def _wrong_backend(found: Documents) -> None:
    rules = only(found, "Ingress", "voting01-ingress")["spec"]["rules"]
    rules[1]["http"]["paths"][0]["backend"]["service"]["name"] = "results"


@pytest.mark.parametrize(
    ("breakage", "said"),
    [
        pytest.param(_no_account, "ServiceAccount vote-sa is not there", id="no-account"),
        pytest.param(_no_secret, "Secret voting01-db is not there", id="no-secret"),
        pytest.param(_other_label, "Service redis: selects no pod", id="service-selects-nothing"),
        pytest.param(_budget_for_nobody, "PodDisruptionBudget vote: selects no pod", id="budget"),
        pytest.param(_policy_for_nobody, "NetworkPolicy db: selects no pod", id="policy"),
        pytest.param(_wrong_backend, "Ingress voting01-ingress: no Service", id="backend"),
    ],
)
def test_the_references_catch(breakage: Callable[[Documents], None], said: str) -> None:
    """A reference that leads nowhere is found."""
    found = copy.deepcopy(rendered("qa"))
    breakage(found)
    assert any(said in text for text in reference_complaints(found))


def _missing_argument(found: Documents) -> None:
    del _steps(found)[2]["analysis"]["args"][0]


def _wrong_service(found: Documents) -> None:
    vote(found)["spec"]["strategy"]["canary"]["canaryService"] = "vote-canari"


def _wrong_template(found: Documents) -> None:
    _steps(found)[2]["analysis"]["templates"][0]["templateName"] = "voting01-helth-check"


def _wrong_ingress(found: Documents) -> None:
    nginx = vote(found)["spec"]["strategy"]["canary"]["trafficRouting"]["nginx"]
    nginx["stableIngress"] = "voting-ingress"


@pytest.mark.parametrize(
    ("breakage", "said"),
    [
        pytest.param(_missing_argument, "args.service-name was not resolved", id="missing-arg"),
        pytest.param(_wrong_service, 'service "vote-canari" not found', id="wrong-service"),
        pytest.param(_wrong_template, "'voting01-helth-check' not found", id="wrong-template"),
        pytest.param(_wrong_ingress, '"voting-ingress" not found', id="wrong-ingress"),
    ],
)
def test_the_controllers_rules_catch(
    breakage: Callable[[Documents], None], said: str, tmp_path: Path
) -> None:
    """What Argo's controller would call InvalidSpec is refused in its words."""
    found = copy.deepcopy(rendered("qa"))
    breakage(found)
    path = tmp_path / "manifests.yaml"
    path.write_text(yaml.safe_dump_all(found))
    with pytest.raises(SuiteError) as caught:
        Subject.load(path, rollout="vote", versions=Versions(), providers=("web",))
    assert said in caught.value.detail


def test_a_merge_patch_that_loses_the_image_is_caught(layered: Callable[..., Documents]) -> None:
    """Kustomize does not know a Rollout's lists: merging one variable in drops everything else."""
    patch = """
        apiVersion: argoproj.io/v1alpha1
        kind: Rollout
        metadata: {name: vote}
        spec: {template: {spec: {containers: [{name: vote, env: [{name: X, value: "1"}]}]}}}
    """
    found = layered("qa", patch=patch)
    assert "Rollout vote: container vote has no image" in reference_complaints(found)
