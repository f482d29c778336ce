"""Who votes for what.

New voters have a fresh voter_id each; returning voters come from a pool of fixed ids. No cookie
of a response is ever kept, so an affinity cookie cannot tie a voter to one version.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svckit.errors import InvalidInput
from svckit.randomness import stream

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_POOL = 1000
MAX_POOL = 1_000_000
_POOL = re.compile(r"returning:0*([1-9][0-9]{0,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """One vote, `a` or `b`, of one voter."""

    vote: str
    voter_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Voters:
    """Where voter ids come from: a pool of that size, or new ones when it is None."""

    pool: int | None = None

    @classmethod
    def parse(cls, text: str) -> Voters:
        """Read `new`, `returning` or `returning:N`.

        Raises:
            InvalidInput: anything else.
        """
        if text == "new":
            return cls()
        if text == "returning":
            return cls(pool=DEFAULT_POOL)
        size = _POOL.fullmatch(text)
        if size is not None and int(size[1]) <= MAX_POOL:
            return cls(pool=int(size[1]))
        raise InvalidInput(
            f"voters is {text!r}, expected new, returning or returning:N",
            hint=f"returning:500 votes as one of 500 voters; N is from 1 to {MAX_POOL}",
        )

    def __str__(self) -> str:
        return "new" if self.pool is None else f"returning:{self.pool}"


NEW_VOTERS = Voters()


def ballots(*, seed: int, split_a: float, voters: Voters) -> Iterator[Ballot]:
    """Yield ballots without end; votes do not depend on how voters are chosen."""
    votes, ids = stream(seed, "votes"), stream(seed, "voters")
    pool = [voter_id_of(ids.getrandbits(60)) for _ in range(voters.pool or 0)]
    while True:
        voter_id = ids.choice(pool) if pool else voter_id_of(ids.getrandbits(60))
        yield Ballot(vote="a" if votes.random() < split_a else "b", voter_id=voter_id)


def voter_id_of(number: int) -> str:
    """Write a voter id the way the application does: at most 15 hexadecimal digits."""
    return format(number, "x")
