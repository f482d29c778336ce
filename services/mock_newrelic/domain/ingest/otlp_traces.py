"""OTLP spans: which of them are samples, and how all of them read as New Relic's `Span` events.

A sample is the span with which a service takes work from outside: kind server or consumer. Its
duration is the span's, and it is an error when the span's status is one, when it has an
`error.type`, or when its HTTP status is 500 or more.

Source: New Relic documentation, "OpenTelemetry: golden signals" (throughput and response time of
spans of these kinds, errors by `otel.status_code`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from mock_newrelic.domain.ingest.batch import Batch, Bin, Bins
from mock_newrelic.domain.ingest.otlp_wire import attributes_of, plain
from mock_newrelic.domain.ingest.telemetry import (
    IDENTITY,
    MAX_DURATION_SECONDS,
    OUTCOME,
    PROBE,
    TRANSACTION,
    Dropped,
    ItemError,
    application_of,
    check_age,
    event_attributes,
    is_probe,
    labels_of,
    outcome_of,
    transaction_of,
)
from mock_newrelic.domain.model import SeriesKey, Source, Span
from mock_newrelic.domain.records import Chunk, Record, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

    from mock_newrelic.domain.ingest.event_api import ProbeRule

SPANS = "otlp_spans"
"""The codec of requests that are kept as they came."""
KIND = "Span"
_ENTRY = frozenset({OtlpSpan.SPAN_KIND_SERVER, OtlpSpan.SPAN_KIND_CONSUMER})
_WANTED = IDENTITY | OUTCOME | TRANSACTION | PROBE
_NANOSECONDS = 10**9


class _Kind(NamedTuple):
    """What spans have in common that differ in time and duration only."""

    seconds: dict[int, Bin] | None
    """Where they are counted; None for health checks."""
    outcome: tuple[int, int, int]


def read_spans(
    request: ExportTraceServiceRequest, *, payload: bytes, now: float, probes: ProbeRule
) -> Batch:
    """Read a request.

    Args:
        request: what was sent.
        payload: the same as protobuf, to be kept for queries over raw spans.
        now: Unix seconds.
        probes: which requests are health checks.
    """
    reading = _Reading(now, probes)
    for resource_spans in request.resource_spans:
        reading.add(resource_spans)
    return reading.batch(payload)


class _Reading:
    """Counts the spans of one body."""

    def __init__(self, now: float, probes: ProbeRule) -> None:
        self._now = now
        self._probes = probes
        self._bins: Bins = {}
        self._apps: set[str] = set()
        self._dropped = Dropped()
        self._samples = self._health_checks = self._spans = 0
        self._first = self._last = now

    def add(self, resource_spans: ResourceSpans) -> None:
        """Count the spans of one resource."""
        attributes = attributes_of(resource_spans.resource.attributes)
        spans = [span for scope in resource_spans.scope_spans for span in scope.spans]
        try:
            app = application_of(attributes)
        except ItemError as error:
            self._dropped.add(error, count=len(spans))
            return
        if app:
            self._apps.add(app)
        kinds: dict[tuple[Any, ...], _Kind] = {}
        for span in spans:
            try:
                self._count(app, attributes, span, kinds)
            except ItemError as error:
                self._dropped.add(error, app=app)

    def _count(
        self,
        app: str,
        resource: dict[str, Any],
        span: OtlpSpan,
        kinds: dict[tuple[Any, ...], _Kind],
    ) -> None:
        start = span.start_time_unix_nano / _NANOSECONDS
        check_age(start, self._now)
        duration = (span.end_time_unix_nano - span.start_time_unix_nano) / _NANOSECONDS
        if not 0 <= duration <= MAX_DURATION_SECONDS:
            raise ItemError("bad_duration", "a span ends before it starts, or a day later")
        self._spans += 1
        self._first, self._last = min(self._first, start), max(self._last, start)
        if span.kind not in _ENTRY or not app:
            return
        wanted = {pair.key: plain(pair.value) for pair in span.attributes if pair.key in _WANTED}
        failed = span.status.code == Status.STATUS_CODE_ERROR
        key = (failed, *(item for item in wanted.items() if not isinstance(item[1], list | dict)))
        kind = kinds.get(key)
        if kind is None:
            kind = kinds[key] = self._kind(app, {**resource, **wanted}, wanted, failed=failed)
        if kind.seconds is None:
            self._health_checks += 1
            return
        self._samples += 1
        second = span.start_time_unix_nano // _NANOSECONDS
        one = kind.seconds.get(second)
        if one is None:
            one = kind.seconds[second] = Bin()
        one.add(kind.outcome, duration)

    def _kind(
        self, app: str, attributes: dict[str, Any], own: dict[str, Any], *, failed: bool
    ) -> _Kind:
        outcome = outcome_of(own, flagged=failed)
        if is_probe(self._probes, own):
            return _Kind(None, outcome)
        labels = labels_of(attributes)
        if transaction := transaction_of(own):
            labels["transaction"] = transaction
        key = SeriesKey(app, frozenset(labels.items()), Source.SPANS)
        return _Kind(self._bins.setdefault(key, {}), outcome)

    def batch(self, payload: bytes) -> Batch:
        """Return what was counted."""
        records: tuple[Chunk, ...] = ()
        if self._spans:
            records = (
                Chunk(
                    codec=SPANS,
                    payload=payload,
                    kinds=frozenset({KIND}),
                    apps=frozenset(self._apps) or frozenset({""}),
                    span=Span(int(self._first), int(self._last) + 1),
                    count=self._spans,
                    received=self._now,
                ),
            )
        return Batch(
            bins={key: seconds for key, seconds in self._bins.items() if seconds},
            apps=frozenset(self._apps),
            samples=self._samples,
            probes=self._health_checks,
            others=self._spans - self._samples - self._health_checks,
            records=records,
            drops=self._dropped.drops(),
        )


def span_records(chunk: Chunk) -> Iterator[Record]:
    """Yield the spans of a chunk as New Relic's `Span` events; those that were dropped are not."""
    request = ExportTraceServiceRequest.FromString(chunk.payload)
    for resource_spans in request.resource_spans:
        resource = attributes_of(resource_spans.resource.attributes)
        try:
            app = application_of(resource)
        except ItemError:
            continue
        for scope in resource_spans.scope_spans:
            shared = {
                **event_attributes(app, resource),
                "otel.library.name": scope.scope.name,
                "otel.library.version": scope.scope.version,
            }
            for span in scope.spans:
                start = span.start_time_unix_nano / _NANOSECONDS
                try:
                    check_age(start, chunk.received)
                except ItemError:
                    continue
                if span.end_time_unix_nano >= span.start_time_unix_nano:
                    yield Record(KIND, app, Row({**shared, **_attributes(span)}, start))


def _attributes(span: OtlpSpan) -> dict[str, Any]:
    """Return a span's attributes by the names that New Relic gives them."""
    nanoseconds = span.end_time_unix_nano - span.start_time_unix_nano
    attributes = {
        **attributes_of(span.attributes),
        "id": span.span_id.hex(),
        "guid": span.span_id.hex(),
        "trace.id": span.trace_id.hex(),
        "name": span.name,
        "timestamp": span.start_time_unix_nano // 1_000_000,
        "duration": nanoseconds / _NANOSECONDS,
        "duration.ms": nanoseconds / 1e6,
        "span.kind": OtlpSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        "instrumentation.provider": "opentelemetry",
        "otel.status_code": Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
    }
    if span.parent_span_id:
        attributes["parent.id"] = attributes["parentId"] = span.parent_span_id.hex()
    if span.status.message:
        attributes["otel.status_description"] = span.status.message
    return attributes
