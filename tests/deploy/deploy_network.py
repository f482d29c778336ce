"""Who may talk to whom, by the NetworkPolicies of all namespaces, as a policy engine decides it.

Covers what our policies use: pod and namespace selectors, numbered ports. Anything else is refused
rather than guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy_manifests import Documents
from deploy_validation import selects

KUBERNETES_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod as policies see it; a namespace has a label with its name whatever else it has."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> dict[str, str]:
        """Labels of its namespace."""
        return {KUBERNETES_NAME: self.namespace, **self.namespace_labels}


class Network:
    """The policies of some namespaces; a namespace without one lets everything through."""

    def __init__(self, documents: Documents) -> None:
        self.policies = [each for each in documents if each["kind"] == "NetworkPolicy"]

    def allows(self, source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
        """Tell whether a connection comes about: the source may send it, the target may take it."""
        return self._may(source, "Egress", target, port, protocol) and self._may(
            target, "Ingress", source, port, protocol
        )

    def _may(self, pod: Pod, direction: str, peer: Pod, port: int, protocol: str) -> bool:
        isolating = [
            each["spec"]
            for each in self.policies
            if each["metadata"]["namespace"] == pod.namespace
            and direction in each["spec"]["policyTypes"]
            and selects(each["spec"]["podSelector"], pod.labels)
        ]
        if not isolating:
            return True
        side = "from" if direction == "Ingress" else "to"
        return any(
            self._peers(rule.get(side, []), pod.namespace, peer)
            and any(
                entry["port"] == port and entry["protocol"] == protocol
                for entry in rule.get("ports", [])
            )
            for spec in isolating
            for rule in spec.get(direction.lower(), [])
        )

    @staticmethod
    def _peers(peers: Iterable[Mapping[str, Any]], namespace: str, pod: Pod) -> bool:
        for peer in peers:
            assert peer.keys() <= {"podSelector", "namespaceSelector"}, peer
            if "namespaceSelector" in peer:
                inside = selects(peer["namespaceSelector"], pod.home)
            else:
                inside = pod.namespace == namespace
            if inside and selects(peer.get("podSelector", {}), pod.labels):
                return True
        return False
