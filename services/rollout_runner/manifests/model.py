"""What every manifest has in common: strict fields, metadata, and the place it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, PrivateAttr, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from rollout_runner.manifests.documents import Document
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

FreeForm = dict[str, Any]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]


def _int_or_string(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("int_or_string", "expected a whole number or text")
    return value


T = TypeVar("T")
ListOf = Annotated[list[T], Field(default_factory=list)]
MapOf = Annotated[dict[str, T], Field(default_factory=dict)]
TextMap = MapOf[str]
IntOrString = Annotated[int | str, PlainValidator(_int_or_string)]


class Fields(BaseModel):
    """A block of a manifest. Types are exact and an unknown field is an error, as in the API."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        hide_input_in_errors=True,
    )


class ObjectMeta(Fields):
    """Name, namespace, labels and annotations; what only the API server writes is let through."""

    name: str = Field(min_length=1)
    namespace: str | None = None
    labels: TextMap
    annotations: TextMap
    generate_name: Any = None
    uid: Any = None
    resource_version: Any = None
    generation: Any = None
    creation_timestamp: Any = None
    deletion_timestamp: Any = None
    deletion_grace_period_seconds: Any = None
    finalizers: Any = None
    owner_references: Any = None
    managed_fields: Any = None
    self_link: Any = None

    @model_validator(mode="before")
    @classmethod
    def _name_to_come(cls, fields: Any) -> Any:
        """Let `generateName` stand for the name that the API server makes of it."""
        if isinstance(fields, dict) and "name" not in fields and fields.get("generateName"):
            return fields | {"name": f"{fields['generateName']}generated"}
        return fields


class KubeObject(Fields):
    """A whole object. `raw` is the same object as plain data, for code that works on that."""

    api_group_version: ClassVar[str]
    holds_secrets: ClassVar[bool] = False

    api_version: str
    kind: str
    metadata: ObjectMeta
    status: Any = None
    _document: Document = PrivateAttr()

    def from_document(self, document: Document) -> Self:
        """Remember where the object came from; called once, by the loader."""
        self._document = document
        return self

    @property
    def name(self) -> str:
        """Name of the object."""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """Namespace of the object; what names none lands in `default`."""
        return self.metadata.namespace or "default"

    @property
    def document(self) -> Document:
        """The document that the object was read from, which knows the lines."""
        return self._document

    @property
    def raw(self) -> dict[str, Any]:
        """The validated manifest as it was read: camelCase keys, nothing filled in."""
        return self._document.value

    def place(self, path: Sequence[str | int] = ()) -> str:
        """Return `file:line` of a field, given as keys and indices."""
        return self._document.place(path)

    def invalid(
        self, path: Sequence[str | int], message: str, *, value: str | None, hint: str = ""
    ) -> InvalidInput:
        """Return an error in the words of Argo's controller, preceded by the place.

        `value` is what the field holds; None says that it has to hold something.
        """
        problem = "Required value" if value is None else f'Invalid value: "{value}"'
        return InvalidInput(
            f'{self.place(path)}: The {self.kind} "{self.name}" is invalid: '
            f"{dotted(path)}: {problem}: {message}",
            hint=hint,
        )


def dotted(path: Sequence[str | int]) -> str:
    """Write a path as Kubernetes does: `spec.steps[1].pause`, `metadata.labels['a.b/c']`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier() or part.replace("-", "").isalnum():
            text += f".{part}" if text else part
        else:
            text += f"['{part}']"
    return text
