"""GitHub-flavoured Markdown from text that may hold anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*|\[\]])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ufeff]+")
_CODE_LIMIT = 120


def one_line(text: str) -> str:
    """Return the text without line breaks and control characters."""
    return _CONTROL.sub(" ", text).strip()


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line and inside a table cell."""
    shown = _SPECIAL.sub(r"\\\1", one_line(text))
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Return a code span that is safe in a table cell; long text is cut with an ellipsis."""
    flat = one_line(text)
    if not flat:
        return ""
    if len(flat) > _CODE_LIMIT:
        flat = flat[: _CODE_LIMIT - 1] + "…"
    return "`" + flat.replace("`", "'").replace("|", r"\|") + "`"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; cells are Markdown already."""
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def anchor(heading: str) -> str:
    """Return the link target that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return "#" + kept.replace(" ", "-")
