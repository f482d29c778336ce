"""OTLP over HTTP: encodings, answers, conventions old and new, totals that go on and begin anew."""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

import gzip
import json
import shutil
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from google.protobuf import json_format
from google.rpc.status_pb2 import Status
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

from mock_newrelic_bench import ADMIN, APP, KEY, Bench
from svckit.clock import ManualClock
from telemetry_traffic import (
    EXPLICIT,
    EXPONENTIAL,
    PROTOBUF,
    as_metrics,
    as_spans,
    points,
    quantile,
    traffic,
)

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
DURATION, OLD_DURATION = "http.server.request.duration", "http.server.duration"


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _post(
    bench: Bench, signal: str, body: bytes, headers: dict[str, str] = PROTOBUF
) -> httpx.Response:
    return await bench.http.post(f"/v1/{signal}", content=body, headers={**KEY, **headers})


async def _send(bench: Bench, request: Any) -> None:
    """Send a request as protobuf and insist that all of it was accepted."""
    signal = "traces" if isinstance(request, ExportTraceServiceRequest) else "metrics"
    response = await _post(bench, signal, request.SerializeToString())
    assert (response.status_code, response.content) == (200, b"")


def _metrics(clock: ManualClock, count: int = 100, **more: Any) -> ExportMetricsServiceRequest:
    """Return the one export of requests served within the last second."""
    served = traffic(clock.now(), count=count, span=1.0)
    (request,) = as_metrics(served, APP, interval=1.0, **more)
    return request


def _histogram(
    *,
    count: int,
    start: float,
    at: float,
    cumulative: bool = True,
    status: int = 200,
    name: str = DURATION,
    unit: str = "s",
    resource: dict[str, str] | None = None,
    **attributes: Any,
) -> ExportMetricsServiceRequest:
    """Return one explicit histogram, all of whose samples lasted about 40 ms."""
    request = ExportMetricsServiceRequest()
    where = request.resource_metrics.add()
    for key, value in {"service.name": APP, **(resource or {})}.items():
        where.resource.attributes.add(key=key).value.string_value = value
    metric = where.scope_metrics.add().metrics.add(name=name, unit=unit)
    metric.histogram.aggregation_temporality = 2 if cumulative else 1
    factor = {"s": 1, "ms": 1000}[unit]
    point = metric.histogram.data_points.add(
        count=count,
        sum=0.04 * factor * count,
        bucket_counts=[0, count, 0],
        explicit_bounds=[0.025 * factor, 0.05 * factor],
        start_time_unix_nano=round(start * 1e9),
        time_unix_nano=round(at * 1e9),
    )
    point.attributes.add(key="http.response.status_code").value.int_value = status
    for key, value in attributes.items():
        point.attributes.add(key=key.replace("__", ".")).value.string_value = value
    return request


def _zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(body)


@pytest.mark.parametrize("as_json", [False, True], ids=["protobuf", "json"])
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", _zstd),
    ],
)
async def test_every_encoding(
    bench: Bench, clock: ManualClock, encoding: str, pack: Any, *, as_json: bool
) -> None:
    """Protobuf and JSON, plain and packed, say the same."""
    request = _metrics(clock)
    body = json_format.MessageToJson(request).encode() if as_json else request.SerializeToString()
    headers = {**(JSON if as_json else PROTOBUF), "Content-Encoding": encoding}
    response = await _post(bench, "metrics", pack(body), headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith(headers["Content-Type"])
    assert await bench.value("count") == 100


async def test_ids_in_json_are_hexadecimal(bench: Bench, clock: ManualClock) -> None:
    """OTLP's JSON is not protobuf's in this: ids are hex, enums numbers, unknown fields ignored."""
    nanoseconds = int(clock.now() * 1e9)
    document = {
        "resourceSpans": [
            {
                "resource": {
                    "attributes": [{"key": "service.name", "value": {"stringValue": APP}}]
                },
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "5B8EFFF798038103D269B633813FC60C",
                                "spanId": "EEE19B7EC3C1B174",
                                "parentSpanId": "EEE19B7EC3C1B173",
                                "name": "GET /",
                                "kind": 2,
                                "startTimeUnixNano": str(nanoseconds - 20_000_000),
                                "endTimeUnixNano": nanoseconds,
                                "status": {"code": 2},
                                "aFieldOfTomorrow": [1, {"x": None}],
                            }
                        ]
                    }
                ],
            }
        ]
    }
    response = await _post(bench, "traces", json.dumps(document).encode(), JSON)
    assert (response.status_code, response.json()) == (200, {})
    assert await bench.value("errorRate") == 100.0
    answer = await bench.http.get(
        "/v1/accounts/1/query",
        params={"nrql": "SELECT trace.id, id, parent.id, duration.ms FROM Span"},
        headers={"X-Query-Key": "test-key"},
    )
    (event,) = answer.json()["results"][0]["events"]
    assert event["trace.id"] == "5b8efff798038103d269b633813fc60c"
    assert (event["id"], event["parent.id"]) == ("eee19b7ec3c1b174", "eee19b7ec3c1b173")
    assert event["duration.ms"] == 20.0


async def test_both_conventions_and_units(bench: Bench, clock: ManualClock) -> None:
    """Old: milliseconds and http.status_code. The unit of the metric wins over the custom."""
    now = clock.now()
    await _send(bench, _histogram(count=10, start=now - 1, at=now, cumulative=False))
    assert await bench.value("responseTime") == pytest.approx(40.0)
    await bench.http.post("/control/reset", headers=ADMIN)
    old = _histogram(
        count=10, start=now - 1, at=now, cumulative=False, name=OLD_DURATION, unit="ms"
    )
    (point,) = points(old)
    del point.attributes[:]
    point.attributes.add(key="http.status_code").value.int_value = 503
    await _send(bench, old)
    assert await bench.value("responseTime") == pytest.approx(40.0)
    assert await bench.value("errorRate") == await bench.value("httpErrorRate") == 100.0


async def test_a_service_that_sends_both_conventions_counts_once(
    bench: Bench, clock: ManualClock
) -> None:
    """OTEL_SEMCONV_STABILITY_OPT_IN=http/dup tells every request twice."""
    now = clock.now()
    both = _histogram(count=10, start=now - 1, at=now, cumulative=False)
    old = _histogram(
        count=10, start=now - 1, at=now, cumulative=False, name=OLD_DURATION, unit="ms"
    )
    both.resource_metrics[0].scope_metrics.extend(old.resource_metrics[0].scope_metrics)
    await _send(bench, both)
    assert await bench.value("count") == 10


@pytest.mark.parametrize(
    ("status", "attributes", "errors", "client_errors"),
    [
        (200, {}, 0, 0),
        (500, {}, 100, 0),
        (200, {"error__type": "TimeoutError"}, 100, 0),
        (404, {}, 0, 100),
        (404, {"error__type": "404"}, 0, 100),
        (400, {"error__type": "ValidationError"}, 100, 100),
    ],
)
async def test_what_is_an_error(  # noqa: PLR0917 - parameters of the test
    bench: Bench,
    clock: ManualClock,
    status: int,
    attributes: dict[str, str],
    errors: int,
    client_errors: int,
) -> None:
    """A status of 500 or more, or an error.type that says more than a 4xx does."""
    now = clock.now()
    await _send(
        bench,
        _histogram(count=10, start=now - 1, at=now, cumulative=False, status=status, **attributes),
    )
    assert await bench.value("errorRate") == errors
    assert await bench.value("http4xxRate") == client_errors


async def test_health_checks_count_in_no_rate(bench: Bench, clock: ManualClock) -> None:
    """By route in metrics, by path or user agent in spans."""
    now = clock.now()
    probe = _histogram(count=9, start=now - 1, at=now, cumulative=False, http__route="/healthz")
    await _send(bench, probe)
    spans = as_spans(traffic(now, count=2), APP)
    spans.resource_spans[0].scope_spans[0].spans[0].attributes.add(
        key="user_agent.original"
    ).value.string_value = "kube-probe/1.33"
    await _send(bench, spans)
    assert await bench.value("count") == 1


async def test_totals_become_what_was_added(bench: Bench, clock: ManualClock) -> None:
    """Point by point, in any order, over a reset of the totals and over a restart of the sender."""
    first = clock.now()
    told: list[tuple[float, float, int, int]] = [
        # start, time, total, requests known of afterwards
        (first, first + 10, 100, 100),
        (first, first + 20, 150, 150),
        (first, first + 20, 150, 150),  # the same once more
        (first, first + 15, 120, 150),  # late
        (first, first + 30, 30, 180),  # fell without a new start: these 30 are new
        (first + 31, first + 40, 7, 187),  # a new start: all of it is new
        (first + 31, first + 50, 8, 188),
    ]
    clock.advance(60)
    for start, at, total, expected in told:
        await _send(bench, _histogram(count=total, start=start, at=at))
        assert await bench.value("count") == expected


async def test_two_processes_that_say_the_same_of_themselves(
    bench: Bench, clock: ManualClock
) -> None:
    """Their totals alternate; each goes on from its own, and none is taken for a restart."""
    first = clock.now()
    clock.advance(60)
    for number in range(1, 6):
        for process in (1, 2):
            await _send(
                bench,
                _histogram(
                    count=10 * number * process, start=first + process, at=first + 10 * number
                ),
            )
    assert await bench.value("count") == 50 + 100


async def test_totals_that_began_elsewhere_are_a_baseline(bench: Bench, clock: ManualClock) -> None:
    """What was before the service listened is not counted; what is added later is."""
    first = clock.now()
    clock.advance(60)
    await _send(bench, _histogram(count=1000, start=first - 5, at=first + 10))
    assert await bench.error() == "404 no_data"
    await _send(bench, _histogram(count=1012, start=first - 5, at=first + 20))
    assert await bench.value("count") == 12


async def test_an_interval_is_spread_over_its_seconds(bench: Bench, clock: ManualClock) -> None:
    """A point of ten seconds with 1,000 requests gives each of them about 100."""
    now = clock.now()
    await _send(bench, _histogram(count=1000, start=now - 10, at=now, cumulative=False))
    answer = await bench.http.get(
        "/v1/metrics/series",
        params={"app": APP, "metric": "count", "window": "20s", "step": "1s"},
        headers=KEY,
    )
    counts = [point["value"] for point in answer.json()["points"] if point["value"]]
    assert sum(counts) == 1000
    assert len(counts) == 10
    assert all(95 <= count <= 105 for count in counts)


async def test_what_of_a_body_is_rejected_is_told(bench: Bench, clock: ManualClock) -> None:
    """Partial success: the rest is counted, and an NrIntegrationError tells why."""
    now = clock.now()
    request = _histogram(count=10, start=now - 1, at=now, cumulative=False)
    metric = request.resource_metrics[0].scope_metrics[0].metrics[0]
    metric.histogram.data_points.add(count=5, time_unix_nano=1)
    metric.histogram.data_points.add(
        count=5, time_unix_nano=int(now * 1e9), sum=-1.0, bucket_counts=[5], explicit_bounds=[]
    )
    response = await _post(bench, "metrics", request.SerializeToString())
    answer = ExportMetricsServiceResponse.FromString(response.content)
    assert answer.partial_success.rejected_data_points == 2
    assert "48 hours" in answer.partial_success.error_message
    assert "negative" in answer.partial_success.error_message
    assert await bench.value("count") == 10
    told = await bench.http.get(
        "/v1/accounts/1/query",
        params={"nrql": "SELECT uniques(category) FROM NrIntegrationError"},
        headers={"X-Query-Key": "test-key"},
    )
    assert set(told.json()["results"][0]["members"]) == {"bad_timestamp", "bad_value"}


async def test_partial_success_of_spans_and_logs(bench: Bench, clock: ManualClock) -> None:
    """Each signal has its own word for it, in JSON as in protobuf."""
    spans = as_spans(traffic(clock.now(), count=3), APP)
    spans.resource_spans[0].scope_spans[0].spans[0].end_time_unix_nano = 1
    response = await _post(bench, "traces", spans.SerializeToString())
    assert ExportTraceServiceResponse.FromString(response.content).partial_success == (
        ExportTraceServiceResponse().partial_success.__class__(
            rejected_spans=1, error_message="1: a span ends before it starts, or a day later"
        )
    )
    logs = ExportLogsServiceRequest()
    records = logs.resource_logs.add().scope_logs.add().log_records
    records.add(time_unix_nano=1).body.string_value = "long ago"
    records.add(severity_text="ERROR").body.string_value = "now"
    body = json_format.MessageToJson(logs).encode()
    response = await _post(bench, "logs", body, JSON)
    assert response.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    response = await _post(bench, "logs", logs.SerializeToString())
    answer = ExportLogsServiceResponse.FromString(response.content)
    assert answer.partial_success.rejected_log_records == 1


async def test_success_can_be_told_by_an_empty_body(clock: ManualClock) -> None:
    """As New Relic itself does, for JSON too."""
    async with Bench(clock, otlp_nr_empty_body=True) as bench:
        response = await _post(bench, "traces", b"{}", JSON)
        assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("signal", ["metrics", "traces", "logs"])
async def test_errors_have_the_form_of_otlp(bench: Bench, signal: str) -> None:
    """A google.rpc.Status in the encoding of the request."""
    response = await _post(bench, signal, b"\xff\xff\xff")
    assert (response.status_code, response.headers["content-type"]) == (
        400,
        "application/x-protobuf",
    )
    status = Status.FromString(response.content)
    assert status.code == 3
    assert "protobuf" in status.message
    response = await _post(bench, signal, b"{", JSON)
    assert response.status_code == 400
    assert response.json()["code"] == 3
    response = await _post(bench, signal, b"\x1f\x8b?", {**PROTOBUF, "Content-Encoding": "gzip"})
    assert response.status_code == 400
    response = await _post(bench, signal, b"x", {**PROTOBUF, "Content-Encoding": "br"})
    assert response.status_code == 415
    response = await _post(bench, signal, bytes(1_000_001))
    assert response.status_code == 413
    assert Status.FromString(response.content).message


@pytest.mark.parametrize("key", [{}, {"Api-Key": "wrong"}, {"Api-Key": "admin-key"}])
async def test_without_the_right_key(bench: Bench, key: dict[str, str]) -> None:
    """403 as New Relic says it, in OTLP's form."""
    response = await bench.http.post("/v1/traces", content=b"", headers={**key, **PROTOBUF})
    assert response.status_code == 403
    assert Status.FromString(response.content).code == 7


async def test_the_path_that_metrics_share_with_the_facade(
    bench: Bench, clock: ManualClock
) -> None:
    """POST is OTLP by content type and content, everything else a question by the wrong method."""
    body = _metrics(clock).SerializeToString()
    for headers, parameters, content in (
        ({}, {}, body),
        ({"Content-Type": "text/plain"}, {}, body),
        (PROTOBUF, {"app": APP, "metric": "errorRate", "window": "5m"}, body),
        (JSON, {}, b'{"app": "x"}'),
        (JSON, {}, b"[]"),
    ):
        response = await bench.http.post(
            "/v1/metrics", params=parameters, content=content, headers={**KEY, **headers}
        )
        assert response.status_code == 405, (headers, parameters)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["allow"] == "GET"
    assert await bench.error() == "404 unknown_app"
    for signal in ("traces", "logs"):
        response = await _post(bench, signal, body, {"Content-Type": "text/plain"})
        assert response.status_code == 415
    await _send(bench, _metrics(clock))
    assert await bench.value("count") == 100


async def test_sessions_are_apart(bench: Bench, clock: ManualClock) -> None:
    """Samples and totals of one session are unknown to all others."""
    opened = await bench.http.post("/control/sessions", json={}, headers=ADMIN)
    session = {"X-Mock-Session": opened.json()["session"]}
    first = clock.now()
    clock.advance(30)
    for count in (10, 15):
        body = _histogram(count=count, start=first, at=first + count).SerializeToString()
        response = await _post(bench, "metrics", body, {**PROTOBUF, **session})
        assert response.status_code == 200
    assert await bench.error() == "404 unknown_app"
    answer = await bench.http.get(
        "/v1/metrics",
        params={"app": APP, "metric": "count", "window": "5m"},
        headers={**KEY, **session},
    )
    assert answer.json()["count"] == 15
    unknown = await _post(bench, "traces", b"", {**PROTOBUF, "X-Mock-Session": "none"})
    assert unknown.status_code == 400


async def test_the_journal_tells_of_every_request(bench: Bench, clock: ManualClock) -> None:
    """With the application and how many samples were counted, refused ones too."""
    await _send(bench, _metrics(clock))
    await _post(bench, "traces", b"\xff")
    answer = await bench.http.get("/control/requests?surface=otlp", headers=ADMIN)
    entries = answer.json()["requests"]
    shown = entries[0]["body"]["decoded"]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    assert shown["name"] == DURATION
    assert entries[1]["body"]["decoded"] is None
    assert [(one["app"], one["status"], one["samples"]) for one in entries] == [
        (APP, 200, 100),
        ("", 400, 0),
    ]


async def test_totals_go_on_after_a_restart(clock: ManualClock, tmp_path: Path) -> None:
    """What was acknowledged is not counted again, what happened meanwhile is.

    The second service gets the files as they lie while the first one still runs: as after kill -9.
    """
    first = clock.now()
    before, after = tmp_path / "before", tmp_path / "after"
    clock.advance(60)
    async with Bench(clock, ephemeral=False, data_dir=str(before)) as bench:
        clock.advance(60)
        await _send(bench, _histogram(count=100, start=first + 60, at=first + 70))
        shutil.copytree(before, after)
    async with Bench(clock, ephemeral=False, data_dir=str(after)) as bench:
        assert await bench.value("count") == 100
        await _send(bench, _histogram(count=100, start=first + 60, at=first + 80))
        assert await bench.value("count") == 100
        await _send(bench, _histogram(count=130, start=first + 60, at=first + 90))
        # A sender that began while the service was away is told in full, ...
        await _send(bench, _histogram(count=9, start=first + 85, at=first + 90))
        assert await bench.value("count") == 139
        # ... one that began before it ever listened is not.
        await _send(bench, _histogram(count=1000, start=first, at=first + 90))
        assert await bench.value("count") == 139


async def test_the_stream_that_was_silent_longest_gives_way(
    bench: Bench, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many streams cannot eat the memory: beyond the limit the oldest one begins anew."""
    monkeypatch.setattr("mock_newrelic.service.otlp.MAX_STREAMS", 2)
    first = clock.now()
    clock.advance(60)
    for status in (200, 201, 202):
        await _send(bench, _histogram(count=10, start=first, at=first + 10, status=status))
    assert await bench.value("count") == 30
    await _send(bench, _histogram(count=12, start=first, at=first + 20, status=202))
    assert await bench.value("count") == 32


@pytest.mark.parametrize("aggregation", [EXPONENTIAL, EXPLICIT], ids=["exponential", "explicit"])
async def test_nrql_takes_percentiles_of_histograms(
    bench: Bench, clock: ManualClock, aggregation: Any
) -> None:
    """`FROM Metric` as New Relic's users write it, in the units of the metric."""
    served = traffic(clock.now(), count=1000)
    seconds = [one.seconds for one in served]
    for request in as_metrics(served, APP, aggregation=aggregation):
        await _send(bench, request)
    clock.advance(15)
    functions = (
        "percentile({}, 95)",
        "average({})",
        "count({})",
        "max({})",
        "histogram({}, 0.1, 2)",
    )
    select = ", ".join(one.format(DURATION) for one in functions)
    answer = await bench.http.get(
        "/v1/accounts/1/query",
        params={"nrql": f"SELECT {select} FROM Metric"},
        headers={"X-Query-Key": "test-key"},
    )
    percentiles, average, count, longest, halves = answer.json()["results"]
    assert count["count"] == 1000
    assert average["average"] == pytest.approx(sum(seconds) / 1000, rel=1e-6)
    assert longest["max"] == pytest.approx(max(seconds))
    found, p95 = percentiles["percentiles"]["95"], quantile(served, 0.95)
    if aggregation is EXPONENTIAL:
        assert found == pytest.approx(p95, rel=0.02)
    else:
        # Of explicit buckets nothing is known but in which one it lies.
        assert 0.1 < p95 <= 0.25
        assert 0.1 < found <= 0.25
    short = sum(one < 0.05 for one in seconds)
    assert halves["histogram"][0] == pytest.approx(short, abs=12)
    assert sum(halves["histogram"]) == 1000


async def test_injected_faults_show_on_spans_too(bench: Bench, clock: ManualClock) -> None:
    """A gate that reads raw spans sees the errors and the latency that the facade tells."""
    served = traffic(clock.now(), count=200)
    await _send(bench, as_spans(served, APP))
    clock.advance(10)
    select = (
        "percentage(count(*), WHERE otel.status_code = 'ERROR') AS errors, "
        "percentage(count(*), WHERE http.response.status_code >= 500) AS failures, "
        "percentile(duration.ms, 50)"
    )

    async def spans() -> list[float]:
        answer = await bench.http.get(
            "/v1/accounts/1/query",
            params={"nrql": f"SELECT {select} FROM Span WHERE appName = '{APP}'"},
            headers={"X-Query-Key": "test-key"},
        )
        assert answer.status_code == 200, answer.text
        errors, failures, median = answer.json()["results"]
        return [
            next(iter(errors.values())),
            next(iter(failures.values())),
            median["percentiles"]["50"],
        ]

    errors, failures, median = await spans()
    assert errors == failures == await bench.value("errorRate") < 5
    await bench.inject({"error_ratio": 0.5})
    assert (await spans())[:2] == [await bench.value("errorRate")] * 2
    assert await bench.value("errorRate") > 50
    await bench.inject({"latency": {"add": "300ms"}}, priority=5)
    assert (await spans())[2] == pytest.approx(median + 300, rel=0.001)


@pytest.mark.parametrize("headers", [PROTOBUF, JSON], ids=["protobuf", "json"])
async def test_injected_refusals_have_the_form_of_otlp(
    bench: Bench, headers: dict[str, str]
) -> None:
    """An exporter that meets an injected 503 can read it, and is told when to come again."""
    await bench.inject({"status": {"code": 503, "retry_after": 7}}, app="*", surface="otlp")
    response = await _post(bench, "traces", b"{}" if headers is JSON else b"", headers)
    assert response.status_code == 503
    assert response.headers["content-type"] == headers["Content-Type"]
    assert response.headers["retry-after"] == "7"
    code = response.json()["code"] if headers is JSON else Status.FromString(response.content).code
    assert code == 14
    unknown = await _post(bench, "traces", b"", {**headers, "X-Mock-Session": "none"})
    assert unknown.status_code == 400
    assert unknown.headers["content-type"] == headers["Content-Type"]


async def test_transactions_that_nobody_sent_are_not_counted_as_none(
    bench: Bench, clock: ManualClock
) -> None:
    """What only raw events could answer is refused for a service that sends spans: 0 would pass."""
    await _send(bench, as_spans(traffic(clock.now(), count=100), APP))

    async def ask(nrql: str) -> httpx.Response:
        return await bench.http.get(
            "/v1/accounts/1/query",
            params={"nrql": f"{nrql} WHERE appName = '{APP}'"},
            headers={"X-Query-Key": "test-key"},
        )

    assert (await ask("SELECT count(*) FROM Transaction")).json()["results"] == [{"count": 100}]
    condition = "filter(count(*), WHERE request.uri LIKE '/vote%')"
    refused = await ask(f"SELECT {condition} FROM Transaction")
    assert refused.status_code == 400
    assert "'spans'" in refused.json()["error"]
    clock.advance(3600)
    assert (await ask(f"SELECT {condition} FROM Transaction")).status_code == 200


async def test_totals_go_on_after_a_reset(bench: Bench, clock: ManualClock) -> None:
    """What was forgotten on request does not come back with the next export."""
    first = clock.now()
    clock.advance(60)
    await _send(bench, _histogram(count=100, start=first, at=first + 10))
    await bench.http.post("/control/reset", headers=ADMIN)
    assert await bench.error() == "404 unknown_app"
    await _send(bench, _histogram(count=104, start=first, at=first + 20))
    assert await bench.value("count") == 4
