"""Snapshots compare what clients sent with what they once sent; info tells no secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mock_newrelic_bench import ADMIN, Bench, transactions
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

URL = "/control/snapshots/votes"


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _compare(bench: Bench, **body: Any) -> httpx.Response:
    return await bench.http.post(URL, json={"surface": "ingest", **body}, headers=ADMIN)


async def test_a_snapshot_is_made_and_then_compared(bench: Bench) -> None:
    """The same requests at another time are the same; another value is told with its place."""
    await bench.send(transactions(2, timestamp=1_770_170_400_000))
    assert (await _compare(bench)).json() == {"snapshot": "votes", "created": True, "requests": 1}
    await bench.http.post("/control/reset", headers=ADMIN)
    await bench.send(transactions(2, timestamp=1_770_170_401_000))
    assert (await _compare(bench)).json()["created"] is False
    await bench.http.post("/control/reset", headers=ADMIN)
    await bench.send(transactions(2, duration=0.5))
    response = await _compare(bench)
    assert (response.status_code, response.json()["error"]) == (409, "snapshot_differs")
    assert response.json()["errors"][0] == {
        "loc": "[0].body[0].duration", "msg": "0.5, expected 0.02",
    }  # fmt: skip
    assert (await _compare(bench, ignore=["duration"])).status_code == 200


async def test_a_missing_or_additional_request_is_a_difference(bench: Bench) -> None:
    """The number of requests counts too."""
    await bench.fill(1)
    await _compare(bench)
    await bench.fill(1)
    response = await _compare(bench)
    assert response.json()["errors"] == [{"loc": "", "msg": "2 items, expected 1"}]


async def test_in_ci_no_snapshot_is_created(clock: ManualClock) -> None:
    """A missing one is an error there; one that was put in place is compared."""
    async with Bench(clock, ci=True) as bench:
        await bench.fill(1)
        response = await _compare(bench)
        assert (response.status_code, response.json()["error"]) == (404, "snapshot_missing")
        put = await bench.http.put(URL, json={"requests": []}, headers=ADMIN)
        assert put.status_code == 200
        assert (await _compare(bench)).status_code == 409


async def test_snapshots_are_listed_shown_and_forgotten(bench: Bench) -> None:
    """What GET shows can be PUT elsewhere."""
    await bench.fill(1)
    await _compare(bench)
    shown = (await bench.http.get(URL, headers=ADMIN)).json()
    assert shown["requests"][0]["path"] == "/v1/accounts/1/events"
    async with Bench(bench.clock, ci=True) as other:
        await other.fill(1)
        await other.http.put(URL, json=shown, headers=ADMIN)
        assert (await _compare(other)).status_code == 200
    listed = await bench.http.get("/control/snapshots", headers=ADMIN)
    assert listed.json() == {"snapshots": ["votes"]}
    assert (await bench.http.delete(URL, headers=ADMIN)).json() == {"deleted": 1}
    assert (await bench.http.get(URL, headers=ADMIN)).status_code == 404


async def test_info_masks_the_keys(bench: Bench) -> None:
    """Version, clock and settings are there, keys are not."""
    response = await bench.http.get("/control/info", headers=ADMIN)
    document = response.json()
    assert document["now"] == "2026-02-04T02:00:00.000Z"
    assert document["settings"]["max_apps"] == 200
    assert "test-key" not in response.text
    assert "admin-key" not in response.text
