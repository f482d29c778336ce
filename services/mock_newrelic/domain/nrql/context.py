"""What the parts of one query share while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.nrql.errors import NrqlError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mock_newrelic.domain.nrql.data import Data

MAX_SUBQUERIES = 8


class Context:
    """The data, the instant, and what is to be said about the answer."""

    def __init__(self, data: Data, now: float) -> None:
        self.data = data
        self.now = now
        self.messages: list[str] = []
        self.apps: set[str] = set()
        self.kinds: dict[str, None] = {}
        self._subqueries = 0

    def say(self, message: str) -> None:
        """Tell the reader of the answer something, once."""
        if message not in self.messages:
            self.messages.append(message)

    def note(self, kinds: Iterable[str], apps: Iterable[str]) -> None:
        """Remember which event types and applications the answer is about."""
        self.kinds.update(dict.fromkeys(kinds))
        self.apps.update(apps)

    def count_subquery(self) -> None:
        """Count a subquery, and refuse one too many."""
        self._subqueries += 1
        if self._subqueries > MAX_SUBQUERIES:
            raise NrqlError("the query has too many subqueries", hint=f"at most {MAX_SUBQUERIES}")
