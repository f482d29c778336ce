from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from deploy_manifests import Documents
from jsonschema import Draft202012Validator

Schema = Callable[[str], dict[str, Any]]


def complaints(schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """Return what the schema has against a document."""
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(document)
    ]


def test_rollout_is_valid(crd: Schema, rollout: dict[str, Any]) -> None:
    """The Rollout has only fields that Argo's schema knows, each of the right type."""
    assert complaints(crd("Rollout"), rollout) == []


@pytest.mark.parametrize(
    "name", ["voting01-health-check", "voting01-canary-analysis", "voting01-bluegreen-analysis"]
)
def test_template_is_valid(crd: Schema, templates: dict[str, dict[str, Any]], name: str) -> None:
    """Each AnalysisTemplate passes the strict schema."""
    assert complaints(crd("AnalysisTemplate"), templates[name]) == []


def test_unknown_field_is_refused(crd: Schema, templates: dict[str, dict[str, Any]]) -> None:
    """The strict schema does object: `ttlStrategy` belongs to AnalysisRun alone."""
    template = copy.deepcopy(templates["voting01-health-check"])
    template["spec"]["ttlStrategy"] = {"secondsAfterCompletion": 60}
    assert any("ttlStrategy" in each for each in complaints(crd("AnalysisTemplate"), template))


def test_unquoted_number_is_refused(crd: Schema, rollout: dict[str, Any]) -> None:
    """An argument's value must be text: `value: 2` is not."""
    changed = copy.deepcopy(rollout)
    changed["spec"]["strategy"]["canary"]["steps"][5]["analysis"]["args"][3]["value"] = 2
    (complaint,) = complaints(crd("Rollout"), changed)
    assert "2 is not of type 'string'" in complaint


def test_secret_in_rollout_arguments_is_refused(crd: Schema, rollout: dict[str, Any]) -> None:
    """`secretKeyRef` is for templates; a Rollout's argument cannot carry it."""
    changed = copy.deepcopy(rollout)
    args = changed["spec"]["strategy"]["canary"]["steps"][5]["analysis"]["args"]
    args.append({"name": "api-key", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}})
    assert any("secretKeyRef" in each for each in complaints(crd("Rollout"), changed))


def test_no_ttl_strategy_anywhere(qa: Documents, templates: dict[str, dict[str, Any]]) -> None:
    """Also without the CRDs at hand, `ttlStrategy` is in none of our manifests."""
    assert "ttlStrategy" not in repr(qa) + repr(templates)
