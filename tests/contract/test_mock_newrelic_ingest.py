"""The Event API: what is taken in, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mock_newrelic_bench import APP, CANARY, KEY, Bench, transactions
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

URL = "/v1/accounts/1/events"
OK = transactions(1)[0]


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def test_a_body_is_receipted(bench: Bench) -> None:
    """The receipt tells what became of the events."""
    probe = {**OK, "request.headers.userAgent": "kube-probe/1.29"}
    response = await bench.send([OK, OK, probe, {"eventType": "Vote", "choice": "a"}])
    assert response.status_code == 200
    document = response.json()
    assert document.pop("uuid")
    assert document == {
        "success": True, "accepted": 4, "samples": 2, "probes": 1, "others": 1, "duplicate": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("identity", json.dumps([OK]).encode(), id="identity"),
        pytest.param("gzip", gzip.compress(json.dumps([OK]).encode()), id="gzip"),
        pytest.param("deflate", zlib.compress(json.dumps([OK]).encode()), id="deflate"),
        pytest.param("deflate", zlib.compress(json.dumps([OK]).encode())[2:-4], id="bare-deflate"),
        pytest.param("", json.dumps(OK).encode(), id="single-object"),
        pytest.param("", b" \n" + json.dumps([OK], indent=1).encode(), id="white-space"),
    ],
)
async def test_encodings(bench: Bench, encoding: str, body: bytes) -> None:
    """Plain, gzip and both kinds of deflate are understood, and a single object too."""
    headers = {**KEY, "Content-Encoding": encoding}
    assert (await bench.http.post(URL, content=body, headers=headers)).status_code == 200
    assert await bench.value("count") == 1


@pytest.mark.parametrize("header", ["Api-Key", "X-Insert-Key", "X-License-Key", "api-key"])
async def test_keys_in_every_header_that_clients_use(bench: Bench, header: str) -> None:
    """The key may come in any of New Relic's ingest headers."""
    response = await bench.http.post(URL, json=[OK], headers={header: "test-key"})
    assert response.status_code == 200


async def test_ingest_without_key_is_refused(bench: Bench) -> None:
    """No key is 401, and nothing was counted."""
    assert (await bench.http.post(URL, json=[OK])).status_code == 401
    assert await bench.error() == "404 unknown_app"


def _with(**attributes: Any) -> list[dict[str, Any]]:
    return [OK, {**OK, **attributes}]


@pytest.mark.parametrize(
    ("events", "loc"),
    [
        pytest.param(_with(duration=-0.1), "1.duration", id="negative-duration"),
        pytest.param(_with(duration="0.1"), "1.duration", id="text-duration"),
        pytest.param(_with(duration=86_401), "1.duration", id="milliseconds-as-seconds"),
        pytest.param(_with(duration=True), "1.duration", id="boolean-duration"),
        pytest.param(_with(timestamp=-1), "1.timestamp", id="negative-time"),
        pytest.param(_with(timestamp="2026-02-04T02:00:00Z"), "1.timestamp", id="text-time"),
        pytest.param(_with(timestamp=1_769_000_000_000), "1.timestamp", id="too-old"),
        pytest.param(_with(timestamp=1_770_260_000_000), "1.timestamp", id="too-far-ahead"),
        pytest.param(_with(error="false"), "1.error", id="text-error"),
        pytest.param(_with(httpResponseCode="5xx"), "1.httpResponseCode", id="status-text"),
        pytest.param(_with(httpResponseCode=99), "1.httpResponseCode", id="status-low"),
        pytest.param(_with(httpResponseCode=600), "1.httpResponseCode", id="status-high"),
        pytest.param(_with(appName=""), "1.appName", id="app-empty"),
        pytest.param(_with(appName='a";rm'), "1.appName", id="app-syntax"),
        pytest.param([OK, {"eventType": "Transaction"}], "1.appName", id="app-missing"),
        pytest.param([OK, {"appName": APP}], "1.eventType", id="type-missing"),
        pytest.param(_with(eventType=""), "1.eventType", id="type-empty"),
        pytest.param(_with(role=5), "1.role", id="role-number"),
        pytest.param(_with(other="x" * 4097), "1.other", id="long-attribute"),
        pytest.param(_with(**{"a" * 256: 1}), "1", id="long-name"),
        pytest.param(_with(**{f"a{n}": n for n in range(256)}), "1", id="many-attributes"),
        pytest.param([OK, 5], "1", id="no-object"),
        pytest.param([OK, None], "1", id="null"),
    ],
)
async def test_one_bad_event_refuses_the_body(bench: Bench, events: Any, loc: str) -> None:
    """The problem names index and field, and not even the good event counts."""
    response = await bench.send(events)
    assert response.status_code == 422
    assert response.json()["error"] == "invalid_event"
    assert response.json()["errors"][0]["loc"] == loc
    assert loc.split(".", maxsplit=1)[0] in response.json()["detail"]
    assert await bench.error() == "404 unknown_app"


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        pytest.param(b"garbage", {}, 400, "invalid_json", id="garbage"),
        pytest.param(b"", {}, 400, "invalid_json", id="empty"),
        pytest.param(b"\xff\xfe", {}, 400, "invalid_json", id="not-utf8"),
        pytest.param(b'[{"eventType":"\xff"}]', {}, 400, "invalid_json", id="bad-utf8"),
        pytest.param(b'[{"duration":NaN}]', {}, 400, "invalid_json", id="nan"),
        pytest.param(b'[{"duration":Infinity}]', {}, 400, "invalid_json", id="infinity"),
        pytest.param(b"[]", {}, 400, "empty_batch", id="no-event"),
        pytest.param(b"5", {}, 422, "invalid_batch", id="number"),
        pytest.param(b'[{"eventType":"T","x":"\xff"}]', {}, 400, "invalid_json", id="bad-utf8-x"),
        pytest.param(b"[" * 5000, {}, 422, "invalid_event", id="nested-lists"),
        pytest.param(
            b'[{"eventType":"T","x":' + b"[" * 99_999 + b"]" * 99_999 + b"}]",
            {},
            400,
            "invalid_json",
            id="deep",
        ),
        pytest.param(b"x", {"Content-Encoding": "gzip"}, 400, "bad_encoding", id="not-gzip"),
        pytest.param(b"x", {"Content-Encoding": "br"}, 415, "bad_encoding", id="brotli"),
        pytest.param(
            gzip.compress(b"[]")[:-3],
            {"Content-Encoding": "gzip"},
            400,
            "bad_encoding",
            id="truncated-gzip",
        ),
        pytest.param(b" " * 1_000_001, {}, 413, "too_large", id="too-long"),
        pytest.param(
            gzip.compress(b" " * (33 * 1024 * 1024), 9),
            {"Content-Encoding": "gzip"},
            413,
            "too_large",
            id="bomb",
        ),
    ],
)
async def test_a_bad_body_is_refused(
    bench: Bench, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """Bodies that cannot be read are 4xx with a code, and the service goes on."""
    response = await bench.http.post(URL, content=body, headers={**KEY, **headers})
    assert (response.status_code, response.json()["error"]) == (status, code)
    await bench.fill(1)
    assert await bench.value("count") == 1


async def test_a_long_body_is_refused_before_it_is_read(bench: Bench) -> None:
    """A chunked body is cut off at the limit, whatever length it announces."""
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(160):
            sent += 65_536
            yield b" " * 65_536

    response = await bench.http.post(URL, content=chunks(), headers=KEY)
    assert response.status_code == 413
    assert sent < 2_000_000


async def test_a_huge_number_is_refused(bench: Bench) -> None:
    """1e999 is no number that can be counted."""
    body = json.dumps([OK]).replace("0.02", "1e999").encode()
    response = await bench.http.post(URL, content=body, headers=KEY)
    assert response.json()["errors"][0]["loc"] == "0.duration"


async def test_the_same_request_counts_once(bench: Bench, clock: ManualClock) -> None:
    """An x-request-id is remembered for ten minutes; the receipt is the first one's."""
    headers = {"x-request-id": "b4a4bff4-3b34-41b7-8029-5b6c9b505f5e"}
    first = (await bench.send(transactions(5), **headers)).json()
    again = (await bench.send(transactions(5), **headers)).json()
    assert again == {**first, "duplicate": True}
    assert await bench.value("count") == 5
    clock.advance(601)
    assert (await bench.send(transactions(5), **headers)).json()["duplicate"] is False


async def test_a_refused_request_may_be_sent_again(bench: Bench) -> None:
    """Only what was accepted is remembered."""
    headers = {"x-request-id": "b4a4bff4-3b34-41b7-8029-5b6c9b505f5e"}
    assert (await bench.send([{"eventType": ""}], **headers)).status_code == 422
    assert (await bench.send([OK], **headers)).json()["samples"] == 1


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"request.headers.userAgent": "kube-probe/1.29"}, id="user-agent"),
        pytest.param({"request.uri": "/readyz"}, id="path"),
        pytest.param({"request.uri": "/healthz?full=1"}, id="path-with-query"),
    ],
)
async def test_health_checks_never_enter_the_rate(bench: Bench, attributes: dict[str, str]) -> None:
    """However many probes there are, the rate is that of the requests."""
    await bench.fill(8, 2)
    await bench.fill(500, 500, **attributes)
    assert await bench.value() == 20.0
    assert await bench.value("count") == 10


async def test_the_path_of_ordinary_traffic_is_no_probe(bench: Bench) -> None:
    """Requests to / by browsers count, however long their attributes are."""
    await bench.fill(7, **{"request.uri": "/" + "x" * 9000, "request.headers.userAgent": "Mozilla"})
    assert await bench.value("count") == 7


@pytest.mark.parametrize("unit", [1, 1000])
async def test_timestamps_may_be_seconds_or_milliseconds(
    bench: Bench, clock: ManualClock, unit: int
) -> None:
    """Both of New Relic's units mean the same instant."""
    await bench.fill(4, timestamp=(clock.now() - 30) * unit)
    assert await bench.value("count", "31s") == 4
    assert await bench.error("count", "28s") == "404 no_data"


async def test_order_of_arrival_does_not_matter(bench: Bench, clock: ManualClock) -> None:
    """Late events join the seconds that they belong to."""
    for age in (10, 250, 5, 120, 0, 299):
        await bench.value("count") if age < 10 else None
        await bench.fill(1, timestamp=int((clock.now() - age) * 1000))
    assert await bench.value("count", "60s") == 3
    assert await bench.value("count") == 6


async def test_a_large_body_is_read_beside_the_event_loop(bench: Bench) -> None:
    """A body that unpacks to megabytes counts like a small one."""
    events = transactions(15_000, 300)
    body = gzip.compress(json.dumps(events).encode())
    headers = {**KEY, "Content-Encoding": "gzip"}
    assert (await bench.http.post(URL, content=body, headers=headers)).status_code == 200
    assert await bench.value("errorCount") == 300


async def test_a_label_with_too_many_values_is_refused_as_selector(bench: Bench) -> None:
    """Request ids cannot be selected on, and do not spoil the other selectors."""
    events = [{**OK, "requestId": f"r{n}", "podTemplateHash": CANARY} for n in range(200)]
    await bench.send(events)
    assert await bench.error(**{"label.requestId": "r1"}) == "400 label_not_kept"
    assert await bench.value("count", hash=CANARY) == 200


async def test_more_series_than_there_is_room_for(clock: ManualClock) -> None:
    """Totals stay exact; a selector that would miss samples is refused."""
    async with Bench(clock, max_series=10) as bench:
        await bench.send([{**OK, "host": f"h{n}"} for n in range(30)])
        assert await bench.value("count") == 30
        assert await bench.error("count", host="h1") == "503 too_many_series"


async def test_more_applications_than_there_is_room_for(clock: ManualClock) -> None:
    """A body with one application too many is refused as a whole."""
    async with Bench(clock, max_apps=2) as bench:
        await bench.fill(1, app="a")
        response = await bench.send([{**OK, "appName": "a"}, *transactions(1, app="b"), {**OK}])
        assert (response.status_code, response.json()["error"]) == (507, "too_many_apps")
        assert await bench.value("count", app="a") == 1


async def test_events_of_the_telemetry_sdk_are_accepted(bench: Bench) -> None:
    """The body that New Relic's own SDK sends (0.9.0, recorded) is taken in."""
    body = b'[{"choice":"a","eventType":"Vote","timestamp":1770170400000}]'
    response = await bench.http.post(
        "/v1/accounts/events",
        content=gzip.compress(body),
        headers={
            "accept-encoding": "gzip,deflate",
            "user-agent": "NewRelic-Python-TelemetrySDK/0.9.0",
            "api-key": "test-key",
            "content-encoding": "gzip",
            "content-type": "application/json",
            "x-request-id": "b4a4bff4-3b34-41b7-8029-5b6c9b505f5e",
        },
    )
    assert response.json()["others"] == 1
