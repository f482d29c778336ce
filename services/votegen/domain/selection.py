"""Which target gets the next request.

Request k goes where u(k) = frac(u(0) + k·φ) falls on the line of cumulated weights, φ the golden
ratio. The sequence is of low discrepancy: after n requests every share is within about log(n)/n of
its weight, much closer than drawing at random (√n/n), and there is no cycle that could fall into
step with anything. The sequence does not know the weights, so new ones are in force with the next
request.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_GOLDEN = 0.6180339887498949


def positions(start: float, numbers: NDArray[np.int64]) -> list[float]:
    """Return where on the line the requests of these numbers fall; `start` is u(0) in [0, 1)."""
    found: list[float] = np.mod(start + numbers * _GOLDEN, 1.0).tolist()
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Names with their weights, which need not sum to 100; zero weights never win.

    `edges` are the places on the line from 0 to 1 where one name ends and the next one begins.
    """

    names: tuple[str, ...]
    edges: tuple[float, ...]

    @classmethod
    def of(cls, weights: Mapping[str, float]) -> Weights:
        """Return the line of weights, of which at least one must be above zero."""
        positive = {name: weight for name, weight in weights.items() if weight > 0}
        sums = list(accumulate(positive.values()))
        edges = tuple(edge / sums[-1] for edge in sums[:-1])
        return cls(names=tuple(positive), edges=edges)

    def pick(self, position: float) -> str:
        """Return the name at a position from [0, 1)."""
        return self.names[bisect_right(self.edges, position)]
