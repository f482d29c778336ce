from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
from deploy_manifests import DEPLOY, ROOT, Documents, documents, only, pod_specs
from deploy_podsecurity import restricted_complaints

SOURCES = sorted(DEPLOY.rglob("*.yaml"))
COMPONENTS = sorted((DEPLOY / "components").rglob("*.yaml"))
FOREIGN_IMAGES = {"redis", "postgres", "curl"}
OVERLAYS = ("dev.yaml", "qa.yaml", "staging.yaml", "platform.yaml")


@pytest.fixture(name="pods", scope="session")
def _pods() -> list[dict[str, Any]]:
    """Return every pod spec that we deploy: those of all overlays and of all components."""
    components = [each for path in COMPONENTS for each in documents(path)]
    overlays = [each for name in OVERLAYS for each in documents(DEPLOY / "rendered" / name)]
    return [*pod_specs(overlays), *pod_specs(components)]


def test_pods_are_found(pods: list[dict[str, Any]]) -> None:
    """The other tests look at the pods of the application, its stores, and of both jobs."""
    names = {each["containers"][0]["name"] for each in pods}
    assert names >= {"vote", "result", "worker", "redis", "db", "health-check", "newrelic-check"}


def test_pods_are_restricted(pods: list[dict[str, Any]]) -> None:
    """The Pod Security Standard `restricted`, which the namespaces enforce, admits every pod."""
    assert [text for pod in pods for text in restricted_complaints(pod)] == []


def _container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "vote", **fields}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"hostNetwork": True}, "hostNetwork is set", id="host-network"),
        pytest.param({"hostPID": True}, "hostPID is set", id="host-pid"),
        pytest.param(
            {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
            "volume x: hostPath is not allowed",
            id="host-path",
        ),
        pytest.param(
            {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
            "vote: runAsNonRoot is not true",
            id="root",
        ),
        pytest.param(
            {"securityContext": {"runAsNonRoot": True}}, "vote: no seccompProfile", id="seccomp"
        ),
        pytest.param(
            {
                "securityContext": {
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                    "sysctls": [{"name": "kernel.msgmax", "value": "1"}],
                }
            },
            "sysctl kernel.msgmax is not safe",
            id="sysctl",
        ),
        pytest.param(
            _container(securityContext={"allowPrivilegeEscalation": False}),
            "vote: capabilities are not dropped",
            id="capabilities-kept",
        ),
        pytest.param(
            _container(
                securityContext={
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
                }
            ),
            "vote: capabilities are added",
            id="capabilities-added",
        ),
        pytest.param(
            _container(securityContext={"capabilities": {"drop": ["ALL"]}}),
            "vote: allowPrivilegeEscalation is not false",
            id="escalation",
        ),
        pytest.param(
            _container(
                ports=[{"containerPort": 80, "hostPort": 80}],
                securityContext={
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            ),
            "vote: hostPort",
            id="host-port",
        ),
    ],
)
def test_the_standard_catches(rollout: dict[str, Any], change: dict[str, Any], said: str) -> None:
    """One field changed, and the check says exactly that."""
    pod = {**rollout["spec"]["template"]["spec"], **change}
    assert restricted_complaints(pod) == [said]


def test_pods_do_not_run_as_root(pods: list[dict[str, Any]]) -> None:
    """The user is a number, so that `runAsNonRoot` can be checked whatever the image says."""
    for pod in pods:
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] >= 10
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_pods_do_not_hold_a_cluster_token(pods: list[dict[str, Any]], qa: Documents) -> None:
    """Nothing here talks to the Kubernetes API."""
    assert all(pod["automountServiceAccountToken"] is False for pod in pods)
    assert only(qa, "ServiceAccount", "vote-sa")["automountServiceAccountToken"] is False


def test_containers_are_locked_down(pods: list[dict[str, Any]]) -> None:
    """Read-only root, no capability, no way to gain privileges."""
    for container in (each for pod in pods for each in pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_containers_have_requests_and_limits(pods: list[dict[str, Any]]) -> None:
    """One pod cannot starve its neighbours."""
    for container in (each for pod in pods for each in pod["containers"]):
        for bound in ("requests", "limits"):
            assert container["resources"][bound].keys() == {"cpu", "memory"}


def test_vote_pod_resources_and_probes(rollout: dict[str, Any]) -> None:
    """Size and probes of the vote pod are those of the running application."""
    (vote,) = rollout["spec"]["template"]["spec"]["containers"]
    assert vote["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi"},
        "limits": {"cpu": "500m", "memory": "256Mi"},
    }
    page = {"path": "/", "port": "http"}
    assert vote["readinessProbe"] == {
        "httpGet": page,
        "initialDelaySeconds": 5,
        "periodSeconds": 10,
    }
    assert vote["livenessProbe"] == {
        "httpGet": page,
        "initialDelaySeconds": 15,
        "periodSeconds": 20,
    }


def test_images_are_pinned(pods: list[dict[str, Any]]) -> None:
    """Every image names a version and none is `latest`; others' images name a digest as well."""
    for image in {each["image"] for pod in pods for each in pod["containers"]}:
        name, _, reference = image.rpartition("/")[2].partition(":")
        digest = r"@sha256:[0-9a-f]{64}" if name in FOREIGN_IMAGES else ""
        assert re.fullmatch(rf"(?!latest)[\w.-]+{digest}", reference), image


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_sources_never_say_latest(source: Any) -> None:
    """No source file refers to a moving tag."""
    assert ":latest" not in source.read_text(encoding="utf-8")


def test_sources_pass_yamllint() -> None:
    """The YAML is tidy, by the repository's own rules."""
    done = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "deploy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
