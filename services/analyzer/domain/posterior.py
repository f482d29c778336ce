"""What a Bayesian would say, for the report only: P(canary worse) under Jeffreys' prior."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincinv

_ABSCISSAE, _ORDINATES = np.polynomial.legendre.leggauss(400)


def probability_worse(table: tuple[int, int, int, int], *, ratio: float = 1.0) -> float:
    """Return P(canary's rate > ratio times stable's rate | counts).

    `table`: requests and bad ones of the canary, then of stable. The mean of stable's posterior
    distribution function over quantiles of the canary's posterior, by Gauss-Legendre.
    """
    count_canary, bad_canary, count_stable, bad_stable = table
    shares = (_ABSCISSAE + 1) / 2
    rates = betaincinv(bad_canary + 0.5, count_canary - bad_canary + 0.5, shares)
    below = betainc(
        bad_stable + 0.5, count_stable - bad_stable + 0.5, np.minimum(1.0, rates / ratio)
    )
    return float(below @ _ORDINATES / 2)
