"""The `vote` field of a posted form, found the way Flask finds it.

Only the body counts, and only when its content type says form; the query string and JSON never
do. The value is not looked at: an empty vote is a vote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError

if TYPE_CHECKING:
    from python_multipart.multipart import Field, File

FIELD = "vote"
_MAX_FIELDS = 100


def vote_field(content_type: str, body: bytes) -> str | None:
    """Return the value of the first `vote` field, or None when the form has none."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        return _urlencoded(body)
    if media_type == "multipart/form-data":
        return _multipart(content_type, body)
    return None


def _urlencoded(body: bytes) -> str | None:
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        return None
    return next((value for name, value in pairs if name == FIELD), None)


def _multipart(content_type: str, body: bytes) -> str | None:
    values: list[str] = []

    def on_field(field: Field) -> None:
        if field.field_name == FIELD.encode():
            values.append((field.value or b"").decode("utf-8", "replace"))

    def on_file(file: File) -> None:
        file.close()

    try:
        parser = create_form_parser(
            {"Content-Type": content_type.encode("latin-1")}, on_field, on_file
        )
        parser.write(body)
        parser.finalize()
    except FormParserError:
        return None
    return values[0] if values else None
