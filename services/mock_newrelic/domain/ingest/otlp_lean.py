"""OTLP's trace request as far as samples need it: attributes stay the bytes that they were.

Reading the attributes of a span one by one is most of the work of taking it in, and nearly all of
them say what those of the span before said. As bytes they can be compared and looked up without
being read. The messages here have the fields of OpenTelemetry's own with the same numbers and types
on the wire, and leave out the others.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

_PACKAGE = "gatelab.otlp"
_ONE, _MANY = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
_BYTES, _INT32 = FieldDescriptorProto.TYPE_BYTES, FieldDescriptorProto.TYPE_INT32
_FIXED64, _MESSAGE = FieldDescriptorProto.TYPE_FIXED64, FieldDescriptorProto.TYPE_MESSAGE
_FIELDS = {
    "Request": [("resource_spans", 1, _MANY, _MESSAGE, "ResourceSpans")],
    "ResourceSpans": [
        ("resource", 1, _ONE, _BYTES, ""),
        ("scope_spans", 2, _MANY, _MESSAGE, "ScopeSpans"),
    ],
    "ScopeSpans": [("spans", 2, _MANY, _MESSAGE, "Span")],
    "Span": [
        ("kind", 6, _ONE, _INT32, ""),
        ("start_time_unix_nano", 7, _ONE, _FIXED64, ""),
        ("end_time_unix_nano", 8, _ONE, _FIXED64, ""),
        ("attributes", 9, _MANY, _BYTES, ""),
        ("status", 15, _ONE, _MESSAGE, "Status"),
    ],
    "Status": [("code", 3, _ONE, _INT32, "")],
}


def _request_class() -> Any:
    file = FileDescriptorProto(name="gatelab/otlp.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, label, kind, of in fields:
            message.field.add(
                name=field,
                number=number,
                label=label,
                type=kind,
                type_name=f".{_PACKAGE}.{of}" if of else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Request"))


LeanRequest: Any = _request_class()
"""Reads `ExportTraceServiceRequest`, with resources and attributes as bytes."""
