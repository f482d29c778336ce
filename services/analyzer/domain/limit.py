"""The canary alone against a limit of its share of bad requests: an error budget, an SLO.

A comparison cannot see damage that both arms share, nor go on when stable has no traffic left. The
evidence that the true share is above the limit is a mixture over all shares above it, uniform
beforehand (a truncated Beta(1, 1) prior). Under any share at or below the limit it ever reaches
1/alpha with probability alpha at most, so it may be looked at all the time (Ville).
"""

from __future__ import annotations

import math

from scipy.special import betaincc, betaln


def log_e(count: int, bad: int, limit: float) -> float:
    """Return the log evidence that the share of bad requests is above the limit.

    Args:
        count: requests so far.
        bad: bad ones among them.
        limit: share, more than 0 and less than 1.
    """
    if not count:
        return 0.0
    alpha, beta = 1.0 + bad, 1.0 + count - bad
    above = float(betaincc(alpha, beta, limit))
    if above <= 0:
        return -math.inf
    mixture = float(betaln(alpha, beta)) + math.log(above) - math.log1p(-limit)
    return mixture - bad * math.log(limit) - (count - bad) * math.log1p(-limit)
