"""What of a batch/v1 JobSpec can be run as a process, and what makes that another Job.

Source of the expansion of `$(NAME)`: third_party/forked/golang/expansion of Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_BACKOFF_LIMIT = 6
_REFERENCE = re.compile(r"\$(?:(\$)|\(([^)]*)\))")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_ONLY_ONE = ("completions", "parallelism")
_NOT_HERE = ("podFailurePolicy", "successPolicy", "suspend")

Values = Mapping[str, Mapping[str, str]]


class JobError(Exception):
    """The Job cannot be created, or not here; the measurement is an Error with this message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """A Job to be run.

    `deadline_seconds` is None without `activeDeadlineSeconds`; `attempts` is at least 1.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    attempts: int
    deadline_seconds: float | None


def check_name(name: str) -> None:
    """Refuse a name that the API server would refuse, such as one with a capital letter.

    Raises:
        JobError: with the API server's wording.
    """
    if not _NAME.fullmatch(name):
        raise JobError(
            f'Job.batch "{name}" is invalid: metadata.name: Invalid value: "{name}": a lowercase'
            " RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
            " and must start and end with an alphanumeric character"
        )


def read_job(spec: Mapping[str, Any], *, secrets: Values, config_maps: Values) -> JobPlan:
    """Return what to run.

    Args:
        spec: the JobSpec, arguments filled in.
        secrets: the values of each Secret by its name.
        config_maps: the values of each ConfigMap by its name.

    Raises:
        JobError: the API server would refuse the Job, what it refers to does not exist, or it
            cannot be run as one process.
    """
    for field in _NOT_HERE:
        if spec.get(field):
            raise JobError(f"a Job with {field} cannot run without a cluster")
    for field in _ONLY_ONE:
        if spec.get(field) not in {None, 1}:
            raise JobError(f"a Job with {field} other than 1 cannot run without a cluster")
    pod = _mapping(_mapping(spec, "template"), "spec")
    if pod.get("restartPolicy") not in {"Never", "OnFailure"}:
        raise JobError(
            "Job is invalid: spec.template.spec.restartPolicy: Required value: valid values:"
            ' "OnFailure", "Never"'
        )
    if pod.get("initContainers"):
        raise JobError("a Job with initContainers cannot run without a cluster")
    containers = _list(pod, "containers")
    if len(containers) != 1:
        raise JobError(f"a Job with {len(containers)} containers cannot run without a cluster")
    container = containers[0]
    if not container.get("command"):
        raise JobError(
            f"container {container.get('name')!r} has no command: its image's entry point"
            " is not known without a cluster"
        )
    environment = _environment(container, secrets=secrets, config_maps=config_maps)
    words = [*_texts(container, "command"), *_texts(container, "args")]
    limit, deadline = spec.get("backoffLimit"), spec.get("activeDeadlineSeconds")
    return JobPlan(
        command=tuple(expand(word, environment) for word in words),
        environment=environment,
        attempts=1 + max(0, DEFAULT_BACKOFF_LIMIT if limit is None else limit),
        deadline_seconds=None if deadline is None else float(deadline),
    )


def expand(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of `$(NAME)`; `$$` is a dollar, an unknown name stays as it is.

    >>> expand("$(HOST)/$$(HOST)/$(date)/$HOST", {"HOST": "apm"})
    'apm/$(HOST)/$(date)/$HOST'
    """
    return _REFERENCE.sub(lambda match: match[1] or values.get(match[2], match[0]), text)


def _environment(
    container: Mapping[str, Any], *, secrets: Values, config_maps: Values
) -> dict[str, str]:
    environment: dict[str, str] = {}
    for source in _list(container, "envFrom"):
        prefix = str(source.get("prefix") or "")
        for kind, known in (("configMapRef", config_maps), ("secretRef", secrets)):
            if kind in source:
                values = _referred(source, kind, known, "envFrom")
                environment |= {f"{prefix}{name}": value for name, value in values.items()}
    for entry in _list(container, "env"):
        name = _text(entry, "name", "env")
        value = _value(entry, name, secrets=secrets, config_maps=config_maps)
        if value is not None:
            environment[name] = expand(value, environment) if "value" in entry else value
    return environment


def _value(
    entry: Mapping[str, Any], name: str, *, secrets: Values, config_maps: Values
) -> str | None:
    """Return the value of a variable; None for an optional one that does not exist."""
    where = f"env {name}"
    source = _mapping(entry, "valueFrom")
    if not source:
        return _text(entry, "value", where) if entry.get("value") is not None else ""
    for kind, known in (("secretKeyRef", secrets), ("configMapKeyRef", config_maps)):
        if kind in source:
            reference = _mapping(source, kind)
            key = _text(reference, "key", f"{where}: {kind}")
            value = _referred(source, kind, known, where).get(key)
            if value is None and not reference.get("optional"):
                raise JobError(f"{where}: {kind} {reference.get('name')}/{key} does not exist")
            return value
    raise JobError(f"{where}: only secretKeyRef and configMapKeyRef are known without a cluster")


def _referred(source: Mapping[str, Any], kind: str, known: Values, where: str) -> Mapping[str, str]:
    reference = _mapping(source, kind)
    name = _text(reference, "name", f"{where}: {kind}")
    values = known.get(name)
    if values is None and not reference.get("optional"):
        raise JobError(f"{where}: {kind} {name} does not exist")
    return values or {}


def _mapping(parent: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = parent.get(field)
    if value is not None and not isinstance(value, Mapping):
        raise JobError(f"Job is invalid: {field}: expected an object, got {value!r}")
    return value or {}


def _list(parent: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    value = parent.get(field)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise JobError(f"Job is invalid: {field}: expected a list of objects, got {value!r}")
    return value


def _texts(parent: Mapping[str, Any], field: str) -> list[str]:
    value = parent.get(field) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise JobError(f"Job is invalid: {field}: expected a list of strings, got {value!r}")
    return value


def _text(parent: Mapping[str, Any], field: str, where: str) -> str:
    value = parent.get(field)
    if not isinstance(value, str):
        raise JobError(f"Job is invalid: {where}: {field}: expected a string, got {value!r}")
    return value
