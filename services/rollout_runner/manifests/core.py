"""The Kubernetes kinds that a rollout refers to: Service, Ingress, ConfigMap, Secret.

Every field of their `spec` has a name here, so that a misspelt one is found; only those that the
runner reads have a type.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, ClassVar

from pydantic import Field, field_validator

from rollout_runner.manifests.model import (
    Fields,
    FreeForm,
    Int32,
    IntOrString,
    KubeObject,
    ListOf,
    TextMap,
)


class ServicePort(Fields):
    """One port of a Service; without `targetPort` it is the same on the pods."""

    port: Int32
    target_port: IntOrString | None = None
    name: str | None = None
    protocol: str = "TCP"
    app_protocol: Any = None
    node_port: Any = None


class ServiceSpec(Fields):
    """`spec` of a Service."""

    selector: TextMap
    ports: ListOf[ServicePort]
    type: str = "ClusterIP"
    cluster_ip: Any = Field(default=None, alias="clusterIP")
    cluster_ips: Any = Field(default=None, alias="clusterIPs")
    external_ips: Any = Field(default=None, alias="externalIPs")
    load_balancer_ip: Any = Field(default=None, alias="loadBalancerIP")
    allocate_load_balancer_node_ports: Any = None
    external_name: Any = None
    external_traffic_policy: Any = None
    health_check_node_port: Any = None
    internal_traffic_policy: Any = None
    ip_families: Any = None
    ip_family_policy: Any = None
    load_balancer_class: Any = None
    load_balancer_source_ranges: Any = None
    publish_not_ready_addresses: Any = None
    session_affinity: Any = None
    session_affinity_config: Any = None
    traffic_distribution: Any = None


class Service(KubeObject):
    """A Service: a name, and the labels of the pods behind it."""

    api_group_version: ClassVar[str] = "v1"

    spec: ServiceSpec


class BackendPort(Fields):
    """Port of a backend, by number or by name."""

    number: Int32 | None = None
    name: str | None = None


class BackendService(Fields):
    """Service that a path leads to."""

    name: str
    port: BackendPort | None = None


class IngressBackend(Fields):
    """Where a path leads: a Service, or an object of another kind."""

    service: BackendService | None = None
    resource: FreeForm | None = None


class IngressPath(Fields):
    """One path of a rule."""

    path: str | None = None
    path_type: str
    backend: IngressBackend


class IngressHttp(Fields):
    """The paths of a rule."""

    paths: list[IngressPath]


class IngressRule(Fields):
    """A host (every host where it is absent) and its paths."""

    host: str | None = None
    http: IngressHttp | None = None


class IngressSpec(Fields):
    """`spec` of an Ingress."""

    ingress_class_name: str | None = None
    rules: ListOf[IngressRule]
    default_backend: IngressBackend | None = None
    tls: ListOf[FreeForm]


class Ingress(KubeObject):
    """An Ingress: hosts and paths, each with a backend."""

    api_group_version: ClassVar[str] = "networking.k8s.io/v1"

    spec: IngressSpec

    def has_rule_for(self, service: str) -> bool:
        """Whether some path leads to the service; a default backend does not count (Argo)."""
        return any(
            path.backend.service is not None and path.backend.service.name == service
            for rule in self.spec.rules
            if rule.http is not None
            for path in rule.http.paths
        )


class ConfigMap(KubeObject):
    """A ConfigMap."""

    api_group_version: ClassVar[str] = "v1"

    data: TextMap
    binary_data: TextMap
    immutable: bool = False


class Secret(KubeObject):
    """A Secret; `values` are decoded, and neither `repr` nor errors show any of them."""

    api_group_version: ClassVar[str] = "v1"
    holds_secrets: ClassVar[bool] = True

    data: dict[str, str] = Field(default_factory=dict, repr=False)
    string_data: dict[str, str] = Field(default_factory=dict, repr=False)
    type: str = "Opaque"
    immutable: bool = False

    @field_validator("data")
    @classmethod
    def _check_base64(cls, data: dict[str, str]) -> dict[str, str]:
        for key, text in data.items():
            try:
                _decoded(text)
            except binascii.Error:
                raise ValueError(
                    f"the value of {key!r} is not base64; plain text goes under stringData"
                ) from None
        return data

    @property
    def values(self) -> dict[str, str]:
        """Key -> text; `stringData` wins over `data`, as in the API server.

        Bytes that are not UTF-8 become surrogates, so that nothing is lost or quietly replaced.
        """
        decoded = {
            key: _decoded(text).decode("utf-8", "surrogateescape")
            for key, text in self.data.items()
        }
        return decoded | self.string_data


def _decoded(text: str) -> bytes:
    """Decode as Go's JSON decoder does: line breaks are skipped, anything else must be base64."""
    return base64.b64decode("".join(text.splitlines()), validate=True)
