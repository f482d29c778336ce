"""Which attributes become labels: few enough that a typo or a request id cannot eat the memory.

Every application may have a bounded number of label names with a bounded number of values each.
A name that exceeds its bound is retired: later samples are kept without it, and asking for it is
an error, because an answer could only be partial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.model import NO_TERMS

if TYPE_CHECKING:
    from mock_newrelic.domain.model import Terms

DIMENSIONS = frozenset({"role", "hash", "version", "host"})
LABEL_PREFIX = "label."
MAX_NAMES = 16
MAX_VALUES = 64
MAX_VALUE_LENGTH = 128


class LabelIndex:
    """The label names of one application and the values that they have had.

    Attributes:
        changes: how often it has changed.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._values: dict[str, set[str]] = {}
        self._retired: set[str] = set()
        self._full = False

    def state(self) -> tuple[dict[str, list[str]], list[str], bool]:
        """Return all that it knows, for `restore`."""
        values = {name: sorted(known) for name, known in self._values.items()}
        return values, sorted(self._retired), self._full

    def restore(self, values: dict[str, list[str]], retired: list[str], *, full: bool) -> None:
        """Take in what `state` gave."""
        self._values = {name: set(known) for name, known in values.items()}
        self._retired = set(retired)
        self._full = full

    def admit(self, labels: Terms) -> Terms:
        """Return the labels that a series may carry."""
        kept = frozenset(pair for pair in labels if pair[0] in DIMENSIONS or self._admit(*pair))
        return kept or NO_TERMS

    def can_answer(self, name: str) -> bool:
        """Whether a selector on this label sees every sample that carries it."""
        if name in DIMENSIONS or name in self._values:
            return True
        return name not in self._retired and not self._full

    def _admit(self, name: str, value: str) -> bool:
        values = self._values.get(name)
        if values is None:
            if name in self._retired:
                return False
            if len(self._values) + len(self._retired) >= MAX_NAMES:
                self.changes += not self._full
                self._full = True
                return False
            values = self._values[name] = set()
        if value in values:
            return True
        if len(values) >= MAX_VALUES or len(value) > MAX_VALUE_LENGTH:
            del self._values[name]
            self._retired.add(name)
            self.changes += 1
            return False
        values.add(value)
        self.changes += 1
        return True
