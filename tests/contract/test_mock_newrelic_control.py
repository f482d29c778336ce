"""Journal, waiting, reset and health."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator

import pytest
import structlog

from mock_newrelic_bench import ADMIN, APP, KEY, Bench, transactions
from svckit.clock import ManualClock
from svckit.logging import configure_logging

pytestmark = pytest.mark.anyio


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _requests(bench: Bench, **parameters: str) -> list[dict[str, object]]:
    response = await bench.http.get("/control/requests", params=parameters, headers=ADMIN)
    found: list[dict[str, object]] = response.json()["requests"]
    return found


async def test_the_journal_holds_every_request_to_the_data_plane(bench: Bench) -> None:
    """Accepted and refused, queries and ingests, in their order."""
    await bench.fill(2)
    await bench.send([{"eventType": ""}])
    await bench.ask()
    await bench.ask(app="unknown")
    await bench.http.get("/v1/metrics?app=a", headers={"Api-Key": "wrong"})
    await bench.http.put("/v1/metrics", headers=KEY)
    await bench.http.get(f"/v1/metrics/histogram?app={APP}&window=5m", headers=KEY)
    await bench.http.get("/readyz")
    seen = [(e["surface"], e["path"], e["app"], e["status"]) for e in await _requests(bench)]
    events = "/v1/accounts/1/events"
    assert seen == [
        ("event_api", events, APP, 200),
        ("event_api", events, "", 422),
        ("facade", "/v1/metrics", APP, 200),
        ("facade", "/v1/metrics", "unknown", 404),
        ("facade", "/v1/metrics", "", 401),
        ("facade", "/v1/metrics", "", 405),
        ("histogram", "/v1/metrics/histogram", APP, 200),
    ]


async def test_journal_entries_tell_what_was_asked(bench: Bench) -> None:
    """An entry has time, method, query string and number of samples."""
    await bench.fill(2)
    await bench.ask()
    ingest, query = await _requests(bench)
    assert ingest["samples"] == 2
    assert query["query"] == f"app={APP}&metric=errorRate&window=5m"
    assert (query["method"], query["at"]) == ("GET", "2026-02-04T02:00:00.000Z")


async def test_the_journal_can_be_filtered(bench: Bench) -> None:
    """By surface and application, the newest up to a limit."""
    await bench.send([*transactions(1, app="a"), *transactions(1, app="b")])
    await bench.ask(app="a")
    await bench.ask(app="b")
    assert len(await _requests(bench, app="a")) == 2
    assert len(await _requests(bench, surface="query")) == 2
    assert [e["app"] for e in await _requests(bench, surface="query", limit="1")] == ["b"]


async def test_waiting_ends_when_the_samples_have_come(bench: Bench) -> None:
    """A long poll returns as soon as the count is reached."""
    url = f"/control/wait?app={APP}&samples=10&timeout=30s"
    waiting = asyncio.create_task(bench.http.post(url, headers=ADMIN))
    await bench.fill(6)
    assert not waiting.done()
    await bench.fill(6)
    assert (await waiting).json() == {"reached": 12}


async def test_waiting_for_requests(bench: Bench) -> None:
    """Queries count as well, those before the call included."""
    await bench.ask()
    url = f"/control/wait?app={APP}&surface=query&count=2&timeout=30s"
    waiting = asyncio.create_task(bench.http.post(url, headers=ADMIN))
    await bench.ask()
    assert (await waiting).json() == {"reached": 2}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        pytest.param("samples=10&app=a&timeout=0s", 408, "wait_timeout", id="too-late"),
        pytest.param("timeout=1s", 422, "bad_wait", id="nothing"),
        pytest.param("samples=1&count=1&app=a", 422, "bad_wait", id="both"),
        pytest.param("samples=1", 400, "bad_app", id="app-missing"),
        pytest.param("count=1&timeout=2m", 422, "bad_timeout", id="too-long"),
        pytest.param("count=1&timeout=5", 422, "bad_timeout", id="no-unit"),
        pytest.param("count=0", 422, "invalid_request", id="zero"),
    ],
)
async def test_a_wait_that_cannot_end_well(
    bench: Bench, query: str, status: int, code: str
) -> None:
    """A passed timeout is an error, not an answer."""
    response = await bench.http.post(f"/control/wait?{query}", headers=ADMIN)
    assert (response.status_code, response.json()["error"]) == (status, code)


async def test_reset_forgets_samples_injections_and_requests(bench: Bench) -> None:
    """After a reset the service is as new, apart from the audit."""
    headers = {"x-request-id": "6f0c7a52-58f1-4f0e-9f51-ad8e5d1b0c30"}
    await bench.send(transactions(5), **headers)
    await bench.ask()
    await bench.inject({"set": 5.2})
    response = await bench.http.post("/control/reset", headers=ADMIN)
    assert response.json() == {"apps": 1, "injections": 1}
    assert await _requests(bench) == []
    assert await bench.error() == "404 unknown_app"
    assert (await bench.send(transactions(5), **headers)).json()["duplicate"] is False
    audit = (await bench.http.get("/control/audit", headers=ADMIN)).json()["entries"]
    assert [entry["action"] for entry in audit][-2:] == ["injection_cleared", "reset"]


async def test_reset_of_one_application_spares_the_others(bench: Bench) -> None:
    """Only the named application's samples and injections go."""
    for app in ("a", "b"):
        await bench.fill(10, app=app)
        await bench.inject({"set": 5.2}, app=app)
    await bench.value(app="a")
    await bench.http.post("/control/reset?app=a", headers=ADMIN)
    assert await bench.error(app="a") == "404 unknown_app"
    assert await bench.value(app="b") == 5.2
    assert await bench.value("count", app="b") == 10


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", "/control/reset?ap=a", id="reset"),
        pytest.param("POST", "/control/reset?app=", id="reset-empty"),
        pytest.param("DELETE", "/control/injections?app=a", id="clear"),
        pytest.param("POST", "/control/wait?count=1&surfac=query", id="wait"),
        pytest.param("GET", "/control/requests?ap=a", id="requests"),
    ],
)
async def test_a_typo_does_not_widen_a_control_call(bench: Bench, method: str, path: str) -> None:
    """An unknown or empty parameter is refused before anything is forgotten."""
    await bench.fill(10)
    await bench.inject({"set": 5.2})
    response = await bench.http.request(method, path, headers=ADMIN)
    assert response.status_code == 400
    assert await bench.value() == 5.2
    assert await bench.value("count") == 10


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/docs", "/openapi.json"])
async def test_service_routes_need_no_key(bench: Bench, path: str) -> None:
    """Health and documentation are open."""
    assert (await bench.http.get(path)).status_code == 200


async def test_the_documentation_lists_the_surface(bench: Bench) -> None:
    """Every route of the contract is in the OpenAPI document."""
    paths = (await bench.http.get("/openapi.json")).json()["paths"]
    assert {
        "/v1/metrics",
        "/v1/metrics/series",
        "/v1/metrics:batch",
        "/v1/metrics/histogram",
        "/v1/apps",
        "/v1/apps/{app}",
        "/v1/accounts/{account}/events",
        "/control/injections",
        "/control/reset",
        "/control/audit",
        "/control/requests",
        "/control/wait",
    } <= set(paths)
    names = {parameter["name"] for parameter in paths["/v1/metrics"]["get"]["parameters"]}
    assert {"app", "metric", "window", "role", "hash", "detail"} <= names


async def test_metrics_count_ingest_queries_and_injections(bench: Bench) -> None:
    """The counters tell what came in, what was asked, and what was refused."""
    await bench.fill(3)
    await bench.fill(2, **{"request.uri": "/livez"})
    await bench.send([{"eventType": ""}])
    await bench.ask()
    await bench.ask(app="unknown")
    text = (await bench.http.get("/metrics")).text
    for line in (
        'mock_newrelic_ingested_samples_total{outcome="counted",protocol="event_api"} 3.0',
        'mock_newrelic_ingested_samples_total{outcome="probe",protocol="event_api"} 2.0',
        'mock_newrelic_refused_batches_total{error="invalid_event",protocol="event_api"} 1.0',
        'mock_newrelic_queries_total{outcome="ok"} 1.0',
        'mock_newrelic_queries_total{outcome="unknown_app"} 1.0',
        'mock_newrelic_active_injections{effect="set"} 0.0',
        "mock_newrelic_series 1.0",
    ):
        assert line in text


async def test_keys_never_reach_the_log(clock: ManualClock) -> None:
    """Right, wrong and admin keys are absent from every log line at the lowest level."""
    before = structlog.get_config(), logging.getLogger().handlers[:], logging.getLogger().level
    configure_logging(level="debug", log_format="json")
    stream = io.StringIO()
    logging.getLogger().handlers[0].setStream(stream)  # type: ignore[attr-defined]
    try:
        async with Bench(clock, api_keys="s3cret-reading", admin_key="s3cret-admin") as bench:
            for key in ("s3cret-reading", "s3cret-admin", "s3cret-wrong"):
                for path in ("/v1/metrics?app=a", "/v1/apps", "/control/injections"):
                    await bench.http.get(path, headers={"Api-Key": key})
            await bench.http.post("/ui/inject", data={"key": "s3cret-admin", "app": "a"})
            entries = await bench.http.get("/control/requests", headers={"Api-Key": "s3cret-admin"})
    finally:
        structlog.configure(**before[0])
        logging.getLogger().handlers[:] = before[1]
        logging.getLogger().setLevel(before[2])
    assert "request_served" in stream.getvalue()
    assert "s3cret" not in stream.getvalue()
    assert "s3cret" not in entries.text
