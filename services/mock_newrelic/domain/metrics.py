"""The metrics that can be asked for, by the name that is also the key of the answer.

What counts as an error is decided when a sample comes in (`domain.ingest.event_api`):

    errorRate       percent of samples that are errors: HTTP 5xx, transport failures, and samples
                    whose own `error` flag is set; an HTTP 4xx never is one
    httpErrorRate   percent of samples with an HTTP status of 500 or more
    http4xxRate     percent of samples with an HTTP status from 400 to 499

`errorRatio` (0-1) and `successRate` (percent) are the error rate in other words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mock_newrelic.domain.histogram import count_up_to, quantile
from mock_newrelic.domain.model import Reading
from svckit.errors import InvalidInput

PERCENT = "percent"
MILLISECONDS = "milliseconds"

DEFAULT_APDEX_SECONDS = 0.5
DEFAULT_SET_METRIC = "errorRate"
"""What an injection sets when it names no metric."""

Compute: TypeAlias = Callable[[Reading, float, float], float | None]
"""(reading, seconds of the window, apdex threshold) -> value, or None when nothing was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric: its name, unit and formula.

    `latency` tells whether the formula needs the histogram. `highest` bounds what can be set.
    """

    name: str
    unit: str
    compute: Compute
    latency: bool = False
    highest: float | None = None


def _percent_of(field: str) -> Compute:
    def compute(reading: Reading, _seconds: float, _threshold: float) -> float:
        part: int = getattr(reading.counts, field)
        return 100 * part / reading.counts.samples

    return compute


def _percentile(ratio: float) -> Compute:
    def compute(reading: Reading, _seconds: float, _threshold: float) -> float | None:
        duration = quantile(reading.histogram, ratio)
        return None if duration is None else duration * 1000

    return compute


def _response_time(reading: Reading, _seconds: float, _threshold: float) -> float | None:
    counts = reading.counts
    return counts.microseconds / counts.timed / 1000 if counts.timed else None


def _apdex(reading: Reading, _seconds: float, threshold: float) -> float | None:
    # New Relic's NRQL apdex(): time only; up to 4t is tolerated and counts half.
    samples = sum(reading.histogram.values())
    if not samples:
        return None
    satisfied = count_up_to(reading.histogram, threshold)
    tolerated = count_up_to(reading.histogram, 4 * threshold) - satisfied
    return (satisfied + tolerated / 2) / samples


_ALL = (
    Metric(name="errorRate", unit=PERCENT, compute=_percent_of("errors"), highest=100),
    Metric(
        name="errorRatio",
        unit="ratio",
        compute=lambda reading, *_: reading.counts.errors / reading.counts.samples,
        highest=1,
    ),
    Metric(
        name="successRate",
        unit=PERCENT,
        compute=lambda reading, *_: (
            100 * (reading.counts.samples - reading.counts.errors) / reading.counts.samples
        ),
        highest=100,
    ),
    Metric(name="httpErrorRate", unit=PERCENT, compute=_percent_of("http_5xx"), highest=100),
    Metric(name="http4xxRate", unit=PERCENT, compute=_percent_of("http_4xx"), highest=100),
    Metric(
        name="throughput",
        unit="requests per minute",
        compute=lambda reading, seconds, _: 60 * reading.counts.samples / seconds,
    ),
    Metric(
        name="rps",
        unit="requests per second",
        compute=lambda reading, seconds, _: reading.counts.samples / seconds,
    ),
    Metric(name="count", unit="requests", compute=lambda reading, *_: reading.counts.samples),
    Metric(name="errorCount", unit="requests", compute=lambda reading, *_: reading.counts.errors),
    Metric(name="responseTime", unit=MILLISECONDS, compute=_response_time),
    *(
        Metric(name=name, unit=MILLISECONDS, compute=_percentile(ratio), latency=True)
        for name, ratio in (
            ("p50", 0.5),
            ("p75", 0.75),
            ("p90", 0.9),
            ("p95", 0.95),
            ("p99", 0.99),
            ("p999", 0.999),
        )
    ),
    Metric(name="apdex", unit="score", compute=_apdex, latency=True, highest=1),
)
METRICS = {metric.name: metric for metric in _ALL}

ERROR_METRICS = frozenset({"errorRate", "errorRatio", "successRate"})
"""One quantity in three units: whoever sets one of them sets all."""


def find_metric(name: str, *, status: int = 400) -> Metric:
    """Return the metric of that name.

    Raises:
        InvalidInput: there is none; the hint lists the names.
    """
    metric = METRICS.get(name)
    if metric is None:
        raise InvalidInput(
            "parameter 'metric' is not a known metric",
            code="bad_metric",
            status=status,
            hint=f"known metrics: {', '.join(sorted(METRICS))}",
        )
    return metric


def error_percent(metric: str, value: float) -> float:
    """Return the error rate in percent that a value of one of ERROR_METRICS stands for."""
    return {"errorRate": value, "errorRatio": 100 * value, "successRate": 100 - value}[metric]


def from_error_percent(metric: str, percent: float) -> float:
    """Return the error rate in percent in the words of one of ERROR_METRICS."""
    return {"errorRate": percent, "errorRatio": percent / 100, "successRate": 100 - percent}[metric]
