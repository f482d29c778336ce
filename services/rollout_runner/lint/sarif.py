"""Findings as SARIF 2.1.0, which code scanning services read.

Source: OASIS Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from rollout_runner.lint.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.lint.rule import Rule

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "note",
}


def render_sarif(
    findings: Sequence[Finding],
    rules: Mapping[str, Rule],
    *,
    version: ArgoVersion,
    program_version: str,
) -> str:
    """Return one SARIF run. `rules` are those that were applied; all of them are described."""
    order = {code: index for index, code in enumerate(rules)}
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "gatelab",
                        "semanticVersion": program_version,
                        "rules": [_rule(each) for each in rules.values()],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "properties": {"argoVersion": str(version)},
                "results": [_result(each, order[each.code]) for each in findings],
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(found: Rule) -> dict[str, Any]:
    return {
        "id": found.code,
        "shortDescription": {"text": found.title},
        "fullDescription": {"text": found.why},
        "help": {"text": f"{found.why}\n\nFix: {found.fix}"},
        "defaultConfiguration": {"level": _LEVELS[found.severity]},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    place = finding.place
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(place.file.replace("\\", "/"))},
            "region": {"startLine": place.line, "startColumn": place.column},
        }
    }
    if place.kind:
        name = f"{place.kind}/{place.name}"
        location["logicalLocations"] = [
            {"name": name, "fullyQualifiedName": f"{name}:{place.path}", "kind": "member"}
        ]
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.title}: {finding.reason}. Fix: {finding.fix}"},
        "locations": [location],
        "partialFingerprints": {"finding/v1": _fingerprint(finding)},
    }


def _fingerprint(finding: Finding) -> str:
    """Tell a finding apart from others wherever its line moves to."""
    place = finding.place
    text = f"{finding.code}\0{place.kind}/{place.name}\0{place.path}\0{finding.reason}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]
