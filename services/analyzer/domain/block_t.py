"""Anytime-valid t test on blocks: for bursts of unknown size, without a history to learn from.

Blocks as long as a burst give one number each; the evidence depends on them only through their sum
over the root of their sum of squares, so their scale, and with it the size of the bursts, cancels.
Exact for independent Gaussian blocks (Perez-Ortiz et al., arXiv:2208.07610).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

EFFECTS: Floats = np.concatenate([np.linspace(0.05, 1.0, 10), np.linspace(1.2, 3.0, 8)])
"""Standardised effects that the evidence bets on."""
_WEIGHTS: Floats = np.exp(-((EFFECTS / 0.7) ** 2) / 2)
_LOG_WEIGHTS: Floats = np.log(_WEIGHTS / _WEIGHTS.sum())
_ABSCISSAE, _ORDINATES = np.polynomial.legendre.leggauss(200)
_REACH = 12.0


def block_value(table: tuple[int, int, int, int], *, ratio: float = 1.0) -> float:
    """Return the number of one block: the weighted difference of rates; 0 for an empty arm.

    `table`: requests and bad ones of the canary, then of stable; `ratio`: the fail margin.
    """
    count_canary, bad_canary, count_stable, bad_stable = table
    if not count_canary or not count_stable:
        return 0.0
    weight = math.sqrt(count_canary * count_stable / (count_canary + count_stable))
    return weight * (bad_canary / count_canary - ratio * bad_stable / count_stable)


def log_e(blocks: int, total: float, squares: float) -> float:
    """Return the log evidence of a positive mean from number, sum and sum of squares of blocks."""
    if blocks < 1 or squares <= 0:
        return 0.0
    t = total / math.sqrt(squares)
    null = (blocks / 2 - 1) * math.log(2) + float(gammaln(blocks / 2))
    logs = _log_integral(blocks, EFFECTS * t) - blocks * EFFECTS**2 / 2 + _LOG_WEIGHTS - null
    highest = float(logs.max())
    return highest + math.log(float(np.exp(logs - highest).sum()))


def series(values: Sequence[float]) -> list[float]:
    """Return the log evidence after 2, 3, ... blocks."""
    total = squares = 0.0
    found = []
    for number, value in enumerate(values, start=1):
        total += value
        squares += value * value
        if number >= 2:
            found.append(log_e(number, total, squares))
    return found


def _log_integral(n: int, c: Floats) -> Floats:
    """Log of the integral of v^(n-1) exp(-v^2/2 + c v) over v > 0, around its single peak."""
    peak = (c + np.sqrt(c * c + 4 * (n - 1))) / 2
    spread = 1 / np.sqrt(1 + (n - 1) / np.maximum(peak, 1e-9) ** 2)
    low = np.maximum(0.0, peak - _REACH * spread)
    high = peak + _REACH * np.maximum(spread, 0.1)
    half = (high - low)[:, None] / 2
    v = low[:, None] + half * (_ABSCISSAE + 1)
    logs = (n - 1) * np.log(v) - v * v / 2 + c[:, None] * v
    highest = logs.max(axis=1, keepdims=True)
    inside = (np.exp(logs - highest) * _ORDINATES).sum(axis=1) * half[:, 0]
    found: Floats = highest[:, 0] + np.log(inside)
    return found
