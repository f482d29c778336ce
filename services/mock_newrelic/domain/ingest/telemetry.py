"""What OTLP and New Relic's telemetry APIs have in common: whose data it is, and what it means.

Every attribute set is a mapping of names to plain values (texts, numbers, booleans). An item's own
attributes come before those of its resource (OTLP) or of its `common` block (New Relic).
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from mock_newrelic.domain.ingest.batch import Drop
from mock_newrelic.domain.query import APP_HINT, APP_PATTERN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mock_newrelic.domain.ingest.event_api import ProbeRule

Attributes: TypeAlias = "Mapping[str, Any]"

MAX_AGE_SECONDS = 48 * 3600
MAX_AHEAD_SECONDS = 24 * 3600
MAX_DURATION_SECONDS = 24 * 3600
MAX_ATTRIBUTES = 255
MAX_NAME = 255
MAX_TEXT = 4095
MAX_LABEL = 255
"""Longest value of a label; a longer one is no label."""

_APP = ("service.name", "appName", "app.name", "entity.name")
_ROLE = ("role", "tags.role", "k8s.pod.label.role", "k8s.pod.labels.role")
_HASH_NAME = "rollouts-pod-template-hash"
_HASH = (
    "podTemplateHash",
    "hash",
    _HASH_NAME,
    f"tags.{_HASH_NAME}",
    f"k8s.pod.label.{_HASH_NAME}",
    f"k8s.pod.labels.{_HASH_NAME}",
    "k8s.pod.label.pod-template-hash",
    "k8s.pod.labels.pod-template-hash",
)
_VERSION = ("service.version", "version", "tags.version")
_HOST = ("k8s.pod.name", "host.name", "host", "hostname", "service.instance.id")
_ENVIRONMENT = ("deployment.environment.name", "deployment.environment", "environment", "env")
_REPLICA_SET_NAME = "k8s.replicaset.name"
IDENTITY = frozenset((*_APP, *_ROLE, *_HASH, *_VERSION, *_HOST, *_ENVIRONMENT, _REPLICA_SET_NAME))
"""Attributes that name an application or one of its labels."""
_STATUS = (
    "http.response.status_code",
    "http.status_code",
    "http.statusCode",
    "httpResponseCode",
    "response.status",
)
OUTCOME = frozenset((*_STATUS, "error.type"))
"""Attributes that tell how a request ended."""
_ROUTE = ("http.route", "rpc.method")
_METHOD = ("http.request.method", "http.method", "rpc.service")
TRANSACTION = frozenset((*_ROUTE, *_METHOD))
"""Attributes that tell what was asked for."""
_AGENT = ("user_agent.original", "http.user_agent", "request.headers.userAgent")
_PATH = ("url.path", "http.target", "http.route", "request.uri")
PROBE = frozenset((*_AGENT, *_PATH))
"""Attributes that tell health checks."""
_PREFIXES = ("tags.", "k8s.pod.label.", "k8s.pod.labels.")
"""What may stand before the name of a label."""
_KEPT = frozenset({"k8s.deployment.name", "k8s.namespace.name", "k8s.cluster.name"})
"""Attributes of OpenTelemetry's own name spaces that are labels as they are."""
_NO_LABELS = frozenset({"error", "name", "message", "level", "timestamp", "unit", "duration"})
"""Names that say something of one item, and nothing of where it came from."""

_POD_NAME = re.compile(r".+-([a-z0-9]{6,10})-[a-z0-9]{5}", re.ASCII)
_REPLICA_SET = re.compile(r".+-([a-z0-9]{5,10})", re.ASCII)

_SECONDS_BELOW = 1e11
"""A timestamp below is in seconds (the year 5138 in them, 1973 in milliseconds)."""


class ItemError(ValueError):
    """One item of a body cannot be kept; the rest of the body can.

    Attributes:
        reason: stable lower-case code.
        detail: one sentence for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Dropped:
    """What of a body was not kept."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, error: ItemError, *, app: str = "", count: int = 1) -> None:
        """Note items that were dropped."""
        self._counts[error.reason, app, error.detail] += count

    def drops(self) -> tuple[Drop, ...]:
        """Return what was dropped, the most frequent reason first."""
        return tuple(
            Drop(reason=reason, count=count, app=app, detail=detail)
            for (reason, app, detail), count in self._counts.most_common()
        )


def application_of(attributes: Attributes) -> str:
    """Return the application that attributes name, empty when they name none.

    Raises:
        ItemError: the name is no name of an application.
    """
    name = first_text(attributes, _APP)
    if name and not APP_PATTERN.fullmatch(name):
        raise ItemError("bad_application", f"the service name is none ({APP_HINT})")
    return name


def labels_of(attributes: Attributes) -> dict[str, str]:
    """Return the labels that tell apart which part of an application sent something.

    The hash is an attribute's, else the suffix of the ReplicaSet's name, else that of the pod's
    name, as Kubernetes names them. Attributes without a dot in their name are a user's own and
    become labels, as do `newrelic.*`, and `tags.*` and labels of the pod without these words.
    """
    told = [
        (name, text)
        for name, value in attributes.items()
        if (name in IDENTITY or _label_name(name)) and (text := label_text(value))
    ]
    return dict(_labels(tuple(told)))


@lru_cache(maxsize=512)
def _labels(told: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the labels of attributes; what one service sends has few sets of them."""
    attributes = dict(told)
    host = first_text(attributes, _HOST)
    named = {
        "role": first_text(attributes, _ROLE),
        "hash": first_text(attributes, _HASH) or _hash_of(attributes, host),
        "version": first_text(attributes, _VERSION),
        "host": host,
        "env": first_text(attributes, _ENVIRONMENT),
    }
    own = {_label_name(name): text for name, text in told if name not in IDENTITY}
    return tuple((name, text) for name, text in {**own, **named}.items() if name and text)


def has_labels(attributes: Attributes) -> bool:
    """Whether any of the attributes makes a difference to labels."""
    return any(name in IDENTITY or _label_name(name) for name in attributes)


_EVENT_NAMES = (
    ("role", "role"),
    ("hash", "podTemplateHash"),
    ("version", "version"),
    ("host", "host"),
    ("env", "env"),
)


def event_attributes(app: str, labels: Mapping[str, str], own: Attributes) -> dict[str, Any]:
    """Return attributes as raw events have them: with the names by which queries ask, too.

    Args:
        app: application, empty for none.
        labels: of the item.
        own: attributes that the event is to have.
    """
    named = {name: labels[label] for label, name in _EVENT_NAMES if label in labels}
    return {**own, **named, **({"appName": app} if app else {})}


def first_text(attributes: Attributes, names: Iterable[str]) -> str:
    """Return the first of several attributes that says something, as a text."""
    for name in names:
        value = attributes.get(name)
        if value is not None and value != "" and not isinstance(value, list | dict):
            return str(value)
    return ""


def label_text(value: Any) -> str:
    """Return a value as a label has it, empty when it cannot be one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        text = str(value)
        return text if len(text) <= MAX_LABEL else ""
    return ""


@lru_cache(maxsize=4096)
def _label_name(name: str) -> str:
    if name in _NO_LABELS:
        return ""
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    if "." not in name or name.startswith("newrelic.") or name in _KEPT:
        return name
    return ""


def _hash_of(attributes: Attributes, host: str) -> str:
    replica_set = first_text(attributes, (_REPLICA_SET_NAME,))
    match = _REPLICA_SET.fullmatch(replica_set) or _POD_NAME.fullmatch(host)
    return match[1] if match else ""


def is_flag(value: Any) -> bool:
    """Whether an `error` attribute says yes."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def status_of(attributes: Attributes) -> int:
    """Return the HTTP status that attributes tell, 0 when they tell none."""
    for name in _STATUS:
        value = attributes.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
            value = int(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and 100 <= value <= 599:
            return int(value)
    return 0


def outcome_of(attributes: Attributes, *, flagged: bool) -> tuple[int, int, int]:
    """Return whether samples are errors, HTTP 5xx and HTTP 4xx, each as 0 or 1.

    An error has a status of 500 or more, or a flag: an `error.type` that says more than an HTTP
    4xx, which is counted apart and is no error, or one of the protocol.

    Args:
        attributes: of the samples.
        flagged: whether the protocol itself says that they are errors.
    """
    status = status_of(attributes)
    server, client = status >= 500, 400 <= status <= 499
    kind = attributes.get("error.type")
    if kind not in (None, "") and not (client and str(kind) == str(status)):
        flagged = True
    return int(flagged or server), int(server), int(client)


def transaction_of(attributes: Attributes) -> str:
    """Return what was asked for: method and route, empty when no route is told."""
    route = first_text(attributes, _ROUTE)
    method = first_text(attributes, _METHOD)
    return f"{method} {route}".strip()[:MAX_LABEL] if route else ""


def is_probe(probes: ProbeRule, attributes: Attributes) -> bool:
    """Whether a request with these attributes is a health check."""
    agent = first_text(attributes, _AGENT)
    if agent and agent.startswith(probes.user_agents):
        return True
    paths = (attributes.get(name) for name in _PATH)
    return any(isinstance(one, str) and one.partition("?")[0] in probes.paths for one in paths)


def unix_seconds(value: Any, default: float) -> float:
    """Return a timestamp in seconds, ms, µs or ns, told apart by magnitude, as Unix seconds.

    Raises:
        ItemError: it is no number.
    """
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ItemError("bad_timestamp", "the timestamp is no number")
    instant = float(value)
    for _ in range(3):
        if abs(instant) < _SECONDS_BELOW:
            break
        instant /= 1000
    return instant


def check_age(instant: float, now: float) -> None:
    """Refuse what is too old or too far ahead.

    Raises:
        ItemError: it is.
    """
    if not now - MAX_AGE_SECONDS <= instant <= now + MAX_AHEAD_SECONDS:
        raise ItemError(
            "bad_timestamp", "the timestamp is more than 48 hours old or 24 hours ahead"
        )


def check_attributes(attributes: Attributes, limit: int = MAX_ATTRIBUTES) -> None:
    """Refuse more or longer attributes than New Relic keeps.

    Raises:
        ItemError: there are.
    """
    if len(attributes) > limit:
        raise ItemError("too_many_attributes", f"more than {limit} attributes")
    for name, value in attributes.items():
        if not name or len(name) > MAX_NAME:
            raise ItemError(
                "bad_attribute", f"an attribute name is empty or longer than {MAX_NAME}"
            )
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise ItemError("bad_attribute", f"an attribute value is longer than {MAX_TEXT}")
