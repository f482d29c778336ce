"""How much more bad requests vary than chance alone makes them: learned from stable's history.

Errors come in bursts: a dependency stalls, and the requests of some seconds fail together. A test
that takes requests for independent then sees a difference wherever a burst hit one arm only. The
history of stable tells how large bursts are: tau2 is the relative variance of the error intensity
of a block beyond what a binomial has. A window's likelihood is divided by phi, the factor by which
its variance exceeds the independent one (quasi-likelihood). This part is asymptotic, not exact; the
league's S3 measures it, also with bursts of other laws than it assumes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNIFICANT = 3.0
"""Standard errors that tau2 must be above 0: without bursts, tempering would only cost power."""
ENOUGH_BLOCKS = 20
MERGED = (1, 2, 4, 8)
ENOUGH_MERGED = 12
NOTICEABLE = 1.5
"""Standard errors by which merged blocks must vary more to count as alike: less, and the noise of
the largest of four estimates would delay every alarm."""
CAUTION = 2.0
"""Standard errors added where blocks are alike: few merged blocks are all that is known of them,
and bursts may be alike over longer than eight blocks. Brings the league's S3-autocorrelated from
4 % of false alarms to about 1 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispersion:
    """What the history says.

    Attributes:
        tau2: relative variance of the error intensity of a block; 0 when none is proven.
        rate: share of bad requests.
        z: standard errors that the raw estimate of tau2 is above 0.
        blocks: blocks that it was learned from; too few say nothing (`known` is false).
    """

    tau2: float = 0.0
    rate: float = 0.0
    z: float = 0.0
    blocks: int = 0

    @property
    def known(self) -> bool:
        """Whether there was enough history to say anything."""
        return self.blocks >= ENOUGH_BLOCKS

    @property
    def bursty(self) -> bool:
        """Whether bursts are proven."""
        return self.tau2 > 0

    def phi(self, count_canary: int, count_stable: int, bad: int) -> float:
        """Return by which factor the variance of a window with these margins is larger.

        At least that of as many bad requests as the history has: a window with few of them is often
        a lull of stable, whose share is the most extreme of all (S3-1-30: 4 % of false alarms
        without, 0.2 % with).
        """
        total = count_canary + count_stable
        if not total:
            return 1.0
        share = count_canary / total
        return 1.0 + 2.0 * self.tau2 * share * (1.0 - share) * max(bad, self.rate * total)


def learn(blocks: Sequence[tuple[int, int]]) -> Dispersion:
    """Learn from (requests, bad ones) of stable in blocks as long as the windows to be judged.

    Bursts that last longer than a block make neighbours alike, and then sums of blocks vary more
    than the blocks tell. So the variance is also taken over pairs, fours and eights, per block, and
    counts where it is noticeably larger.
    """
    used = [(count, bad) for count, bad in blocks if count > 0]
    if len(used) < ENOUGH_BLOCKS:
        return Dispersion(blocks=len(used))
    largest, caution, highest_z = 0.0, 1.0, -math.inf
    for group in MERGED:
        number = len(used) // group
        if number < ENOUGH_MERGED:
            break
        variance, z = _relative_variance(_merged(used, group))
        highest_z = max(highest_z, z)
        # Of a variance that is estimated from so many values.
        error = math.sqrt(2 / number)
        if z > SIGNIFICANT and group * variance > largest * (1 + NOTICEABLE * error):
            largest = group * variance
            caution = 1 + CAUTION * error if group > 1 else 1.0
    total = sum(count for count, _ in used)
    return Dispersion(
        tau2=largest * caution,
        rate=sum(bad for _, bad in used) / total,
        z=highest_z,
        blocks=len(used),
    )


def _merged(blocks: Sequence[tuple[int, int]], group: int) -> list[tuple[int, int]]:
    return [
        (sum(count for count, _ in part), sum(bad for _, bad in part))
        for part in (blocks[i : i + group] for i in range(0, len(blocks) - group + 1, group))
    ]


def _relative_variance(blocks: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Return the excess variance of the error intensity relative to its square, and its z."""
    total, total_bad = sum(count for count, _ in blocks), sum(bad for _, bad in blocks)
    if total_bad in {0, total}:
        return 0.0, 0.0
    rate = total_bad / total
    excess = spread = squares = 0.0
    for count, bad in blocks:
        mean = count * rate
        variance = mean * (1 - rate)
        excess += (bad - mean) ** 2 - variance
        spread += 2 * variance**2 + variance
        squares += mean**2
    return excess / squares, excess / math.sqrt(spread)
