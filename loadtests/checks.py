"""The limits of a load test, held against what locust counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locust.stats import RequestStats


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What every kind of request must keep to; `requests` is for all of them together."""

    error_ratio: float
    p95_ms: float
    requests: int


def broken(stats: RequestStats, limits: Limits) -> list[str]:
    """Return a sentence for every limit that was not held; too few requests prove nothing."""
    reasons = []
    if stats.total.num_requests < limits.requests:
        reasons.append(
            f"{stats.total.num_requests} requests, fewer than the {limits.requests} asked for"
        )
    for entry in stats.entries.values():
        if entry.fail_ratio > limits.error_ratio:
            reasons.append(
                f"{entry.name}: {entry.num_failures} of {entry.num_requests} failed, "
                f"more than {limits.error_ratio:.1%}"
            )
        p95 = entry.get_response_time_percentile(0.95)
        if p95 is not None and p95 > limits.p95_ms:
            reasons.append(f"{entry.name}: p95 is {p95:g} ms, more than {limits.p95_ms:g} ms")
    return reasons
