"""What the service needs from outside: a list of votes and somewhere to report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from svckit.errors import Unavailable

if TYPE_CHECKING:
    from voteapp.domain.observation import Observation


class StoreUnavailableError(Unavailable):
    """The votes cannot be kept or read at the moment."""


class VoteStore(Protocol):
    """A list of votes, newest last, as the worker's queue is."""

    @property
    def recorded(self) -> int:
        """How many votes were ever pushed."""
        ...

    async def push(self, record: str) -> None:
        """Append one vote, a JSON object with voter_id and vote."""
        ...

    async def latest(self, limit: int) -> list[str]:
        """Return at most `limit` votes, oldest first."""
        ...

    async def close(self) -> None:
        """Let go of what the store holds."""
        ...


class TelemetrySink(Protocol):
    """Where finished requests are reported; recording never waits."""

    def record(self, observation: Observation) -> None:
        """Take note of one request."""
        ...

    async def start(self) -> None:
        """Begin to report."""
        ...

    async def close(self) -> None:
        """Report what is left and stop, in bounded time."""
        ...
