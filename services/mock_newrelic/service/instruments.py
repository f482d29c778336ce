"""What the service counts about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class Instruments:
    """The counters and gauges, all in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ingested = Counter(
            "mock_newrelic_ingested_samples_total",
            "Events taken in, by what became of them.",
            ["protocol", "outcome"],
            registry=registry,
        )
        self.refused = Counter(
            "mock_newrelic_refused_batches_total",
            "Bodies refused as a whole.",
            ["protocol", "error"],
            registry=registry,
        )
        self.dropped = Counter(
            "mock_newrelic_dropped_items_total",
            "Items left out of bodies that were otherwise taken in.",
            ["protocol", "reason"],
            registry=registry,
        )
        self.queries = Counter(
            "mock_newrelic_queries_total",
            "Questions answered: ok, injected, or the code of the refusal.",
            ["outcome"],
            registry=registry,
        )
        self.injected = Counter(
            "mock_newrelic_injected_answers_total",
            "Answers that an injection touched.",
            ["effect"],
            registry=registry,
        )
        self.created = Counter(
            "mock_newrelic_injections_created_total",
            "Injections created.",
            ["effect"],
            registry=registry,
        )
        self.active = Gauge(
            "mock_newrelic_active_injections",
            "Injections in force now.",
            ["effect"],
            registry=registry,
        )
        self.series = Gauge(
            "mock_newrelic_series",
            "Series kept, over all applications.",
            registry=registry,
        )
