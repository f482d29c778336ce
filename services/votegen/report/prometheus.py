"""The result in the Prometheus text format, for a textfile collector or a push gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

_QUANTILES = {"p50": "0.5", "p90": "0.9", "p95": "0.95", "p99": "0.99", "p999": "0.999"}


def requests_by_outcome() -> CounterMetricFamily:
    """Return the family of requests that ended; labels target and code."""
    return CounterMetricFamily(
        "votegen_requests", "Requests that ended, by outcome.", labels=["target", "code"]
    )


def late_starts(count: int) -> CounterMetricFamily:
    """Return how many requests were written later than intended."""
    family = CounterMetricFamily("votegen_late_starts", "Requests written later than intended.")
    family.add_metric([], count)
    return family


def render(document: dict[str, Any]) -> str:
    """Return counts and latency quantiles of a result document; no data, no sample."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Result(document))
    return generate_latest(registry).decode()


class _Result(Collector):
    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def collect(self) -> Iterator[Metric]:
        requests = requests_by_outcome()
        latency = GaugeMetricFamily(
            "votegen_latency_seconds",
            "Time from the intended start of a request to its end.",
            labels=["target", "quantile"],
        )
        for name, target in self._document["targets"].items():
            requests.add_metric([name, "ok"], target["ok"])
            for code, count in target["errors"].items():
                requests.add_metric([name, code], count)
            for key, quantile in _QUANTILES.items():
                value = target["latency_ms"][key]
                if value is not None:
                    latency.add_metric([name, quantile], value / 1000)
        yield from (requests, latency, late_starts(self._document["late"]["count"]))
