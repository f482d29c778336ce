"""metrics.md: what each service exports at /metrics, read from its own registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from reference.markdown import code, page, table
from reference.programs import SERVICES, Service
from svckit.metrics import new_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry


class Exported(NamedTuple):
    """One metric as Prometheus sees it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


def render() -> str:
    """Return the page."""
    parts = []
    for service in SERVICES:
        rows = [
            (code(each.name), each.kind, ", ".join(map(code, each.labels)), each.text)
            for each in exported(service)
        ]
        parts += [
            f"## {service.command}",
            table(("Metric", "Type", "Labels", "Meaning"), rows),
        ]
    return page(
        "Metrics",
        "Every service answers `GET /metrics` in Prometheus' text format, without a key. Counters"
        " also have a `_created` series; a histogram is exported as `_bucket`, `_sum` and `_count`."
        " Durations are real seconds, also under a virtual clock. `GET /v1/metrics` of"
        " mock-newrelic and the vote routes of voteapp are answered before the middleware that"
        " feeds `http_server_request_duration_seconds`; their own counters tell of them.",
        *parts,
    )


def exported(service: Service) -> list[Exported]:
    """Return the metrics of a fresh application, sorted by name."""
    registry = new_registry(package=service.package, version="")
    # The middleware, which owns a metric, is built with the first request or by hand.
    application = service.application(registry=registry)
    getattr(application, "_app", application).build_middleware_stack()
    return sorted(_metrics(registry))


def _metrics(registry: CollectorRegistry) -> Iterator[Exported]:
    for collector in list(registry._collector_to_names):  # noqa: SLF001 - the only list there is
        if isinstance(collector, MetricWrapperBase):
            families = [(each, collector._labelnames) for each in collector.describe()]  # noqa: SLF001
        else:
            families = [(each, getattr(each, "_labelnames", ())) for each in collector.collect()]
        for family, labels in families:
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield Exported(name, family.type, tuple(labels), family.documentation)
