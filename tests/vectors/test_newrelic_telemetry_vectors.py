"""Requests recorded from unmodified clients, replayed byte for byte as far as they were kept.

The files name client and version. Bodies of OTLP were recorded decoded; they are encoded again.
"""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

import base64
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from mock_newrelic_bench import APP, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

VECTORS = Path(__file__).parent / "newrelic"
BEFORE_DELTA, BEFORE_CUMULATIVE = 1_795_395_850, 1_795_395_855
"""Whole seconds just before the two recorded applications served their first request."""


def _recorded(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return document


def _message(recorded: dict[str, Any]) -> Message:
    kind = ExportTraceServiceRequest if "traces" in recorded["path"] else None
    return json_format.ParseDict(recorded["body_decoded"], (kind or ExportMetricsServiceRequest)())


async def _replay(bench: Bench, name: str, *, as_json: bool = False) -> httpx.Response:
    """Send a request with the recorded headers, as protobuf or as JSON."""
    recorded = _recorded(name)
    headers = {
        key: value
        for key, value in recorded["headers"].items()
        if key not in {"host", "content-length"}
    }
    headers["api-key"] = "test-key"
    if "body_decoded" not in recorded:
        body = json.dumps(recorded["body"]).encode()
    elif as_json:
        body = json_format.MessageToJson(_message(recorded)).encode()
        headers["content-type"] = "application/json"
    else:
        body = _message(recorded).SerializeToString()
    if headers.get("content-encoding") == "gzip":
        body = gzip.compress(body)
    return await bench.http.post(recorded["path"], content=body, headers=headers)


async def _nrql(bench: Bench, query: str) -> list[dict[str, Any]]:
    response = await bench.http.get(
        "/v1/accounts/1/query",
        params={"nrql": f"{query} SINCE 5 minutes ago"},
        headers={"X-Query-Key": "test-key"},
    )
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results


@pytest.fixture(name="delta")
async def _delta() -> AsyncIterator[Bench]:
    """Return a service that has listened since before the application with deltas started."""
    clock = ManualClock(float(BEFORE_DELTA))
    async with Bench(clock) as bench:
        clock.advance(5)
        yield bench


@pytest.fixture(name="cumulative")
async def _cumulative() -> AsyncIterator[Bench]:
    """Return one that has listened since before the application with totals started."""
    clock = ManualClock(float(BEFORE_CUMULATIVE))
    async with Bench(clock) as bench:
        clock.advance(5)
        yield bench


@pytest.mark.parametrize("as_json", [False, True], ids=["protobuf", "json"])
async def test_delta_exponential_histograms(delta: Bench, *, as_json: bool) -> None:
    """Twelve requests, six of them failed; the export without durations adds nothing."""
    for name in ("otlp_1_metrics", "otlp_2_metrics"):
        response = await _replay(delta, name, as_json=as_json)
        assert response.status_code == 200
        if as_json:
            assert response.json() == {}
        else:
            answer = ExportMetricsServiceResponse.FromString(response.content)
            assert not answer.HasField("partial_success")
    assert await delta.value("count") == 12
    assert await delta.value("errorRate") == 50.0
    assert await delta.value("httpErrorRate") == 50.0
    assert await delta.value("responseTime") == pytest.approx(4.0243, abs=1e-3)
    detail = (await delta.ask("p95", detail="full")).json()
    assert (detail["source"], detail["approximate"]) == ("otel", False)


async def test_what_the_resource_says_becomes_labels(delta: Bench) -> None:
    """The pod-template hash, version, host and environment select what the resource sent."""
    await _replay(delta, "otlp_1_metrics")
    for selector in (
        {"hash": "6f7c9"},
        {"version": "v2"},
        {"host": "vote-abc"},
        {"env": "qa"},
        {"label.k8s.deployment.name": "vote"},
        {"transaction": "GET /ok", "hash": "6f7c9"},
    ):
        expected = 6 if "transaction" in selector else 12
        assert await delta.value("count", **selector) == expected, selector
    assert await delta.error(hash="7f7c9") == "404 no_data"


async def test_cumulative_totals_that_repeat_add_nothing(cumulative: Bench) -> None:
    """The second export tells the same totals three seconds later."""
    for _ in range(2):
        for name in ("otlp_4_metrics", "otlp_5_metrics"):
            assert (await _replay(cumulative, name)).status_code == 200
        assert await cumulative.value("count") == 12
        assert await cumulative.value("errorRate") == 50.0
    detail = (await cumulative.ask("p95", detail="full")).json()
    assert (detail["source"], detail["approximate"]) == ("otel", True)
    assert 0.0 < detail["p95"] <= 25.0
    assert detail["errorCount"] == 6


async def test_totals_from_before_the_service_listened_are_a_baseline() -> None:
    """They may have been told to another receiver; nothing is made of them but a start."""
    clock = ManualClock(BEFORE_CUMULATIVE + 3.0)
    async with Bench(clock) as bench:
        await _replay(bench, "otlp_4_metrics")
        assert await bench.error() == "404 no_data"
        await _replay(bench, "otlp_5_metrics")
        assert await bench.error() == "404 no_data"


@pytest.mark.parametrize("name", ["otlp_3_traces", "otlp_6_traces"])
@pytest.mark.parametrize("as_json", [False, True], ids=["protobuf", "json"])
async def test_server_spans_are_samples(name: str, *, as_json: bool) -> None:
    """Six of the twelve kept spans are entries of the service, four of these failed."""
    clock = ManualClock(BEFORE_DELTA + 10.0)
    async with Bench(clock) as bench:
        response = await _replay(bench, name, as_json=as_json)
        assert response.status_code == 200
        if not as_json:
            answer = ExportTraceServiceResponse.FromString(response.content)
            assert not answer.HasField("partial_success")
        detail = (await bench.ask("errorRate", detail="full")).json()
        assert (detail["source"], detail["sampleCount"], detail["errorCount"]) == ("spans", 6, 4)
        (count,) = await _nrql(bench, f"SELECT count(*) FROM Span WHERE appName = '{APP}'")
        assert count == {"count": 12}
        (count,) = await _nrql(
            bench,
            "SELECT count(*) FROM Span WHERE span.kind = 'server' AND otel.status_code = 'ERROR'",
        )
        assert count == {"count": 4}
        traces, spans = await _nrql(
            bench, "SELECT uniqueCount(trace.id), uniqueCount(id) FROM Span"
        )
        assert (traces, spans) == ({"uniqueCount": 6}, {"uniqueCount": 12})
        first = _recorded(name)["body_decoded"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
        trace_id = base64.b64decode(first["traceId"]).hex()
        (count,) = await _nrql(bench, f"SELECT count(*) FROM Span WHERE trace.id = '{trace_id}'")
        assert count["count"] >= 1


async def test_metrics_and_spans_of_one_service_are_never_summed(delta: Bench) -> None:
    """Told over both, a request still counts once; the answer says where it came from."""
    await _replay(delta, "otlp_1_metrics")
    await _replay(delta, "otlp_3_traces")
    assert await delta.value("count") == 12
    assert await delta.value("count", source="spans") == 6
    assert await delta.value("count", source="otel") == 12


async def test_the_telemetry_sdk(delta: Bench) -> None:
    """A count of requests, a gauge and a summary; a span; a log."""
    for name in ("http_metric_v1", "http_trace_v1", "http_log_v1"):
        response = await _replay(delta, name)
        assert response.status_code == 202
        assert set(response.json()) == {"requestId"}
    assert await delta.value("count", source="api") == 100
    assert await delta.value("count", source="spans") == 1
    assert await delta.value("errorRate", source="spans") == 100.0
    (temperature,) = await _nrql(delta, "SELECT latest(temp) FROM Metric")
    assert temperature == {"latest": 1.5}
    average, longest = await _nrql(
        delta, "SELECT average(http.duration), max(http.duration) FROM Metric"
    )
    assert (average, longest) == ({"average": 0.125}, {"max": 0.5})
    (log,) = await _nrql(delta, "SELECT message, level FROM Log")
    assert (log["events"][0]["message"], log["events"][0]["level"]) == ("hello", "ERROR")
