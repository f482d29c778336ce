"""Attributes by any of the names that senders and queries use for them.

Agents, OpenTelemetry and the suite's own senders name the same thing differently; a query finds
it under each of these names, in raw rows as among the labels of a series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

APP = "appName"
DURATION = "duration"
ERROR = "error"
STATUS = "httpResponseCode"
TIMESTAMP = "timestamp"

_SAME = (
    (APP, "applicationName", "entity.name", "service.name"),
    (
        "podTemplateHash",
        "hash",
        "rollouts-pod-template-hash",
        "tags.rollouts-pod-template-hash",
        "k8s.pod.label.rollouts-pod-template-hash",
    ),
    ("version", "tags.version", "service.version"),
    ("role", "tags.role"),
    ("host", "hostname", "host.name"),
    ("name", "transactionName"),
    (
        STATUS,
        "http.statusCode",
        "response.status",
        "http.response.status_code",
        "http.status_code",
    ),
)
_NAMES = {name: names for names in _SAME for name in names}
_LABEL_OF = {"podTemplateHash": "hash", "version": "version", "role": "role", "host": "host"}
_PREFIXES = ("tags.", "label.")
_NOT_LABELS = frozenset({
    DURATION, ERROR, TIMESTAMP, "name", "transactionName", "eventType", "request.uri",
    "request.method", "request.headers.userAgent", *_NAMES[STATUS],
})  # fmt: skip


def lookup(row: Mapping[str, Any], name: str) -> Any:
    """Return the attribute's value under this or an equal name, or None."""
    value = row.get(name)
    if value is not None:
        return value
    for other in _NAMES.get(name, ()):
        value = row.get(other)
        if value is not None:
            return value
    for prefix in _PREFIXES:
        plain = name.removeprefix(prefix)
        value = row.get(plain if plain != name else prefix + name)
        if value is not None:
            return value
    return None


def canonical(name: str) -> str:
    """Return the first of the equal names."""
    return _NAMES.get(name, (name,))[0]


def label_name(name: str) -> str | None:
    """Return the label under which the rings keep an attribute; None when they keep it as none."""
    first = canonical(name)
    if first in _LABEL_OF:
        return _LABEL_OF[first]
    if first in _NOT_LABELS or name in _NOT_LABELS or first == APP:
        return None
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name or None
