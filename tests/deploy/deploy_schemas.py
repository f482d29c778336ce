"""Schemas of the kinds that neither Kubernetes nor Argo Rollouts defines: the fields that we use.

Written from the operators' published references, and strict: a field that is not listed here has to
be looked up and added before a manifest may use it.
"""

from __future__ import annotations

from typing import Any, Final


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


TEXT: Final = {"type": "string", "minLength": 1}
TEXTS: Final = _list(TEXT)
FLAG: Final = {"type": "boolean"}
NUMBER: Final = {"type": "integer"}
DURATION: Final = {"type": "string", "pattern": r"^(\d+(ms|s|m|h))+$"}
TEXT_MAP: Final = {"type": "object", "additionalProperties": {"type": "string"}}
SELECTOR: Final = _object(
    matchLabels=TEXT_MAP,
    matchExpressions=_list(
        _object(("key", "operator"), key=TEXT, operator=TEXT, values=TEXTS),
    ),
)
METADATA: Final = _object(
    ("name",),
    name=TEXT,
    namespace=TEXT,
    labels=TEXT_MAP,
    annotations=TEXT_MAP,
    finalizers=TEXTS,
)


def _kind(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return _object(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": api_version},
        kind={"const": kind},
        metadata=METADATA,
        spec=spec,
    )


_SOURCE: Final = _object(
    ("repoURL", "targetRevision", "path"), repoURL=TEXT, targetRevision=TEXT, path=TEXT
)
_DESTINATION: Final = _object(("namespace",), server=TEXT, name=TEXT, namespace=TEXT)
_GROUP_KIND: Final = _object(("group", "kind"), group={"type": "string"}, kind=TEXT)

FOREIGN: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("argoproj.io", "Application"): _kind(
        "argoproj.io/v1alpha1",
        "Application",
        _object(
            ("project", "source", "destination"),
            project=TEXT,
            source=_SOURCE,
            destination=_DESTINATION,
            revisionHistoryLimit=NUMBER,
            ignoreDifferences=_list(
                _object(
                    ("kind",),
                    group={"type": "string"},
                    kind=TEXT,
                    name=TEXT,
                    namespace=TEXT,
                    jsonPointers=TEXTS,
                    jqPathExpressions=TEXTS,
                    managedFieldsManagers=TEXTS,
                )
            ),
            syncPolicy=_object(
                automated=_object(prune=FLAG, selfHeal=FLAG, allowEmpty=FLAG, enabled=FLAG),
                syncOptions=TEXTS,
                retry=_object(
                    ("limit",),
                    limit=NUMBER,
                    backoff=_object(duration=DURATION, factor=NUMBER, maxDuration=DURATION),
                ),
            ),
            info=_list(_object(("name", "value"), name=TEXT, value=TEXT)),
        ),
    ),
    ("argoproj.io", "AppProject"): _kind(
        "argoproj.io/v1alpha1",
        "AppProject",
        _object(
            ("sourceRepos", "destinations"),
            description=TEXT,
            sourceRepos=TEXTS,
            destinations=_list(_DESTINATION),
            clusterResourceWhitelist=_list(_GROUP_KIND),
            namespaceResourceWhitelist=_list(_GROUP_KIND),
            namespaceResourceBlacklist=_list(_GROUP_KIND),
            orphanedResources=_object(warn=FLAG),
            roles=_list(
                _object(
                    ("name", "policies"), name=TEXT, description=TEXT, policies=TEXTS, groups=TEXTS
                )
            ),
            syncWindows=_list(
                _object(
                    ("kind", "schedule", "duration"),
                    kind={"enum": ["allow", "deny"]},
                    schedule=TEXT,
                    duration=DURATION,
                    applications=TEXTS,
                    namespaces=TEXTS,
                    clusters=TEXTS,
                    manualSync=FLAG,
                    timeZone=TEXT,
                    description=TEXT,
                    andOperator=FLAG,
                )
            ),
        ),
    ),
    ("monitoring.coreos.com", "ServiceMonitor"): _kind(
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        _object(
            ("selector", "endpoints"),
            selector=SELECTOR,
            jobLabel=TEXT,
            endpoints=_list(
                _object(
                    ("port",),
                    port=TEXT,
                    path=TEXT,
                    interval=DURATION,
                    scrapeTimeout=DURATION,
                    scheme={"enum": ["http", "https"]},
                )
            ),
        ),
    ),
    ("monitoring.coreos.com", "PrometheusRule"): _kind(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        _object(
            ("groups",),
            groups=_list(
                _object(
                    ("name", "rules"),
                    name=TEXT,
                    interval=DURATION,
                    rules=_list(
                        {
                            "type": "object",
                            "properties": {
                                "alert": TEXT,
                                "expr": TEXT,
                                "for": DURATION,
                                "labels": TEXT_MAP,
                                "annotations": TEXT_MAP,
                            },
                            "required": ["alert", "expr", "labels", "annotations"],
                            "additionalProperties": False,
                        }
                    ),
                )
            ),
        ),
    ),
    ("external-secrets.io", "ExternalSecret"): _kind(
        "external-secrets.io/v1",
        "ExternalSecret",
        _object(
            ("secretStoreRef", "target", "data"),
            refreshInterval=DURATION,
            secretStoreRef=_object(
                ("name", "kind"), name=TEXT, kind={"enum": ["SecretStore", "ClusterSecretStore"]}
            ),
            target=_object(
                ("name",), name=TEXT, creationPolicy={"enum": ["Owner", "Merge", "Orphan", "None"]}
            ),
            data=_list(
                _object(
                    ("secretKey", "remoteRef"),
                    secretKey=TEXT,
                    remoteRef=_object(("key",), key=TEXT, property=TEXT, version=TEXT),
                )
            ),
        ),
    ),
}
