"""What ended in each step of a run: requests, errors and latency, per target.

The number of steps is bounded: when a run outgrows it, two steps become one. Latency is kept in
coarse buckets (16 to the octave, 4.4 % wide), which is enough to draw.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from votegen.domain.histogram import Histogram, buckets_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

MAX_STEPS = 600
_COARSER = 8


@dataclass(slots=True)
class Step:
    """What ended in one step at one target."""

    requests: int = 0
    errors: int = 0
    buckets: Counter[int] = field(default_factory=Counter)

    def absorb(self, other: Step) -> None:
        """Add another step."""
        self.requests += other.requests
        self.errors += other.errors
        self.buckets.update(other.buckets)


@dataclass(slots=True)
class Timeline:
    """Steps by number and target; `seconds` is the length of a step, virtual."""

    seconds: float = 1.0
    steps: dict[tuple[int, str], Step] = field(default_factory=dict)

    def add(
        self, at: float, name: str, *, errors: int, latencies: Sequence[float] | NDArray[np.float64]
    ) -> None:
        """Add requests that ended `at` virtual seconds after the start."""
        fine = buckets_of(np.asarray(latencies, dtype=np.float64))
        coarse, counts = np.unique(fine // _COARSER, return_counts=True)
        buckets = Counter(dict(zip(coarse.tolist(), counts.tolist(), strict=True)))
        self._absorb(at, name, Step(len(latencies), errors, buckets))

    def merge(self, other: Timeline) -> None:
        """Add another part of the same run."""
        while self.seconds < other.seconds:
            self._coarsen()
        for (number, name), step in other.steps.items():
            self._absorb((number + 0.5) * other.seconds, name, step)

    def as_json(self) -> dict[str, Any]:
        """Return the steps in order; a target has no member where nothing ended."""
        points: dict[int, dict[str, Any]] = {}
        for number, name, step in self._ordered():
            histogram = Histogram(
                counts={bucket * _COARSER + _COARSER // 2: n for bucket, n in step.buckets.items()},
                max_seconds=float("inf"),
            )
            p50, p99 = histogram.quantiles((0.5, 0.99))
            points.setdefault(number, {})[name] = {
                "requests": step.requests,
                "errors": step.errors,
                "p50_ms": None if p50 is None else round(p50 * 1000, 3),
                "p99_ms": None if p99 is None else round(p99 * 1000, 3),
            }
        return {
            "step_s": self.seconds,
            "points": [
                {"at_s": number * self.seconds, "targets": targets}
                for number, targets in points.items()
            ],
        }

    def _absorb(self, at: float, name: str, step: Step) -> None:
        while at >= MAX_STEPS * self.seconds:
            self._coarsen()
        self.steps.setdefault((int(at / self.seconds), name), Step()).absorb(step)

    def _coarsen(self) -> None:
        steps, self.steps = self.steps, {}
        self.seconds *= 2
        for (number, name), step in steps.items():
            self.steps.setdefault((number // 2, name), Step()).absorb(step)

    def _ordered(self) -> Iterator[tuple[int, str, Step]]:
        return ((number, name, self.steps[number, name]) for number, name in sorted(self.steps))
