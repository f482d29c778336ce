"""What is judged and what comes out: counts of two arms in, one verdict a metric out.

An arm is nothing but sufficient statistics (requests, bad ones). Whatever the source delivers is
reduced to these pairs first, so a judge never sees a source's format.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from analyzer.domain.verdict import ReasonCode, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_COUNT = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCounts:
    """Requests of one arm in a window, and how many of them were bad.

    Raises:
        ValueError: a count is negative or absurdly large, or more are bad than there are.
    """

    count: int
    bad: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= MAX_COUNT:
            raise ValueError(f"count is {self.count}, expected 0 to {MAX_COUNT}")
        if not 0 <= self.bad <= self.count:
            raise ValueError(f"bad is {self.bad}, expected 0 to count ({self.count})")

    @property
    def error_rate(self) -> Fraction | None:
        """Bad requests in percent, exact; None without requests, because no data is not zero."""
        return Fraction(100 * self.bad, self.count) if self.count else None

    def __add__(self, other: ArmCounts) -> ArmCounts:
        """Return the counts of both windows together."""
        return ArmCounts(count=self.count + other.count, bad=self.bad + other.bad)


class Totals(ArmCounts):
    """Counts of many windows, which may be more than one window may have.

    Raises:
        ValueError: a count is negative, or more are bad than there are.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        if not 0 <= self.bad <= self.count:
            raise ValueError(f"bad is {self.bad}, expected 0 to count ({self.count})")


NO_REQUESTS = ArmCounts(count=0, bad=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The half-open interval [start, end), seconds since the Unix epoch."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not self.start < self.end:
            raise ValueError("start is not before end")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPair:
    """Both arms over the same window."""

    window: Window
    canary: ArmCounts
    stable: ArmCounts


def pool(pairs: Iterable[MetricPair]) -> MetricPair:
    """Add up pairs; refuse windows that overlap, because they would count requests twice.

    Pooling assumes that the split between the arms does not follow the error level over time. Where
    weight ramps while the base rate drifts it does, and only a stratified judge is exact.

    Raises:
        ValueError: there is no pair, or two windows overlap.
    """
    ordered = sorted(pairs, key=lambda pair: pair.window.start)
    if not ordered:
        raise ValueError("expected at least one window")
    canary, stable = NO_REQUESTS, NO_REQUESTS
    end = ordered[0].window.start
    for pair in ordered:
        if pair.window.start < end:
            raise ValueError("windows overlap, so requests would be counted twice")
        end = pair.window.end
        canary, stable = canary + pair.canary, stable + pair.stable
    window = Window(start=ordered[0].window.start, end=end)
    return MetricPair(window=window, canary=canary, stable=stable)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricVerdict:
    """How one metric was judged.

    `effect` and `interval` are percentage points above the reference (the stable arm, or the
    threshold); `evidence` is what the method compared with `threshold`. All three are None when
    there was nothing to compute them from.
    """

    name: str
    method: str
    verdict: Verdict
    reason_code: ReasonCode
    reason: str
    canary: ArmCounts
    stable: ArmCounts
    effect: float | None
    interval: tuple[float, float] | None
    evidence: float | None
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """The verdict over all metrics; the metrics that decided it come first in the reason."""

    metrics: tuple[MetricVerdict, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any metric."""
        return worst(metric.verdict for metric in self.metrics)

    @property
    def passed(self) -> bool:
        """Whether every metric passed."""
        return self.verdict is Verdict.PASS

    @property
    def reason_code(self) -> ReasonCode:
        """The code of the first metric that decided."""
        return self._by_weight()[0].reason_code

    @property
    def reason(self) -> str:
        """Every sentence once, deciding metrics first, so that no finding hides behind another."""
        return "; ".join(dict.fromkeys(metric.reason for metric in self._by_weight()))

    def _by_weight(self) -> list[MetricVerdict]:
        return sorted(self.metrics, key=lambda metric: metric.verdict is not self.verdict)
