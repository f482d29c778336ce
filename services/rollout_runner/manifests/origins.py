"""Where the fields of a rendered kustomization were written.

Kustomize gives no line numbers, so a field is looked for in the files that the kustomization reads:
the resource of that kind and name, or a patch for it. It counts as found only where one place
holds that value; a field that kustomize changed (an image, a namespace) has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout_runner.manifests.documents import Document, Path, read_documents, read_operations
from rollout_runner.manifests.render import KUSTOMIZATIONS, Source
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FilePath


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A part of an object as written: `document` at `inside` holds what lies at `base`.

    A `resource` is a whole object, and no patch for one.
    """

    kind: str
    name: str
    base: Path
    inside: Path
    document: Document
    resource: bool = False

    def holds(self, kind: str, name: str, path: Path) -> bool:
        """Whether it could hold a field of an object."""
        return (
            re.fullmatch(self.kind, kind) is not None
            and re.fullmatch(self.name, name) is not None
            and path[: len(self.base)] == self.base
        )

    def within(self, path: Path) -> Path:
        """Return where a field of the object lies in the document."""
        return (*self.inside, *path[len(self.base) :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """The texts that a kustomization reads, and the parts of objects in them.

    `component` says that it is a Component, which can only be rendered inside of another one.
    """

    sources: tuple[Source, ...]
    fragments: tuple[Fragment, ...]
    component: bool = False

    @property
    def resources(self) -> tuple[Source, ...]:
        """The texts that hold whole objects."""
        names = {each.document.source for each in self.fragments if each.resource}
        return tuple(each for each in self.sources if each.name in names)

    def find(
        self, kind: str, name: str, path: Path, value: Any, text_line: int = 0
    ) -> tuple[str, int, int] | None:
        """Return file, line and column of a field.

        Args:
            kind: kind of the rendered object.
            name: its name.
            path: the field, which is there.
            value: what it holds after rendering.
            text_line: line inside of a block of text.

        Returns:
            None where no place, or more than one, could be meant.
        """
        places: dict[tuple[int, bool], set[tuple[str, int, int]]] = {}
        for each in self.fragments:
            if not each.holds(kind, name, path):
                continue
            within = each.within(path)
            found = _at(each.document.value, within)
            same = found == value
            alike = isinstance(found, dict | list) and type(found) is type(value)
            if same or alike:
                place = (each.document.source, *each.document.position(within, text_line))
                places.setdefault((len(each.base), same), set()).add(place)
        best = places[max(places)] if places else set()
        return best.pop() if len(best) == 1 else None


def read_origins(folder: FilePath) -> Origins:
    """Read everything that a kustomization refers to on this machine.

    What cannot be read is left out: kustomize has taken it, so it is no concern of this.
    """
    sources: dict[str, Source] = {}
    fragments: list[Fragment] = []
    _kustomization(folder, sources, fragments, set())
    kinds = [
        document.value.get("kind")
        for name in KUSTOMIZATIONS
        if (source := sources.get(str(folder / name))) is not None
        for document in _documents(source)
    ]
    return Origins(
        sources=tuple(sources.values()),
        fragments=tuple(fragments),
        component="Component" in kinds,
    )


def _kustomization(
    folder: FilePath, sources: dict[str, Source], fragments: list[Fragment], seen: set[FilePath]
) -> None:
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    file = next((folder / name for name in KUSTOMIZATIONS if (folder / name).is_file()), None)
    source = None if file is None else _read(file, sources)
    if source is None:
        return
    for document in _documents(source):
        for field in ("resources", "bases", "components", "patchesStrategicMerge"):
            for each in _list(document.value.get(field)):
                if isinstance(each, str) and "://" not in each:
                    whole = field != "patchesStrategicMerge"
                    _resource(folder / each, sources, fragments, seen, whole=whole)
        for field in ("patches", "patchesJson6902"):
            for index, patch in enumerate(_list(document.value.get(field))):
                if isinstance(patch, dict):
                    fragments += _patch(folder, document, (field, index), patch, sources)


def _resource(
    path: FilePath,
    sources: dict[str, Source],
    fragments: list[Fragment],
    seen: set[FilePath],
    *,
    whole: bool,
) -> None:
    path = _plain(path)
    if path.is_dir():
        _kustomization(path, sources, fragments, seen)
        return
    source = _read(path, sources)
    if source is not None:
        fragments += [_whole(document, resource=whole) for document in _documents(source)]


def _patch(
    folder: FilePath,
    document: Document,
    where: Path,
    patch: dict[str, Any],
    sources: dict[str, Source],
) -> Iterator[Fragment]:
    """Yield what a patch writes: a part of an object, or what the operations of it add."""
    source = None
    if isinstance(patch.get("path"), str):
        source = _read(_plain(folder / patch["path"]), sources)
    elif isinstance(patch.get("patch"), str):
        # Empty lines before it put the text at the lines that it has in the file.
        line, column = document.position((*where, "patch"), text_line=1)
        padding = " " * max(column, 1)
        text = "\n".join(padding + each for each in patch["patch"].splitlines())
        source = Source(name=document.source, text="\n" * (line - 1) + text)
    if source is None:
        return
    target = patch.get("target") if isinstance(patch.get("target"), dict) else {}
    operations = list(_operations(source))
    for operation in operations:
        base = _pointer(operation.value.get("path"))
        if operation.value.get("op") in {"add", "replace"} and "-" not in base:
            yield Fragment(
                kind=str((target or {}).get("kind", ".*")),
                name=str((target or {}).get("name", ".*")),
                base=base,
                inside=("value",),
                document=operation,
            )
    if not operations:
        yield from (_whole(each, resource=False) for each in _documents(source))


def _whole(document: Document, *, resource: bool) -> Fragment:
    metadata = document.value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else ""
    return Fragment(
        kind=re.escape(str(document.value.get("kind", ""))),
        name=re.escape(str(name)),
        base=(),
        inside=(),
        document=document,
        resource=resource,
    )


def _pointer(text: Any) -> Path:
    """Read a JSON pointer; a part of digits is an index, as no field is called so here."""
    parts = str(text or "").split("/")[1:]
    plain = (each.replace("~1", "/").replace("~0", "~") for each in parts)
    return tuple(int(each) if each.isdecimal() else each for each in plain)


def _read(path: FilePath, sources: dict[str, Source]) -> Source | None:
    name = str(path)
    if name not in sources:
        try:
            sources[name] = Source(name=name, text=path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError):
            return None
    return sources[name]


def _documents(source: Source) -> tuple[Document, ...]:
    try:
        return tuple(read_documents(source))
    except InvalidInput:
        return ()


def _operations(source: Source) -> tuple[Document, ...]:
    try:
        return tuple(read_operations(source))
    except InvalidInput:
        return ()


def _plain(path: FilePath) -> FilePath:
    """Return a path without `..` in it, relative if it was, as a person would write it."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] not in {"..", "/"}:
            parts.pop()
        else:
            parts.append(part)
    return type(path)(*parts)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _at(value: Any, path: Path) -> Any:
    """Return what lies at a path; an object that equals nothing where there is none."""
    for part in path:
        known = isinstance(value, dict) and part in value
        inside = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if not known and not inside:
            return _NOWHERE
        value = value[part]
    return value


_NOWHERE = object()
