"""The run's counts for Prometheus, read when asked: sending only adds to the tally.

They are those of the present or last run and begin at zero with the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from votegen.report.prometheus import late_starts, requests_by_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric

    from votegen.domain.histogram import Histogram
    from votegen.engine.control import Controller

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class VotegenCollector(Collector):
    """Requests by outcome, latency from the intended time, late starts, work under way."""

    def __init__(
        self, controller: Controller, *, reports: Callable[[], dict[str, int]] | None = None
    ) -> None:
        self._controller = controller
        self._reports = reports

    def collect(self) -> Iterator[Metric]:
        """Yield the present values."""
        requests = requests_by_outcome()
        duration = HistogramMetricFamily(
            "votegen_request_duration_seconds",
            "Time from the intended start of a request to its end.",
            labels=["target"],
        )
        in_flight = GaugeMetricFamily("votegen_in_flight", "Requests under way.")
        backlog = GaugeMetricFamily("votegen_backlog", "Requests that wait for a connection.")
        if self._reports is not None:
            reports = CounterMetricFamily(
                "votegen_reports", "Requests that an APM was told of, or not.", labels=["outcome"]
            )
            for outcome, count in self._reports().items():
                reports.add_metric([outcome], count)
            yield reports
        engine = self._controller.engine
        if engine is not None:
            engine.settle()
            for name, target in engine.tally.targets.items():
                requests.add_metric([name, "ok"], target.ok)
                for kind, count in target.errors.items():
                    requests.add_metric([name, kind.value], count)
                latency = target.latency.snapshot()
                duration.add_metric([name], _buckets(latency), latency.total_seconds)
        late = late_starts(engine.tally.late_starts if engine else 0)
        in_flight.add_metric([], engine.in_flight if engine else 0)
        backlog.add_metric([], engine.backlog if engine else 0)
        yield from (requests, duration, late, in_flight, backlog)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounded = [(str(bound), float(histogram.count_up_to(bound))) for bound in _BOUNDS]
    return [*bounded, ("+Inf", float(histogram.count))]
