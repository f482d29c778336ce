"""Evidence against an absolute or relative margin of two proportions, exact for rare events.

The likelihood of a predicted pair of rates over that of its projection on the margin: the pair on
the margin that is closest in Kullback-Leibler divergence, weighted by the requests (reverse
information projection; Turner, Ly and Gruenwald, arXiv:2106.02693, Turner and Gruenwald,
arXiv:2302.11401). Its mean is at most 1 for every pair of rates beyond the margin, because those
form a convex set, so its product over windows is an e-process for any drift.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from scipy.special import xlog1py, xlogy

if TYPE_CHECKING:
    from collections.abc import Callable

    Table = tuple[int, int, int, int]
    Rates = tuple[float, float]

_EDGE = 1e-15


class Margin(StrEnum):
    """How the rates at the margin relate."""

    DIFFERENCE = "diff"
    RATIO = "ratio"
    ODDS_RATIO = "or"


def at_margin(kind: Margin, margin: float) -> tuple[Callable[[float], float], float, float]:
    """Return the canary's rate as a function of stable's, and the range of stable's."""
    if kind is Margin.DIFFERENCE:
        return (lambda stable: stable + margin), max(0.0, -margin), min(1.0, 1.0 - margin)
    if kind is Margin.RATIO:
        return (lambda stable: stable * margin), 0.0, min(1.0, 1.0 / margin)
    return (lambda stable: margin * stable / (1 - stable + margin * stable)), 0.0, 1.0


def projection(counts: tuple[int, int], predicted: Rates, kind: Margin, margin: float) -> Rates:
    """Return the pair of rates on the margin that is closest to the predicted one.

    By bisection of the derivative of the divergence, which is convex along the margin.
    """
    canary_of, low, high = at_margin(kind, margin)
    low, high = low + _EDGE, high - _EDGE

    def slope(stable: float) -> float:
        canary = canary_of(stable)
        steepness = {
            Margin.DIFFERENCE: 1.0,
            Margin.RATIO: margin,
            Margin.ODDS_RATIO: margin / (1 - stable + margin * stable) ** 2,
        }[kind]
        of_canary = (canary - predicted[0]) / (canary * (1 - canary)) * steepness
        return counts[0] * of_canary + counts[1] * (stable - predicted[1]) / (stable * (1 - stable))

    for _ in range(200):
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return canary_of(low), low


def log_e(table: Table, predicted: Rates, kind: Margin, margin: float) -> float:
    """Return the log e-value of one window; `predicted` must not depend on it."""
    count_canary, bad_canary, count_stable, bad_stable = table
    canary, stable = projection((count_canary, count_stable), predicted, kind, margin)
    return float(
        xlogy(bad_canary, predicted[0] / canary)
        + xlog1py(count_canary - bad_canary, -predicted[0])
        - xlog1py(count_canary - bad_canary, -canary)
        + xlogy(bad_stable, predicted[1] / stable)
        + xlog1py(count_stable - bad_stable, -predicted[1])
        - xlog1py(count_stable - bad_stable, -stable)
    )
