"""The one error of NRQL: what is wrong, where, and what to write instead."""

from __future__ import annotations


class NrqlError(Exception):
    """A query that cannot be answered.

    Attributes:
        detail: what is wrong, without the place.
        position: offset of the character at which it was noticed; None when it has no place.
        hint: what to do about it; empty when there is nothing to say.
    """

    def __init__(self, detail: str, position: int | None = None, hint: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.position = position
        self.hint = hint

    def describe(self, text: str) -> str:
        """Return one sentence with line and column (both from 1) in the query."""
        what = self.detail + (f" ({self.hint})" if self.hint else "")
        if self.position is None:
            return f"NRQL Error: {what}"
        before = text[: self.position]
        line = before.count("\n") + 1
        column = self.position - (before.rfind("\n") + 1) + 1
        return f"NRQL Syntax Error: Error at line {line} position {column}: {what}"
