"""Fisher's exact test, one-sided: is the canary's proportion of bad requests higher?

Given the totals of the 2x2 table, the canary's bad requests are hypergeometric when both arms share
one rate, whatever that rate is. The p-value is that distribution's upper tail.

Sources: R. A. Fisher, "The Logic of Inductive Inference" (1935) for the test; C. Loader, "Fast and
Accurate Computation of Binomial Probabilities" (2000) for the probability of one table. Loader's
saddle-point form keeps about 11 digits at ten million requests, where differences of log-gammas
have lost half of theirs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyzer.domain.model import ArmCounts

_NEGLIGIBLE = 1e-18


def p_value_greater(canary: ArmCounts, stable: ArmCounts) -> float:
    """Return P(at least this many bad canary requests | totals, equal rates); 1.0 if any is empty.

    Relative error below 1e-9 for arms up to ten million requests; values below about 1e-308
    become 0.
    """
    total_bad = canary.bad + stable.bad
    lowest = max(0, total_bad - stable.count)
    if canary.bad <= lowest:
        return 1.0
    if canary.bad * (canary.count + stable.count) > canary.count * total_bad:
        return min(1.0, _tail(canary.bad, canary.count, stable.count, total_bad, step=1))
    # Below the mean the upper tail is large: the short lower tail loses nothing as 1 - tail.
    return 1.0 - _tail(canary.bad - 1, canary.count, stable.count, total_bad, step=-1)


def _tail(bad: int, canary: int, stable: int, total_bad: int, *, step: int) -> float:
    """Sum the probabilities from `bad` outwards; each follows from its neighbour by a ratio."""
    term = total = 1.0
    x = bad
    while term > _NEGLIGIBLE * total:
        if step > 0:
            ratio = (total_bad - x) * (canary - x) / ((x + 1) * (stable - total_bad + x + 1))
        else:
            ratio = x * (stable - total_bad + x) / ((total_bad - x + 1) * (canary - x + 1))
        term *= ratio
        total += term
        x += step
    return math.exp(_log_probability(bad, canary, stable, total_bad)) * total


def _log_probability(bad: int, canary: int, stable: int, total_bad: int) -> float:
    """Log of the hypergeometric probability, as a ratio of three binomials with one common p."""
    total = canary + stable
    p, q = total_bad / total, (total - total_bad) / total
    return (
        _log_binomial(bad, canary, p, q)
        + _log_binomial(total_bad - bad, stable, p, q)
        - _log_binomial(total_bad, total, p, q)
    )


def _log_binomial(x: int, n: int, p: float, q: float) -> float:
    if x == 0:
        return n * math.log1p(-p) if n else 0.0
    if x == n:
        return n * math.log1p(-q)
    saddle = (
        _stirling_error(n)
        - _stirling_error(x)
        - _stirling_error(n - x)
        - _deviance(x, n * p)
        - _deviance(n - x, n * q)
    )
    return saddle - 0.5 * (math.log(2 * math.pi * x) + math.log1p(-x / n))


def _stirling_error(n: int) -> float:
    """log(n!) minus Stirling's formula; the series is exact to the last bit from 16 on."""
    if n < 16:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
    square = n * n
    return (
        1 / 12
        - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square
    ) / n  # fmt: skip


def _deviance(x: float, mean: float) -> float:
    """Return x log(x / mean) + mean - x, by its series where the direct form would cancel."""
    difference = x - mean
    if abs(difference) >= 0.1 * (x + mean):
        return x * math.log(x / mean) - difference
    v = difference / (x + mean)
    total = difference * v
    term = 2 * x * v
    for odd in range(3, 1000, 2):
        term *= v * v
        previous, total = total, total + term / odd
        if total == previous:
            break
    return total
