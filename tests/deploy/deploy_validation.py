"""Strict validation of manifests: core kinds, Argo's kinds, and what refers to what.

Every check returns complaints as texts; no complaint means valid. The mutation tests hold each
check to a manifest that it must refuse.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
from deploy_manifests import Documents, strict
from deploy_schemas import FOREIGN
from jsonschema import Draft202012Validator

ARGO_VERSIONS: Final = ("1.8.3", "1.9.1")
KUBERNETES_VERSIONS: Final = ("1.30", "1.34")
CRDS = Path(__file__).parent / "crds" / "argo-rollouts.json"
WORKLOADS: Final = ("Rollout", "Deployment", "StatefulSet", "Job")
# Names that appear in a namespace without a manifest of ours.
GIVEN: Final = {("ConfigMap", "kube-root-ca.crt")}


@cache
def _argo() -> dict[str, Any]:
    return json.loads(CRDS.read_text(encoding="utf-8"))


@cache
def argo_validator(kind: str, version: str) -> Draft202012Validator:
    """Return the validator of one of Argo's kinds as a release of Argo Rollouts has it."""
    schema = copy.deepcopy(_argo()["schemas"][kind])
    for path in _argo()["fields absent before"][version][kind]:
        _forget(schema, path.strip("/").split("/"))
    return Draft202012Validator(strict(schema))


def _forget(schema: dict[str, Any], path: list[str]) -> None:
    """Remove a property; items and additionalProperties on the way have no name in the path."""
    while "properties" not in schema:
        schema = schema.get("items") or schema["additionalProperties"]
    if len(path) == 1:
        del schema["properties"][path[0]]
    else:
        _forget(schema["properties"][path[0]], path[1:])


def schema_complaints(
    document: dict[str, Any], *, argo: str = ARGO_VERSIONS[-1], kubernetes: str = "1.34"
) -> list[str]:
    """Return what the schema of its kind has against a document, unknown fields included."""
    kind, group = document["kind"], document["apiVersion"].rpartition("/")[0]
    if kind in _argo()["schemas"]:
        return _errors(argo_validator(kind, argo), document)
    if (group, kind) in FOREIGN:
        return _errors(Draft202012Validator(FOREIGN[group, kind]), document)
    try:
        kubernetes_validate.validate(document, kubernetes, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{kind} {document['metadata']['name']}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [f"{kind}: no schema: {error.message}"]
    return []


def _errors(validator: Draft202012Validator, document: dict[str, Any]) -> list[str]:
    name = f"{document['kind']} {document['metadata']['name']}"
    return [
        f"{name} {error.json_path}: {error.message}" for error in validator.iter_errors(document)
    ]


def reference_complaints(documents: Documents) -> list[str]:
    """Return every reference inside a namespace that leads nowhere."""
    return [
        *_containers_without_image(documents),
        *_missing_names(documents),
        *_selectors_of_nothing(documents),
        *_backends(documents),
    ]


def _workloads(documents: Documents) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in documents:
        if each["kind"] in WORKLOADS:
            yield f"{each['kind']} {each['metadata']['name']}", each["spec"]["template"]
        if each["kind"] == "AnalysisTemplate":
            for metric in each["spec"]["metrics"]:
                if "job" in metric["provider"]:
                    name = f"AnalysisTemplate {each['metadata']['name']}: job {metric['name']}"
                    yield name, metric["provider"]["job"]["spec"]["template"]


def _containers_without_image(documents: Documents) -> Iterator[str]:
    for name, template in _workloads(documents):
        for container in template["spec"]["containers"]:
            if not container.get("image"):
                yield f"{name}: container {container['name']} has no image"


def _names(documents: Documents, kind: str) -> set[str]:
    return {each["metadata"]["name"] for each in documents if each["kind"] == kind}


def _missing_names(documents: Documents) -> Iterator[str]:
    known = {(each["kind"], each["metadata"]["name"]) for each in documents} | GIVEN
    known |= {
        ("Secret", each["spec"]["target"]["name"])
        for each in documents
        if each["kind"] == "ExternalSecret"
    }
    for owner, template in _workloads(documents):
        for kind, name in _references(template["spec"]):
            if (kind, name) not in known:
                yield f"{owner}: {kind} {name} is not there"


def _references(pod: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "serviceAccountName" in pod:
        yield "ServiceAccount", pod["serviceAccountName"]
    for container in pod["containers"]:
        sources = [*container.get("envFrom", []), *_value_sources(container)]
        for source in sources:
            for field, kind in _SOURCES.items():
                reference = source.get(field)
                if reference and not reference.get("optional"):
                    yield kind, reference["name"]
    for volume in pod.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]


_SOURCES: Final = {
    "configMapRef": "ConfigMap",
    "secretRef": "Secret",
    "configMapKeyRef": "ConfigMap",
    "secretKeyRef": "Secret",
}


def _value_sources(container: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for variable in container.get("env", []):
        yield variable.get("valueFrom", {})


def _selectors_of_nothing(documents: Documents) -> Iterator[str]:
    labels = [template["metadata"]["labels"] for _, template in _workloads(documents)]
    for each in documents:
        name = f"{each['kind']} {each['metadata']['name']}"
        if each["kind"] == "Service":
            selector: Mapping[str, Any] = {"matchLabels": each["spec"]["selector"]}
        elif each["kind"] == "PodDisruptionBudget":
            selector = each["spec"]["selector"]
        elif each["kind"] == "NetworkPolicy":
            selector = each["spec"]["podSelector"]
        else:
            continue
        if not any(selects(selector, pod) for pod in labels):
            yield f"{name}: selects no pod"


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector (matchLabels, matchExpressions with In) takes a pod."""
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", [])
    )


def _backends(documents: Documents) -> Iterator[str]:
    ports = {
        each["metadata"]["name"]: {port["port"] for port in each["spec"]["ports"]}
        for each in documents
        if each["kind"] == "Service"
    }
    for each in documents:
        if each["kind"] != "Ingress":
            continue
        for rule in each["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                if service["port"]["number"] not in ports.get(service["name"], set()):
                    yield f"Ingress {each['metadata']['name']}: no Service {service}"
