"""The words of an answer: three verdicts, a closed set of reason codes, and how metrics combine."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verdict(StrEnum):
    """What a metric, or a whole run, comes to."""

    PASS = "pass"  # noqa: S105 - the wire word
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class ReasonCode(StrEnum):
    """Why a metric has its verdict. Codes are stable; sentences are not."""

    ERROR_RATE_HIGHER = "error_rate_higher"
    OBVIOUS_OUTAGE = "obvious_outage"
    ERROR_RATE_ABOVE_THRESHOLD = "error_rate_above_threshold"
    NO_DATA = "no_data"
    NO_BASELINE = "no_baseline"
    NOT_ENOUGH_SAMPLES = "not_enough_samples"
    MARGIN_NOT_EXCLUDED = "margin_not_excluded"
    NO_DIFFERENCE = "no_difference"
    IMMATERIAL_DIFFERENCE = "immaterial_difference"
    ERROR_RATE_BELOW_THRESHOLD = "error_rate_below_threshold"
    LATENCY_HIGHER = "latency_higher"
    THRESHOLD_NOT_CLEARED = "threshold_not_cleared"
    NO_DATA_TOO_LONG = "no_data_too_long"
    CANARY_SILENT = "canary_silent"
    BASELINE_SILENT = "baseline_silent"
    WARMING_UP = "warming_up"
    CANARY_RESTARTED = "canary_restarted"
    CANARY_CHANGED = "canary_changed"
    BASELINE_CHANGED = "baseline_changed"
    ALL_TRAFFIC = "all_traffic"
    TOO_EARLY = "too_early"
    TRAFFIC_SPLIT = "traffic_split"
    BOTH_DEGRADED = "both_degraded"
    BUDGET_BURNING = "budget_burning"
    STALE = "stale"


_BADNESS = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return fail if any is fail, else inconclusive if any is; no verdict at all is inconclusive.

    Every metric must pass by itself, so a pass needs no correction for their number
    (intersection-union test, Berger 1982).
    """
    return max(verdicts, key=_BADNESS.index, default=Verdict.INCONCLUSIVE)
