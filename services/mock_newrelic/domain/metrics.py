"""The metrics that can be asked for, by the name that is also the key of the answer.

What counts as an error is decided when a sample comes in (`domain.ingest.event_api`):

    errorRate       percent of samples that are errors: HTTP 5xx, transport failures, and samples
                    whose own `error` flag is set; an HTTP 4xx never is one
    httpErrorRate   percent of samples with an HTTP status of 500 or more
    http4xxRate     percent of samples with an HTTP status from 400 to 499

`errorRatio` (0-1) and `successRate` (percent) are the error rate in other words. `errorBudgetBurn`
says how many times faster than a service level objective allows errors come: 1 uses the budget up
exactly at the end of its period.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mock_newrelic.domain.histogram import (
    count_up_to,
    deviation,
    highest,
    lowest,
    quantile,
)
from mock_newrelic.domain.model import Histogram, Reading
from svckit.errors import InvalidInput

PERCENT = "percent"
MILLISECONDS = "milliseconds"

DEFAULT_APDEX_SECONDS = 0.5
DEFAULT_SLO_PERCENT = 99.9
DEFAULT_SET_METRIC = "errorRate"
"""What an injection sets when it names no metric."""

Compute: TypeAlias = Callable[[Reading, float, float], float | None]
"""(reading, seconds of the window, argument) -> value, or None when nothing was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric: its name, unit and formula.

    `latency` tells whether the formula needs the histogram, `statuses` whether it needs those of
    HTTP; the exact counts of agents have neither. `highest` bounds what can be set. `argument` is
    the default of the formula's argument, which a query gives as `parameter`.
    """

    name: str
    unit: str
    compute: Compute
    latency: bool = False
    statuses: bool = False
    highest: float | None = None
    parameter: str = ""
    argument: float = DEFAULT_APDEX_SECONDS

    @property
    def detailed(self) -> bool:
        """Whether more is needed than how many samples and errors there are."""
        return self.latency or self.statuses


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


def _apdex_timeslice(reading: Reading, seconds: float, threshold: float) -> float | None:
    # New Relic's timeslice Apdex: an error frustrates however fast it was. Errors are taken to be
    # as fast as the rest, since the rings do not keep durations by outcome.
    score = _apdex(reading, seconds, threshold)
    counts = reading.counts
    return None if score is None else score * (counts.samples - counts.errors) / counts.samples


def _of_histogram(function: Callable[[Histogram], float | None]) -> Compute:
    def compute(reading: Reading, _seconds: float, _argument: float) -> float | None:
        duration = function(reading.histogram)
        return None if duration is None else duration * 1000

    return compute


def _burn(reading: Reading, _seconds: float, slo: float) -> float:
    return reading.counts.errors / reading.counts.samples / (1 - slo / 100)


def _elsewhere(_reading: Reading, _seconds: float, _argument: float) -> None:
    """Compute nothing: `QueryService` knows hosts and times, a reading does not."""


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
    Metric(
        name="httpErrorRate",
        unit=PERCENT,
        compute=_percent_of("http_5xx"),
        statuses=True,
        highest=100,
    ),
    Metric(
        name="http4xxRate",
        unit=PERCENT,
        compute=_percent_of("http_4xx"),
        statuses=True,
        highest=100,
    ),
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
    *(
        Metric(name=name, unit=MILLISECONDS, compute=_of_histogram(function), latency=True)
        for name, function in (
            ("maxLatency", highest),
            ("minLatency", lowest),
            ("stddev", deviation),
        )
    ),
    Metric(name="apdex", unit="score", compute=_apdex, latency=True, highest=1, parameter="t"),
    Metric(
        name="apdexTimeslice",
        unit="score",
        compute=_apdex_timeslice,
        latency=True,
        highest=1,
        parameter="t",
    ),
    Metric(
        name="errorBudgetBurn",
        unit="times the budget",
        compute=_burn,
        parameter="slo",
        argument=DEFAULT_SLO_PERCENT,
    ),
    Metric(name="uniqueHosts", unit="hosts", compute=_elsewhere),
    Metric(name="lastSeen", unit="seconds since 1970", compute=_elsewhere),
)
METRICS = {metric.name: metric for metric in _ALL}

ALIASES = {
    "avg": "responseTime",
    "duration": "responseTime",
    "error_rate": "errorRate",
    "latency": "responseTime",
    "requests": "count",
    "rpm": "throughput",
}
"""Other names under which a metric can be asked for; the answer uses the name that was asked."""

_PERCENTILE = re.compile(r"percentile\.([0-9]{1,2}(?:\.[0-9]{1,3})?|100)", re.ASCII)

ERROR_METRICS = frozenset({"errorRate", "errorRatio", "successRate"})
"""One quantity in three units: whoever sets one of them sets all."""


def find_metric(name: str, *, status: int = 400) -> Metric:
    """Return the metric of that name or alias; `percentile.97.5` is any percentile.

    Raises:
        InvalidInput: there is none; the hint lists the names.
    """
    metric = METRICS.get(ALIASES.get(name, name))
    if metric is not None:
        return metric
    match = _PERCENTILE.fullmatch(name)
    percent = float(match[1]) if match else 0.0
    if percent <= 0:
        raise InvalidInput(
            "parameter 'metric' is not a known metric",
            code="bad_metric",
            status=status,
            # No error body holds the key of the metric that gates read, hints included.
            hint="known metrics: error_rate, "
            + ", ".join(sorted(METRICS.keys() - {"errorRate"}))
            + ", percentile.NN",
        )
    known = METRICS.get(f"p{percent:g}".replace(".", ""))
    if known is not None:
        return known
    return Metric(name=name, unit=MILLISECONDS, compute=_percentile(percent / 100), latency=True)


def error_percent(metric: str, value: float) -> float:
    """Return the error rate in percent that a value of one of ERROR_METRICS stands for."""
    return {"errorRate": value, "errorRatio": 100 * value, "successRate": 100 - value}[metric]


def from_error_percent(metric: str, percent: float) -> float:
    """Return the error rate in percent in the words of one of ERROR_METRICS."""
    return {"errorRate": percent, "errorRatio": percent / 100, "successRate": 100 - percent}[metric]
