"""Latency as ranks: does the canary draw the slower ones of all requests of a window?

Every bin of latency has a score, its place in stable's distribution before the rollout from -1
(fastest) to 1 (slowest). Given a window's requests of both arms per bin, the canary's are drawn
without replacement when the arms are alike; exp(lambda * sum of scores) over its mean under that
draw has a mean of 1, for every lambda. The mixture over lambdas, multiplied over windows, is an
e-process: exact when both arms have one distribution in every window, whatever it is and however it
drifts, and under likelihood-ratio order in the canary's favour; not under stochastic order alone.
It is the quickest to see a small shift of all latencies, and blind to a tail of few requests, for
which there are thresholds (`analyzer.domain.latency`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from analyzer.domain.noncentral import tilt_log_z
from analyzer.domain.scme import log_sum

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from analyzer.domain.histogram import LatencyHistogram

    Floats = NDArray[np.float64]

LAMBDAS: Floats = np.array([0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0, 1.4, 2.0, 3.0])
BINS = 32
"""Classes of about the same number of requests; the cost of a window grows with them."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Classes of latency by upper edges in ms, and the score of each; frozen before the rollout."""

    edges: tuple[float, ...]
    scores: tuple[float, ...]

    def classes(self, latencies: LatencyHistogram, *, slower_by: float = 1.0) -> NDArray[np.int64]:
        """Return the requests per class, latencies divided by `slower_by` first.

        A canary that may be that many times slower is compared so. A bin lies in the class of its
        upper edge.
        """
        if not latencies.counts:
            return np.zeros(len(self.scores), dtype=np.int64)
        shifted = np.asarray(latencies.le_ms) / slower_by * (1 - 1e-9)
        index = np.searchsorted(np.asarray(self.edges), shifted)
        found = np.bincount(index, weights=latencies.counts, minlength=len(self.scores))
        return found.astype(np.int64)


def scale(history: LatencyHistogram, *, bins: int = BINS) -> Scale | None:
    """Return the classes of about equal size of stable's latencies; None without any latency."""
    if not history.count:
        return None
    edges = [history.quantile_ms(k / bins) for k in range(1, bins)]
    kept = tuple(sorted({edge for edge in edges if edge is not None and np.isfinite(edge)}))
    shares = [0.0, *((history.count - history.over(edge)) / history.count for edge in kept), 1.0]
    return Scale(kept, tuple(low + high - 1.0 for low, high in pairwise(shares)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RankEvidence:
    """The evidence as of a window.

    Attributes:
        scale: classes and scores.
        log_wealth: log of the wealth for every lambda.
        log_e: log evidence that the canary is slower.
        windows: windows in which both arms had requests.
    """

    scale: Scale
    log_wealth: Floats
    windows: int = 0
    log_e: float = 0.0

    @classmethod
    def start(cls, scale: Scale) -> RankEvidence:
        """Return the state before any window."""
        return cls(scale=scale, log_wealth=np.zeros(len(LAMBDAS)))

    def after(self, canary: ArrayLike, stable: ArrayLike) -> RankEvidence:
        """Return the state after a window of requests per class (`Scale.classes`)."""
        canary, stable = np.asarray(canary, np.int64), np.asarray(stable, np.int64)
        count = int(canary.sum())
        if not count or not int(stable.sum()):
            return self
        scores = np.asarray(self.scale.scores)
        growth = LAMBDAS * float(canary @ scores)
        growth = growth - tilt_log_z(canary + stable, scores, count, LAMBDAS)
        wealth = self.log_wealth + growth
        log_e = log_sum(wealth - np.log(len(LAMBDAS)))
        return replace(self, log_wealth=wealth, log_e=log_e, windows=self.windows + 1)
