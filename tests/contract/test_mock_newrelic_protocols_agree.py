"""The same 10,000 requests, told over five protocols, read on every reading surface."""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mock_newrelic_bench import KEY, Bench
from svckit.clock import ManualClock
from telemetry_traffic import (
    PROTOBUF,
    Served,
    as_connect,
    as_events,
    as_harvest,
    as_metric_api,
    as_metrics,
    as_spans,
    quantile,
    traffic,
)

pytestmark = pytest.mark.anyio

COUNT = 10_000
WITH_QUANTILES = ("events", "otel", "spans", "agent")
LICENCE = "0123456789abcdef0123456789abcdef01234567"
PROTOCOLS = (*WITH_QUANTILES, "api")


async def _post(bench: Bench, path: str, body: Any) -> None:
    if isinstance(body, list):
        response = await bench.http.post(path, json=body, headers=KEY)
        assert response.status_code in {200, 202}, response.text
    else:
        response = await bench.http.post(
            path, content=body.SerializeToString(), headers={**KEY, **PROTOBUF}
        )
        # An OTLP answer without content is a success without partial failures.
        assert (response.status_code, response.content) == (200, b"")


async def _tell(bench: Bench, served: tuple[Served, ...]) -> None:
    """Send the same requests once over each protocol, each to an application of its name."""
    for start in range(0, COUNT, 1000):
        await _post(
            bench, "/v1/accounts/1/events", as_events(served[start : start + 1000], "events")
        )
        await _post(bench, "/v1/traces", as_spans(served[start : start + 1000], "spans"))
    for request in as_metrics(served, "otel"):
        await _post(bench, "/v1/metrics", request)
    await _post(bench, "/metric/v1", as_metric_api(served, "api"))
    await _tell_as_agent(bench, served)


async def _tell_as_agent(bench: Bench, served: tuple[Served, ...]) -> None:
    async def call(method: str, body: Any, **more: str) -> Any:
        response = await bench.http.post(
            "/agent_listener/invoke_raw_method",
            params={
                "method": method,
                "license_key": LICENCE,
                "marshal_format": "json",
                "protocol_version": "17",
                **more,
            },
            json=body,
        )
        assert response.status_code == 200, response.text
        return response.json()["return_value"]

    run = str((await call("connect", as_connect("agent")))["agent_run_id"])
    for start in range(0, COUNT, 1000):
        harvest = as_harvest(served[start : start + 1000], run)
        await call("analytic_event_data", harvest, run_id=run)


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _nrql(bench: Bench, app: str, select: str) -> Any:
    """Return the one row of a query over NerdGraph."""
    query = f"SELECT {select} FROM Transaction WHERE appName = '{app}' SINCE 5 minutes ago"
    document = {
        "query": "query ($q: Nrql!) { actor { account(id: 1) { nrql(query: $q) { results } } } }",
        "variables": {"q": query},
    }
    response = await bench.http.post("/graphql", json=document, headers=KEY)
    document = response.json()
    assert "errors" not in document, document
    return document["data"]["actor"]["account"]["nrql"]["results"][0]


async def _insights(bench: Bench, app: str, select: str) -> Any:
    query = f"SELECT {select} FROM Transaction WHERE appName = '{app}' SINCE 5 minutes ago"
    response = await bench.http.get(
        "/v1/accounts/1/query", params={"nrql": query}, headers={"X-Query-Key": "test-key"}
    )
    assert response.status_code == 200, response.text
    return response.json()["results"]


async def _read(bench: Bench, app: str, path: str, **parameters: str) -> Any:
    response = await bench.http.get(
        path, params={"app": app, "window": "5m", **parameters}, headers=KEY
    )
    assert response.status_code == 200, response.text
    return response.json()


async def _batch(bench: Bench, app: str, *metrics: str) -> list[float]:
    queries = [{"app": app, "metric": metric, "window": "5m"} for metric in metrics]
    response = await bench.http.post("/v1/metrics:batch", json={"queries": queries}, headers=KEY)
    assert response.status_code == 200, response.text
    return [one["value"] for one in response.json()["results"]]


async def test_protocols_and_readers_agree(bench: Bench, clock: ManualClock) -> None:
    """Counts and error rates are exact, p95 is within 2 %, whichever way in and whichever out."""
    served = traffic(clock.now())
    errors = sum(one.status >= 500 for one in served)
    error_rate = 100 * errors / COUNT
    p95 = quantile(served, 0.95)
    mean = sum(one.seconds for one in served) / COUNT
    await _tell(bench, served)
    for app in PROTOCOLS:
        facade = await _read(bench, app, "/v1/metrics", metric="errorRate", detail="full")
        assert facade["errorRate"] == pytest.approx(error_rate, abs=5e-5), app
        assert (facade["sampleCount"], facade["errorCount"]) == (COUNT, errors), app
        assert (await _read(bench, app, "/v1/metrics", metric="http4xxRate"))["http4xxRate"] == (
            pytest.approx(100 * sum(one.status == 404 for one in served) / COUNT, abs=5e-5)
        )
        answered = await _read(bench, app, "/v1/metrics", metric="responseTime")
        assert answered["responseTime"] == pytest.approx(1000 * mean, rel=1e-3), app
        histogram = await _read(bench, app, "/v1/metrics/histogram")
        assert (histogram["count"], histogram["errors"]) == (COUNT, errors), app
        series = await _read(bench, app, "/v1/metrics/series", metric="count", step="10s")
        assert sum(point["value"] or 0 for point in series["points"]) == COUNT, app
        row = await _nrql(
            bench, app, "count(*) AS n, percentage(count(*), WHERE error IS true) AS rate"
        )
        assert row["n"] == COUNT, app
        assert row["rate"] == pytest.approx(error_rate), app
        (result,) = await _insights(bench, app, "percentage(count(*), WHERE error IS true)")
        assert next(iter(result.values())) == pytest.approx(error_rate), app
        listed = await bench.http.get(
            "/v2/applications.json", params={"filter[name]": app}, headers=KEY
        )
        number = listed.json()["applications"][0]["id"]
        summary = listed.json()["applications"][0]["application_summary"]
        assert summary["error_rate"] == pytest.approx(error_rate, abs=0.01), app
        assert summary["response_time"] == pytest.approx(1000 * mean, rel=1e-2), app
        timeslices = await bench.http.get(
            f"/v2/applications/{number}/metrics/data.json",
            params={"names[]": ["HttpDispatcher", "Errors/all"], "summarize": "true"},
            headers=KEY,
        )
        calls, failed = (
            one["timeslices"][0]["values"] for one in timeslices.json()["metric_data"]["metrics"]
        )
        assert (calls["call_count"], failed["error_count"]) == (COUNT, errors), app
        batch = await _batch(bench, app, "errorRate", "errorCount", "count")
        assert batch == [pytest.approx(error_rate, abs=5e-5), errors, COUNT], app
    for app in WITH_QUANTILES:
        answered = await _read(bench, app, "/v1/metrics", metric="p95")
        assert answered["p95"] == pytest.approx(1000 * p95, rel=0.02), app
        assert await _batch(bench, app, "p95") == [pytest.approx(1000 * p95, rel=0.02)], app
        row = await _nrql(bench, app, "percentile(duration, 95) AS p")
        assert row["p"]["95"] == pytest.approx(p95, rel=0.02), app
        (result,) = await _insights(bench, app, "percentile(duration, 95)")
        assert result["percentiles"]["95"] == pytest.approx(p95, rel=0.02), app
        series = await _read(bench, app, "/v1/metrics/series", metric="p95", step="150s")
        assert series["points"][-1]["value"] == pytest.approx(1000 * p95, rel=0.02), app
        buckets = (await _read(bench, app, "/v1/metrics/histogram"))["buckets"]
        below = sum(one["count"] for one in buckets if one["le"] <= 1000 * p95 * 0.98)
        upto = sum(one["count"] for one in buckets if one["le"] <= 1000 * p95 * 1.0225)
        assert below <= 0.95 * COUNT <= upto, app


async def test_summaries_tell_no_quantile_anywhere(bench: Bench, clock: ManualClock) -> None:
    """Of sums alone a quantile would be made up: every reader refuses it or has none."""
    await _post(bench, "/metric/v1", as_metric_api(traffic(clock.now()), "api"))
    response = await bench.http.get(
        "/v1/metrics", params={"app": "api", "metric": "p95", "window": "5m"}, headers=KEY
    )
    assert (response.status_code, response.json()["error"]) == (404, "no_distribution")
    histogram = await _read(bench, "api", "/v1/metrics/histogram")
    assert histogram["buckets"] == []
    query = "SELECT percentile(duration, 95) FROM Transaction WHERE appName = 'api'"
    refused = await bench.http.get(
        "/v1/accounts/1/query", params={"nrql": query}, headers={"X-Query-Key": "test-key"}
    )
    assert refused.status_code == 400
    assert "distribution" in refused.json()["error"]
