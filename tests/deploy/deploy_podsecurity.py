"""The Pod Security Standard `restricted`, control by control, as the admission controller reads it.

Source: Kubernetes' documentation, Pod Security Standards, baseline and restricted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

VOLUMES: Final = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS: Final = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
SECCOMP: Final = {"RuntimeDefault", "Localhost"}
SELINUX_TYPES: Final = {"", "container_t", "container_init_t", "container_kvm_t"}


def restricted_complaints(pod: Mapping[str, Any]) -> list[str]:
    """Return what the standard has against a pod spec; no complaint means admitted."""
    return [
        *_of_pod(pod),
        *(text for each in _containers(pod) for text in _of_container(pod, each)),
    ]


def _containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod.get(kind, [])


def _of_pod(pod: Mapping[str, Any]) -> Iterator[str]:
    context = pod.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield f"{name} is set"
    for volume in pod.get("volumes", []):
        for kind in volume.keys() - {"name"} - VOLUMES:
            yield f"volume {volume['name']}: {kind} is not allowed"
    for each in context.get("sysctls", []):
        if each["name"] not in SYSCTLS:
            yield f"sysctl {each['name']} is not safe"
    yield from _of_context(context, "pod")


def _of_context(context: Mapping[str, Any], owner: str) -> Iterator[str]:
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{owner}: hostProcess"
    options = context.get("seLinuxOptions", {})
    if options.get("type", "") not in SELINUX_TYPES or options.keys() & {"user", "role"}:
        yield f"{owner}: seLinuxOptions"
    if context.get("appArmorProfile", {}).get("type") == "Unconfined":
        yield f"{owner}: appArmorProfile Unconfined"
    if context.get("runAsUser") == 0:
        yield f"{owner}: runAsUser 0"


def _of_container(pod: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[str]:
    name = container["name"]
    own = container.get("securityContext", {})
    whole = pod.get("securityContext", {})
    yield from _of_context(own, name)
    if own.get("privileged"):
        yield f"{name}: privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation is not false"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield f"{name}: capabilities are not dropped"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities are added"
    if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True:
        yield f"{name}: runAsNonRoot is not true"
    seccomp = own.get("seccompProfile", whole.get("seccompProfile", {}))
    if seccomp.get("type") not in SECCOMP:
        yield f"{name}: no seccompProfile"
    if own.get("procMount", "Default") != "Default":
        yield f"{name}: procMount"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield f"{name}: hostPort"
