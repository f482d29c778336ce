"""New Relic's Metric API: counts of requests and errors, summaries of latencies.

Which metrics mean these is set by patterns (`GoldenSignals`). Requests are samples; errors are the
errors of samples that another metric counts; a summary tells how long samples took together, and
never how they are distributed, so averages can be told and quantiles cannot. Where a body has no
metric of errors, an HTTP status of 500 or more or an `error` attribute of the requests tells them.

Source: New Relic documentation, "Report metrics via the Metric API".
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from mock_newrelic.domain.ingest.batch import Batch, Bin, Bins
from mock_newrelic.domain.ingest.blocks import attributes_of, blocks_of, is_item
from mock_newrelic.domain.ingest.otlp_buckets import over_seconds, spread
from mock_newrelic.domain.ingest.otlp_points import MAX_COUNT, MAX_SUM
from mock_newrelic.domain.ingest.shared_rows import SharedRows
from mock_newrelic.domain.ingest.telemetry import (
    MAX_NAME,
    Dropped,
    ItemError,
    application_of,
    check_age,
    event_attributes,
    is_flag,
    is_probe,
    labels_of,
    outcome_of,
    unix_seconds,
)
from mock_newrelic.domain.model import SeriesKey, Source

if TYPE_CHECKING:
    from mock_newrelic.domain.ingest.blocks import Block
    from mock_newrelic.domain.ingest.event_api import ProbeRule

KIND = "Metric"
UNITS = {"s": 1.0, "ms": 1e3}
_TYPES = frozenset({"gauge", "count", "summary"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenSignals:
    """Which metrics tell requests, errors and latencies; the first pattern that matches counts.

    Attributes:
        requests: shell-style patterns of names of counts.
        errors: the same.
        latencies: patterns of names of summaries, with the unit of each: `s` or `ms`.
    """

    requests: tuple[str, ...] = ("*.requests",)
    errors: tuple[str, ...] = ("*.errors",)
    latencies: tuple[tuple[str, str], ...] = (
        ("*.ms", "ms"),
        ("http.server.duration", "ms"),
        ("*.duration", "s"),
    )

    def is_request(self, name: str) -> bool:
        """Whether a count of this name counts requests."""
        return _matches(name, self.requests)

    def is_error(self, name: str) -> bool:
        """Whether a count of this name counts errors."""
        return _matches(name, self.errors)

    def latency_unit(self, name: str) -> str:
        """Return the unit of the latencies that a summary of this name tells; empty for none."""
        return next((unit for one, unit in self.latencies if fnmatchcase(name, one)), "")


class _Metric(NamedTuple):
    """One metric that can be kept."""

    app: str
    name: str
    kind: str
    value: Any
    start: float
    stop: float
    attributes: dict[str, Any]
    own: dict[str, Any]
    labels: dict[str, str]


def read_metrics(body: bytes, now: float, *, signals: GoldenSignals, probes: ProbeRule) -> Batch:
    """Read one body.

    Args:
        body: JSON, as it was sent.
        now: Unix seconds.
        signals: which metrics mean what.
        probes: which requests are health checks.
    """
    reading = _Reading(now, signals, probes)
    for block in blocks_of(body, "metrics", reading.dropped):
        reading.add(block)
    return reading.batch()


class _Reading:
    """Counts the metrics of one body."""

    def __init__(self, now: float, signals: GoldenSignals, probes: ProbeRule) -> None:
        self.dropped = Dropped()
        self._now = now
        self._signals = signals
        self._probes = probes
        self._rows = SharedRows(KIND)
        self._golden: list[_Metric] = []
        self._apps: set[str] = set()

    def add(self, block: Block) -> None:
        """Take in the metrics of a block."""
        number = self._rows.share(block.attributes)
        for item in block.items:
            try:
                metric = self._metric(is_item(item), block)
            except ItemError as error:
                self.dropped.add(error)
                continue
            if metric.app:
                self._apps.add(metric.app)
            if metric.app and self._is_golden(metric):
                self._golden.append(metric)
            row = {
                **event_attributes(metric.app, metric.labels, metric.own),
                "metricName": metric.name,
                "type": metric.kind,
                "interval.ms": round((metric.stop - metric.start) * 1000),
                "timestamp": round(metric.start * 1000),
                metric.name: metric.value,
            }
            self._rows.add(metric.app, number, row, metric.start)

    def _metric(self, item: dict[str, Any], block: Block) -> _Metric:
        name = item.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise ItemError("bad_name", f"a metric's name is missing or longer than {MAX_NAME}")
        kind = item.get("type", "gauge")
        if not isinstance(kind, str) or kind not in _TYPES:
            raise ItemError("bad_type", "a metric's type is none of gauge, count and summary")
        own = attributes_of(item)
        attributes = {**block.attributes, **own}
        start = unix_seconds(item.get("timestamp", block.common.get("timestamp")), self._now)
        check_age(start, self._now)
        interval = item.get("interval.ms", block.common.get("interval.ms"))
        if kind == "gauge":
            interval = 0
        elif not _is_number(interval) or interval < 0:
            raise ItemError("bad_interval", "a count or summary has no positive 'interval.ms'")
        stop = start + interval / 1000
        check_age(stop, self._now)
        value = _value(kind, item.get("value"))
        if kind == "summary" and value["sum"] < 0 and self._signals.latency_unit(name):
            raise ItemError("bad_value", "the sum of durations is negative")
        return _Metric(
            application_of(attributes),
            name,
            kind,
            value,
            start,
            stop,
            attributes,
            own,
            labels_of(attributes),
        )

    def _is_golden(self, metric: _Metric) -> bool:
        signals = self._signals
        if metric.kind == "summary":
            return bool(signals.latency_unit(metric.name))
        return metric.kind == "count" and (
            signals.is_request(metric.name) or signals.is_error(metric.name)
        )

    def batch(self) -> Batch:
        """Return what was counted."""
        bins: Bins = {}
        told = {one.app for one in self._golden if self._signals.is_error(one.name)}
        samples = health_checks = 0
        for metric in self._golden:
            if is_probe(self._probes, metric.attributes):
                health_checks += _count(metric) if self._signals.is_request(metric.name) else 0
                continue
            labels = frozenset(metric.labels.items())
            seconds = bins.setdefault(SeriesKey(metric.app, labels, Source.API), {})
            self._count(metric, seconds, errors_told=metric.app in told)
            samples += _count(metric) if self._signals.is_request(metric.name) else 0
        return Batch(
            bins={key: seconds for key, seconds in bins.items() if seconds},
            apps=frozenset(self._apps),
            samples=samples,
            probes=health_checks,
            others=len(self._rows) - len(self._golden),
            records=self._rows.chunk(self._now),
            drops=self.dropped.drops(),
        )

    def _count(self, metric: _Metric, seconds: dict[int, Bin], *, errors_told: bool) -> None:
        count = _count(metric)
        if not count:
            return
        parts = spread(over_seconds(metric.start, metric.stop), {}, count)
        if metric.kind == "summary":
            total = metric.value["sum"] / UNITS[self._signals.latency_unit(metric.name)]
            for part in parts:
                seconds.setdefault(part.second, Bin()).add_durations(
                    part.samples, total * part.samples / count
                )
        elif self._signals.is_error(metric.name):
            for part in parts:
                seconds.setdefault(part.second, Bin()).add_histogram(0, errors=part.samples)
        else:
            flagged = is_flag(metric.attributes.get("error"))
            error, server, client = outcome_of(metric.attributes, flagged=flagged)
            error = 0 if errors_told else error
            for part in parts:
                seconds.setdefault(part.second, Bin()).add_histogram(
                    part.samples,
                    errors=part.samples * error,
                    http_5xx=part.samples * server,
                    http_4xx=part.samples * client,
                )


def _count(metric: _Metric) -> int:
    """Return how many samples a metric of a golden signal speaks of."""
    value: float = metric.value["count"] if metric.kind == "summary" else metric.value
    return round(value)


def _value(kind: str, value: Any) -> Any:
    if kind == "summary":
        if not isinstance(value, dict):
            raise ItemError("bad_value", "the value of a summary is no object")
        count, total = value.get("count"), value.get("sum")
        if not _is_number(count) or not _is_number(total) or not 0 <= count <= MAX_COUNT:
            raise ItemError("bad_value", "a summary has no count and sum that it can have")
        if abs(total) > MAX_SUM:
            raise ItemError("bad_value", "the sum of a summary is too large")
        extremes = {name: value[name] for name in ("min", "max") if _is_number(value.get(name))}
        return {"count": count, "sum": total, **extremes}
    if not _is_number(value):
        raise ItemError("bad_value", "the value is no number")
    if kind == "count" and not 0 <= value <= MAX_COUNT:
        raise ItemError("bad_value", f"a count is not from 0 to {MAX_COUNT}")
    return value


def _is_number(value: Any) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isfinite(value) and abs(value) <= MAX_SUM**2


@lru_cache(maxsize=4096)
def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
