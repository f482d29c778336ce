"""Votes in the Redis list that the worker of the voting application reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voteapp.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable

VOTES = "votes"
"""The list of the voting application; its worker pops from the other end."""
TIMEOUT_SECONDS = 5.0


class RedisVoteStore:
    """Appends votes to the list `votes`, as the voting application does.

    Args:
        url: redis://HOST:PORT[/DB].
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            decode_responses=True,
        )
        self._recorded = 0

    @property
    def recorded(self) -> int:
        """How many votes this process has pushed."""
        return self._recorded

    async def push(self, record: str) -> None:
        """Append one vote.

        Raises:
            StoreUnavailableError: Redis did not take it.
        """
        try:
            await self._redis.rpush(VOTES, record)
        except RedisError as error:
            raise StoreUnavailableError(str(error)) from error
        self._recorded += 1

    async def latest(self, limit: int) -> list[str]:
        """Return at most `limit` votes that no worker has popped yet, oldest first."""
        try:
            return await cast("Awaitable[list[str]]", self._redis.lrange(VOTES, -limit, -1))
        except RedisError as error:
            raise StoreUnavailableError(str(error)) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
