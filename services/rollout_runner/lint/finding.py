"""What linting finds: a finding, how bad it is, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is.

    An error stops the rollout or blinds its gate; a warning is a risk; a note is worth knowing.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _RANKS[self]

    def reaches(self, threshold: Severity) -> bool:
        """Whether it is at least as bad as a threshold."""
        return self.rank <= threshold.rank


_RANKS = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.NOTE: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A field of an object. Lines and columns count from 1; `path` is as Kubernetes writes it."""

    file: str
    line: int
    column: int
    kind: str
    name: str
    path: str

    def __str__(self) -> str:
        """Return `file:line:column`, which editors make a link of."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One rule that one place breaks."""

    code: str
    severity: Severity
    title: str
    place: Place
    reason: str
    fix: str

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """Key that sorts findings as a reader goes through the files."""
        return (self.place.file, self.place.line, self.place.column, self.code, self.reason)
