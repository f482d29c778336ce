"""A rollout together with what it may refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rollout_runner.manifests.analysis import AnalysisTemplate, ClusterAnalysisTemplate
from rollout_runner.manifests.core import ConfigMap, Ingress, Secret, Service
from rollout_runner.manifests.rollout import Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A rollout and the objects of its namespace, by name; cluster templates have none.

    `controller_secrets` are those that the controller itself reads, such as New Relic profiles. In
    a cluster they lie in its own namespace; here any namespace will do, its own one first.
    """

    rollout: Rollout
    services: Mapping[str, Service]
    ingresses: Mapping[str, Ingress]
    analysis_templates: Mapping[str, AnalysisTemplate]
    cluster_analysis_templates: Mapping[str, ClusterAnalysisTemplate]
    config_maps: Mapping[str, ConfigMap]
    secrets: Mapping[str, Secret]
    controller_secrets: Mapping[str, Secret]

    @property
    def namespace(self) -> str:
        """Namespace of the rollout and of its analysis runs."""
        return self.rollout.namespace

    @property
    def secret_values(self) -> dict[str, dict[str, str]]:
        """Name of a Secret -> key -> text."""
        return {name: secret.values for name, secret in self.secrets.items()}

    @property
    def controller_secret_values(self) -> dict[str, dict[str, str]]:
        """Name of a Secret of the controller -> key -> text."""
        return {name: secret.values for name, secret in self.controller_secrets.items()}
