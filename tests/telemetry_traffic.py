"""The same requests as each telemetry protocol would tell them, by the clients' own encoders."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

PROTOBUF = {"Content-Type": "application/x-protobuf"}
EXPONENTIAL = ExponentialBucketHistogramAggregation()
EXPLICIT = ExplicitBucketHistogramAggregation(
    (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
)
_NANOSECONDS = 10**9


@dataclass(frozen=True, slots=True)
class Served:
    """One request that a service has answered: when (Unix seconds), how long it took, how."""

    at: float
    seconds: float
    status: int


@cache
def traffic(
    end: float, *, count: int = 10_000, span: float = 100.0, seed: int = 7
) -> tuple[Served, ...]:
    """Return requests of the last `span` seconds: log-normal durations, 2 % 500s, 1 % 404s."""
    rng = random.Random(seed)  # noqa: S311 - simulated traffic, no secret
    return tuple(
        Served(
            at=end - span + span * number / count,
            seconds=round(rng.lognormvariate(-3.5, 0.8), 6),
            status=rng.choices((200, 500, 404), (97, 2, 1))[0],
        )
        for number in range(count)
    )


def quantile(served: Sequence[Served], ratio: float) -> float:
    """Return the duration (seconds) that this part of the requests does not exceed."""
    ordered = sorted(one.seconds for one in served)
    return ordered[max(0, -(-int(ratio * 1e6) * len(ordered) // 10**6) - 1)]


def as_events(served: Sequence[Served], app: str) -> list[dict[str, Any]]:
    """Return the requests as events of the Event API."""
    return [
        {
            "eventType": "Transaction",
            "appName": app,
            "timestamp": one.at * 1000,
            "duration": one.seconds,
            "error": one.status >= 500,
            "httpResponseCode": str(one.status),
        }
        for one in served
    ]


def as_metrics(
    served: Sequence[Served],
    app: str,
    *,
    aggregation: Aggregation = EXPONENTIAL,
    interval: float = 10.0,
    name: str = "http.server.request.duration",
    unit: str = "s",
    **resource: str,
) -> Iterator[ExportMetricsServiceRequest]:
    """Yield what OpenTelemetry's SDK exports every `interval` seconds, as deltas.

    The numbers are the SDK's; only the times are those of the requests instead of today's.
    """
    units = {"s": 1.0, "ms": 1e3}[unit]
    reader = InMemoryMetricReader(
        preferred_temporality={Histogram: AggregationTemporality.DELTA},
        preferred_aggregation={Histogram: aggregation},
    )
    provider = MeterProvider(
        metric_readers=[reader], resource=Resource({"service.name": app, **resource})
    )
    histogram = provider.get_meter("traffic").create_histogram(name, unit)
    first = served[0].at
    for number in range(int((served[-1].at - first) // interval) + 1):
        start, stop = first + number * interval, first + (number + 1) * interval
        for one in served:
            if start <= one.at < stop:
                histogram.record(one.seconds * units, _attributes(one))
        request: ExportMetricsServiceRequest = encode_metrics(reader.get_metrics_data())
        for point in points(request):
            point.start_time_unix_nano = round(start * _NANOSECONDS)
            point.time_unix_nano = round(stop * _NANOSECONDS)
        yield request
    provider.shutdown()


def points(request: ExportMetricsServiceRequest) -> Iterator[Any]:
    """Yield all data points of a request."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield from getattr(metric, metric.WhichOneof("data")).data_points


def as_spans(served: Sequence[Served], app: str) -> ExportTraceServiceRequest:
    """Return the requests as server spans of OpenTelemetry's SDK."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": app}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("traffic")
    for one in served:
        start = round(one.at * _NANOSECONDS)
        span = tracer.start_span(
            "GET /", kind=SpanKind.SERVER, attributes=_attributes(one), start_time=start
        )
        if one.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(start + round(one.seconds * _NANOSECONDS))
    finished: tuple[ReadableSpan, ...] = exporter.get_finished_spans()
    request: ExportTraceServiceRequest = encode_spans(finished)
    return request


def as_metric_api(served: Sequence[Served], app: str) -> list[dict[str, Any]]:
    """Return the requests as counts and summaries of the Metric API, one of each every 10 s."""
    metrics: list[dict[str, Any]] = []
    first = served[0].at
    for number in range(int((served[-1].at - first) // 10) + 1):
        start = first + 10 * number
        mine = [one for one in served if start <= one.at < start + 10]
        common = {"timestamp": round(start * 1000), "interval.ms": 10_000}
        for status, count in Counter(one.status for one in mine).items():
            metrics.append(
                {
                    "name": "http.requests",
                    "type": "count",
                    "value": count,
                    "attributes": {"http.response.status_code": status},
                    **common,
                }
            )
        durations = [one.seconds for one in mine]
        metrics.append(
            {
                "name": "http.duration",
                "type": "summary",
                "value": {
                    "count": len(mine),
                    "sum": sum(durations),
                    "min": min(durations),
                    "max": max(durations),
                },
                **common,
            }
        )
    return [{"common": {"attributes": {"service.name": app}}, "metrics": metrics}]


def as_connect(app: str) -> list[dict[str, Any]]:
    """Return with what an agent of New Relic begins a run, as far as it matters here."""
    return [
        {
            "pid": 1,
            "host": "pod-1",
            "display_host": "pod-1",
            "language": "python",
            "app_name": [app],
            "identifier": app,
            "agent_version": "14.1.0",
            "environment": [],
            "metadata": {},
            "labels": [],
            "settings": {},
            "security_settings": {},
            "utilization": {},
            "high_security": False,
        }
    ]


def as_harvest(served: Sequence[Served], run: str) -> list[Any]:
    """Return the requests as transaction events of one harvest of a Python agent."""
    events = [
        [
            {
                "type": "Transaction",
                "name": "WebTransaction/Function/app:index",
                "timestamp": round(one.at * 1000),
                "duration": one.seconds,
                "apdexPerfZone": "F" if one.status >= 500 else "S",
                **({"error": True} if one.status >= 500 else {}),
            },
            {},
            {"http.statusCode": one.status, "response.status": str(one.status)},
        ]
        for one in served
    ]
    return [run, {"reservoir_size": 10_000, "events_seen": len(events)}, events]


def _attributes(one: Served) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "http.request.method": "GET",
        "http.route": "/",
        "http.response.status_code": one.status,
    }
    if one.status >= 500:
        attributes["error.type"] = str(one.status)
    return attributes
