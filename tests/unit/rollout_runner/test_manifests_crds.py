"""The models against Argo's custom resource definitions: the same fields, the same types."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from rollout_runner.manifests.analysis import AnalysisTemplateSpec
from rollout_runner.manifests.rollout import RolloutSpec

CRDS = Path(__file__).resolve().parents[4] / "shared" / "data" / "argo" / "crds"
MODELS = {
    "rollout-crd.yaml": RolloutSpec,
    "analysis-template-crd.yaml": AnalysisTemplateSpec,
    "cluster-analysis-template-crd.yaml": AnalysisTemplateSpec,
}


@cache
def spec_schema(file: str) -> dict[str, Any]:
    """Return the schema of `spec` in a definition."""
    if not CRDS.is_dir():
        pytest.skip("Argo's CRDs are not in a `shared` directory beside the repository")
    definition = yaml.load((CRDS / file).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    (version,) = definition["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]["properties"]["spec"]


def block(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := block(each))), None)


def shape(annotation: Any) -> str:
    """Return the name that OpenAPI has for the type of a field."""
    if get_origin(annotation) is Annotated:
        return shape(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        kinds = {shape(each) for each in get_args(annotation) if each is not type(None)}
        return "int-or-string" if kinds == {"integer", "string"} else " or ".join(sorted(kinds))
    if block(annotation) is annotation or get_origin(annotation) is dict:
        return "object"
    if get_origin(annotation) is list:
        return "array"
    return {str: "string", int: "integer", bool: "boolean"}[annotation]


def differences(model: type[BaseModel], schema: dict[str, Any], path: str) -> Iterator[str]:
    """Yield how a model differs from a schema, block by block; free form matches anything."""
    fields = {each.alias or name: each for name, each in model.model_fields.items()}
    properties = schema["properties"]
    for name in fields.keys() ^ properties.keys():
        yield f"{path}.{name} is in one of them only"
    needed = {name for name, each in fields.items() if each.is_required()}
    if needed != set(schema.get("required", [])):
        yield f"{path}: {needed} are required, not {schema.get('required', [])}"
    for name in fields.keys() & properties.keys():
        inner = properties[name]
        kind = "int-or-string" if inner.get("x-kubernetes-int-or-string") else inner["type"]
        if shape(fields[name].annotation) != kind:
            yield f"{path}.{name} is {shape(fields[name].annotation)}, not {kind}"
        child = block(fields[name].annotation)
        if kind == "array":
            inner = inner["items"]
        elif "properties" not in inner and isinstance(inner.get("additionalProperties"), dict):
            inner = inner["additionalProperties"]
        if child is not None:
            yield from differences(child, inner, f"{path}.{name}")


@pytest.mark.parametrize(("file", "model"), MODELS.items(), ids=MODELS)
def test_model_has_the_fields_of_the_definition(file: str, model: type[BaseModel]) -> None:
    """A valid manifest loads and an invalid one does not: names, types, required fields agree."""
    assert list(differences(model, spec_schema(file), "spec")) == []
