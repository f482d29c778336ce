"""Evidence of harm that wastes nothing at a look: the mixture e-process, boosted exactly.

An e-process fails when it reaches 1/alpha; with windows of many requests it mostly jumps far beyond
it, and what it overshoots is false-alarm level that was paid for and not used. Given the margins of
a window, all values that the evidence can take and their chances are known beforehand. So it is
multiplied with the largest factor under which its mean, cut at 1/alpha, is what it was before: it
stays an e-process for the purpose of reaching 1/alpha (Fischer and Ramdas, "Improving Wald's
approximate sequential probability ratio test by avoiding overshoot", 2024). Exact: the values rise
with the canary's bad requests, so a mean of 1 at the margin is one of at most 1 below it. Not for
tempered likelihoods, whose null is not known exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analyzer.domain.scme import largest_factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analyzer.domain.scme import FailPrior, LateOnset

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boosted:
    """The mean of the evidence from the beginning and of the evidence of a late onset.

    Attributes:
        plain: its log.
        log_e: its log, boosted; once at the cap it stays there.
        cap: log of the evidence that fails.
    """

    cap: float
    plain: float = 0.0
    log_e: float = 0.0

    def after(
        self,
        plain: float,
        *,
        prior: FailPrior,
        curve: Floats,
        late: LateOnset,
        growth: Floats,
        bad: int,
        null: tuple[int, Floats],
    ) -> Boosted:
        """Return the evidence after a window.

        Args:
            plain: log of the evidence after the window, not boosted.
            prior: where harm is looked for.
            curve: log likelihood before the window.
            late: late onset before the window.
            growth: what the window adds to the curve beyond the margin, relative to the margin.
            bad: bad requests of the canary in the window.
            null: the least number of them possible, and the chances of it and all following ones.
        """
        if self.log_e >= self.cap:
            return replace(self, plain=plain)
        lowest, chances = null
        distances = prior.betas[prior.beyond] - prior.betas[prior.margin]
        # Of every node: half of its prior times its wealth, before the canary's bad requests count.
        wealth = np.logaddexp(prior.against_margin(curve), late.staked())
        wealth += prior.log_weights + growth - distances * bad - math.log(2)
        exponents = np.multiply.outer(np.arange(lowest, lowest + len(chances)), distances) + wealth
        rest = late.after(growth).rest / 2
        log_rest = math.log(rest) if rest > 0 else -math.inf
        highest = np.maximum(exponents.max(axis=1), log_rest)
        total = np.exp(exponents - highest[:, None]).sum(axis=1) + np.exp(log_rest - highest)
        factors = highest + np.log(total) - self.plain
        boost = largest_factor(factors, chances, self.cap - self.log_e)
        return Boosted(
            cap=self.cap,
            plain=plain,
            log_e=self.log_e + plain - self.plain + math.log(boost),
        )
