"""Are both arms degraded together? Stable now against stable before the rollout.

A comparison of arms that run at the same time cannot see damage that they share: a database that
the canary overloads slows both. So stable is also compared with its own history, by evidence that
its share of bad requests has risen at any time since the start (Shiryaev-Roberts e-detector, Shin,
Ramdas and Rinaldo 2024). The outcome is a reason to hold, never to fail: the cause may be another.

Under every share up to the edge the evidence ever reaches 1/alpha with probability alpha at most:
exact for independent requests, given that the history's share lies below its 99 % upper bound;
asymptotic with proven bursts, whose likelihood is tempered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scipy.special import betaincinv

from analyzer.domain import dispersion
from analyzer.domain.scme import log_sum

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERATED = 1.5
"""Multiple of the history's share that is fine: load and hour change, a rollout is not to blame."""
BEYOND = (1.5, 2.0, 4.0, 8.0)
"""Multiples of the edge that the evidence bets on, alike."""
_CONFIDENCE = 0.99
_DEVIATIONS = 2.33
_HIGHEST = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonMode:
    """The evidence as of a window.

    Attributes:
        edge: largest share of bad requests of stable that is fine.
        tau2: relative variance of the error intensity of a window.
        planned: windows of the plan; each gets the same part of the stake.
        windows: windows with requests of stable so far.
        log_wealth: log of the staked wealth, for every multiple.
        log_e: log evidence that stable is worse than its history.
    """

    edge: float
    tau2: float
    planned: int
    windows: int = 0
    log_wealth: tuple[float, ...] = (-math.inf,) * len(BEYOND)
    log_e: float = 0.0

    def after(self, count: int, bad: int) -> CommonMode:
        """Return the evidence after a window of stable; one without requests tells nothing."""
        if not count:
            return self
        phi = 1 + self.tau2 * max(bad, self.edge * count)
        stake = 1 / self.planned if self.windows < self.planned else 0.0
        wealth = tuple(
            _log_add(held, stake) + _log_ratio(count, bad, self.edge, multiple) / phi
            for held, multiple in zip(self.log_wealth, BEYOND, strict=True)
        )
        windows = self.windows + 1
        rest = 1 - min(windows, self.planned) / self.planned
        terms = [one - math.log(len(BEYOND)) for one in wealth]
        if rest > 0:
            terms.append(math.log(rest))
        return replace(self, windows=windows, log_wealth=wealth, log_e=log_sum(terms))


def start(history: Sequence[tuple[int, int]], *, planned: int) -> CommonMode | None:
    """Return the state before any window; None when the history is too short to compare with.

    `history`: (requests, bad ones) of stable in blocks as long as a window.
    """
    learned = dispersion.learn(history)
    if not learned.known:
        return None
    count, bad = sum(count for count, _ in history), sum(bad for _, bad in history)
    upper = 1.0 if bad >= count else float(betaincinv(bad + 1, count - bad, _CONFIDENCE))
    upper *= 1 + _DEVIATIONS * math.sqrt(learned.tau2 / learned.blocks)
    edge = min(_HIGHEST, TOLERATED * upper)
    return CommonMode(edge=edge, tau2=learned.tau2, planned=max(1, planned))


def _log_ratio(count: int, bad: int, edge: float, multiple: float) -> float:
    worse = min(edge * multiple, (1 + edge) / 2)
    return bad * math.log(worse / edge) + (count - bad) * (math.log1p(-worse) - math.log1p(-edge))


def _log_add(held: float, stake: float) -> float:
    if not stake:
        return held
    return math.log(stake) if math.isinf(held) else log_sum((held, math.log(stake)))
