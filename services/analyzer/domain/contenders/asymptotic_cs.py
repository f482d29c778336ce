"""Asymptotic confidence sequences of a mean (Waudby-Smith et al., arXiv:2103.06476).

Valid in the limit of many observations; the form and the tuning are those of GrowthBook.
"""

from __future__ import annotations

import math


def tuning_rho(*, alpha: float, tuned_at: float, one_sided: bool = False) -> float:
    """Return rho for which the sequence is narrowest after `tuned_at` observations."""
    level = -2 * math.log(2 * alpha if one_sided else alpha)
    return math.sqrt((level + math.log(level + 1)) / tuned_at)


def half_width(
    variance: float, n: float, *, alpha: float, rho: float, one_sided: bool = False
) -> float:
    """Return the half width (one side's distance) after n observations of this variance."""
    spread = n * rho**2
    if one_sided:
        level = math.log1p(math.sqrt(spread + 1) / (2 * alpha))
    else:
        level = math.log(math.sqrt(spread + 1) / alpha)
    return math.sqrt(variance * 2 * (spread + 1) / (n * spread) * level)
