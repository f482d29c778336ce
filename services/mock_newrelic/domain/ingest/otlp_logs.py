"""OTLP log records as New Relic's `Log` events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.ingest.batch import Batch
from mock_newrelic.domain.ingest.otlp_points import NANOSECONDS
from mock_newrelic.domain.ingest.otlp_wire import attributes_of, plain
from mock_newrelic.domain.ingest.shared_rows import SharedRows
from mock_newrelic.domain.ingest.telemetry import (
    Dropped,
    ItemError,
    application_of,
    check_age,
    check_attributes,
    event_attributes,
    labels_of,
)

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

KIND = "Log"


def read_logs(request: ExportLogsServiceRequest, *, now: float) -> Batch:
    """Read a request; no log record is a sample.

    Args:
        request: what was sent.
        now: Unix seconds, the time of records that tell none.
    """
    rows, dropped = SharedRows(KIND), Dropped()
    apps: set[str] = set()
    for resource_logs in request.resource_logs:
        resource = attributes_of(resource_logs.resource.attributes)
        records = [record for scope in resource_logs.scope_logs for record in scope.log_records]
        try:
            check_attributes(resource)
            app = application_of(resource)
        except ItemError as error:
            dropped.add(error, count=len(records))
            continue
        if app:
            apps.add(app)
        block = rows.share(event_attributes(app, labels_of(resource), resource))
        for record in records:
            nanoseconds = record.time_unix_nano or record.observed_time_unix_nano
            instant = nanoseconds / NANOSECONDS if nanoseconds else now
            try:
                check_age(instant, now)
                own = _attributes(record)
                check_attributes(own)
            except ItemError as error:
                dropped.add(error, app=app)
                continue
            rows.add(app, block, {**own, "timestamp": round(instant * 1000)}, instant)
    return Batch(
        bins={},
        apps=frozenset(apps),
        others=len(rows),
        records=rows.chunk(now),
        drops=dropped.drops(),
    )


def _attributes(record: LogRecord) -> dict[str, Any]:
    """Return a record's attributes by the names that New Relic gives them."""
    attributes = attributes_of(record.attributes)
    body = plain(record.body)
    if body is not None:
        attributes["message"] = body
    if record.severity_text:
        attributes["severity.text"] = attributes["level"] = record.severity_text
    if record.severity_number:
        attributes["severity.number"] = int(record.severity_number)
    if record.trace_id:
        attributes["trace.id"] = record.trace_id.hex()
    if record.span_id:
        attributes["span.id"] = record.span_id.hex()
    return attributes
