"""YAML text -> documents, read as kubectl would read them, each value with its line.

Refused with the line: duplicate keys, bare keys that YAML 1.1 takes for booleans (`on`, `y`, …),
tags of other languages, infinities, and aliases that grow beyond reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from rollout_runner.manifests.scalars import BOOLEANS, plain
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rollout_runner.manifests.render import Source

Path = tuple[str | int, ...]

_PLAIN: Final = "!plain"
_TEXT: Final = "tag:yaml.org,2002:str"
_RESOLVED: Final = frozenset(
    {_PLAIN, *(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float"))}
)
_CONTAINERS: Final = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_DEEPEST: Final = 100
_MOST_VALUES: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document: its value, where it comes from, and the nodes that know the lines."""

    value: dict[str, Any] = field(repr=False)
    source: str
    node: yaml.MappingNode = field(repr=False)

    def place(self, path: Sequence[str | int] = ()) -> str:
        """Return `file:line` of the field, or of the closest field around it that exists."""
        return f"{self.source}:{self.position(path)[0]}"

    def position(self, path: Sequence[str | int] = (), text_line: int = 0) -> tuple[int, int]:
        """Return line and column, from 1, of a field or of the closest one that exists.

        `text_line` counts lines inside of a block of text (`|`, `>`); elsewhere it says nothing.
        """
        place, value = self._nodes(path)[-1]
        if text_line and isinstance(value, yaml.ScalarNode) and value.style in {"|", ">"}:
            return _line(value) + text_line, 1
        mark = place.start_mark
        return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)

    def written(self, path: Sequence[str | int]) -> str:
        """Return a scalar as it stands in the text; empty for what is no scalar."""
        node = self._nodes(path)[-1][1]
        return node.value if isinstance(node, yaml.ScalarNode) else ""

    def _nodes(self, path: Sequence[str | int]) -> list[tuple[yaml.Node, yaml.Node]]:
        """Return place and value of each field along a path, as far as there are any."""
        found: list[tuple[yaml.Node, yaml.Node]] = [(self.node, self.node)]
        for part in path:
            inner = _child(found[-1][1], part)
            if inner is None:
                break
            found.append(inner)
        return found


def read_documents(source: Source) -> Iterator[Document]:
    """Yield the documents of a text; empty ones are left out.

    Raises:
        InvalidInput: it is not YAML, or not YAML that Kubernetes' tools understand the same way.
    """
    try:
        _refuse_depth(source)
        for node in yaml.compose_all(source.text, Loader=_Loader):
            value = _Builder(source.name).build(node)
            if value is None:
                continue
            if not isinstance(node, yaml.MappingNode):
                raise _invalid(source.name, node, "expected a mapping with apiVersion and kind")
            yield Document(value=value, source=source.name, node=node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}"
        raise InvalidInput(
            f"{source.name}{line}: not valid YAML: {error.problem or error.context}",
            hint="YAML indents with spaces, never with tabs"
            if "token" in str(error)
            else "look at this line and the one before it: indentation, colons, brackets",
        ) from None
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise InvalidInput(
            f"{source.name}: not valid YAML: {said}", hint="is this a text file in UTF-8?"
        ) from None


def read_operations(source: Source) -> Iterator[Document]:
    """Yield the entries of a YAML list of mappings, such as a JSON patch; nothing for another text.

    Raises:
        InvalidInput: a value is none that Kubernetes' tools would all understand the same way.
    """
    try:
        node = yaml.compose(source.text, Loader=_Loader)
    except yaml.YAMLError:
        return
    for each in node.value if isinstance(node, yaml.SequenceNode) else ():
        if isinstance(each, yaml.MappingNode):
            value = _Builder(source.name).build(each)
            yield Document(value=value, source=source.name, node=each)


def items_of_list(document: Document) -> Iterator[Document]:
    """Yield the objects inside a `kind: List`, as `kubectl get -o yaml` writes it."""
    items = document.value.get("items")
    inner = _child(document.node, "items")
    if not isinstance(items, list) or inner is None:
        raise InvalidInput(f"{document.place(['items'])}: List: `items` must be a list")
    for value, node in zip(items, inner[1].value, strict=True):
        if not isinstance(node, yaml.MappingNode):
            raise _invalid(document.source, node, "expected a mapping with apiVersion and kind")
        yield Document(value=value, source=document.source, node=node)


class _Loader(yaml.CSafeLoader):
    """Leaves plain scalars alone: what they mean is for `scalars` to say."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(_PLAIN, re.compile(""), None)


class _Builder:
    """Turns one document's nodes into values; counts them, since an alias may repeat others."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._values = 0

    def build(self, node: yaml.Node, depth: int = 0) -> Any:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            raise _invalid(self._source, node, "aliases repeat too many values")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag not in _CONTAINERS:
            raise _invalid(self._source, node, f"the tag {node.tag} is not for manifests")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        return [self.build(each, depth + 1) for each in node.value]

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag == _TEXT:
            return node.value
        if node.tag not in _RESOLVED:
            raise _invalid(self._source, node, f"the tag {node.tag} is not for manifests")
        try:
            return plain(node.value)
        except ValueError as error:
            raise _invalid(self._source, node, str(error), hint="put it in quotes") from None

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                for each in self._merged(value_node, depth):
                    merged = each | merged
                continue
            key = self._key(key_node)
            if key in own:
                raise _invalid(
                    self._source, key_node, f"the key {key!r} is there twice", hint="keep one"
                )
            own[key] = self.build(value_node, depth + 1)
        return merged | own

    def _merged(self, node: yaml.Node, depth: int) -> list[dict[str, Any]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values = [self.build(each, depth + 1) for each in nodes]
        if not all(isinstance(each, dict) for each in values):
            raise _invalid(self._source, node, "`<<` merges mappings only")
        return values

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _invalid(
                self._source,
                node,
                "a key must be text",
                hint="is this a template, with {{ }} in it? Render it first",
            )
        if node.tag != _TEXT and node.value in BOOLEANS:
            raise _invalid(
                self._source,
                node,
                f"the bare key `{node.value}` is a boolean to YAML 1.1, so tools disagree on it",
                hint=f'put it in quotes: "{node.value}"',
            )
        value = self._scalar(node)
        if isinstance(value, int):
            return str(value)  # as kubectl does on the way to JSON
        if not isinstance(value, str):
            raise _invalid(
                self._source,
                node,
                f"the key `{node.value}` is not text",
                hint=f'put it in quotes: "{node.value}"',
            )
        return value


def _refuse_depth(source: Source) -> None:
    """Refuse deep nesting from the events, before the composer recurses into it."""
    depth = 0
    for event in yaml.parse(source.text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                raise InvalidInput(
                    f"{source.name}:{_line(event)}: nested more than {_DEEPEST} levels deep",
                    hint="no Kubernetes object is that deep; is this a manifest?",
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _is_merge(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _PLAIN and node.value == "<<"


def _child(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the node that stands for the field's place, and the node of its value."""
    if isinstance(node, yaml.MappingNode):
        own = next(((key, value) for key, value in node.value if key.value == part), None)
        return own or _merged_child(node, part)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _merged_child(node: yaml.MappingNode, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """Look behind `<<`: the field stands where the anchor is."""
    for key, value in node.value:
        if _is_merge(key):
            bases = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for base in bases:
                found = _child(base, part)
                if found is not None:
                    return found
    return None


def _line(at: yaml.Node | yaml.Event) -> int:
    return 1 if at.start_mark is None else at.start_mark.line + 1


def _invalid(source: str, node: yaml.Node, problem: str, *, hint: str = "") -> InvalidInput:
    return InvalidInput(f"{source}:{_line(node)}: {problem}", hint=hint)
