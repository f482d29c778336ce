"""Files that flags name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path


def read_text(flag: str, file: Path) -> str:
    """Return the text of a file that a flag names."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{flag} {file}: {error}") from None
