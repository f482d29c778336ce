"""New Relic's Metric, Trace and Log API: forms of the body, meaning, answers."""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mock_newrelic_bench import ADMIN, APP, CANARY, KEY, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

PATHS = ("/metric/v1", "/trace/v1", "/log/v1")


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _post(bench: Bench, path: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await bench.http.post(path, content=content, headers={**KEY, **named})


async def _accepted(bench: Bench, path: str, body: Any, **headers: str) -> str:
    """Send and insist on New Relic's 202; return the request id."""
    response = await _post(bench, path, body, **headers)
    assert response.status_code == 202, response.text
    assert set(response.json()) == {"requestId"}
    return str(uuid.UUID(response.json()["requestId"]))


async def _nrql(bench: Bench, query: str) -> list[dict[str, Any]]:
    response = await bench.http.get(
        "/v1/accounts/1/query", params={"nrql": query}, headers={"X-Query-Key": "test-key"}
    )
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results


async def _dropped(bench: Bench) -> list[dict[str, Any]]:
    """Return what NrIntegrationError tells, oldest first."""
    events: list[dict[str, Any]] = (await _nrql(bench, "SELECT * FROM NrIntegrationError"))[0][
        "events"
    ]
    return events[::-1]


def _metrics(clock: ManualClock, *metrics: dict[str, Any], **common: Any) -> list[dict[str, Any]]:
    """Return metrics of the application that cover the last second."""
    return [
        {
            "common": {
                "timestamp": int(clock.now() * 1000) - 1000,
                "interval.ms": 1000,
                "attributes": {"service.name": APP, **common},
            },
            "metrics": list(metrics),
        }
    ]


def _count(name: str, value: float, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "type": "count", "value": value, "attributes": attributes}


def _span(clock: ManualClock, **attributes: Any) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex[:16],
        "trace.id": uuid.uuid4().hex,
        "timestamp": int(clock.now() * 1000) - 100,
        "attributes": {"service.name": APP, "duration.ms": 50, "name": "GET /", **attributes},
    }


async def test_requests_and_errors_by_two_counts(bench: Bench, clock: ManualClock) -> None:
    """The metric of errors tells the errors; the status then tells the kind only."""
    await _accepted(
        bench,
        "/metric/v1",
        _metrics(
            clock,
            _count("http.requests", 90, **{"http.response.status_code": 200}),
            _count("http.requests", 10, **{"http.response.status_code": "503"}),
            _count("http.errors", 4),
            role="canary",
        ),
    )
    assert await bench.value("count") == await bench.value("count", role="canary") == 100
    assert await bench.value("errorRate") == 4.0
    assert await bench.value("httpErrorRate") == 10.0


async def test_without_a_count_of_errors_the_status_tells_them(
    bench: Bench, clock: ManualClock
) -> None:
    """A rate of zero would be a made-up one."""
    body = _metrics(
        clock,
        _count("http.requests", 95),
        _count("http.requests", 3, **{"http.response.status_code": 500}),
        _count("http.requests", 2, error=True),
    )
    await _accepted(bench, "/metric/v1", body)
    assert await bench.value("errorRate") == 5.0


async def test_a_summary_tells_the_average_and_no_quantile(
    bench: Bench, clock: ManualClock
) -> None:
    """Its unit follows from its name."""
    seconds = {"count": 100, "sum": 5.0, "min": 0.01, "max": 0.2}
    body = _metrics(
        clock,
        _count("http.requests", 100),
        {"name": "http.duration", "type": "summary", "value": seconds},
    )
    await _accepted(bench, "/metric/v1", body)
    assert await bench.value("responseTime") == 50.0
    assert await bench.error("p95") == "404 no_distribution"
    await bench.http.post("/control/reset", headers=ADMIN)
    milliseconds = {"count": 100, "sum": 5000.0, "min": 10, "max": 200}
    body[0]["metrics"][1] = {
        "name": "http.duration.ms",
        "type": "summary",
        "value": milliseconds,
    }
    await _accepted(bench, "/metric/v1", body)
    assert await bench.value("responseTime") == 50.0


async def test_names_of_metrics_can_be_chosen(clock: ManualClock) -> None:
    """Settings say which metrics count requests and errors and tell latencies."""
    async with Bench(
        clock,
        metric_api_requests="votes,checkouts.*",
        metric_api_errors="votes.lost",
        metric_api_latencies="votes.time=ms",
    ) as bench:
        summary = {"count": 60, "sum": 1200, "min": 1, "max": 50}
        await _accepted(
            bench,
            "/metric/v1",
            _metrics(
                clock,
                _count("votes", 50),
                _count("checkouts.card", 10),
                _count("http.requests", 1000),
                _count("votes.lost", 6),
                {"name": "votes.time", "type": "summary", "value": summary},
            ),
        )
        assert await bench.value("count") == 60
        assert await bench.value("errorRate") == 10.0
        assert await bench.value("responseTime") == 20.0


async def test_a_count_is_spread_over_its_interval(bench: Bench, clock: ManualClock) -> None:
    """The timestamp of a metric is the start of its interval, in any unit of time."""
    now = clock.now()
    for unit in (1, 1000, 10**6, 10**9):
        await bench.http.post("/control/reset", headers=ADMIN)
        body = _metrics(clock, {**_count("http.requests", 600), "interval.ms": 60_000})
        body[0]["metrics"][0]["timestamp"] = int((now - 60) * unit)
        await _accepted(bench, "/metric/v1", body)
        assert await bench.value("count", "60s") == 600
        assert await bench.value("count", "30s") == pytest.approx(300, abs=2)


async def test_gauges_and_other_metrics_are_rows(bench: Bench, clock: ManualClock) -> None:
    """`type` may be missing, the attributes of the item win, and the facade shows them too."""
    body = _metrics(
        clock,
        {"name": "temperature", "value": 20.5, "attributes": {"room": "a", "host": "mine"}},
        {"name": "temperature", "value": 30, "type": "gauge"},
        host="common",
    )
    await _accepted(bench, "/metric/v1", body)
    (row,) = await _nrql(
        bench, "SELECT average(temperature) FROM Metric WHERE metricName = 'temperature'"
    )
    assert row == {"average": 25.25}
    (row,) = await _nrql(bench, "SELECT max(temperature) FROM Metric WHERE host = 'mine'")
    assert row == {"max": 20.5}
    answer = await bench.ask("custom:temperature", agg="max")
    assert answer.json()["custom:temperature"] == 30
    assert await bench.error() == "404 no_data"


async def test_spans_of_new_relics_format(bench: Bench, clock: ManualClock) -> None:
    """Entries of the service are samples: by kind, or without one by having no parent."""
    spans = [
        _span(clock),
        _span(clock, **{"parent.id": "a"}),
        _span(clock, **{"span.kind": "SERVER", "parent.id": "a", "error": True}),
        _span(clock, **{"span.kind": "client"}),
        _span(clock, **{"span.kind": "consumer", "otel.status_code": "ERROR"}),
        _span(clock, **{"http.response.status_code": 500}),
        _span(clock, **{"error.message": "no route"}),
        _span(clock, **{"http.statusCode": 404}),
        _span(clock, **{"user_agent.original": "kube-probe/1.33"}),
    ]
    await _accepted(bench, "/trace/v1", [{"common": {"attributes": {}}, "spans": spans}])
    assert await bench.value("count") == 6
    assert await bench.value("errorRate") == pytest.approx(400 / 6, abs=1e-3)
    assert await bench.value("http4xxRate") == pytest.approx(100 / 6, abs=1e-3)
    assert await bench.value("p95") == pytest.approx(50, rel=0.011)
    assert await _nrql(bench, f"FROM Span SELECT count(*) WHERE appName = '{APP}'") == [
        {"count": 9}
    ]


async def test_spans_of_zipkin(bench: Bench, clock: ManualClock) -> None:
    """Microseconds, endpoints and tags; an error is a tag, whatever it says."""
    now = int(clock.now() * 1e6)
    spans = [
        {
            "traceId": f"{number:032x}",
            "id": f"{number:016x}",
            "kind": kind,
            "name": "get /",
            "timestamp": now - 100_000,
            "duration": 50_000,
            "localEndpoint": {"serviceName": APP},
            "tags": tags,
        }
        for number, (kind, tags) in enumerate(
            [
                ("SERVER", {}),
                ("SERVER", {"error": "", "http.status_code": "500"}),
                ("SERVER", {"http.status_code": "404"}),
                ("CLIENT", {}),
            ],
            1,
        )
    ]
    headers = {"Data_Format": "zipkin", "Data_Format_Version": "2"}
    await _accepted(bench, "/trace/v1", spans, **headers)
    assert await bench.value("count") == 3
    assert await bench.value("errorRate") == pytest.approx(100 / 3, abs=1e-3)
    assert await bench.value("responseTime") == 50.0
    refused = await _post(bench, "/trace/v1", spans, Data_Format="jaeger")
    assert refused.status_code == 400
    refused = await _post(bench, "/trace/v1", spans, Data_Format="zipkin", Data_Format_Version="1")
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ([{"common": {"attributes": {"a": 1}}, "logs": [{"message": "x"}]}], "", ["x"]),
        ([{"message": "x"}, {"message": "y", "attributes": {"b": 2}}], "", ["x", "y"]),
        ({"message": "x", "level": "warn"}, "application/json", ["x"]),
        (b"first line\n\nsecond line\n", "text/plain", ["first line", "second line"]),
    ],
)
async def test_forms_of_logs(
    bench: Bench, body: Any, content_type: str, expected: list[str]
) -> None:
    """Blocks, logs alone, one log, plain text."""
    await _accepted(bench, "/log/v1", body, content_type=content_type)
    (result,) = await _nrql(bench, "SELECT uniques(message) FROM Log")
    assert sorted(result["members"]) == expected
    assert await _dropped(bench) == []


async def test_who_sent_it_is_read_from_many_names(bench: Bench, clock: ManualClock) -> None:
    """Role, hash, version and host, as agents, OpenTelemetry and Kubernetes call them."""
    pod = f"vote-{CANARY}-7hqnx"
    for common, selector in (
        ({"tags.role": "canary"}, {"role": "canary"}),
        ({"rollouts-pod-template-hash": CANARY}, {"hash": CANARY}),
        ({"k8s.pod.label.rollouts-pod-template-hash": CANARY}, {"hash": CANARY}),
        ({"k8s.replicaset.name": f"vote-{CANARY}"}, {"hash": CANARY}),
        ({"k8s.pod.name": pod}, {"hash": CANARY, "host": pod}),
        ({"host.name": pod}, {"hash": CANARY, "host": pod}),
        ({"service.version": "v18"}, {"version": "v18"}),
        ({"deployment.environment": "qa"}, {"env": "qa"}),
        ({"team": "votes"}, {"label.team": "votes"}),
        ({"tags.team": "votes"}, {"label.team": "votes"}),
    ):
        await bench.http.post("/control/reset", headers=ADMIN)
        await _accepted(bench, "/metric/v1", _metrics(clock, _count("a.requests", 5), **common))
        assert await bench.value("count", **selector) == 5, common


@pytest.mark.parametrize("path", PATHS)
async def test_a_repeated_request_counts_once(bench: Bench, clock: ManualClock, path: str) -> None:
    """Within ten minutes the same x-request-id gets the same answer and adds nothing."""
    bodies = {
        "/metric/v1": _metrics(clock, _count("http.requests", 1)),
        "/trace/v1": [{"spans": [_span(clock)]}],
        "/log/v1": [{"message": "x", "service.name": APP}],
    }
    kinds = {"/metric/v1": "Metric", "/trace/v1": "Span", "/log/v1": "Log"}
    sent = [
        await _accepted(bench, path, bodies[path], x_request_id=str(uuid.UUID(int=1)))
        for _ in range(2)
    ]
    assert sent[0] == sent[1]
    (row,) = await _nrql(bench, f"SELECT count(*) FROM {kinds[path]}")
    assert row == {"count": 1}


@pytest.mark.parametrize("path", PATHS)
async def test_refusals_in_new_relics_form(bench: Bench, path: str) -> None:
    """Key, size, encoding and type are judged at once."""
    body = b"[]"
    for expected, headers, content in (
        (403, {"Api-Key": "wrong"}, body),
        (403, {"Api-Key": "admin-key"}, body),
        (400, KEY, b""),
        (400, {**KEY, "Content-Encoding": "gzip"}, gzip.compress(body)[:-4]),
        (413, KEY, bytes(1_000_001)),
        (413, {**KEY, "Content-Encoding": "gzip"}, gzip.compress(bytes(33 * 2**20))),
        (415, {**KEY, "Content-Encoding": "br"}, body),
        (415, {**KEY, "Content-Type": "application/x-protobuf"}, body),
    ):
        response = await bench.http.post(path, content=content, headers=headers)
        assert response.status_code == expected, headers
        assert response.headers["content-type"] == "application/json"
        assert response.json()["error"]["code"] == expected
    assert (await bench.http.get(path, headers=KEY)).status_code == 405
    for header in ("X-License-Key", "X-Insert-Key", "api-key"):
        response = await bench.http.post(path, content=body, headers={header: "test-key"})
        assert response.status_code == 202
    response = await bench.http.post(path, params={"Api-Key": "test-key"}, content=body)
    assert response.status_code == 202


@pytest.mark.parametrize(
    ("path", "feature"),
    [("/metric/v1", "Metrics"), ("/trace/v1", "Distributed Tracing"), ("/log/v1", "Logs")],
)
async def test_what_is_no_json_is_accepted_and_told(bench: Bench, path: str, feature: str) -> None:
    """New Relic validates after it has answered; the event names the feature and the request."""
    request = await _accepted(bench, path, b'[{"metrics": [')
    (event,) = await _dropped(bench)
    assert (event["newRelicFeature"], event["category"]) == (feature, "bad_request")
    assert event["requestId"] == request
    assert "JSON" in event["message"]


async def test_bad_metrics_are_dropped_one_by_one(bench: Bench, clock: ManualClock) -> None:
    """The good ones between them count; every reason is told with its number."""
    good = _count("http.requests", 1)
    bad: list[tuple[str, Any]] = [
        ("bad_request", 7),
        ("bad_name", {"value": 1}),
        ("bad_name", {"name": "x" * 256, "value": 1}),
        ("bad_type", {"name": "a", "type": "distribution", "value": 1}),
        ("bad_value", {"name": "a"}),
        ("bad_value", {"name": "a", "value": "1"}),
        ("bad_value", {"name": "a", "value": True}),
        ("bad_value", {"name": "a", "type": "count", "value": -1}),
        ("bad_value", {"name": "a", "value": float("nan")}),
        ("bad_value", {"name": "a", "value": float("inf")}),
        ("bad_value", {"name": "a", "type": "summary", "value": 1}),
        ("bad_value", {"name": "a", "type": "summary", "value": {"count": 1}}),
        ("bad_value", {"name": "a.duration", "type": "summary", "value": {"count": 1, "sum": -1}}),
        ("bad_interval", {"name": "a", "type": "count", "value": 1, "interval.ms": -1}),
        ("bad_interval", {"name": "a", "type": "count", "value": 1, "interval.ms": None}),
        ("bad_timestamp", {"name": "a", "value": 1, "timestamp": 1}),
        ("bad_timestamp", {"name": "a", "value": 1, "timestamp": (clock.now() + 90_000) * 1e3}),
        ("bad_timestamp", {"name": "a", "value": 1, "timestamp": "now"}),
        ("bad_attribute", {"name": "a", "value": 1, "attributes": [1]}),
        ("bad_attribute", {"name": "a", "value": 1, "attributes": {"": 1}}),
        ("bad_attribute", {"name": "a", "value": 1, "attributes": {"b": "x" * 4096}}),
        ("too_many_attributes", {"name": "a", "value": 1,
                                 "attributes": {f"a{n}": n for n in range(256)}}),
        ("bad_application", {"name": "a", "value": 1, "attributes": {"service.name": "<script>"}}),
    ]  # fmt: skip
    for reason, metric in bad:
        await _accepted(bench, "/metric/v1", _metrics(clock, good, metric, good))
        assert (await _dropped(bench))[-1]["category"] == reason, metric
        clock.advance(1)
    assert await bench.value("count") == 2 * len(bad)
    assert len(await _dropped(bench)) == len(bad)
