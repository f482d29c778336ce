"""A Deployment whose rolling update can be run: it is read as a Rollout without steps.

Argo runs a canary without steps by the arithmetic of a Deployment (`maxSurge`, `maxUnavailable`),
so the one stands for the other. What a Deployment has not, such as analysis, it does not get.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from rollout_runner.manifests.model import Fields, FreeForm, Int32, IntOrString, KubeObject
from rollout_runner.manifests.rollout import LabelSelector, Rollout
from rollout_runner.manifests.schema import read_object

if TYPE_CHECKING:
    from rollout_runner.manifests.documents import Document

KIND = "Deployment"
_ROLLING_UPDATE = "RollingUpdate"
_TAKEN_OVER = (
    "replicas",
    "selector",
    "template",
    "revisionHistoryLimit",
    "minReadySeconds",
    "progressDeadlineSeconds",
    "paused",
)


class RollingUpdate(Fields):
    """How many pods may be there besides, and how many may be missing."""

    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DeploymentStrategy(Fields):
    """How pods are replaced; without a type it is a rolling update."""

    type: str | None = None
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(Fields):
    """`spec` of a Deployment."""

    replicas: Int32 | None = None
    selector: LabelSelector | None = None
    template: FreeForm
    strategy: DeploymentStrategy | None = None
    revision_history_limit: Int32 | None = None
    min_ready_seconds: Int32 | None = None
    progress_deadline_seconds: Int32 | None = None
    paused: bool = False


class Deployment(KubeObject):
    """A Deployment."""

    api_group_version: ClassVar[str] = "apps/v1"

    spec: DeploymentSpec

    def as_rollout(self) -> Rollout:
        """Return the Rollout without steps that updates its pods in the same way.

        Raises:
            InvalidInput: it replaces all pods at once.
        """
        strategy = self.spec.strategy
        if strategy is not None and strategy.type not in {None, _ROLLING_UPDATE}:
            raise self.invalid(
                ("spec", "strategy", "type"),
                "only a rolling update is run",
                value=strategy.type,
                hint=f"set it to {_ROLLING_UPDATE}, or leave it out",
            )
        document = replace(self._document, value=_rollout(self._document))
        return read_object(document, Rollout)


def _rollout(document: Document) -> dict[str, Any]:
    spec = document.value["spec"]
    rolling = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    taken = {name: spec[name] for name in _TAKEN_OVER if spec.get(name) is not None}
    return document.value | {"spec": taken | {"strategy": {"canary": rolling}}}
