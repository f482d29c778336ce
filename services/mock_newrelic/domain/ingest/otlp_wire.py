"""OTLP/HTTP on the wire: requests and answers as protobuf or as JSON.

Source: OTLP specification 1.x, "OTLP/HTTP" and "JSON Protobuf Encoding": protobuf's JSON mapping
with trace and span ids in hex, enums as numbers and unknown fields ignored.
"""

from __future__ import annotations

import base64
import binascii
import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped] # it has no stubs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    from mock_newrelic.domain.ingest.batch import Drop

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
NOT_OTLP = "not_otlp"
"""Code of the refusal of JSON that is no request of OTLP at all."""
MAX_DEPTH = 100
"""Protobuf's own limit of nesting; JSON gets the same."""


class Signal(StrEnum):
    """What is sent, as its path names it."""

    METRICS = "metrics"
    TRACES = "traces"
    LOGS = "logs"


REQUESTS: dict[Signal, type[Message]] = {
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
_RESPONSES: dict[Signal, type[Message]] = {
    Signal.METRICS: ExportMetricsServiceResponse,
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
}
_REJECTED = {
    Signal.METRICS: "rejected_data_points",
    Signal.TRACES: "rejected_spans",
    Signal.LOGS: "rejected_log_records",
}
_ROOTS = {
    Signal.METRICS: ("resourceMetrics", "resource_metrics"),
    Signal.TRACES: ("resourceSpans", "resource_spans"),
    Signal.LOGS: ("resourceLogs", "resource_logs"),
}
_IDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 413: 3, 415: 3, 429: 8, 503: 14, 507: 8}
"""HTTP statuses as google.rpc.Code; 13 (internal) for others."""


def media_type_of(content_type: str) -> str:
    """Return the media type of a Content-Type header, lower-case and without parameters."""
    return content_type.partition(";")[0].strip().lower()


def decode(signal: Signal, media_type: str, body: bytes) -> Message:
    """Return the request in a body.

    Raises:
        InvalidInput: it is none (400).
    """
    request = REQUESTS[signal]()
    if media_type == PROTOBUF:
        try:
            request.ParseFromString(body)
        except (DecodeError, ValueError):
            raise _bad(f"the body is no protobuf {request.DESCRIPTOR.name}") from None
        return request
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _bad("the body is not JSON, or nested too deeply") from None
    if not holds_request(signal, document):
        raise InvalidInput(f"the body has no {_ROOTS[signal][0]}", code=NOT_OTLP, status=400)
    try:
        json_format.ParseDict(
            _with_bytes(document, 0),
            request,
            ignore_unknown_fields=True,
            max_recursion_depth=MAX_DEPTH,
        )
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise _bad(f"the body is no {request.DESCRIPTOR.name}: {_first_line(error)}") from None
    return request


def as_document(signal: Signal, body: bytes) -> Any:
    """Return a protobuf request as OTLP's JSON would have it.

    Raises:
        InvalidInput: it is none.
    """
    return _with_hex(json_format.MessageToDict(decode(signal, PROTOBUF, body)))


def holds_request(signal: Signal, document: Any) -> bool:
    """Whether a JSON document is a request of this signal; an empty one is."""
    return isinstance(document, dict) and (
        not document or any(root in document for root in _ROOTS[signal])
    )


def _with_bytes(value: Any, depth: int) -> Any:
    """Return a document with its hexadecimal ids in base64, as protobuf's JSON mapping wants."""
    if depth > MAX_DEPTH * 2:
        raise ValueError("nested too deeply")
    if isinstance(value, list):
        return [_with_bytes(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {
            name: _id(one) if name in _IDS else _with_bytes(one, depth + 1)
            for name, one in value.items()
        }
    return value


def _with_hex(value: Any) -> Any:
    """Return a document with its ids in hexadecimal digits instead of base64."""
    if isinstance(value, list):
        return [_with_hex(one) for one in value]
    if isinstance(value, dict):
        return {
            name: base64.b64decode(one).hex() if name in _IDS else _with_hex(one)
            for name, one in value.items()
        }
    return value


def _id(value: Any) -> Any:
    if not isinstance(value, str) or len(value) not in {16, 32}:
        return value
    try:
        return base64.b64encode(binascii.unhexlify(value)).decode()
    except ValueError:
        return value


def answer(signal: Signal, media_type: str, drops: Sequence[Drop]) -> bytes:
    """Return the answer to an accepted request, telling what of it was rejected."""
    response = _RESPONSES[signal]()
    if drops:
        partial = response.partial_success  # type: ignore[attr-defined] # all three have it
        setattr(partial, _REJECTED[signal], sum(one.count for one in drops))
        partial.error_message = "; ".join(f"{one.count}: {one.detail}" for one in drops)
    return _encoded(response, media_type)


def failure(status: int, message: str, media_type: str) -> bytes:
    """Return a google.rpc.Status, as OTLP's errors are told."""
    return _encoded(Status(code=_RPC_CODES.get(status, 13), message=message), media_type)


def _encoded(message: Message, media_type: str) -> bytes:
    if media_type == PROTOBUF:
        return message.SerializeToString()
    return json_format.MessageToJson(message, indent=None).encode()


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Return attributes as a mapping; of two with the same name the last one counts."""
    return {pair.key: plain(pair.value) for pair in pairs}


def plain(value: AnyValue) -> Any:
    """Return a value of OTLP as Python's own."""
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case _:
            return getattr(value, kind)


def _bad(detail: str) -> InvalidInput:
    return InvalidInput(detail, code="invalid_otlp", status=400)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
