"""From outcomes to the figures of one row."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.domain.contenders.proportions import clopper_pearson
from league.scenarios import HORIZON

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from league.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender in one scenario.

    Shares are of all rollouts, with an exact 95 % interval. Times are seconds from the first
    request; quantiles count rollouts without an event as infinite (None), `mean_fail_s` counts them
    as the horizon. `bad_until_fail`: bad canary requests served before the fail (or the end).
    """

    contender: str
    kind: str
    runs: int
    failed: int
    fail_share: float
    fail_low: float
    fail_high: float
    median_fail_s: float | None
    p90_fail_s: float | None
    mean_fail_s: float
    bad_until_fail: float | None
    passed: int | None = None
    pass_share: float | None = None
    median_pass_s: float | None = None
    inconclusive_share: float | None = None
    ms_per_judgement: float | None = None
    notes: dict[str, float] | None = None

    def document(self) -> dict[str, Any]:
        """Return the row as JSON values, without what does not apply."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def summarise(
    name: str, kind: str, outcome: Outcome, bad: NDArray[np.float64] | None, window: int
) -> Row:
    """Return the row; `bad` is the cumulative number of bad canary requests per window."""
    failed_at = outcome.failed_at
    runs = len(failed_at)
    failed = int(np.isfinite(failed_at).sum())
    low, high = clopper_pearson(failed, runs, confidence=0.95)
    passed_at = outcome.passed_at
    row = {
        "contender": name,
        "kind": kind,
        "runs": runs,
        "failed": failed,
        "fail_share": failed / runs,
        "fail_low": low,
        "fail_high": high,
        "median_fail_s": _quantile(failed_at, 0.5),
        "p90_fail_s": _quantile(failed_at, 0.9),
        "mean_fail_s": float(np.minimum(failed_at, HORIZON).mean()),
        "bad_until_fail": _bad_until(failed_at, bad, window),
        "notes": outcome.notes or None,
    }
    if passed_at is not None:
        # A pass counts when nothing failed before: a gate ends at its first decision.
        first = passed_at < failed_at
        row["passed"] = int(first.sum())
        row["pass_share"] = float(first.mean())
        row["median_pass_s"] = _quantile(np.where(first, passed_at, np.inf), 0.5)
        row["inconclusive_share"] = float((~first & ~np.isfinite(failed_at)).mean())
    if outcome.judgements:
        row["ms_per_judgement"] = 1000 * outcome.seconds / outcome.judgements
    return Row(**row)


def _quantile(times: NDArray[np.float64], share: float) -> float | None:
    ordered = np.sort(times)
    found = ordered[min(len(ordered) - 1, int(np.ceil(share * len(ordered))) - 1)]
    return float(found) if np.isfinite(found) else None


def _bad_until(
    failed_at: NDArray[np.float64], bad: NDArray[np.float64] | None, window: int
) -> float | None:
    if bad is None:
        return None
    bad = bad[: len(failed_at)]
    last = bad.shape[1] - 1
    index = np.minimum(last, np.where(np.isfinite(failed_at), failed_at / window - 1, last))
    return float(np.median(bad[np.arange(len(bad)), np.maximum(0, index).astype(int)]))
