"""Charts, batches, histograms and the list of applications."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mock_newrelic_bench import APP, CANARY, KEY, STABLE, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _get(bench: Bench, path: str, **parameters: str) -> httpx.Response:
    return await bench.http.get(path, params={"app": APP, **parameters}, headers=KEY)


async def _histogram(bench: Bench, **parameters: str) -> dict[str, Any]:
    response = await _get(bench, "/v1/metrics/histogram", **{"window": "5m", **parameters})
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


async def test_histogram_of_one_version(bench: Bench) -> None:
    """Counts, errors and exponential buckets of the selected samples."""
    await bench.fill(95, 5, podTemplateHash=CANARY, duration=0.02)
    await bench.fill(50, podTemplateHash=CANARY, duration=1.0)
    await bench.fill(70, podTemplateHash=STABLE)
    document = await _histogram(bench, hash=CANARY)
    assert document["scale"] == 5
    assert (document["count"], document["errors"]) == (150, 5)
    assert [bucket["count"] for bucket in document["buckets"]] == [100, 50]
    assert document["buckets"][0]["le"] == pytest.approx(20, rel=0.022)
    assert document["buckets"][1]["le"] == 1000
    assert document["windowStart"] == "2026-02-04T01:55:00Z"
    assert document["windowEnd"] == document["lastSampleAt"] == "2026-02-04T02:00:00Z"


async def test_histogram_since_an_instant(bench: Bench, clock: ManualClock) -> None:
    """Without a window, since alone bounds what counts."""
    await bench.fill(10)
    clock.advance(600)
    await bench.fill(3)
    response = await _get(bench, "/v1/metrics/histogram", since="2026-02-04T02:05:00Z")
    assert response.json()["count"] == 3


async def test_histogram_counts_what_its_buckets_hold(bench: Bench, clock: ManualClock) -> None:
    """For long windows too, where latency is kept coarsely, both speak of the same samples."""
    clock.advance(3)
    for age in range(2810, 2830):
        await bench.fill(1, timestamp=int((clock.now() - age) * 1000))
    document = await _histogram(bench, window="47m")
    assert document["count"] == sum(bucket["count"] for bucket in document["buckets"]) == 14
    assert document["windowStart"] == "2026-02-04T01:13:00Z"


async def test_histogram_tells_client_errors_apart(bench: Bench) -> None:
    """4xx and 5xx are counted beside the errors."""
    await bench.fill(10, 2)
    await bench.send([{"eventType": "Transaction", "appName": APP, "httpResponseCode": 400}] * 4)
    document = await _histogram(bench)
    assert (document["count"], document["errors"]) == (16, 2)
    assert (document["http5xx"], document["http4xx"]) == (2, 4)


async def test_histogram_without_data_is_refused(bench: Bench) -> None:
    """An empty arm is 404 no_data, an unknown application 404 unknown_app."""
    response = await _get(bench, "/v1/metrics/histogram", window="5m")
    assert (response.status_code, response.json()["error"]) == (404, "unknown_app")
    await bench.fill(1)
    response = await _get(bench, "/v1/metrics/histogram", window="5m", hash=CANARY)
    assert (response.status_code, response.json()["error"]) == (404, "no_data")


async def test_histogram_sees_injections(bench: Bench) -> None:
    """An injected error rate is the share of errors here too, and is marked."""
    await bench.fill(1000, podTemplateHash=CANARY)
    injected = await bench.inject({"set": 5.2}, hash=CANARY)
    response = await _get(bench, "/v1/metrics/histogram", window="5m", hash=CANARY)
    assert response.json()["errors"] == 52
    assert response.json()["injected"] == [injected["id"]]
    assert response.headers["X-Mock-Injection"] == injected["id"]
    assert (await _histogram(bench))["errors"] == 0


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({}, id="unbounded"),
        pytest.param({"window": "5m", "metric": "errorRate"}, id="metric"),
        pytest.param({"window": "5m", "hash": ""}, id="empty-selector"),
        pytest.param({"since": "2027-02-04T02:05:00Z"}, id="since-ahead"),
    ],
)
async def test_histogram_parameters_are_checked(bench: Bench, parameters: dict[str, str]) -> None:
    """What could mean two things is 400."""
    await bench.fill(1)
    assert (await _get(bench, "/v1/metrics/histogram", **parameters)).status_code == 400


async def test_series_has_a_point_per_step_with_data(bench: Bench, clock: ManualClock) -> None:
    """Steps without samples have no point; a rate is that of its step."""
    await bench.fill(9, 1)
    clock.advance(20)
    await bench.fill(5, 5)
    response = await _get(bench, "/v1/metrics/series", metric="errorRate", window="5m", step="10s")
    document = response.json()
    assert document["unit"] == "percent"
    assert document["points"] == [
        {"at": "2026-02-04T02:00:00Z", "value": 10.0, "sampleCount": 10},
        {"at": "2026-02-04T02:00:20Z", "value": 50.0, "sampleCount": 10},
    ]


async def test_series_shows_an_injection_since_it_is_in_force(
    bench: Bench, clock: ManualClock
) -> None:
    """The past keeps its measured points."""
    await bench.fill(10)
    clock.advance(60)
    await bench.fill(10)
    await bench.inject({"set": 5.2})
    response = await _get(bench, "/v1/metrics/series", metric="errorRate", window="2m", step="30s")
    assert [point["value"] for point in response.json()["points"]] == [0.0, 5.2]


async def test_series_without_any_data_is_refused(bench: Bench) -> None:
    """An empty chart is an error, not an empty list."""
    response = await _get(bench, "/v1/metrics/series", metric="errorRate", window="5m")
    assert response.status_code == 404


async def test_series_is_bounded(bench: Bench) -> None:
    """A day in steps of a second is too much."""
    response = await _get(bench, "/v1/metrics/series", metric="errorRate", window="24h", step="1s")
    assert (response.status_code, response.json()["error"]) == (400, "bad_step")


async def test_batch_answers_several_queries_for_one_instant(bench: Bench) -> None:
    """Each entry has its value or its own reason."""
    await bench.fill(948, 52, podTemplateHash=CANARY)
    await bench.fill(995, 5, podTemplateHash=STABLE)
    common = {"app": APP, "metric": "errorRate", "window": "5m"}
    response = await bench.http.post(
        "/v1/metrics:batch",
        json={
            "queries": [
                {**common, "hash": CANARY},
                {**common, "hash": STABLE},
                {**common, "app": "unknown"},
                {**common, "window": "5x"},
            ]
        },
        headers=KEY,
    )
    document = response.json()
    assert document["timestamp"] == "2026-02-04T02:00:00Z"
    assert [one.get("value") for one in document["results"]] == [5.2, 0.5, None, None]
    assert [one["status"] for one in document["results"]] == [200, 200, 404, 400]
    assert [one.get("error") for one in document["results"]][2:] == ["unknown_app", "bad_window"]
    assert document["results"][0]["sampleCount"] == 1000


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"queries": []}, id="none"),
        pytest.param({"queries": [{"app": 5}]}, id="number"),
        pytest.param({}, id="missing"),
        pytest.param({"queries": [{}] * 101}, id="too-many"),
    ],
)
async def test_a_bad_batch_is_refused(bench: Bench, body: dict[str, Any]) -> None:
    """A batch that is none is 422."""
    response = await bench.http.post("/v1/metrics:batch", json=body, headers=KEY)
    assert response.status_code == 422


async def test_applications_are_listed_with_what_is_known(bench: Bench, clock: ManualClock) -> None:
    """Name, labels and the last sample of each."""
    await bench.fill(3, role="canary", version="v18", host=f"vote-{CANARY}-7hqnx")
    clock.advance(5)
    await bench.fill(2, app="other")
    listed = (await bench.http.get("/v1/apps", headers=KEY)).json()["apps"]
    assert [app["app"] for app in listed] == ["other", APP]
    assert listed[1] == {
        "app": APP, "samples": 3, "series": 1, "roles": ["canary"], "hashes": [CANARY],
        "versions": ["v18"], "hosts": [f"vote-{CANARY}-7hqnx"],
        "lastSampleAt": "2026-02-04T02:00:00Z",
    }  # fmt: skip
    assert (await bench.http.get(f"/v1/apps/{APP}", headers=KEY)).json() == listed[1]


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("unknown", 404, "unknown_app"), ("a%22b", 400, "bad_app")],
    ids=["unknown", "syntax"],
)
async def test_an_application_that_is_not_known(
    bench: Bench, name: str, status: int, code: str
) -> None:
    """The reason is told with a stable code."""
    response = await bench.http.get(f"/v1/apps/{name}", headers=KEY)
    assert (response.status_code, response.json()["error"]) == (status, code)


@pytest.mark.parametrize(
    "path", ["/v1/metrics/series", "/v1/metrics/histogram", "/v1/apps", "/v1/apps/a"]
)
async def test_reading_needs_a_key(bench: Bench, path: str) -> None:
    """Every reading route is 401 without a key."""
    assert (await bench.http.get(path)).status_code == 401


async def test_the_framework_route_gives_the_same_answer(bench: Bench) -> None:
    """The documented route and the fast way around it share one facade."""
    await bench.fill(98, 2)
    edge = bench.http._transport.app  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(app=edge._app)
    async with httpx.AsyncClient(transport=transport, base_url="http://apm.test") as inner:
        url = f"/v1/metrics?app={APP}&metric=errorRate&window=5m"
        direct, around = await inner.get(url, headers=KEY), await bench.ask()
    assert (direct.status_code, direct.text) == (around.status_code, around.text)
    assert direct.headers["content-type"] == around.headers["content-type"]
