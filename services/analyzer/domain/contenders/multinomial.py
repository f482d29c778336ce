"""Anytime-valid multinomial test of M. Lindon and A. Malek (arXiv:2011.03567).

Counts of categories against fixed shares theta0, with a Dirichlet(k theta0) mixture. As a canary
test: of all errors, the canary's share must not exceed its share of the traffic.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, betaincc, gammaln

from analyzer.domain.contenders.solving import bisect

if TYPE_CHECKING:
    from collections.abc import Sequence


def log_e(counts: Sequence[float], shares: Sequence[float], *, k: float) -> float:
    """Return the log e-value against "the shares are these", prior Dirichlet(k shares)."""
    n, theta = np.asarray(counts, float), np.asarray(shares, float)
    return _log_marginal(n, k * theta) - float(n @ np.log(theta))


def p_value(log_e_value: float) -> float:
    """Return the anytime-valid p-value of an e-value."""
    return min(1.0, math.exp(-log_e_value))


def log_e_greater(bad: float, other: float, share: float, *, k: float) -> float:
    """Return the log e-value against "share or less": the prior is kept above the share only."""
    a, b = k * share, k * (1 - share)
    prior = float(betaincc(a, b, share))
    posterior = float(betaincc(a + bad, b + other, share))
    if posterior <= 0.0:
        return -math.inf
    return log_e([bad, other], [share, 1 - share], k=k) + math.log(posterior / prior)


def confidence_sequence(
    counts: Sequence[float], shares: Sequence[float], *, k: float, alpha: float
) -> list[tuple[float, float]]:
    """Return, per category, all shares that are not rejected at alpha, whatever the others are.

    The likeliest others for a given share t of category i keep their observed proportions, so the
    set is an interval around n_i / n that bisection finds.
    """
    n, prior = np.asarray(counts, float), k * np.asarray(shares, float)
    limit = _log_marginal(n, prior) - math.log(1 / alpha)
    total = float(n.sum())
    intervals = []
    for i in range(len(n)):
        others = np.delete(n, i)
        rest = total - float(n[i])
        mixed = float(np.sum([o * math.log(o / rest) for o in others if o > 0]))
        count = float(n[i])

        def excess(
            t: float, count: float = count, rest: float = rest, mixed: float = mixed
        ) -> float:
            likelihood = (count * math.log(t) if count else 0.0) + mixed
            return likelihood + (rest * math.log1p(-t) if rest else 0.0) - limit

        tiny, centre = 1e-300, count / total if total else 0.5
        low = bisect(excess, tiny, centre) if count and excess(tiny) < 0 else 0.0
        high = bisect(excess, centre, 1 - 1e-16) if rest and excess(1 - 1e-16) < 0 else 1.0
        intervals.append((low, high))
    return intervals


def share_below(bad: float, other: float, share: float, *, k: float) -> float:
    """Return the posterior probability that the share is no larger than this one."""
    return float(betainc(k * share + bad, k * (1 - share) + other, share))


def _log_marginal(n: np.ndarray, prior: np.ndarray) -> float:
    """Log of the Dirichlet-multinomial probability of one sequence with these counts."""
    return float(
        gammaln(prior.sum())
        - gammaln(prior.sum() + n.sum())
        + (gammaln(prior + n) - gammaln(prior)).sum()
    )
