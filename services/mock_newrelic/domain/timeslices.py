"""Timeslice metrics of REST v2, made from readings. Times are milliseconds there.

    error rate in percent = 100 * Errors/all:error_count / HttpDispatcher:call_count

Source: New Relic's "migrate to NRQL" table of REST v2 values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.histogram import count_up_to
from mock_newrelic.domain.metrics import DEFAULT_APDEX_SECONDS

if TYPE_CHECKING:
    from mock_newrelic.domain.model import Reading

_CALLS = (
    "average_response_time",
    "average_call_time",
    "call_count",
    "calls_per_minute",
    "requests_per_minute",
    "total_call_time_per_minute",
)
_ERRORS = ("error_count", "errors_per_minute")
_APDEX = ("score", "s", "t", "f", "count", "value", "threshold", "threshold_min")

METRIC_VALUES: dict[str, tuple[str, ...]] = {
    "Apdex": _APDEX,
    "Errors/all": _ERRORS,
    "Errors/allWeb": _ERRORS,
    "HttpDispatcher": _CALLS,
    "OtherTransaction/all": _CALLS,
    "WebTransaction": _CALLS,
}
"""Which metrics there are, and which values each has."""


def timeslice_values(name: str, reading: Reading, seconds: float) -> dict[str, float]:
    """Return the values of a metric over so many seconds.

    Values that need samples (averages, scores) are missing when there are none.
    """
    minutes = seconds / 60
    values = METRIC_VALUES[name]
    if values is _ERRORS:
        errors = reading.counts.errors
        return {"error_count": errors, "errors_per_minute": round(errors / minutes, 4)}
    if values is _APDEX:
        return _apdex(reading)
    if name == "OtherTransaction/all":
        # Every sample is a web transaction.
        return {"call_count": 0, "calls_per_minute": 0.0, "requests_per_minute": 0.0}
    counts = reading.counts
    per_minute = round(counts.samples / minutes, 4)
    calls: dict[str, float] = {
        "call_count": counts.samples,
        "calls_per_minute": per_minute,
        "requests_per_minute": per_minute,
    }
    if counts.timed:
        mean = round(counts.microseconds / counts.timed / 1000, 4)
        calls["average_response_time"] = calls["average_call_time"] = mean
        calls["total_call_time_per_minute"] = round(counts.microseconds / 1000 / minutes, 4)
    return calls


def _apdex(reading: Reading) -> dict[str, float]:
    threshold = DEFAULT_APDEX_SECONDS
    count = sum(reading.histogram.values())
    values: dict[str, float] = {"count": count, "threshold": threshold, "threshold_min": threshold}
    if not count:
        return values
    satisfied = count_up_to(reading.histogram, threshold)
    tolerated = count_up_to(reading.histogram, 4 * threshold) - satisfied
    score = round((satisfied + tolerated / 2) / count, 4)
    return values | {
        "score": score,
        "value": score,
        "s": satisfied,
        "t": tolerated,
        "f": count - satisfied - tolerated,
    }
