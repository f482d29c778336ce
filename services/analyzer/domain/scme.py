"""Stratified conditional mixture e-process: anytime-valid evidence from windows.

The state of a metric is one curve, L(beta) = sum over windows of the log likelihood ratio of beta
against 0 given the margins of the window. Everything follows from it: evidence of harm, evidence of
harmlessness and a confidence sequence, at any time and after any number of looks. Under every
beta at or below the margin each factor has a mean of at most 1, whatever base rates, weights and
window lengths do, so by Ville's inequality the evidence ever reaches 1/alpha with probability alpha
at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from analyzer.domain.noncentral import log_likelihood, log_null, log_z

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Table = tuple[int, int, int, int]

GRID: Floats = np.round(np.arange(-40, 41) / 10, 1)
"""Log odds ratios at which the curve is kept, besides the margins."""
PASS_SPREAD = 0.7
"""Standard deviation of the harmless effects that the evidence for a pass bets on."""
_MOST_BOOST = 1e6
_NO_CUT = 600.0


@lru_cache(maxsize=64)
def nodes(*margins: float) -> Floats:
    """Return the grid with the margins among its nodes; read-only."""
    found = np.unique(np.concatenate([GRID, np.asarray(margins, float)]))
    found.setflags(write=False)
    return found


def curve(table: Table, betas: Floats) -> Floats:
    """Return what a window adds to the curve.

    `table`: requests and bad ones of the canary, requests and bad ones of stable.
    """
    return log_likelihood(*table, betas)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailPrior:
    """Where harm is looked for: beyond the margin, half-normal with standard deviation 1."""

    betas: Floats
    log_weights: Floats
    margin: int
    beyond: slice

    @classmethod
    def beyond_margin(cls, betas: Floats, margin: float) -> FailPrior:
        """Return the prior on the nodes above the margin, which must be a node itself."""
        index = int(np.searchsorted(betas, margin))
        beyond = slice(index + 1, None)
        distance = betas[beyond] - margin
        return cls(
            betas=betas,
            log_weights=_normalised(-(distance**2) / 2),
            margin=index,
            beyond=beyond,
        )

    def against_margin(self, curve: Floats) -> Floats:
        """Return the curve beyond the margin relative to its value at the margin."""
        relative: Floats = curve[self.beyond] - curve[self.margin]
        return relative

    def log_e(self, curve: Floats) -> float:
        """Return the log evidence of harm from the beginning on."""
        return log_sum(self.against_margin(curve) + self.log_weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateOnset:
    """Evidence of harm that may have begun with any window (Shiryaev-Roberts mixture).

    Each window gets 1/planned of the stake; what is not staked yet counts as it is.

    Attributes:
        log_wealth: per node, log of the staked wealth; -inf before the first window.
        windows: windows so far.
        planned: windows of the plan.
    """

    log_wealth: Floats
    windows: int
    planned: int

    @classmethod
    def start(cls, prior: FailPrior, planned: int) -> LateOnset:
        """Return the state before any window."""
        return cls(
            log_wealth=np.full(len(prior.log_weights), -np.inf),
            windows=0,
            planned=max(1, planned),
        )

    @property
    def rest(self) -> float:
        """What is not staked yet."""
        return 1 - min(self.windows, self.planned) / self.planned

    def staked(self) -> Floats:
        """Return the wealth per node that the next window will change: with its stake."""
        if self.windows >= self.planned:
            return self.log_wealth
        found: Floats = np.logaddexp(self.log_wealth, -math.log(self.planned))
        return found

    def after(self, growth: Floats) -> LateOnset:
        """Return the state after a window with this log growth per node."""
        return LateOnset(
            log_wealth=self.staked() + growth, windows=self.windows + 1, planned=self.planned
        )

    def log_e(self, prior: FailPrior) -> float:
        """Return the log evidence."""
        staked = log_sum(self.log_wealth + prior.log_weights)
        return float(np.logaddexp(staked, math.log(self.rest) if self.rest > 0 else -math.inf))


def half_and_half(first: float, second: float) -> float:
    """Return the log of the mean of two e-values given as logs."""
    return float(np.logaddexp(first, second)) - math.log(2)


def pass_log_e(curve: Floats, betas: Floats, margin: float) -> float:
    """Return the log evidence that the odds ratio is below the margin, a node of the curve.

    Half of the prior is on exactly no effect, half spreads normally around it.
    """
    index = int(np.searchsorted(betas, margin))
    below = betas[:index]
    weights = np.exp(_normalised(-(below**2) / (2 * PASS_SPREAD**2))) / 2
    weights[int(np.argmin(np.abs(below)))] += 0.5
    return log_sum(curve[:index] + np.log(weights)) - float(curve[index])


def confidence(curve: Floats, betas: Floats, *, alpha: float) -> tuple[float, float]:
    """Return the time-uniform confidence interval of the log odds ratio.

    All values against which the mixture over every node, standard normal, has no evidence of
    1/alpha. An end is infinite when even the outermost node is not excluded.
    """
    mixture = log_sum(curve + _normalised(-(betas**2) / 2))
    wealth = mixture - curve - math.log(1 / alpha)
    inside = np.flatnonzero(wealth < 0)
    if not len(inside):
        best = float(betas[int(np.argmax(curve))])
        return best, best
    first, last = int(inside[0]), int(inside[-1])
    low = -math.inf if first == 0 else _crossing(betas, wealth, first - 1)
    high = math.inf if last == len(betas) - 1 else _crossing(betas, wealth, last)
    return low, high


def _crossing(betas: Floats, wealth: Floats, left: int) -> float:
    """Return where a convex function crosses zero between a node and the next one.

    The curve between them is the cubic through four nodes; a chord would make it too narrow.
    """
    start = min(max(left - 1, 0), len(betas) - 4)
    x, y = betas[start : start + 4] - betas[left], wealth[start : start + 4]
    cubic = np.linalg.solve(np.vander(x, 4), y)
    low, high = 0.0, float(betas[left + 1] - betas[left])
    falling = wealth[left] > 0
    for _ in range(60):
        middle = (low + high) / 2
        positive = float(np.polyval(cubic, middle)) > 0
        low, high = (middle, high) if positive == falling else (low, middle)
    return float(betas[left]) + (low + high) / 2


def fail_series(
    tables: Iterable[Table], *, margin: float, planned: int
) -> list[tuple[float, float, float]]:
    """Return, window by window, the log evidence from the start, of late onset, and of both."""
    betas = nodes(margin)
    prior = FailPrior.beyond_margin(betas, margin)
    total, late = np.zeros(len(betas)), LateOnset.start(prior, planned)
    found = []
    for table in tables:
        step = curve(table, betas)
        total = total + step
        late = late.after(prior.against_margin(step))
        plain, onset = prior.log_e(total), late.log_e(prior)
        found.append((plain, onset, half_and_half(plain, onset)))
    return found


def pass_series(tables: Iterable[Table], *, margin: float) -> list[float]:
    """Return the log evidence for a pass, window by window."""
    betas = nodes(margin)
    total, found = np.zeros(len(betas)), []
    for table in tables:
        total = total + curve(table, betas)
        found.append(pass_log_e(total, betas, margin))
    return found


def boost(table: Table, *, alpha: float, before: float = 1.0, margin: float = 0.0) -> float:
    """Return the largest factor b >= 1 that the evidence may be multiplied with after this window.

    With evidence `before`, min(b before M(X), 1/alpha) must have the mean `before` under the
    margin: what a look at discrete data overshoots is given back. M is the window's mixture over
    `FailPrior`; at most 1e6 (then the evidence cannot reach 1/alpha anyway).
    """
    count_canary, bad_canary, count_stable, bad_stable = table
    bad = bad_canary + bad_stable
    betas = nodes(margin)
    prior = FailPrior.beyond_margin(betas, margin)
    x, log_p = log_null(count_canary, count_stable, bad)
    log_normaliser = log_z(count_canary, count_stable, bad, betas)
    null = np.exp(log_p + margin * x - log_normaliser[prior.margin])
    relative = np.multiply.outer(x, betas[prior.beyond] - margin)
    relative -= log_normaliser[prior.beyond] - log_normaliser[prior.margin]
    log_factors = np.log(np.exp(relative + prior.log_weights).sum(axis=1))
    return largest_factor(log_factors, null, -math.log(alpha) - math.log(before))


def largest_factor(log_factors: Floats, chances: Floats, room: float) -> float:
    """Return the largest b >= 1 for which min(b factor, e^room) has a mean of 1; at most a million.

    Args:
        log_factors: rising, with a mean of at most 1.
        chances: of the factors.
        room: log of the cap over the evidence so far.

    The mean is concave in b: the least of straight lines, one for every number of factors that are
    cut. So b is the largest of the points at which the lines reach 1.
    """
    if room > _NO_CUT:
        return 1.0
    with np.errstate(divide="ignore"):
        grown = np.cumsum(np.exp(np.log(chances) + log_factors))
    cut = np.append(np.cumsum(chances[::-1])[::-1][1:], 0.0)
    useful = grown > 0
    with np.errstate(over="ignore"):
        found = (1.0 - math.exp(room) * cut[useful]) / grown[useful]
    return float(min(found.max(initial=1.0), _MOST_BOOST))


def log_sum(exponents: Sequence[float] | Floats) -> float:
    """Return log sum exp; -inf for no or only impossible terms."""
    array = np.asarray(exponents, float)
    highest = float(array.max(initial=-math.inf))
    if math.isinf(highest):
        return highest
    return highest + math.log(float(np.exp(array - highest).sum()))


def _normalised(log_weights: Floats) -> Floats:
    return log_weights - log_sum(log_weights)
