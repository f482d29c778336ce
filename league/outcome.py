"""What a contender says about every rollout."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Seconds until the first fail and the first pass of every rollout; infinite for never.

    `passed_at` is None for contenders that know no pass. `seconds` is what the judging took.
    """

    failed_at: Times
    passed_at: Times | None = None
    seconds: float = 0.0
    judgements: int = 0
    notes: dict[str, float] = field(default_factory=dict)


def first_crossing(crossed: NDArray[np.bool_], window: int, skipped: int = 0) -> Times:
    """Return when each row is first true, at the end of that window."""
    index = crossed.argmax(axis=1)
    return np.where(crossed.any(axis=1), skipped + (index + 1.0) * window, np.inf)
