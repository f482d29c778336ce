"""Sessions keep parallel tests apart; the journal misses no request of any door."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mock_newrelic.domain.surfaces import DATA_PLANE, Surface, surface_of
from mock_newrelic_bench import ADMIN, APP, KEY, Bench, transactions
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

QUESTION = f"/v1/metrics?app={APP}&metric=errorRate&window=5m"


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _begin(bench: Bench, **more: str) -> dict[str, str]:
    """Begin a session and return the header that names it."""
    response = await bench.http.post("/control/sessions", json=more, headers=ADMIN)
    assert response.status_code == 201, response.text
    return {"X-Mock-Session": response.json()["session"]}


async def _rate(bench: Bench, session: dict[str, str]) -> object:
    response = await bench.http.get(QUESTION, headers={**KEY, **session})
    return response.json().get("errorRate", response.json().get("error"))


async def _requests(bench: Bench, **parameters: str) -> list[dict[str, Any]]:
    response = await bench.http.get("/control/requests", params=parameters, headers=ADMIN)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["requests"]
    return found


async def test_sessions_see_nothing_of_each_other(bench: Bench) -> None:
    """Samples, injections and requests of one are not there for another, nor for the default."""
    one, two = await _begin(bench), await _begin(bench)
    await bench.send(transactions(9, 1), **one)
    await bench.send(transactions(1, 1), **two)
    assert [await _rate(bench, each) for each in (one, two, {})] == [10.0, 50.0, "unknown_app"]
    wish = {"app": APP, "effect": {"set": 7}}
    made = await bench.http.post("/control/injections", json=wish, headers={**ADMIN, **one})
    assert made.json()["session"] == one["X-Mock-Session"]
    assert [await _rate(bench, each) for each in (one, two, {})] == [7, 50.0, "unknown_app"]
    listed = [
        (await bench.http.get("/control/injections", headers={**ADMIN, **each})).json()
        for each in (one, two)
    ]
    assert [len(each["injections"]) for each in listed] == [1, 0]
    assert len(await _requests(bench, session=one["X-Mock-Session"])) == 3
    assert len(await _requests(bench)) == 2
    assert {entry["session"] for entry in await _requests(bench)} == {""}


async def test_every_reader_is_in_its_session(bench: Bench) -> None:
    """Charts, histograms, lists, batches, NRQL and REST v2 see the session's data only."""
    session = await _begin(bench)
    await bench.send(transactions(10), **session)
    query = f"app={APP}&window=5m"
    for path in (
        f"/v1/metrics/series?{query}&metric=errorRate",
        f"/v1/metrics/histogram?{query}",
        f"/v1/apps/{APP}",
        "/v1/apps",
        "/v2/applications.json",
        "/v1/accounts/1/query?nrql=SELECT+count(*)+FROM+Transaction",
    ):
        headers = {**KEY, "X-Query-Key": "test-key"}
        mine = await bench.http.get(path, headers={**headers, **session})
        others = await bench.http.get(path, headers=headers)
        assert mine.status_code == 200, path
        assert mine.text != others.text, path
    body = {"queries": [{"app": APP, "metric": "count", "window": "5m"}]}
    batch = [
        (await bench.http.post("/v1/metrics:batch", json=body, headers={**KEY, **each})).json()
        for each in (session, {})
    ]
    assert batch[0]["results"][0]["value"] == 10
    assert batch[1]["results"][0]["error"] == "unknown_app"


async def test_the_same_request_id_counts_once_in_each_session(bench: Bench) -> None:
    """Two suites that replay one recording do not swallow each other's bodies."""
    one, two = await _begin(bench), await _begin(bench)
    headers = {"x-request-id": "6f0c7a52-58f1-4f0e-9f51-ad8e5d1b0c30"}
    for session, duplicate in ((one, False), (two, False), (one, True)):
        receipt = await bench.send(transactions(5), **headers, **session)
        assert receipt.json()["duplicate"] is duplicate


async def test_a_session_may_be_named_in_the_url(bench: Bench) -> None:
    """As mock_session, beside the parameters of the door, which do not see it."""
    session = await _begin(bench)
    token = session["X-Mock-Session"]
    await bench.send(transactions(9, 1), **session)
    response = await bench.http.get(f"{QUESTION}&mock_session={token}", headers=KEY)
    assert response.json()["errorRate"] == 10.0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", QUESTION),
        ("GET", "/v1/metrics/series?x=1"),
        ("POST", "/v1/accounts/1/events"),
        ("POST", "/graphql"),
        ("GET", "/v1/accounts/1/query?nrql=x"),
        ("GET", "/v2/applications.json"),
        ("POST", "/agent_listener/invoke_raw_method?method=connect"),
        ("GET", "/control/injections"),
        ("POST", "/control/reset"),
    ],
)
async def test_an_unknown_session_is_nobodys(bench: Bench, method: str, path: str) -> None:
    """400 on every door, never somebody else's data; nothing is reset."""
    await bench.fill(10)
    headers = {**ADMIN, "X-Mock-Session": "ses_unknown"}
    response = await bench.http.request(method, path, headers=headers)
    assert response.status_code == 400
    assert "session" in response.text
    assert await bench.value("count") == 10


async def test_a_session_ends_by_itself_or_by_hand(bench: Bench, clock: ManualClock) -> None:
    """After its time, or DELETE, its token is unknown and everything in it is gone."""
    one, two = await _begin(bench, ttl="10m", name="a"), await _begin(bench, name="b")
    await bench.send(transactions(10), **one)
    listed = (await bench.http.get("/control/sessions", headers=ADMIN)).json()["sessions"]
    assert [each["name"] for each in listed] == ["a", "b"]
    clock.advance(600)
    assert await _rate(bench, one) == "unknown_session"
    response = await bench.http.delete(f"/control/sessions/{two['X-Mock-Session']}", headers=ADMIN)
    assert response.json() == {"ended": 1}
    assert await _rate(bench, two) == "unknown_session"
    response = await bench.http.delete(f"/control/sessions/{two['X-Mock-Session']}", headers=ADMIN)
    assert response.status_code == 404


async def test_there_is_room_for_so_many_sessions(bench: Bench) -> None:
    """The hundred and first is refused."""
    for _ in range(100):
        await _begin(bench)
    response = await bench.http.post("/control/sessions", json={}, headers=ADMIN)
    assert (response.status_code, response.json()["error"]) == (409, "too_many_sessions")


async def test_reset_stays_in_its_session(bench: Bench) -> None:
    """The default session keeps what it has."""
    session = await _begin(bench)
    await bench.fill(10)
    await bench.send(transactions(10), **session)
    response = await bench.http.post("/control/reset", headers={**ADMIN, **session})
    assert response.json()["apps"] == 1
    assert await _rate(bench, session) == "unknown_app"
    assert await bench.value("count") == 10
    assert len(await _requests(bench)) == 2


@pytest.mark.parametrize(
    ("method", "path", "content_type", "surface"),
    [
        ("GET", "/v1/metrics", "", Surface.FACADE),
        ("PUT", "/v1/metrics", "", Surface.FACADE),
        ("POST", "/v1/metrics", "application/x-protobuf", Surface.OTLP),
        ("POST", "/v1/metrics:batch", "application/json", Surface.FACADE),
        ("GET", "/v1/metrics/series", "", Surface.SERIES),
        ("GET", "/v1/metrics/histogram", "", Surface.HISTOGRAM),
        ("GET", "/v1/apps", "", Surface.FACADE),
        ("POST", "/graphql", "application/json", Surface.NERDGRAPH),
        ("GET", "/v1/accounts/1/query", "", Surface.INSIGHTS),
        ("POST", "/v1/accounts/1/events", "application/json", Surface.EVENT_API),
        ("POST", "/v1/accounts/events", "application/json", Surface.EVENT_API),
        ("GET", "/v2/applications.json", "", Surface.REST2),
        ("POST", "/agent_listener/invoke_raw_method", "", Surface.AGENT),
        ("POST", "/v1/traces", "application/x-protobuf", Surface.OTLP),
        ("POST", "/v1/logs", "application/json", Surface.OTLP),
        ("POST", "/metric/v1", "application/json", Surface.METRIC_API),
        ("POST", "/trace/v1", "application/json", Surface.TRACE_API),
        ("POST", "/log/v1", "application/json", Surface.LOG_API),
    ],
)
async def test_every_door_is_in_the_journal(
    bench: Bench, method: str, path: str, content_type: str, surface: Surface
) -> None:
    """Whether or not the door likes the request, it is told with surface, status and body."""
    assert surface_of(method, path, content_type) is surface
    response = await bench.http.request(
        method, path, content=b"x" if method == "POST" else None,
        headers={"Content-Type": content_type or "text/plain", "User-Agent": "tester/1"},
    )  # fmt: skip
    [entry] = await _requests(bench)
    assert (entry["surface"], entry["method"], entry["path"]) == (surface, method, path)
    assert entry["status"] == response.status_code
    assert entry["client"] == "tester/1"


def test_every_surface_of_the_data_plane_is_tried_above() -> None:
    """A new door needs its line in the table."""
    tried = {mark.args[1][at][3] for mark in test_every_door_is_in_the_journal.pytestmark  # type: ignore[attr-defined]
             if mark.name == "parametrize" for at in range(len(mark.args[1]))}  # fmt: skip
    assert tried == DATA_PLANE


async def test_bodies_are_kept_as_they_came_and_as_they_read(bench: Bench) -> None:
    """Base64 of the bytes, and the JSON inside, also when it was packed."""
    packed = gzip.compress(json.dumps(transactions(1)).encode())
    await bench.http.post(
        "/v1/accounts/1/events", content=packed, headers={**KEY, "Content-Encoding": "gzip"}
    )
    [entry] = await _requests(bench)
    assert base64.b64decode(entry["body"]["base64"]) == packed
    assert entry["body"]["decoded"] == transactions(1)
    assert (entry["body"]["bytes"], entry["body"]["encoding"]) == (len(packed), "gzip")


async def test_keys_are_in_the_journal_by_digest_only(bench: Bench) -> None:
    """In headers and in the query string; the same key has the same digits."""
    await bench.fill(1)
    await bench.http.post(
        "/agent_listener/invoke_raw_method?method=connect&license_key=0123456789abcdef"
    )
    response = await bench.http.get("/control/requests", headers=ADMIN)
    assert "test-key" not in response.text
    assert "0123456789abcdef" not in response.text
    first, second = response.json()["requests"]
    assert len(first["key"]) == len(second["key"]) == 6
    assert f"license_key={second['key']}" in second["query"]
    assert second["call"] == "connect"


async def test_the_journal_is_filtered_by_status_and_method(bench: Bench) -> None:
    """One status, a class of them, an agent's method."""
    await bench.ask()
    await bench.fill(1)
    await bench.ask()
    agent = "/agent_listener/invoke_raw_method?method=preconnect"
    await bench.http.post(agent)
    assert len(await _requests(bench, status="404", surface="facade")) == 1
    assert {entry["status"] for entry in await _requests(bench, status="2xx", surface="query")} == {
        200
    }
    assert [entry["call"] for entry in await _requests(bench, method="preconnect")] == [
        "preconnect"
    ]
    response = await bench.http.get("/control/requests?surface=nowhere", headers=ADMIN)
    assert (response.status_code, response.json()["error"]) == (422, "bad_surface")


async def test_waiting_for_a_metric(bench: Bench) -> None:
    """The wait ends when the measured value fulfils the condition."""
    url = f"/control/wait?app={APP}&metric=errorRate&op=gt&value=1&timeout=30s"
    waiting = asyncio.create_task(bench.http.post(url, headers=ADMIN))
    await bench.fill(100)
    assert not waiting.done()
    await bench.fill(0, 100)
    assert (await waiting).json() == {"reached": 50.0}


async def test_waiting_in_a_session(bench: Bench) -> None:
    """Samples of others do not count."""
    session = await _begin(bench)
    await bench.fill(100)
    url = f"/control/wait?app={APP}&samples=5&timeout=0s"
    response = await bench.http.post(url, headers={**ADMIN, **session})
    assert (response.status_code, response.json()["error"]) == (408, "wait_timeout")
    await bench.send(transactions(5), **session)
    response = await bench.http.post(url, headers={**ADMIN, **session})
    assert response.json() == {"reached": 5}
