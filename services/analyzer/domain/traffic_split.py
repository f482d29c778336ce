"""Does the canary get the share of the traffic that it was given?

A strict test on requests always fires, because connections and retries cluster. So a share within a
tolerance of the weight is fine, and evidence is taken against the edges of that range: two uniform
mixtures, over the shares above and below it. Their mean is an e-process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import betainc, betaincc, betaln, xlog1py, xlogy


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitEvidence:
    """Log evidence that the canary gets too much, too little, and either."""

    over: float
    under: float

    @property
    def either(self) -> float:
        """Log of the mean of both."""
        high, low = max(self.over, self.under), min(self.over, self.under)
        if math.isinf(high):
            return high
        return high + math.log1p(math.exp(low - high)) - math.log(2)


def default_tolerance(weight: float) -> float:
    """Return two points, or a quarter of the weight where that is more."""
    return max(0.02, 0.25 * weight)


def split_evidence(canary: int, total: int, *, weight: float, tolerance: float) -> SplitEvidence:
    """Return the evidence against a share within `tolerance` of `weight` (both as shares)."""
    return SplitEvidence(
        over=_beyond(canary, total, weight + tolerance, above=True),
        under=_beyond(canary, total, weight - tolerance, above=False),
    )


def _beyond(canary: int, total: int, edge: float, *, above: bool) -> float:
    """Log of (mean likelihood of the shares beyond the edge) / (likelihood of the edge)."""
    if not 0.0 < edge < 1.0:
        return 0.0 if total == 0 else -math.inf
    a, b = canary + 1, total - canary + 1
    part = float((betaincc if above else betainc)(a, b, edge))
    if part <= 0.0:
        return -math.inf
    room = 1 - edge if above else edge
    at_edge = float(xlogy(canary, edge) + xlog1py(total - canary, -edge))
    return float(betaln(a, b)) + math.log(part / room) - at_edge
