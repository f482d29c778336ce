"""Who votes for what.

New voters have a fresh voter_id each; returning voters come from a pool of fixed ids. No cookie
of a response is ever kept, so an affinity cookie cannot tie a voter to one version. Some requests
may only look at the page.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_POOL = 1000
MAX_POOL = 1_000_000
_POOL = re.compile(r"returning:0*([1-9][0-9]{0,6})")
_ID_DIGITS = 15


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


@dataclass(frozen=True, slots=True)
class Ballots:
    """Ballots one after the other: voter ids, and `a`, `b` or (only looking) an empty text."""

    voter_ids: list[bytes]
    votes: list[bytes]


class BallotBox:
    """Endless ballots in blocks; the same seed gives the same ones.

    Args:
        seed: decides everything.
        split_a: share of votes for `a`, 0 to 1.
        gets: share of requests that only look at the page, 0 to 1.
        voters: new or returning.
        part: which of the parts of a run these are for, from 0.
        parts: how many there are; each takes every parts-th ballot, so that nobody votes twice.
    """

    def __init__(
        self,
        *,
        seed: int,
        split_a: float,
        gets: float,
        voters: Voters,
        part: int = 0,
        parts: int = 1,
    ) -> None:
        # Streams of their own, so that votes do not depend on how voters are chosen.
        streams = np.random.SeedSequence([seed, 0xB0]).spawn(3)
        self._ids, self._votes, self._looks = (np.random.default_rng(one) for one in streams)
        self._split_a = split_a
        self._gets = gets
        self._pool = voter_ids(_numbers(self._ids, voters.pool)) if voters.pool else None
        self._mine = slice(part, None, parts)
        self._parts = parts

    def take(self, count: int) -> Ballots:
        """Return the next `count` ballots of this part."""
        of_all, mine = count * self._parts, self._mine
        if self._pool is None:
            ids = voter_ids(_numbers(self._ids, of_all)[mine])
        else:
            pool = self._pool
            ids = [pool[index] for index in self._ids.integers(len(pool), size=of_all)[mine]]
        votes = np.where(self._votes.random(of_all)[mine] < self._split_a, b"a", b"b")
        if self._gets:
            votes = np.where(self._looks.random(of_all)[mine] < self._gets, b"", votes)
        return Ballots(ids, votes.tolist())


def _numbers(rng: np.random.Generator, count: int) -> NDArray[np.uint64]:
    """Return numbers of voters, of 15 hexadecimal digits each."""
    return rng.integers(1 << 56, 1 << 60, size=count, dtype=np.uint64)


def voter_ids(numbers: NDArray[np.uint64]) -> list[bytes]:
    """Return voter ids as the application writes them: hexadecimal digits without leading zero."""
    digits = numbers.astype(">u8").tobytes().hex().encode()
    return [digits[end - _ID_DIGITS : end] for end in range(16, 16 * numbers.size + 1, 16)]
