"""Who injected what, and which answers it touched: a bounded list, oldest first.

It outlives a restart, and NRQL reads it as events of the type `NrMockInjection`.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from mock_newrelic.domain.records import Row
from svckit.timestamps import format_timestamp_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mock_newrelic.domain.model import Span
    from mock_newrelic.ports import Store

MAX_ENTRIES = 10_000
EVENT_TYPE = "NrMockInjection"
_KIND = "audit"


class _Entry(NamedTuple):
    at: float
    session: str
    facts: dict[str, Any]


class Audit:
    """The last entries; kept as documents of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: deque[tuple[int, _Entry]] = deque()
        for key, value in store.items(_KIND):
            self._entries.append((int(key), _Entry(**json.loads(value))))

    def add(self, action: str, now: float, *, session: str = "", **facts: Any) -> None:
        """Record an action; facts must be JSON values."""
        number = self._entries[-1][0] + 1 if self._entries else 1
        entry = _Entry(now, session, {"action": action, **facts})
        self._entries.append((number, entry))
        self._store.put(_KIND, _key(number), json.dumps(entry._asdict()).encode())
        if len(self._entries) > MAX_ENTRIES:
            self._store.remove(_KIND, _key(self._entries.popleft()[0]))

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries, oldest first."""
        return [{"at": format_timestamp_ms(entry.at), **entry.facts} for _, entry in self._entries]

    def rows(self, apps: frozenset[str] | None, span: Span, session: str) -> Iterator[Row]:
        """Yield the entries about these applications, or all of them, as events."""
        for _, entry in self._entries:
            facts = entry.facts
            app = facts.get("app") or ""
            if (
                entry.session == session
                and span.first <= entry.at < span.stop
                and (apps is None or app in apps)
            ):
                flat = {name: _flat(value) for name, value in facts.items() if name != "app"}
                yield Row({**flat, "appName": app}, entry.at)


def _flat(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def _key(number: int) -> str:
    return f"{number:012d}"
