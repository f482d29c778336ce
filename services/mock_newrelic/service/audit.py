"""Who injected what, and which answers it touched: a bounded list, oldest first."""

from __future__ import annotations

from collections import deque
from typing import Any

from svckit.timestamps import format_timestamp_ms

MAX_ENTRIES = 10_000


class Audit:
    """The last entries."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=MAX_ENTRIES)

    def add(self, action: str, now: float, **facts: Any) -> None:
        """Record an action; facts must be JSON values."""
        self._entries.append({"at": format_timestamp_ms(now), "action": action, **facts})

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries, oldest first."""
        return list(self._entries)
