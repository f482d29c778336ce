"""Cochran-Mantel-Haenszel: one odds ratio over many windows, each with its own base rate.

Sources: N. Mantel and W. Haenszel (1959), JNCI 22:719; J. Robins, N. Breslow and S. Greenland
(1986), Biometrics 42:311 (variance of the log odds ratio).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratified:
    """Chi-square with one degree of freedom, its p-value, and the common effects (or NaN)."""

    chi_square: float
    p_value: float
    odds_ratio: float
    log_odds_ratio_se: float
    risk_ratio: float


def mantel_haenszel(tables: Sequence[Sequence[Sequence[float]]], *, correction: bool) -> Stratified:
    """Return test and estimates for tables [[bad, good] of canary, [bad, good] of stable].

    `correction`: take 1/2 off the distance (continuity).
    """
    array = np.asarray(tables, float)
    a, b, c, d = array[:, 0, 0], array[:, 0, 1], array[:, 1, 0], array[:, 1, 1]
    n = a + b + c + d
    distance = abs(float((a - (a + b) * (a + c) / n).sum())) - (0.5 if correction else 0.0)
    variance = float(((a + b) * (c + d) * (a + c) * (b + d) / (n**2 * (n - 1))).sum())
    chi_square = distance**2 / variance if variance > 0 else math.nan
    up, down = float((a * d / n).sum()), float((b * c / n).sum())
    above, below = float((a * (c + d) / n).sum()), float((c * (a + b) / n).sum())
    return Stratified(
        chi_square=chi_square,
        p_value=float(chdtrc(1, chi_square)),
        odds_ratio=up / down if down else math.nan,
        log_odds_ratio_se=_standard_error((a, b, c, d), up, down) if up and down else math.nan,
        risk_ratio=above / below if below else math.nan,
    )


def _standard_error(
    cells: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], up: float, down: float
) -> float:
    a, b, c, d = cells
    n = a + b + c + d
    p, q = (a + d) / n, (b + c) / n
    r, s = a * d / n, b * c / n
    variance = float((p * r).sum()) / (2 * up**2)
    variance += float((p * s + q * r).sum()) / (2 * up * down)
    variance += float((q * s).sum()) / (2 * down**2)
    return math.sqrt(variance)
