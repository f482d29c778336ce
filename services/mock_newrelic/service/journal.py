"""The last requests, and waiting for more of them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from svckit.timestamps import format_timestamp_ms

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ENTRIES = 10_000

QUERY = "query"
INGEST = "ingest"


class Entry(NamedTuple):
    """One request to the data plane; `app` holds names separated by commas after an ingest."""

    at: float
    surface: str
    method: str
    path: str
    app: str
    status: int
    query: str = ""
    samples: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the entry as the control plane shows it."""
        return {**self._asdict(), "at": format_timestamp_ms(self.at)}


class Journal:
    """A bounded ring of requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._waiting: set[asyncio.Future[None]] = set()

    def add(self, entry: Entry) -> None:
        """Record a request and wake those who wait for one."""
        self._entries.append(entry)
        if self._waiting:
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)

    def clear(self) -> None:
        """Forget all requests."""
        self._entries.clear()

    def find(self, *, surface: str = "", app: str = "", limit: int = 0) -> list[Entry]:
        """Return the entries that match, the last `limit` of them when it is not zero."""
        found = [
            entry
            for entry in self._entries
            if (not surface or entry.surface == surface)
            and (not app or app in entry.app.split(","))
        ]
        return found[-limit:] if limit else found

    def count(self, *, surface: str = "", app: str = "") -> int:
        """Return how many of the kept entries match."""
        return len(self.find(surface=surface, app=app))

    async def wait(self, count: Callable[[], int], wanted: int, seconds: float) -> int:
        """Wait until `count()` reaches `wanted` or real seconds have passed; return the count."""
        try:
            async with asyncio.timeout(seconds):
                while count() < wanted:
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(future)
                    try:
                        await future
                    finally:
                        self._waiting.discard(future)
        except TimeoutError:
            pass
        return count()
