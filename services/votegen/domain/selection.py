"""Which target gets the next request.

The k-th request goes where u(k) = frac(u(0) + k·φ) falls on the line of cumulated weights, φ the
golden ratio. The sequence is of low discrepancy: after n requests every share is within about
log(n)/n of its weight, much closer than drawing at random (√n/n), and there is no cycle that could
fall into step with anything. The sequence does not know the weights, so new ones are in force with
the next request.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

_GOLDEN = 0.6180339887498949


def spread(rng: Random) -> Iterator[float]:
    """Yield evenly spread numbers from [0, 1); only the first one is random."""
    value = rng.random()
    while True:
        yield value
        value = (value + _GOLDEN) % 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Names with their cumulated weights; weights need not sum to 100."""

    names: tuple[str, ...]
    cumulated: tuple[float, ...]

    @classmethod
    def of(cls, weights: Mapping[str, float]) -> Weights:
        """Return the line of weights; zero weights never win. At least one must be above zero."""
        positive = {name: weight for name, weight in weights.items() if weight > 0}
        return cls(names=tuple(positive), cumulated=tuple(accumulate(positive.values())))

    def pick(self, position: float) -> str:
        """Return the name at a position from [0, 1)."""
        index = bisect_right(self.cumulated, position * self.cumulated[-1])
        return self.names[min(index, len(self.names) - 1)]
