"""The older query API as Flagger and Kayenta use it."""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mock_newrelic_bench import APP, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

QUERY_KEY = {"X-Query-Key": "test-key"}


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _query(bench: Bench, nrql: str) -> httpx.Response:
    return await bench.http.get("/v1/accounts/1/query", params={"nrql": nrql}, headers=QUERY_KEY)


async def _answer(bench: Bench, nrql: str) -> dict[str, Any]:
    response = await _query(bench, nrql)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


async def test_flagger_reads_one_result(bench: Bench) -> None:
    """Flagger appends the window and needs exactly one row with the key `result`."""
    await bench.fill(95, 5)
    nrql = (
        f"SELECT filter(count(*), WHERE httpResponseCode >= '500') / count(*) * 100 "
        f"FROM Transaction WHERE appName = '{APP}'"
    )
    document = await _answer(bench, nrql + " SINCE 60 seconds ago")
    assert document["results"] == [{"result": 5.0}]


async def test_flaggers_probe_is_answered(bench: Bench) -> None:
    """It asks for all metrics to see whether the provider is online."""
    assert (await _query(bench, "SELECT * FROM Metric")).status_code == 200


async def test_no_data_is_null_for_flagger(bench: Bench) -> None:
    """It takes NULL for an error, never for 0."""
    nrql = "SELECT average(duration) * 1 FROM Transaction WHERE appName = 'nobody'"
    assert (await _answer(bench, nrql))["results"] == [{"result": None}]


async def test_kayenta_reads_a_time_series(bench: Bench, clock: ManualClock) -> None:
    """Times in epoch seconds; a step in which nothing was inspected is a gap."""
    start = int(clock.now())
    await bench.fill(10, role="canary", duration=0.5)
    clock.advance(60)
    await bench.fill(5, role="stable")
    clock.advance(60)
    nrql = (
        "SELECT average(duration) FROM Transaction WHERE role = 'canary' "
        f"TIMESERIES 60 seconds SINCE {start} UNTIL {start + 120}"
    )
    document = await _answer(bench, nrql)
    assert document["timeSeries"] == [
        {
            "beginTimeSeconds": start,
            "endTimeSeconds": start + 60,
            "inspectedCount": 10,
            "results": [{"average": 0.5}],
        },
        {
            "beginTimeSeconds": start + 60,
            "endTimeSeconds": start + 120,
            "inspectedCount": 0,
            "results": [{"average": None}],
        },
    ]
    assert document["metadata"]["beginTimeMillis"] == start * 1000


async def test_facets(bench: Bench) -> None:
    """One entry for each, by name."""
    await bench.fill(3, role="canary")
    document = await _answer(bench, "SELECT count(*) FROM Transaction FACET role")
    assert document["facets"] == [{"name": "canary", "results": [{"count": 3}]}]


@pytest.mark.parametrize(
    ("parameters", "headers", "status"),
    [
        ({"nrql": "SELECT count(*) FROM Transaction"}, {}, 401),
        ({"nrql": "SELECT count(*) FROM Transaction"}, {"X-Query-Key": "wrong"}, 401),
        ({}, QUERY_KEY, 400),
        ({"nrql": "SELEC"}, QUERY_KEY, 400),
    ],
)
async def test_refusals(
    bench: Bench, parameters: dict[str, str], headers: dict[str, str], status: int
) -> None:
    """As `{"error": "…"}`, never as results."""
    response = await bench.http.get("/v1/accounts/1/query", params=parameters, headers=headers)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
