"""Fisher's noncentral hypergeometric distribution: how bad requests fall on two arms.

Given how many requests each arm had in a window and how many of all were bad, the number of bad
ones of the canary depends on one thing only: the log odds ratio beta of the arms. The base rate of
that minute has cancelled. This holds for any number of bins: a request in bin b falls on the canary
with odds proportional to exp(lambda score_b).

The normaliser is a coefficient of a polynomial. Small tables are summed directly; large ones by
Cauchy's integral over a circle through the saddle point, where the trapezoid rule converges
geometrically: absolute errors stay below 1e-11 at a million requests.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_DIRECT = 200
"""Size of the support up to which summing it is faster than the integral."""
_WIDE = 4000
"""Size of the support from which on its impossible ends are left out."""
_CIRCLE = 64
_REACH = 9.0
"""Standard deviations of the integrand that are integrated: exp(-81/2) is 3e-18."""


def log_z(count_canary: int, count_stable: int, bad: int, betas: ArrayLike) -> Floats:
    """Return log E[exp(beta X)], X the canary's bad requests under equal odds, for every beta."""
    beta = np.asarray(betas, float)
    if not bad or not count_canary:
        return np.zeros_like(beta)
    if not count_stable:
        return beta * bad
    support = min(bad, count_canary) - max(0, bad - count_stable)
    if support <= _DIRECT:
        x, log_p = log_null(count_canary, count_stable, bad)
        exponents = log_p + np.multiply.outer(beta, x)
        return _log_sum(exponents)
    sizes = np.array([bad, count_canary + count_stable - bad], float)
    tilts = np.stack([np.append(beta, 0.0), np.zeros(len(beta) + 1)], axis=1)
    logs = _log_coefficient(sizes, tilts, count_canary)
    found: Floats = logs[:-1] - logs[-1]
    return found


def log_null(
    count_canary: int, count_stable: int, bad: int, *, around: float | None = None
) -> tuple[Floats, Floats]:
    """Return the possible bad requests of the canary and the log of their hypergeometric chance.

    With `around`, a log odds ratio, only those within 12 standard deviations of its mean: what is
    left out has a chance of less than 1e-30, and a huge window needs little memory.
    """
    low, high = max(0, bad - count_stable), min(bad, count_canary)
    if around is not None and high - low > _WIDE:
        mean, deviation = _approximate_mean(count_canary, count_stable, bad, around)
        low = max(low, math.floor(mean - 12 * deviation) - 20)
        high = min(high, math.ceil(mean + 12 * deviation) + 20)
    x = np.arange(low, high + 1, dtype=float)
    steps = x[:-1]
    ratios = (bad - steps) * (count_canary - steps)
    ratios /= (steps + 1) * (count_stable - bad + steps + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(ratios))])
    return x, logs - _log_sum(logs[None])[0]


def _approximate_mean(
    count_canary: int, count_stable: int, bad: int, beta: float
) -> tuple[float, float]:
    """Return mean and standard deviation where the cells of the table have the odds ratio."""
    low, high = float(max(0, bad - count_stable)), float(min(bad, count_canary))
    for _ in range(200):
        mean = (low + high) / 2
        cells = (mean, count_canary - mean, bad - mean, count_stable - bad + mean)
        if min(cells) <= 0:
            break
        log_odds = math.log(cells[0]) + math.log(cells[3]) - math.log(cells[1] * cells[2])
        low, high = (mean, high) if log_odds < beta else (low, mean)
    return mean, 1 / math.sqrt(math.fsum(1 / max(cell, 0.5) for cell in cells))


def log_likelihood(
    count_canary: int, bad_canary: int, count_stable: int, bad_stable: int, betas: ArrayLike
) -> Floats:
    """Return the log likelihood ratio of every beta against 0; 0 where a window tells nothing."""
    beta = np.asarray(betas, float)
    if not count_canary or not count_stable:
        return np.zeros_like(beta)
    return beta * bad_canary - log_z(count_canary, count_stable, bad_canary + bad_stable, beta)


def tilt_log_z(pooled: ArrayLike, scores: ArrayLike, count_canary: int, lams: ArrayLike) -> Floats:
    """Return log E[exp(lambda sum of scores)] over the canary's requests, drawn from pooled bins.

    Args:
        pooled: requests of both arms per bin.
        scores: score of every bin.
        count_canary: requests of the canary, drawn without replacement.
        lams: values of lambda.
    """
    sizes = np.asarray(pooled, float)
    lam = np.asarray(lams, float)
    kept = sizes > 0
    sizes, score = sizes[kept], np.asarray(scores, float)[kept]
    if not 0 < count_canary < sizes.sum():
        return lam * float(sizes @ score) if count_canary else np.zeros_like(lam)
    tilts = np.multiply.outer(np.append(lam, 0.0), score)
    logs = _log_coefficient(sizes, tilts, count_canary)
    found: Floats = logs[:-1] - logs[-1]
    return found


def _log_coefficient(sizes: Floats, tilts: Floats, power: int) -> Floats:
    """Return log [z^power] prod_b (1 + z exp(tilt_b))^size_b for every row of tilts."""
    saddle = (
        _saddle_of_two(sizes, tilts, power) if len(sizes) == 2 else _saddle(sizes, tilts, power)
    )
    share = expit(tilts + saddle[:, None])
    deviation = np.sqrt((sizes * share * (1 - share)).sum(axis=1))
    top = (sizes * np.logaddexp(0.0, tilts + saddle[:, None])).sum(axis=1) - power * saddle
    width = np.minimum(np.pi, _REACH / np.maximum(deviation, 1e-12))
    angle = width[:, None] * _nodes()
    turned = np.exp(1j * angle) - 1.0
    total = -1j * power * angle
    for size, column in zip(sizes, share.T, strict=True):
        total += size * np.log1p(column[:, None] * turned)
    mean = np.exp(total).real.mean(axis=1)
    found: Floats = top + np.log(mean * width / np.pi)
    return found


@lru_cache(maxsize=1)
def _nodes() -> Floats:
    """Midpoints of the half circle; the other half is its mirror image."""
    found: Floats = (np.arange(_CIRCLE) + 0.5) / _CIRCLE
    return found


def _saddle_of_two(sizes: Floats, tilts: Floats, power: int) -> Floats:
    """Return the same for two bins, the second without a tilt: the root of a quadratic equation."""
    odds = np.exp(tilts[:, 0])
    squared = odds * (sizes.sum() - power)
    linear = odds * sizes[0] + sizes[1] - power * (1 + odds)
    root = np.sqrt(linear**2 + 4 * squared * power)
    # Of the two forms of the root, the one that does not cancel.
    positive = 2 * power / np.where(linear > 0, linear + root, 1.0)
    found: Floats = np.log(np.where(linear > 0, positive, (root - linear) / (2 * squared)))
    return found


def _saddle(sizes: Floats, tilts: Floats, power: int) -> Floats:
    """Return where the expected power is `power`: Newton steps kept inside a bracket."""
    low = np.full(len(tilts), -float(np.abs(tilts).max()) - 50.0)
    high = -low
    at: Floats = (low + high) / 2
    for _ in range(200):
        share = expit(tilts + at[:, None])
        excess = (sizes * share).sum(axis=1) - power
        low, high = np.where(excess < 0, at, low), np.where(excess < 0, high, at)
        slope = (sizes * share * (1 - share)).sum(axis=1)
        following = at - excess / np.maximum(slope, 1e-300)
        outside = (following <= low) | (following >= high)
        before, at = at, np.where(outside, (low + high) / 2, following)
        # Any point near the saddle gives the same integral, so this is close enough.
        if np.all(np.abs(at - before) <= 1e-9 * (1 + np.abs(before))):
            break
    return at


def _log_sum(exponents: Floats) -> Floats:
    highest = exponents.max(axis=-1, keepdims=True)
    found: Floats = highest[..., 0] + np.log(np.exp(exponents - highest).sum(axis=-1))
    return found
