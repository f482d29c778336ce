"""OTLP metrics: HTTP and RPC server durations as samples, everything else as `Metric` events.

One histogram of server durations tells requests, errors and latency at once, by OpenTelemetry's
semantic conventions, new (`http.server.request.duration`, seconds) and old (`http.server.duration`,
milliseconds). A service that sends both says the same twice, so the old one then counts as no
sample. A data point stands for the interval since its start (delta) or since the point before it
(cumulative), and its samples are spread over the seconds of that interval.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import msgspec
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    DataPointFlags,
    Metric,
)

from mock_newrelic.domain.ingest.batch import Batch, Bin, Bins, Document
from mock_newrelic.domain.ingest.otlp_buckets import Part, over_seconds, spread
from mock_newrelic.domain.ingest.otlp_points import (
    MAX_SUM,
    NANOSECONDS,
    Added,
    Position,
    Totals,
    advance,
    of_exponential,
    of_histogram,
    of_number,
    of_summary,
)
from mock_newrelic.domain.ingest.otlp_wire import attributes_of
from mock_newrelic.domain.ingest.shared_rows import SharedRows
from mock_newrelic.domain.ingest.telemetry import (
    MAX_NAME,
    Dropped,
    ItemError,
    application_of,
    check_age,
    check_attributes,
    event_attributes,
    has_labels,
    is_probe,
    labels_of,
    outcome_of,
    transaction_of,
)
from mock_newrelic.domain.model import SeriesKey, Source
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )
    from opentelemetry.proto.metrics.v1.metrics_pb2 import ResourceMetrics

    from mock_newrelic.domain.ingest.event_api import ProbeRule

KIND = "Metric"
POSITION = "otlp_position"
"""Kind of the documents that tell where cumulative streams stand."""
MAX_POINTS = 100_000
MAX_POINT_ATTRIBUTES = 100
"""New Relic's own limit of attributes per metric."""

Positions: TypeAlias = Callable[[str], Position | None]
"""Where cumulative streams stand, by key."""

_DURATIONS = {
    "http.server.request.duration": 1.0,
    "http.server.duration": 1e3,
    "rpc.server.call.duration": 1.0,
    "rpc.server.duration": 1e3,
}
"""Histograms of server durations, and units in a second where the metric names no unit."""
_REPLACED = {
    "http.server.duration": "http.server.request.duration",
    "rpc.server.duration": "rpc.server.call.duration",
}
_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6, "ns": 1e9}
_GRPC_ERRORS = frozenset({2, 4, 12, 13, 14, 15})
"""gRPC statuses that are the server's fault, by OpenTelemetry's conventions."""
_DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_HISTOGRAMS = frozenset({"histogram", "exponential_histogram", "summary"})


class _Point(NamedTuple):
    """One data point, whatever its type.

    Attributes:
        totals: of a histogram or of a monotonic sum; None for a mere value.
        value: of a gauge or of a sum that may fall.
        cumulative: whether the totals are those since the start.
    """

    attributes: dict[str, Any]
    start: int
    time: int
    totals: Totals | None
    value: float
    cumulative: bool


def read_metrics(
    request: ExportMetricsServiceRequest,
    *,
    now: float,
    probes: ProbeRule,
    positions: Positions,
    listening: float,
) -> Batch:
    """Read a request.

    Args:
        request: what was sent.
        now: Unix seconds.
        probes: which requests are health checks.
        positions: where cumulative streams stand; where they stand afterwards is among the
            documents of the batch.
        listening: since when (Unix seconds) no cumulative stream can have been missed.

    Raises:
        InvalidInput: it has more data points than one body may have (413).
    """
    reading = _Reading(now, probes, positions, listening)
    for resource_metrics in request.resource_metrics:
        reading.add(resource_metrics)
    return reading.batch()


class _Reading:
    """Counts the data points of one body."""

    def __init__(
        self, now: float, probes: ProbeRule, positions: Positions, listening: float
    ) -> None:
        self._now = now
        self._probes = probes
        self._positions = positions
        self._listening = int(listening * NANOSECONDS)
        self._moved: dict[str, Position] = {}
        self._bins: Bins = {}
        self._apps: set[str] = set()
        self._rows = SharedRows(KIND)
        self._dropped = Dropped()
        self._points = self._samples = self._health_checks = self._others = 0

    def add(self, resource_metrics: ResourceMetrics) -> None:
        """Count the data points of one resource."""
        resource = attributes_of(resource_metrics.resource.attributes)
        metrics = [
            (scope.scope.name, scope.scope.version, metric)
            for scope in resource_metrics.scope_metrics
            for metric in scope.metrics
        ]
        names = {metric.name for _, _, metric in metrics}
        app = ""
        unfit: ItemError | None = None
        try:
            check_attributes(resource)
            app = application_of(resource)
        except ItemError as error:
            unfit = error
        if app:
            self._apps.add(app)
        labels = labels_of(resource)
        block = self._rows.share(event_attributes(app, labels, resource))
        place = _Place(app, resource, labels, _digest(sorted(resource.items())), block)
        for scope, version, metric in metrics:
            is_sample = metric.name in _DURATIONS and _REPLACED.get(metric.name) not in names
            stream = _Stream(place, scope[:MAX_NAME], version[:MAX_NAME], metric, is_sample)
            for point in _points(metric):
                self._points += 1
                if self._points > MAX_POINTS:
                    raise _too_many()
                try:
                    if unfit is not None:
                        raise unfit
                    self._take(stream, point())
                except ItemError as error:
                    self._dropped.add(error, app=app)

    def _take(self, stream: _Stream, point: _Point) -> None:
        check_attributes(point.attributes, MAX_POINT_ATTRIBUTES)
        if not stream.metric.name or len(stream.metric.name) > MAX_NAME:
            raise ItemError("bad_name", f"a metric's name is empty or longer than {MAX_NAME}")
        check_age(point.time / NANOSECONDS, self._now)
        if point.totals is None:
            self._row(stream, point, point.value, point.time / NANOSECONDS)
            self._others += 1
            return
        added = self._added(stream, point, point.totals)
        if added is None:
            return
        check_age(added.start, self._now)
        if not stream.is_sample or not stream.place.app:
            self._others += 1
        elif is_probe(self._probes, point.attributes):
            self._health_checks += added.totals.count
        else:
            self._count(stream, point.attributes, added)
        value: Any = added.totals.total
        if stream.metric.WhichOneof("data") in _HISTOGRAMS:
            value = _summary(added.totals, extremes=not point.cumulative)
        self._row(stream, point, value, added.stop)

    def _added(self, stream: _Stream, point: _Point, totals: Totals) -> Added | None:
        if not point.cumulative:
            start = point.start or point.time
            if start > point.time:
                raise ItemError("bad_timestamp", "a data point starts after its end")
            return Added(start / NANOSECONDS, point.time / NANOSECONDS, totals)
        key = stream.key(point)
        before = self._moved.get(key) or self._positions(key)
        added = advance(
            before, totals, start=point.start, time=point.time, listening=self._listening
        )
        if before is None or point.time > before.time:
            self._moved[key] = Position(point.time, totals)
        return added

    def _count(self, stream: _Stream, own: dict[str, Any], added: Added) -> None:
        totals = added.totals
        if not totals.count:
            return
        metric = stream.metric
        per_second = _UNITS.get(metric.unit, _DURATIONS[metric.name])
        labels = dict(stream.place.labels)
        if has_labels(own):
            labels = labels_of({**stream.place.resource, **own})
        if transaction := transaction_of(own):
            labels["transaction"] = transaction
        status = own.get("rpc.grpc.status_code")
        outcome = outcome_of(own, flagged=isinstance(status, int) and status in _GRPC_ERRORS)
        ours = totals.in_our_buckets(per_second)
        seconds = None if totals.total is None else totals.total / per_second
        key = SeriesKey(stream.place.app, frozenset(labels.items()), Source.OTEL)
        bins = self._bins.setdefault(key, {})
        self._samples += totals.count
        shares = over_seconds(added.start, added.stop)
        buckets = {} if ours is None else ours.counts
        parts = spread(shares, buckets, totals.count if ours is None else 0)
        for part, mine in zip(parts, _shared_sum(seconds, parts), strict=True):
            bins.setdefault(part.second, Bin()).add_histogram(
                part.samples,
                errors=part.samples * outcome[0],
                http_5xx=part.samples * outcome[1],
                http_4xx=part.samples * outcome[2],
                sum_seconds=mine,
                buckets=part.buckets or None,
                approximate=ours is not None and ours.approximate,
            )

    def _row(self, stream: _Stream, point: _Point, value: Any, instant: float) -> None:
        row = {
            **point.attributes,
            "metricName": stream.metric.name,
            "unit": stream.metric.unit[:MAX_NAME],
            "instrumentation.provider": "opentelemetry",
            "otel.library.name": stream.scope,
            "otel.library.version": stream.version,
            "timestamp": round(instant * 1000),
            stream.metric.name: value,
        }
        self._rows.add(stream.place.app, stream.place.block, row, instant)

    def batch(self) -> Batch:
        """Return what was counted."""
        return Batch(
            bins={key: seconds for key, seconds in self._bins.items() if seconds},
            apps=frozenset(self._apps),
            samples=self._samples,
            probes=self._health_checks,
            others=self._others,
            records=self._rows.chunk(self._now),
            drops=self._dropped.drops(),
            documents=tuple(
                Document(kind=POSITION, key=key, value=msgspec.msgpack.encode(position))
                for key, position in self._moved.items()
            ),
        )


class _Place(NamedTuple):
    """Whose data points follow.

    Attributes:
        app: application, empty for none.
        resource: attributes of the resource.
        labels: labels that these make.
        identity: what tells the resource from all others.
        block: number of the attributes that all `Metric` events of the resource share.
    """

    app: str
    resource: dict[str, Any]
    labels: dict[str, str]
    identity: str
    block: int


class _Stream(NamedTuple):
    """One metric of one place; `is_sample` when its data points are samples."""

    place: _Place
    scope: str
    version: str
    metric: Metric
    is_sample: bool

    def key(self, point: _Point) -> str:
        """Return what tells the stream of a point, and its start, from all others."""
        attributes = sorted(point.attributes.items())
        return _digest((self.place.identity, self.scope, self.metric.name, point.start, attributes))


def _digest(value: object) -> str:
    return blake2b(repr(value).encode(), digest_size=16).hexdigest()


def _points(metric: Metric) -> Iterator[Callable[[], _Point]]:
    """Yield what makes each of the data points, which may fail for one and not for the next."""
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    temporality = getattr(data, "aggregation_temporality", _DELTA)
    for point in data.data_points:
        if not point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
            yield partial(_point, kind, data, temporality, point)


def _point(kind: str, data: Any, temporality: int, point: Any) -> _Point:
    if temporality not in {_DELTA, _CUMULATIVE}:
        raise ItemError("bad_temporality", "the aggregation temporality is not told")
    totals, value = None, 0.0
    match kind:
        case "histogram":
            totals = of_histogram(point)
        case "exponential_histogram":
            totals = of_exponential(point)
        case "summary":
            totals = of_summary(point)
        case _:
            value = float(point.as_int if point.HasField("as_int") else point.as_double)
            if not abs(value) <= MAX_SUM**2:
                raise ItemError("bad_value", "the value is no number, or a very large one")
            if kind == "sum" and data.is_monotonic:
                totals = of_number(value)
    return _Point(
        attributes_of(point.attributes),
        point.start_time_unix_nano,
        point.time_unix_nano,
        totals,
        value,
        temporality == _CUMULATIVE,
    )


def _summary(totals: Totals, *, extremes: bool) -> dict[str, Any]:
    """Return a histogram as `Metric` events tell it, in the units of its metric."""
    summary: dict[str, Any] = {"count": totals.count}
    distribution = totals.distribution()
    if distribution is not None:
        summary["distribution"] = distribution
    if totals.total is not None:
        summary["sum"] = totals.total
    if extremes and totals.lowest is not None and totals.highest is not None:
        summary |= {"min": totals.lowest, "max": totals.highest}
    return summary


def _shared_sum(seconds: float | None, parts: list[Part]) -> Iterator[float | None]:
    """Yield what each part has of a sum, in proportion to the durations in its buckets."""
    if seconds is None:
        yield from (None for _ in parts)
        return
    weights = [part.lasting or float(part.samples) for part in parts]
    whole = sum(weights)
    yield from (seconds * weight / whole for weight in weights)


def _too_many() -> InvalidInput:
    return InvalidInput(
        f"the body holds more than {MAX_POINTS} data points",
        code="too_large",
        status=413,
        hint="send them in several bodies",
    )
