"""Observations as server spans over OTLP (HTTP, protobuf).

Names of attributes: OpenTelemetry semantic conventions, "HTTP spans" and "Resource".
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from voteapp.domain.observation import CLIENT_LEFT

if TYPE_CHECKING:
    from voteapp.domain.contract import Site
    from voteapp.domain.observation import Observation

_NANOSECONDS = 1_000_000_000


class OtlpSpans:
    """Bodies of `POST /v1/traces`.

    Args:
        app: `service.name` of the resource.
        site: the pod that the resource stands for.
    """

    path = "/v1/traces"
    content_type = "application/x-protobuf"

    def __init__(self, *, app: str, site: Site) -> None:
        self._resource = [
            _text("service.name", app),
            _text("service.version", site.version),
            _text("k8s.pod.name", site.pod_name),
            _text("podTemplateHash", site.pod_template_hash),
        ]

    def encode(self, observations: list[Observation]) -> bytes:
        """Return a request with one span for each observation."""
        request = ExportTraceServiceRequest()
        spans = request.resource_spans.add()
        spans.resource.attributes.extend(self._resource)
        scope = spans.scope_spans.add()
        scope.scope.name = "voteapp"
        scope.spans.extend(_span(observation) for observation in observations)
        return request.SerializeToString()

    def rejected(self, answer: bytes) -> int:
        """Return how many spans a partial success left out; what cannot be read left out none."""
        try:
            return ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans
        except DecodeError:
            return 0


def _span(observation: Observation) -> Span:
    end = int(observation.finished_at * _NANOSECONDS)
    span = Span(
        trace_id=uuid.uuid4().bytes,
        span_id=uuid.uuid4().bytes[:8],
        name=f"{observation.method} {observation.path}",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=end - int(observation.duration_seconds * _NANOSECONDS),
        end_time_unix_nano=end,
        attributes=[
            _text("http.request.method", observation.method),
            _text("url.path", observation.path),
            _text("user_agent.original", observation.user_agent),
        ],
    )
    if observation.status != CLIENT_LEFT:
        code = AnyValue(int_value=observation.status)
        span.attributes.append(KeyValue(key="http.response.status_code", value=code))
    if observation.error:
        left = observation.status == CLIENT_LEFT
        span.attributes.append(
            _text("error.type", "no_answer" if left else str(observation.status))
        )
        span.status.code = Status.STATUS_CODE_ERROR
    return span


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
