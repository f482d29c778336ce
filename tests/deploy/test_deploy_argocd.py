"""Argo CD's objects: an Application per overlay, and a project that allows no more than those."""

from __future__ import annotations

import re
from typing import Any

import pytest
from deploy_manifests import DEPLOY, documents, only, rendered
from deploy_validation import schema_complaints

FOLDER = DEPLOY / "argocd"
(PROJECT,) = documents(FOLDER / "project.yaml")
APPLICATIONS = {
    each["spec"]["source"]["path"].rpartition("/")[2]: each
    for each in documents(FOLDER / "applications.yaml")
}
# Beyond the overlays: what components may add to them.
ADDED = {
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("batch", "Job"),
    ("external-secrets.io", "ExternalSecret"),
    ("monitoring.coreos.com", "ServiceMonitor"),
    ("monitoring.coreos.com", "PrometheusRule"),
}


def test_structure() -> None:
    """Nothing but known fields, of the right types."""
    for each in (PROJECT, *APPLICATIONS.values()):
        assert schema_complaints(each) == []


@pytest.mark.parametrize(
    ("breakage", "said"),
    [
        pytest.param({"syncPolicy": {"automatic": {}}}, "automatic", id="misspelt"),
        pytest.param({"revisionHistoryLimit": "10"}, "'10' is not of type", id="text-for-a-number"),
        pytest.param({"destination": {"name": "x"}}, "'namespace' is a required", id="incomplete"),
    ],
)
def test_a_broken_application_is_caught(breakage: dict[str, Any], said: str) -> None:
    """The check of structure refuses what it is there for."""
    application = APPLICATIONS["qa"]
    broken = {**application, "spec": {**application["spec"], **breakage}}
    (complaint,) = schema_complaints(broken)
    assert said in complaint


def test_everything_is_applied() -> None:
    """The folder's kustomization lists all of its files, for Argo CD's own namespace."""
    (kustomization,) = documents(FOLDER / "kustomization.yaml")
    files = {each.name for each in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    assert kustomization["namespace"] == "argocd"


def test_one_application_per_overlay() -> None:
    """Each overlay goes to the spoke, into its own namespace, from the repository itself."""
    assert APPLICATIONS.keys() == {each.name for each in (DEPLOY / "overlays").iterdir()}
    for overlay, application in APPLICATIONS.items():
        namespace = only(rendered(overlay), "Namespace")["metadata"]["name"]
        spec = application["spec"]
        assert application["metadata"]["name"] == namespace
        assert spec["destination"] == {"name": "opsera-usw2-np", "namespace": namespace}
        assert spec["destination"] in PROJECT["spec"]["destinations"]
        assert spec["project"] == PROJECT["metadata"]["name"]
        assert spec["source"]["repoURL"] in PROJECT["spec"]["sourceRepos"]
        assert spec["source"]["path"] == f"deploy/overlays/{overlay}"
    assert len(PROJECT["spec"]["destinations"]) == len(APPLICATIONS)


def _group_kind(document: dict[str, Any]) -> tuple[str, str]:
    return document["apiVersion"].rpartition("/")[0], document["kind"]


def test_the_project_allows_what_is_deployed_and_no_more() -> None:
    """Namespaces alone cluster-wide; beside them the kinds of overlays and components."""
    listed = PROJECT["spec"]["namespaceResourceWhitelist"]
    allowed = {(each["group"], each["kind"]) for each in listed}
    deployed = {_group_kind(each) for overlay in APPLICATIONS for each in rendered(overlay)}
    assert PROJECT["spec"]["clusterResourceWhitelist"] == [{"group": "", "kind": "Namespace"}]
    assert allowed == (deployed - {("", "Namespace")}) | ADDED


@pytest.mark.parametrize("overlay", APPLICATIONS)
def test_what_rollouts_owns_is_left_alone(overlay: str) -> None:
    """Services that a Rollout switches differ from git by a selector; only those are forgiven."""
    spec = APPLICATIONS[overlay]["spec"]
    switched = any(each["kind"] == "Rollout" for each in rendered(overlay))
    expected = [
        {
            "kind": "Service",
            "jqPathExpressions": [
                '.spec.selector["rollouts-pod-template-hash"]',
                '.metadata.annotations["argo-rollouts.argoproj.io/managed-by-rollouts"]',
            ],
        }
    ]
    assert spec.get("ignoreDifferences", []) == (expected if switched else [])
    # Without this option the difference is hidden and overwritten all the same.
    assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"]


def test_git_selectors_do_not_name_a_hash() -> None:
    """What is forgiven is never in git: a hash there would point users at one version for good."""
    for overlay in APPLICATIONS:
        for each in rendered(overlay):
            if each["kind"] == "Service":
                assert "rollouts-pod-template-hash" not in each["spec"]["selector"]


def test_sync_windows_close_staging_alone() -> None:
    """Nights and weekends, in a named time zone; a person may sync all the same."""
    windows = PROJECT["spec"]["syncWindows"]
    assert {each["schedule"] for each in windows} == {"0 20 * * 1-5", "0 6 * * 6"}
    for each in windows:
        assert each["kind"] == "deny"
        assert each["applications"] == ["voting01-staging"]
        assert each["manualSync"] is True
        assert each["timeZone"] == "America/Los_Angeles"
        assert re.fullmatch(r"\d+h", each["duration"])


def test_the_pipeline_may_not_change_applications() -> None:
    """Its role reads and syncs; it neither creates, updates, overrides nor deletes."""
    (role,) = PROJECT["spec"]["roles"]
    granted = {policy.split(", ")[3] for policy in role["policies"]}
    assert granted == {"get", "sync"}
