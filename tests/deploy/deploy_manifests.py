"""Reading manifests in tests of `deploy/`: documents, one object, strict schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

Documents = list[dict[str, Any]]


def rendered(overlay: str) -> Documents:
    """Return a committed rendering; a test of its own keeps it equal to the sources."""
    return documents(DEPLOY / "rendered" / f"{overlay}.yaml")


def documents(path: Path) -> Documents:
    """Return the YAML documents of a file."""
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> Documents:
    """Return the YAML documents of a text."""
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


def only(among: Documents, kind: str, name: str | None = None) -> dict[str, Any]:
    """Return the one document of a kind (and name)."""
    (found,) = (
        each for each in among if each["kind"] == kind and name in {None, each["metadata"]["name"]}
    )
    return found


def pod_specs(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every pod spec (a mapping with `containers`) anywhere inside a value."""
    if isinstance(value, Mapping):
        if "containers" in value:
            yield dict(value)
        for each in value.values():
            yield from pod_specs(each)
    elif isinstance(value, list):
        for each in value:
            yield from pod_specs(each)


def strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a CRD's schema that refuses unknown fields, as strict field validation does."""
    made = dict(schema)
    if made.pop("x-kubernetes-int-or-string", False):
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    if "properties" in made:
        made["properties"] = {name: strict(each) for name, each in made["properties"].items()}
        if not made.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    for inner in ("items", "additionalProperties"):
        if isinstance(made.get(inner), Mapping):
            made[inner] = strict(made[inner])
    return made
