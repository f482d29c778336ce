"""Texts -> objects, read without giving up: what is wrong with one says nothing of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout_runner.manifests.documents import (
    Document,
    Path,
    items_of_list,
    read_documents,
)
from rollout_runner.manifests.kinds import read_header
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rollout_runner.manifests.render import Source


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Item:
    """One object as plain data. `namespace` is None where the manifest names none.

    `refusal` says why it is no object of Kubernetes, and is empty for one that is.
    """

    document: Document
    kind: str
    api_version: str
    name: str
    namespace: str | None
    refusal: str = ""
    hint: str = ""

    @property
    def value(self) -> dict[str, Any]:
        """The manifest: camelCase keys, nothing filled in."""
        return self.document.value

    def get(self, *path: str | int) -> Any:
        """Return the field at a path; None where there is none, or where it has another shape."""
        return dig(self.value, *path)

    def nearest(self, path: Path) -> tuple[Path, Any]:
        """Return the field at a path, or the closest one around it that is there, and its value."""
        value: Any = self.value
        for depth, part in enumerate(path):
            inner = dig(value, part)
            if inner is None:
                return path[:depth], value
            value = inner
        return path, value

    def reaches(self, other: Item) -> bool:
        """Whether the two are in one namespace; who names none may be in any."""
        return None in {self.namespace, other.namespace} or self.namespace == other.namespace


def read_items(sources: Iterable[Source]) -> tuple[Item, ...]:
    """Return every object of the texts, in their order.

    Raises:
        InvalidInput: a text is not YAML that Kubernetes' tools would all understand the same way.
    """
    return tuple(
        _item(each)
        for source in sources
        for document in read_documents(source)
        for each in _flat(document)
    )


def dig(value: Any, *path: str | int) -> Any:
    """Return what lies at a path of keys and indices, or None."""
    for part in path:
        if isinstance(value, dict) and isinstance(part, str):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
            value = value[part]
        else:
            return None
    return value


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the mappings of a list with their index; nothing for anything else."""
    if isinstance(value, list):
        yield from ((index, each) for index, each in enumerate(value) if isinstance(each, dict))


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield every text inside of a value with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from texts(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from texts(each, (*path, index))


def text_of(value: Any) -> str:
    """Return a text; an empty one for anything else."""
    return value if isinstance(value, str) else ""


def _flat(document: Document) -> Iterator[Document]:
    if document.value.get("kind") == "List":
        for each in items_of_list(document):
            yield from _flat(each)
    else:
        yield document


def _item(document: Document) -> Item:
    refusal = hint = ""
    try:
        read_header(document)
    except InvalidInput as error:
        refusal, hint = error.detail, error.hint
        for field in ("kind", "apiVersion"):
            refusal = refusal.removeprefix(f"{document.place([field])}: ")
    metadata = mapping(document.value.get("metadata"))
    return Item(
        document=document,
        kind=text_of(document.value.get("kind")),
        api_version=text_of(document.value.get("apiVersion")),
        name=text_of(metadata.get("name")) or text_of(metadata.get("generateName")),
        namespace=text_of(metadata.get("namespace")) or None,
        refusal=refusal,
        hint=hint,
    )
