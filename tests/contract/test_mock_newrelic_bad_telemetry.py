"""What a telemetry door does with bodies that nobody should send: never a 5xx, nothing lost."""

from __future__ import annotations

import copy
import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mock_newrelic_bench import APP, KEY, Bench
from svckit.clock import ManualClock
from telemetry_traffic import EXPLICIT, PROTOBUF, as_metric_api, as_metrics, as_spans, traffic

pytestmark = pytest.mark.anyio

OTLP = ("/v1/metrics", "/v1/traces", "/v1/logs")
NEW_RELIC = ("/metric/v1", "/trace/v1", "/log/v1")
JSON = {"Content-Type": "application/json"}
_STRANGE_JSON = (
    "", " ", "null", "0", '"x"', "[]", "{}", "[[]]", "[null]", "[{}]", "NaN", "[1e999]",
    "{" * 10_000, "[" * 10_000, '{"a":' * 10_000, '"\\ud800"', "[" + "9" * 5000 + "]",
    '[{"metrics":null}]', '[{"spans":{}}]', '{"logs":7}', '[{"common":[],"metrics":[1]}]',
    '{"resourceMetrics":7}', '{"resourceSpans":[7]}', '{"resourceLogs":[{"scopeLogs":7}]}',
    '{"resourceMetrics":[{"resource":null}]}', '[{"message":"\\ud800","n":NaN}]',
)  # fmt: skip
METRICS = ("count", "errorRate", "p95", "responseTime")


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    """Return a service that knows 100 samples of each source."""
    async with Bench(clock) as bench:
        served = traffic(clock.now(), count=100, span=10.0)
        await bench.fill(95, 5)
        for request in as_metrics(served, APP):
            await _post(bench, "/v1/metrics", request.SerializeToString(), PROTOBUF)
        await _post(bench, "/v1/traces", as_spans(served, APP).SerializeToString(), PROTOBUF)
        await _post(bench, "/metric/v1", json.dumps(as_metric_api(served, APP)).encode(), JSON)
        yield bench


async def _post(bench: Bench, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return await bench.http.post(path, content=body, headers={**KEY, **headers})


async def _state(bench: Bench) -> list[str]:
    """Return what the facade answers for every source, without the time of the answer."""
    answers = []
    for source in ("events", "otel", "spans", "api"):
        for metric in METRICS:
            document = (await bench.ask(metric, source=source)).json()
            answers.append(f"{source} {metric} {document.get(metric, document.get('error'))}")
    return answers


async def _insist(bench: Bench, path: str, body: bytes, headers: dict[str, str]) -> None:
    """Send, and insist that it is refused, or dropped and told, and that nothing changed."""
    before = await _state(bench)
    response = await _post(bench, path, body, headers)
    assert response.status_code < 500, response.text
    if path in OTLP and response.status_code != 405:
        assert response.headers["content-type"].startswith(headers["Content-Type"])
    else:
        assert "json" in response.headers["content-type"]
    assert await _state(bench) == before


def _broken(rng: random.Random, body: bytes) -> bytes:
    """Return a body with some bytes changed, cut off or put in between."""
    changed = bytearray(body)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(changed) or 1)
        match rng.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del changed[at : at + rng.randint(1, 20)]
            case 2:
                changed[at:at] = rng.randbytes(rng.randint(1, 8))
            case _:
                changed = changed[: max(1, at)]
    return bytes(changed)


@pytest.mark.parametrize("path", [*OTLP, *NEW_RELIC])
async def test_bytes_without_sense(bench: Bench, path: str) -> None:
    """Random bytes, empty ones, JSON of every other kind."""
    rng = random.Random(5)  # noqa: S311 - input for a test, no secret
    headers = PROTOBUF if path in OTLP else JSON
    for size in (1, 2, 10, 1000):
        await _insist(bench, path, rng.randbytes(size), headers)
    for text in _STRANGE_JSON:
        await _insist(bench, path, text.encode(), JSON)


@pytest.mark.parametrize("path", ["/v1/traces", "/metric/v1"])
async def test_packed_bodies_that_lie(bench: Bench, path: str) -> None:
    """Cut off, with something behind, of another encoding, or far larger than they seem."""
    headers = PROTOBUF if path in OTLP else JSON
    bomb, body = bytes(40 * 2**20), b"[]" * 500
    for encoding, packed, expected in (
        ("gzip", gzip.compress(body)[:-6], 400),
        ("gzip", gzip.compress(body) + b"more", 400),
        ("gzip", b"", 400),
        ("gzip", body, 400),
        ("deflate", zlib.compress(body)[:-3], 400),
        ("zstd", body, 400),
        ("gzip", gzip.compress(bomb, 9), 413),
        ("deflate", zlib.compress(bomb, 9), 413),
        ("zstd", zstandard.ZstdCompressor().compress(bomb), 413),
        ("compress", body, 415),
        ("gzip, gzip", gzip.compress(gzip.compress(body)), 415),
    ):
        before = await _state(bench)
        response = await _post(bench, path, packed, {**headers, "Content-Encoding": encoding})
        assert response.status_code == expected, encoding
        assert await _state(bench) == before
    await _insist(bench, path, bytes(1_000_001), headers)


async def test_requests_with_wrong_bytes(bench: Bench, clock: ManualClock) -> None:
    """Real requests, spoilt in 300 ways: none is a 5xx, and the service answers on."""
    rng = random.Random(9)  # noqa: S311 - input for a test, no secret
    served = traffic(clock.now(), count=20, span=1.0)
    (metrics,) = as_metrics(served, "other", interval=1.0)
    spans = as_spans(served, "other").SerializeToString()
    bodies = (
        ("/v1/metrics", metrics.SerializeToString(), PROTOBUF),
        ("/v1/traces", spans, PROTOBUF),
        ("/metric/v1", json.dumps(as_metric_api(served, "other")).encode(), JSON),
    )
    for _ in range(100):
        for path, body, headers in bodies:
            response = await _post(bench, path, _broken(rng, body), headers)
            assert response.status_code in {200, 202, 400, 405, 413}, response.text
    assert (await bench.http.get("/v1/apps", headers=KEY)).status_code == 200
    assert (await bench.ask("p95")).status_code == 200


def _point(**fields: Any) -> ExportMetricsServiceRequest:
    """Return one delta data point with the fields of the caller, `kind` being the histogram's."""
    request = ExportMetricsServiceRequest()
    where = request.resource_metrics.add()
    where.resource.attributes.add(key="service.name").value.string_value = APP
    metric = where.scope_metrics.add().metrics.add(name="http.server.request.duration", unit="s")
    kind = fields.pop("kind", "histogram")
    data = getattr(metric, kind)
    if kind != "summary":
        data.aggregation_temporality = fields.pop("temporality", 1)
    attributes = fields.pop("attributes", {})
    positive = fields.pop("positive", None)
    negative = fields.pop("negative", None)
    point = data.data_points.add(**fields)
    if positive:
        point.positive.offset, point.positive.bucket_counts[:] = positive
    if negative:
        point.negative.offset, point.negative.bucket_counts[:] = negative
    for key, value in attributes.items():
        point.attributes.add(key=key).value.string_value = value
    return request


_EXPLICIT = {"count": 3, "bucket_counts": [1, 2], "explicit_bounds": [0.1]}
_EXPONENTIAL = {"kind": "exponential_histogram", "count": 3}


_IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
        ({**_EXPLICIT, "temporality": 0}, "temporality"),
        ({**_EXPLICIT, "temporality": 7}, "temporality"),
        ({**_EXPLICIT, "count": 4}, "number of samples"),
        ({**_EXPLICIT, "bucket_counts": [3]}, "one more bucket"),
        ({**_EXPLICIT, "explicit_bounds": [float("nan")]}, "ascend"),
        ({**_EXPLICIT, "sum": -1.0}, "sum"),
        ({**_EXPLICIT, "sum": float("nan")}, "sum"),
        ({**_EXPLICIT, "sum": float("inf")}, "sum"),
        ({**_EXPLICIT, "min": -1.0}, "min or max"),
        ({**_EXPLICIT, "max": float("inf")}, "min or max"),
        ({"count": 2**63, "bucket_counts": [2**63, 0], "explicit_bounds": [1]}, "samples"),
        ({"count": 3, "bucket_counts": [0, 0, 3], "explicit_bounds": [1e5, 1e6]}, "longer"),
        ({**_EXPLICIT, "time_unix_nano": 1}, "48 hours"),
        ({**_EXPLICIT, "time_unix_nano": 2**63}, "48 hours"),
        ({**_EXPLICIT, "start_time_unix_nano": 2**63}, "starts after"),
        ({**_EXPLICIT, "start_time_unix_nano": 1}, "48 hours"),
        ({**_EXPLICIT, "attributes": {f"a{n}": "" for n in range(101)}}, "attributes"),
        ({**_EXPLICIT, "attributes": {"a": "x" * 5000}}, "value is longer"),
        ({**_EXPLICIT, "attributes": {"": "x"}}, "name is empty"),
        ({**_EXPONENTIAL, "scale": 30, "positive": (0, [3])}, "scale"),
        ({**_EXPONENTIAL, "scale": -2**31, "positive": (0, [3])}, "scale"),
        ({**_EXPONENTIAL, "scale": 5, "positive": (0, [4])}, "number of samples"),
        ({**_EXPONENTIAL, "scale": 0, "positive": (2**31 - 1, [3])}, "longer"),
        ({**_EXPONENTIAL, "scale": -10, "positive": (5, [3])}, "longer"),
        ({**_EXPONENTIAL, "scale": 5, "negative": (0, [3])}, "negative"),
        ({"kind": "summary", "count": 2**63, "sum": 1.0}, "samples"),
        ({"kind": "summary", "count": 1, "sum": float("nan")}, "sum"),
    ]  # fmt: skip


async def test_data_points_that_cannot_be(bench: Bench, clock: ManualClock) -> None:
    """Each is a counted rejection with its reason; what was known stays as it is."""
    now = int(clock.now() * 1e9)
    before = await _state(bench)
    for fields, reason in _IMPOSSIBLE:
        times = {"time_unix_nano": now, "start_time_unix_nano": now - 10**9}
        if "time_unix_nano" in fields:
            del times["start_time_unix_nano"]
        request = _point(**{**times, **fields})
        response = await _post(bench, "/v1/metrics", request.SerializeToString(), PROTOBUF)
        assert response.status_code == 200, fields
        assert reason.encode() in response.content, fields
        assert await _state(bench) == before, fields


async def test_extreme_numbers_that_are_allowed(bench: Bench, clock: ManualClock) -> None:
    """The widest bounds, scales and intervals are answered at once and lose nothing."""
    now = int(clock.now() * 1e9)
    day = 24 * 3600 * 10**9
    times = {"time_unix_nano": now, "start_time_unix_nano": now - day}
    counts = [10**6] * 1000
    for fields in (
        {"count": 10**9, "bucket_counts": counts, "explicit_bounds": range(1, 1000)},
        {**_EXPONENTIAL, "count": 10**9, "scale": 20, "positive": (-500, counts)},
        {**_EXPONENTIAL, "count": 9, "scale": -10, "positive": (-1, [9])},
        {**_EXPONENTIAL, "count": 9, "scale": 5, "zero_count": 9},
        {"kind": "summary", "count": 5, "sum": 0.0},
        {"count": 0, "bucket_counts": [], "explicit_bounds": []},
    ):
        request = _point(**times, **fields)
        response = await _post(bench, "/v1/metrics", request.SerializeToString(), PROTOBUF)
        assert (response.status_code, response.content) == (200, b""), fields
    told = (await bench.ask("count", "24h", source="otel")).json()["count"]
    assert told == pytest.approx(2 * 10**9, rel=0.01)


async def test_a_small_body_cannot_become_a_large_one(bench: Bench, clock: ManualClock) -> None:
    """Attributes of a resource or of `common` are kept once, however many items share them."""
    attributes = {f"a{number}": "x" * 4000 for number in range(200)}
    metrics = [{"name": "m", "value": number} for number in range(5_000)]
    body = json.dumps([{"common": {"attributes": attributes}, "metrics": metrics}]).encode()
    packed = gzip.compress(body)
    assert len(packed) < 100_000
    response = await _post(bench, "/metric/v1", packed, {**JSON, "Content-Encoding": "gzip"})
    assert response.status_code == 202
    answer = await bench.http.get(
        "/v1/accounts/1/query",
        params={"nrql": "SELECT count(*) FROM Metric WHERE a7 LIKE 'x%'"},
        headers={"X-Query-Key": "test-key"},
    )
    assert answer.json()["results"] == [{"count": 5_000}]
    request = ExportMetricsServiceRequest()
    where = request.resource_metrics.add()
    for key, value in attributes.items():
        where.resource.attributes.add(key=key).value.string_value = value
    for number in range(5_000):
        metric = where.scope_metrics.add().metrics.add(name=f"m{number}")
        metric.sum.is_monotonic, metric.sum.aggregation_temporality = True, 2
        metric.sum.data_points.add(
            as_int=1, start_time_unix_nano=1, time_unix_nano=int(clock.now() * 1e9)
        )
        metric.sum.data_points.add(
            as_int=2, start_time_unix_nano=1, time_unix_nano=int(clock.now() * 1e9) + 1
        )
    packed = gzip.compress(request.SerializeToString())
    assert len(packed) < 100_000
    response = await _post(bench, "/v1/metrics", packed, {**PROTOBUF, "Content-Encoding": "gzip"})
    assert (response.status_code, response.content) == (200, b"")
    answer = await bench.http.get(
        "/v1/accounts/1/query",
        params={"nrql": "SELECT sum(m4999) FROM Metric WHERE a7 LIKE 'x%'"},
        headers={"X-Query-Key": "test-key"},
    )
    assert answer.json()["results"] == [{"sum": 1}]


async def test_too_many_items(
    bench: Bench, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More data points than a body may have are 413; more items are counted drops."""
    monkeypatch.setattr("mock_newrelic.domain.ingest.otlp_metrics.MAX_POINTS", 1000)
    monkeypatch.setattr("mock_newrelic.domain.ingest.blocks.MAX_ITEMS", 1000)
    request = _point(count=0, time_unix_nano=int(clock.now() * 1e9))
    points = request.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points
    points.extend([points[0]] * 1000)
    packed = gzip.compress(request.SerializeToString())
    before = await _state(bench)
    response = await _post(bench, "/v1/metrics", packed, {**PROTOBUF, "Content-Encoding": "gzip"})
    assert response.status_code == 413
    assert await _state(bench) == before
    body = gzip.compress(json.dumps([{"logs": [{"message": ""}] * 1001}]).encode())
    response = await _post(bench, "/log/v1", body, {**JSON, "Content-Encoding": "gzip"})
    assert response.status_code == 202
    answer = await bench.http.get(
        "/v1/accounts/1/query",
        params={"nrql": "SELECT sum(droppedCount) FROM NrIntegrationError"},
        headers={"X-Query-Key": "test-key"},
    )
    assert answer.json()["results"] == [{"sum": 1}]


async def test_spans_and_logs_that_cannot_be(bench: Bench, clock: ManualClock) -> None:
    """Times before 1970 and after 2500, names of any kind: counted rejections."""
    spans = ExportTraceServiceRequest()
    where = spans.resource_spans.add()
    where.resource.attributes.add(key="service.name").value.string_value = APP
    for start, end in ((0, 0), (2**63, 2**63 + 1), (int(clock.now() * 1e9), 0)):
        where.scope_spans.add().spans.add(
            kind=2, start_time_unix_nano=start, end_time_unix_nano=end
        )
    nameless = spans.resource_spans.add()
    nameless.resource.attributes.add(key="service.name").value.string_value = "<b>"
    nameless.scope_spans.add().spans.add(kind=2)
    before = await _state(bench)
    response = await _post(bench, "/v1/traces", spans.SerializeToString(), PROTOBUF)
    assert response.status_code == 200
    assert b"service name" in response.content
    logs = ExportLogsServiceRequest()
    logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=2**63)
    response = await _post(bench, "/v1/logs", logs.SerializeToString(), PROTOBUF)
    assert b"48 hours" in response.content
    assert await _state(bench) == before


async def test_more_than_a_second_can_hold(bench: Bench, clock: ManualClock) -> None:
    """Counts beyond 64 bits stay at the largest one, and windows empty again afterwards."""
    now = int(clock.now() * 1e9)
    request = _point(
        count=10**9,
        bucket_counts=[10**9, 0],
        explicit_bounds=[1],
        sum=9e11,
        time_unix_nano=now,
        start_time_unix_nano=now - 10**6,
    )
    for _ in range(20):
        response = await _post(bench, "/v1/metrics", request.SerializeToString(), PROTOBUF)
        assert response.status_code == 200
    assert await bench.value("responseTime") == pytest.approx(2**63 / 1e3 / (20 * 10**9), rel=1e-3)
    clock.advance(600)
    assert await bench.error("count", source="otel") == "404 no_data"


_WRONG_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2, 2**31, 2**64, 10**30, 1e308, -1e308, 0.5, "", "x", "-1", "true",
    [], {}, [1], {"a": 1}, [[]], {"a": {"b": [{}]}}, "\0", "é" * 300, "x" * 5000, 1770170400,
)  # fmt: skip
_QUESTIONS = (
    "SELECT count(*) FROM Span FACET name",
    "SELECT average(duration.ms) FROM Span FACET host, http.route",
    "SELECT * FROM Span",
    "SELECT * FROM Metric",
    "SELECT * FROM Log",
    "SELECT average(http.duration) FROM Metric FACET metricName",
)


def _places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of everything in a document, below its root."""
    inside = document.items() if isinstance(document, dict) else ()
    for key, value in enumerate(document) if isinstance(document, list) else inside:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _spoilt(rng: random.Random, document: Any) -> Any:
    """Return a document with a few values of any kind where they do not belong, or missing."""
    document = copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(document))
        if not places:
            break
        *way, last = rng.choice(places)
        inside = document
        for key in way:
            inside = inside[key]
        if isinstance(inside, dict) and rng.random() < 0.15:
            del inside[last]
        else:
            inside[last] = copy.deepcopy(rng.choice(_WRONG_VALUES))
    return document


async def test_documents_with_wrong_values(bench: Bench, clock: ManualClock) -> None:
    """Real documents, spoilt in 800 ways: accepted, dropped or refused; queries answer on."""
    rng = random.Random(3)  # noqa: S311 - input for a test, no secret
    now = clock.now()
    served = traffic(now, count=3, span=1.0)
    (metrics,) = as_metrics(served, APP, interval=1.0)
    (explicit,) = as_metrics(served, APP, interval=1.0, aggregation=EXPLICIT)
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": APP}}]}
    record = {
        "timeUnixNano": str(int(now * 1e9)),
        "severityText": "INFO",
        "body": {"stringValue": "x"},
        "attributes": [{"key": "a", "value": {"arrayValue": {"values": [{"intValue": 1}]}}}],
    }
    span = {
        "id": "a",
        "trace.id": "b",
        "timestamp": now * 1000,
        "attributes": {"service.name": APP, "duration.ms": 5, "http.route": "/", "error": False},
    }
    zipkin = {
        "id": "a",
        "traceId": "b",
        "timestamp": now * 1e6,
        "duration": 5,
        "kind": "SERVER",
        "localEndpoint": {"serviceName": APP},
        "tags": {"error": "x", "http.status_code": "500"},
    }
    documents: tuple[tuple[str, Any, dict[str, str]], ...] = (
        ("/v1/metrics", json_format.MessageToDict(metrics), {}),
        ("/v1/metrics", json_format.MessageToDict(explicit), {}),
        ("/v1/traces", json_format.MessageToDict(as_spans(served, APP)), {}),
        (
            "/v1/logs",
            {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]},
            {},
        ),
        ("/metric/v1", as_metric_api(served, APP), {}),
        ("/trace/v1", [{"common": {"attributes": {"host": "h"}}, "spans": [span]}], {}),
        ("/trace/v1", [zipkin], {"Data-Format": "zipkin"}),
        ("/log/v1", [{"common": {"attributes": {"a": 1}}, "logs": [{"message": "x"}]}], {}),
    )
    for _ in range(100):
        for path, document, headers in documents:
            body = json.dumps(_spoilt(rng, document)).encode()
            response = await _post(bench, path, body, {**JSON, **headers})
            assert response.status_code in {200, 202, 400, 405}, body
    for question in _QUESTIONS:
        answer = await bench.http.get(
            "/v1/accounts/1/query", params={"nrql": question}, headers={"X-Query-Key": "test-key"}
        )
        assert answer.status_code == 200, answer.text
    for source in ("otel", "spans", "api"):
        assert (await bench.ask("errorRate", source=source)).status_code == 200
