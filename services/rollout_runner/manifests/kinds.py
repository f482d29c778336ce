"""Which kinds there are: `apiVersion`, `kind` and name of a document, checked against them.

The groups below are closed: a kind that they do not have is a typing mistake. In any other group
everything is possible.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from rollout_runner.manifests.documents import Document

# apiVersion by kind; these kinds are read.
_READ: Final = {
    "Rollout": "argoproj.io/v1alpha1",
    "AnalysisTemplate": "argoproj.io/v1alpha1",
    "ClusterAnalysisTemplate": "argoproj.io/v1alpha1",
    "Service": "v1",
    "ConfigMap": "v1",
    "Secret": "v1",
    "Ingress": "networking.k8s.io/v1",
    "Deployment": "apps/v1",
}
# Kinds by group that stand beside a rollout and say nothing about it.
_PASSED_OVER: Final = {
    "": "Endpoints Event LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod "
    "PodTemplate ReplicationController ResourceQuota ServiceAccount",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apps": "ControllerRevision DaemonSet ReplicaSet StatefulSet",
    "argoproj.io": "AnalysisRun AppProject Application ApplicationSet ArgoCD CronWorkflow "
    "EventBus EventSource Experiment Sensor Workflow WorkflowTemplate ClusterWorkflowTemplate",
    "autoscaling": "HorizontalPodAutoscaler",
    "batch": "CronJob Job",
    "networking.k8s.io": "IPAddress IngressClass NetworkPolicy ServiceCIDR",
    "policy": "PodDisruptionBudget",
    "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "scheduling.k8s.io": "PriorityClass",
    "storage.k8s.io": "CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment "
    "VolumeAttributesClass",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a document says it is; `expected` kinds need no mention when they are passed over."""

    api_version: str
    kind: str
    name: str
    expected: bool

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return group_of(self.api_version)


def group_of(api_version: str) -> str:
    """Return the group of an apiVersion: `apps/v1` -> `apps`, `v1` -> the empty text."""
    return api_version.rpartition("/")[0]


def read_header(document: Document) -> Header:
    """Return what a document says it is.

    Raises:
        InvalidInput: it does not say so, the kind is not in its group, or the version is one that
            is not served any more.
    """
    api_version = _text(document, "apiVersion")
    kind = _text(document, "kind")
    group = group_of(api_version)
    read = {each: at for each, at in _READ.items() if group_of(at) == group}
    passed_over = _PASSED_OVER.get(group, "").split()
    if kind in read and api_version != read[kind]:
        raise InvalidInput(
            f"{document.place(['apiVersion'])}: {kind}: apiVersion {api_version} is not supported",
            hint=f"expected {read[kind]}",
        )
    if group in _PASSED_OVER and kind not in read and kind not in passed_over:
        raise InvalidInput(
            f"{document.place(['kind'])}: there is no kind {kind!r} in {api_version}",
            hint=_closest(kind, [*read, *passed_over]),
        )
    metadata = document.value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return Header(
        api_version=api_version, kind=kind, name=str(name or ""), expected=group in _PASSED_OVER
    )


def _text(document: Document, field: str) -> str:
    value = document.value.get(field)
    if not isinstance(value, str) or not value:
        raise InvalidInput(
            f"{document.place([field])}: not a Kubernetes object: `{field}` is missing",
            hint="a manifest begins with apiVersion, kind and metadata",
        )
    return value


def _closest(kind: str, known: list[str]) -> str:
    near = difflib.get_close_matches(kind, known, n=1)
    if near:
        return f"did you mean {near[0]}?"
    elsewhere = _READ.get(kind)
    if elsewhere is not None:
        return f"{kind} belongs to apiVersion {elsewhere}"
    return f"known kinds: {', '.join(sorted(known))}"
