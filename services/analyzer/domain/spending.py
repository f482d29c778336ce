"""Exact conditional spending: a group-sequential test with a computed, not a bounded, null.

Given the margins of every window, the canary's bad requests of the windows are independent
hypergeometric numbers. Their sum is followed exactly: the probability of every value of the sum
without having stopped before. At each look the boundary is the least sum whose tail costs no more
than the plan allows to have been spent by then. Nothing is lost to overshoot or inequalities, but
the number of looks must be planned, and weights must not follow the results.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyzer.domain.noncentral import log_null

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Table = tuple[int, int, int, int]
    Spending = Callable[[int], float]

OVERTIME = 0.05
"""Part of the level for looks beyond the plan: a rollout that pauses goes on being judged."""
EARLY, EVEN = 0.5, 1.0
FEW_BAD = 50.0
_NEGLIGIBLE = 1e-18
_BISECTIONS = 60
_PLAIN = 4_000_000


def planned_spending(alpha: float, planned: int) -> Spending:
    """Return Pocock-like spending alpha log(1 + (e-1) t/T) over the planned looks, alpha after."""

    def allowed(look: int) -> float:
        return alpha * math.log(1 + (math.e - 1) * min(look / planned, 1.0))

    return allowed


def spending_with_overtime(alpha: float, planned: int, *, power: float) -> Spending:
    """Return spending alpha (t/T)^power, with a part of alpha kept for looks beyond the plan.

    The lower the power, the sooner a large difference fails and the later a small one. The league's
    S6 decides for 1/2 (mean delay at most 1.3 times that of an oracle at every size of difference),
    and S1 for 1 where so few bad requests are expected that only the end can tell.
    """

    def allowed(look: int) -> float:
        within: float = (1 - OVERTIME) * min(look / planned, 1.0) ** power
        return alpha * (within + OVERTIME * max(0.0, 1 - planned / look))

    return allowed


def power_for(expected_bad: float) -> float:
    """Return the power for the bad requests that the plan expects of both arms together."""
    return EARLY if expected_bad >= FEW_BAD else EVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The state after a look.

    Attributes:
        number: of the look, from 1.
        total: bad requests of the canary so far.
        boundary: total from which this look fails.
        spent: probability under the margin of having failed by now.
        lowest: total that the first entry of `alive` is about.
        alive: probability of every total without having failed.
    """

    number: int
    total: int
    boundary: int
    spent: float
    lowest: int
    alive: Floats

    @property
    def crossed(self) -> bool:
        """Whether this look fails."""
        return self.total >= self.boundary


def start() -> Look:
    """Return the state before any look."""
    return Look(number=0, total=0, boundary=1, spent=0.0, lowest=0, alive=np.ones(1))


def advance(state: Look, table: Table, allowed: Spending, *, margin: float = 0.0) -> Look:
    """Return the state after a window of (requests, bad) of the canary, then of stable.

    `margin` is the log odds ratio up to which the canary is fine.
    """
    return after(state, table[1], increments(table, margin=margin), allowed)


def after(state: Look, bad: int, null: tuple[int, Floats], allowed: Spending) -> Look:
    """Return the state after a window with so many bad requests of the canary.

    `null`: what `increments` says of the window.
    """
    first, increment = null
    grown = _convolved(state.alive, increment)
    lowest = state.lowest + first
    number = state.number + 1
    tail = np.cumsum(grown[::-1])[::-1]
    affordable = tail <= allowed(number) - state.spent
    kept = int(np.argmax(affordable)) if affordable.any() else len(grown)
    spent = state.spent + (float(tail[kept]) if kept < len(grown) else 0.0)
    alive = grown[:kept]
    boundary = lowest + kept
    skipped = int(np.argmax(alive > _NEGLIGIBLE)) if len(alive) else 0
    return Look(
        number=number,
        total=state.total + bad,
        boundary=boundary,
        spent=spent,
        lowest=lowest + skipped,
        alive=alive[skipped:] if len(alive) else np.zeros(1),
    )


def increments(table: Table, *, margin: float) -> tuple[int, Floats]:
    """Return the least possible bad requests of the canary and the chances from there on."""
    count_canary, bad_canary, count_stable, bad_stable = table
    bad = bad_canary + bad_stable
    if not count_canary or not count_stable:
        return bad_canary, np.ones(1)
    x, log_p = log_null(count_canary, count_stable, bad, around=margin)
    weights = np.exp(log_p + margin * x - float((log_p + margin * x).max()))
    chances: Floats = weights / weights.sum()
    return int(x[0]), chances


def _convolved(first: Floats, second: Floats) -> Floats:
    """Return the distribution of the sum; by Fourier transforms where a plain sum would be slow.

    Their error is 1e-16 of the whole, far below what any plan spends in one look.
    """
    if len(first) * len(second) <= _PLAIN:
        return np.convolve(first, second)
    size = len(first) + len(second) - 1
    padded = 1 << (size - 1).bit_length()
    product = np.fft.rfft(first, padded) * np.fft.rfft(second, padded)
    summed: Floats = np.maximum(np.fft.irfft(product, padded)[:size], 0.0)
    return summed


def looks(tables: Iterable[Table], allowed: Spending, *, margin: float = 0.0) -> list[Look]:
    """Return the states after all windows."""
    state, found = start(), []
    for table in tables:
        state = advance(state, table, allowed, margin=margin)
        found.append(state)
    return found


def sequential_p_values(
    tables: Iterable[Table], plan: Callable[[float], Spending], *, margin: float = 0.0
) -> list[float]:
    """Return, look by look, the least alpha at which the test would have failed by then; 1 if none.

    `plan` gives the spending of an alpha. Failing is monotone in alpha but for the grain of
    discrete data; what is returned is where bisection ends.
    """
    known = list(tables)
    found = []
    for number in range(1, len(known) + 1):

        def fails(alpha: float, upto: int = number) -> bool:
            return any(look.crossed for look in looks(known[:upto], plan(alpha), margin=margin))

        low, high = 0.0, 1.0
        if fails(high):
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                low, high = (low, middle) if fails(middle) else (middle, high)
        found.append(high)
    return found
