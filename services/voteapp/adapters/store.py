"""Votes in memory."""

from __future__ import annotations

from collections import deque
from itertools import islice


class MemoryVoteStore:
    """Keeps the newest votes and counts all of them."""

    def __init__(self, *, capacity: int) -> None:
        self._votes: deque[str] = deque(maxlen=capacity)
        self._recorded = 0

    @property
    def recorded(self) -> int:
        """How many votes were ever pushed, evicted ones included."""
        return self._recorded

    async def push(self, record: str) -> None:
        """Append one vote; the oldest makes room when the store is full."""
        self._votes.append(record)
        self._recorded += 1

    async def latest(self, limit: int) -> list[str]:
        """Return at most `limit` votes, oldest first."""
        return list(islice(self._votes, max(0, len(self._votes) - limit), None))

    async def close(self) -> None:
        """Do nothing."""
