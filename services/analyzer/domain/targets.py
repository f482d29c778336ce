"""Which health-check targets may be probed: the guard that runs before any request is sent.

A target is a Service and a namespace, never an address or a URL. Names must be what Kubernetes
accepts, so an IP literal, `localhost:80`, a dotted host or a user part cannot be spelled; and what
can be spelled must be on the operator's list. An empty list allows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from svckit.errors import Forbidden, InvalidInput

# A Service name is an RFC 1035 label (begins with a letter), a namespace an RFC 1123 one.
_SERVICE = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@/-]{0,1000})?")
_GLOB = re.compile(r"[a-z0-9*?-]{1,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One page of one Service."""

    service: str
    namespace: str
    path: str

    @property
    def name(self) -> str:
        """`service.namespace`, the key of the resolve map."""
        return f"{self.service}.{self.namespace}"

    @property
    def host(self) -> str:
        """The Service's name in the cluster's DNS."""
        return f"{self.name}.svc.cluster.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRules:
    """The allow-list of `(namespace glob, service glob)`, and addresses for local runs."""

    allow: tuple[tuple[str, str], ...] = ()
    resolve: Mapping[str, str]

    def check(self, *, service: str, namespace: str, path: str) -> Target:
        """Return the target that may be probed.

        Raises:
            InvalidInput: a name or the path has no valid syntax.
            Forbidden: the target is not on the allow-list.
        """
        for field, text, pattern, expected in (
            ("service", service, _SERVICE, "a Service name such as vote-canary"),
            ("namespace", namespace, _NAMESPACE, "a namespace such as voting01-qa"),
            ("path", path, _PATH, "an absolute path such as /health, without query"),
        ):
            if not pattern.fullmatch(text) or ".." in text:
                raise InvalidInput(
                    f"{field}: expected {expected}",
                    code="invalid_target",
                    hint="addresses, ports and URLs are refused here",
                    errors=({"loc": f"query.{field}", "msg": f"expected {expected}"},),
                )
        if not any(
            fnmatchcase(namespace, namespace_glob) and fnmatchcase(service, service_glob)
            for namespace_glob, service_glob in self.allow
        ):
            raise Forbidden(
                f"target {namespace}/{service} is not on the allow-list",
                code="target_not_allowed",
                hint="ANALYZER_HEALTH_ALLOW lists what may be probed, for example "
                "voting01-qa/vote-*; it is empty by default, which allows nothing",
            )
        return Target(service=service, namespace=namespace, path=path)

    def base_url(self, target: Target) -> str:
        """Return where the target answers: its cluster name, or its address of the resolve map."""
        return f"http://{self.resolve.get(target.name, target.host)}"


def parse_allow(entry: str) -> tuple[str, str]:
    """Read `namespace/service`, both may be globs with * and ?; raise ValueError otherwise."""
    namespace, slash, service = entry.partition("/")
    if not slash or not _GLOB.fullmatch(namespace) or not _GLOB.fullmatch(service):
        raise ValueError(f"{entry!r}: expected namespace/service globs such as voting01-qa/vote-*")
    return namespace, service


def parse_resolve(entry: str) -> tuple[str, str]:
    """Read `service.namespace=host:port`; raise ValueError otherwise."""
    name, equals, address = entry.partition("=")
    service, dot, namespace = name.partition(".")
    host, colon, port = address.rpartition(":")
    valid = (
        equals
        and dot
        and colon
        and _SERVICE.fullmatch(service)
        and _NAMESPACE.fullmatch(namespace)
        and re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\]", host)
        and re.fullmatch(r"[0-9]{1,5}", port)
        and 1 <= int(port) <= 65535
    )
    if not valid:
        raise ValueError(
            f"{entry!r}: expected service.namespace=host:port such as "
            "vote-canary.voting01-qa=127.0.0.1:9001"
        )
    return name, address
