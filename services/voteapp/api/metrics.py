"""What the service counts, read from it when Prometheus asks: the serving path only adds ints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client import Metric

    from voteapp.service import VoteService

_KINDS = ("error_ratio", "latency", "status", "hang")


class VoteappCollector(Collector):
    """Requests by status, switches that are on, votes recorded, fate of telemetry events."""

    def __init__(self, service: VoteService, *, telemetry_events: Mapping[str, int]) -> None:
        self._service = service
        self._telemetry_events = telemetry_events

    def collect(self) -> Iterator[Metric]:
        """Yield the present values."""
        requests = CounterMetricFamily(
            "voteapp_requests", "Requests of the voting front end.", labels=["code"]
        )
        for status, count in sorted(self._service.requests_by_status.items()):
            requests.add_metric([str(status)], count)
        yield requests
        faults = GaugeMetricFamily(
            "voteapp_active_faults", "1 while a fault of the kind is on.", labels=["kind"]
        )
        for kind in _KINDS:
            faults.add_metric([kind], float(kind in self._service.faults.kinds))
        yield faults
        yield CounterMetricFamily(
            "voteapp_votes", "Votes recorded.", value=self._service.store.recorded
        )
        events = CounterMetricFamily(
            "voteapp_telemetry_events",
            "Telemetry events by what became of them.",
            labels=["outcome"],
        )
        for outcome, count in self._telemetry_events.items():
            events.add_metric([outcome], count)
        yield events
