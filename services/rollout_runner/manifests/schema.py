"""A document against the model of its kind; errors that name the place and the remedy.

qa.yaml:212: Rollout/vote: spec.strategy.canary.steps[1].pause.durations: unknown field
hint: did you mean `duration`?
"""

from __future__ import annotations

import difflib
import types
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from rollout_runner.manifests.documents import Path
from rollout_runner.manifests.model import KubeObject, dotted
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from rollout_runner.manifests.documents import Document

ObjectT = TypeVar("ObjectT", bound=KubeObject)

_EXPECTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "int_or_string": "a whole number or text",
}


def read_object(document: Document, model: type[ObjectT]) -> ObjectT:
    """Return the object in a document.

    Raises:
        InvalidInput: a field is unknown, missing or of another type. The detail tells of the first
            one; `errors` holds them all.
    """
    found = _read(document, model)
    if isinstance(found, list):
        raise _invalid(document, model, found)
    return found.from_document(document)


def schema_problems(document: Document, model: type[KubeObject]) -> list[Problem]:
    """Return everything that the schema of its kind has against a document."""
    found = _read(document, model)
    return found if isinstance(found, list) else []


class ProblemKind(StrEnum):
    """What the schema has against a field."""

    UNKNOWN = "unknown"
    MISSING = "missing"
    TYPE = "type"
    NULL = "null"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One field that the schema refuses: where, what, and what to do."""

    kind: ProblemKind
    path: Path
    message: str
    hint: str


_CRD_HINT: Final = "the API server would refuse it too"
_NULL_HINT: Final = "leave the field out, or give it a value (`{}` for an empty mapping)"


def _read(document: Document, model: type[ObjectT]) -> ObjectT | list[Problem]:
    try:
        found = model.model_validate(document.value)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        return [_explain(document, model, each) for each in problems]
    nulls = [
        Problem(
            kind=ProblemKind.NULL, path=path, message="expected a value, got null", hint=_NULL_HINT
        )
        for path in _nulls(found)
    ]
    return nulls or found


def _invalid(document: Document, model: type[KubeObject], problems: list[Problem]) -> InvalidInput:
    path, message, hint = problems[0].path, problems[0].message, problems[0].hint
    metadata = document.value.get("metadata")
    name = metadata.get("name", "?") if isinstance(metadata, dict) else "?"
    rest = len(problems) - 1
    return InvalidInput(
        f"{document.place(path)}: {model.__name__}/{name}: {dotted(path)}: {message}"
        + (f" (and {rest} more)" if rest else ""),
        hint=hint,
        errors=tuple({"loc": dotted(each.path), "msg": each.message} for each in problems),
    )


def _explain(document: Document, model: type[KubeObject], error: ErrorDetails) -> Problem:
    path: Path = tuple(error["loc"])
    match error["type"]:
        case "extra_forbidden":
            kind, message = ProblemKind.UNKNOWN, "unknown field"
            hint = _closest(str(path[-1]), _fields_at(model, path[:-1]))
        case "missing":
            kind, message = ProblemKind.MISSING, "required field is missing"
            hint = f"add `{path[-1]}` to {_parent(path)}"
        case expected if expected in _EXPECTED:
            found = _described(error["input"], secret=model.holds_secrets)
            kind, message = ProblemKind.TYPE, f"expected {_EXPECTED[expected]}, got {found}"
            written = "" if model.holds_secrets else document.written(path)
            hint = _type_hint(expected, error["input"], written)
        case _:
            kind, hint = ProblemKind.OTHER, _CRD_HINT
            message = error["msg"].removeprefix("Value error, ")
    return Problem(kind=kind, path=path, message=message, hint=hint)


def _type_hint(kind: str, found: Any, written: str) -> str:
    if kind == "string_type" and isinstance(found, bool | int | float):
        return f'put it in quotes: "{written}"' if written else "put it in quotes"
    if kind in {"model_type", "model_attributes_type", "dict_type"} and found is None:
        return "write `{}` for an empty mapping"
    return _CRD_HINT


def _parent(path: Path) -> str:
    return dotted(path[:-1]) or "the document"


def _described(value: Any, *, secret: bool) -> str:
    match value:
        case None:
            return "null"
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return "text" if secret else f"the text {value!r}"
        case bool():
            return "a boolean" if secret else _json(value)
        case _:
            return "a number" if secret else f"the number {_json(value)}"


def _json(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _closest(name: str, known: list[str]) -> str:
    if not known:
        return ""
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1)
    if near:
        return f"did you mean `{lower[near[0]]}`?"
    return f"known fields: {', '.join(sorted(known))}"


def _fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """Return the fields, as written in YAML, of the block at a path."""
    annotation: Any = model
    for part in path:
        block = _block(annotation)
        if block is None:
            return []
        if isinstance(part, str) and part in (by_alias := _by_alias(block)):
            annotation = by_alias[part]
    block = _block(annotation)
    return [] if block is None else list(_by_alias(block))


def _by_alias(block: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in block.model_fields.items()}


def _block(annotation: Any) -> type[BaseModel] | None:
    """Return the model inside `X`, `X | None`, `list[X]` or `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {types.UnionType, Union, list, dict}:
        return next((found for each in get_args(annotation) if (found := _block(each))), None)
    return None


def _nulls(block: BaseModel, path: Path = ()) -> Iterator[Path]:
    """Yield where a typed field was given as null, which the API server refuses."""
    for name in block.model_fields_set:
        field = type(block).model_fields[name]
        here = (*path, field.alias or name)
        value = getattr(block, name)
        if value is None and field.annotation is not Any:
            yield here
        elif isinstance(value, BaseModel):
            yield from _nulls(value, here)
        elif isinstance(value, list | dict):
            items = enumerate(value) if isinstance(value, list) else value.items()
            for key, each in items:
                if isinstance(each, BaseModel):
                    yield from _nulls(each, (*here, key))
