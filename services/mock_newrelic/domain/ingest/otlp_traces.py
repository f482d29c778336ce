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
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from mock_newrelic.domain.ingest.batch import Batch, Bin, Bins
from mock_newrelic.domain.ingest.otlp_lean import LeanRequest
from mock_newrelic.domain.ingest.otlp_points import NANOSECONDS
from mock_newrelic.domain.ingest.otlp_wire import attributes_of
from mock_newrelic.domain.ingest.telemetry import (
    IDENTITY,
    MAX_AGE_SECONDS,
    MAX_AHEAD_SECONDS,
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

    from mock_newrelic.domain.ingest.event_api import ProbeRule

SPANS = "otlp_spans"
"""The codec of requests that are kept as they came."""
KIND = "Span"
_ENTRY = frozenset({OtlpSpan.SPAN_KIND_SERVER, OtlpSpan.SPAN_KIND_CONSUMER})
_KINDS = {
    number: name.removeprefix("SPAN_KIND_").lower() for name, number in OtlpSpan.SpanKind.items()
}
_STATUSES = {
    number: name.removeprefix("STATUS_CODE_") for name, number in Status.StatusCode.items()
}
"""Names of what a sender may also tell by numbers that nobody knows."""
_LONGEST = MAX_DURATION_SECONDS * NANOSECONDS
_TELLING = IDENTITY | OUTCOME | TRANSACTION


class _Kind(NamedTuple):
    """What spans have in common that differ in time and duration only."""

    place: int
    """Number of the series that they count in; -1 for health checks."""
    outcome: tuple[int, int, int]


class _Wanted(dict[bytes, bool]):
    """Whether an attribute, as the bytes that it was sent in, makes a difference to samples."""

    def __init__(self, probes: ProbeRule) -> None:
        super().__init__()
        self._probes = probes

    def __missing__(self, sent: bytes) -> bool:
        pair = KeyValue.FromString(sent)
        wanted = pair.key in _TELLING
        if not wanted and pair.key in PROBE:
            wanted = is_probe(self._probes, attributes_of([pair]))
        self[sent] = wanted
        return wanted


def read_spans(payload: bytes, *, now: float, probes: ProbeRule) -> Batch:
    """Read a request.

    Args:
        payload: the request as protobuf, which is kept for queries over raw spans.
        now: Unix seconds.
        probes: which requests are health checks.
    """
    reading = _Reading(now, probes)
    for resource_spans in LeanRequest.FromString(payload).resource_spans:
        reading.add(resource_spans)
    return reading.batch(payload)


class _Reading:
    """Counts the spans of one body."""

    def __init__(self, now: float, probes: ProbeRule) -> None:
        self._now = now
        self._probes = probes
        self._wanted = _Wanted(probes)
        self._places: dict[SeriesKey, int] = {}
        self._kinds: list[_Kind] = []
        self._counted: list[tuple[int, int, int]] = []
        """Kind, start and length of the spans that are samples, in nanoseconds."""
        self._apps: set[str] = set()
        self._dropped = Dropped()
        self._starts: list[int] = []

    def add(self, resource_spans: Any) -> None:
        """Count the spans of one resource."""
        resource = attributes_of(Resource.FromString(resource_spans.resource).attributes)
        spans = [span for scope in resource_spans.scope_spans for span in scope.spans]
        try:
            app = application_of(resource)
        except ItemError as error:
            self._dropped.add(error, count=len(spans))
            return
        if app:
            self._apps.add(app)
        self._count(app, resource, spans)

    def _count(self, app: str, resource: dict[str, Any], spans: list[Any]) -> None:
        wanted, starts, counted = self._wanted, self._starts, self._counted
        oldest, latest = _allowed(self._now)
        kinds: dict[tuple[Any, ...], int] = {}
        for span in spans:
            start = span.start_time_unix_nano
            length = span.end_time_unix_nano - start
            if not (oldest <= start <= latest and 0 <= length <= _LONGEST):
                self._dropped.add(_refusal(start, self._now), app=app)
                continue
            starts.append(start)
            if span.kind not in _ENTRY or not app:
                continue
            key = (span.status.code, *[one for one in span.attributes if wanted[one]])
            kind = kinds.get(key)
            if kind is None:
                kind = kinds[key] = self._kind(app, resource, *key)
            counted.append((kind, start, length))

    def _kind(self, app: str, resource: dict[str, Any], status: int, *sent: bytes) -> int:
        """Return the number of a new kind of spans."""
        own = attributes_of(map(KeyValue.FromString, sent))
        outcome = outcome_of(own, flagged=status == Status.STATUS_CODE_ERROR)
        place = -1
        if not is_probe(self._probes, own):
            labels = labels_of({**resource, **own})
            if transaction := transaction_of(own):
                labels["transaction"] = transaction
            key = SeriesKey(app, frozenset(labels.items()), Source.SPANS)
            place = self._places.setdefault(key, len(self._places))
        self._kinds.append(_Kind(place, outcome))
        return len(self._kinds) - 1

    def _bins(self) -> tuple[Bins, int]:
        """Return the counts by series and second, and how many spans they are of."""
        if not self._counted:
            return {}, 0
        # An idle service does without numpy.
        import numpy as np  # noqa: PLC0415

        from mock_newrelic.domain.ingest.bulk import add_many  # noqa: PLC0415

        which, starts, lengths = np.array(self._counted, dtype=np.int64).T
        places = np.array([kind.place for kind in self._kinds])[which]
        shown = places >= 0
        by_place: list[dict[int, Bin]] = [{} for _ in self._places]
        add_many(
            by_place,
            places[shown],
            starts[shown] // NANOSECONDS,
            lengths[shown] / NANOSECONDS,
            np.array([kind.outcome for kind in self._kinds])[which[shown]],
        )
        return dict(zip(self._places, by_place, strict=True)), int(np.count_nonzero(shown))

    def batch(self, payload: bytes) -> Batch:
        """Return what was counted."""
        records: tuple[Chunk, ...] = ()
        starts, (bins, samples) = self._starts, self._bins()
        probes = len(self._counted) - samples
        if starts:
            records = (
                Chunk(
                    codec=SPANS,
                    payload=payload,
                    kinds=frozenset({KIND}),
                    apps=frozenset(self._apps) or frozenset({""}),
                    span=Span(min(starts) // NANOSECONDS, max(starts) // NANOSECONDS + 1),
                    count=len(starts),
                    received=self._now,
                ),
            )
        return Batch(
            bins=bins,
            apps=frozenset(self._apps),
            samples=samples,
            probes=probes,
            others=len(starts) - samples - probes,
            records=records,
            drops=self._dropped.drops(),
        )


def span_records(chunk: Chunk) -> Iterator[Record]:
    """Yield the spans of a chunk as New Relic's `Span` events; those that were dropped are not."""
    request = ExportTraceServiceRequest.FromString(chunk.payload)
    oldest, latest = _allowed(chunk.received)
    for resource_spans in request.resource_spans:
        resource = attributes_of(resource_spans.resource.attributes)
        try:
            app = application_of(resource)
        except ItemError:
            continue
        for scope in resource_spans.scope_spans:
            shared = {
                **event_attributes(app, labels_of(resource), resource),
                "otel.library.name": scope.scope.name,
                "otel.library.version": scope.scope.version,
            }
            for span in scope.spans:
                start = span.start_time_unix_nano
                length = span.end_time_unix_nano - start
                if oldest <= start <= latest and 0 <= length <= _LONGEST:
                    row = Row({**shared, **_attributes(span)}, start / NANOSECONDS)
                    yield Record(KIND, app, row)


def _allowed(now: float) -> tuple[int, int]:
    """Return the earliest and the latest start of a span, in Unix nanoseconds."""
    return (
        round((now - MAX_AGE_SECONDS) * NANOSECONDS),
        round((now + MAX_AHEAD_SECONDS) * NANOSECONDS),
    )


def _refusal(start: int, now: float) -> ItemError:
    """Return why a span is not kept."""
    try:
        check_age(start / NANOSECONDS, now)
    except ItemError as error:
        return error
    return ItemError("bad_duration", "a span ends before it starts, or a day later")


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
        "duration": nanoseconds / NANOSECONDS,
        "duration.ms": nanoseconds / 1e6,
        "span.kind": _KINDS.get(span.kind, "unspecified"),
        "instrumentation.provider": "opentelemetry",
        "otel.status_code": _STATUSES.get(span.status.code, "UNSET"),
    }
    if span.parent_span_id:
        attributes["parent.id"] = attributes["parentId"] = span.parent_span_id.hex()
    if span.status.message:
        attributes["otel.status_description"] = span.status.message
    return attributes
