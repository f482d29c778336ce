"""Windows and history from the APM's REST interface, and answers about something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from analyzer.adapters.newrelic_rest import NewRelicRestSource
from analyzer.domain.model import ArmCounts, Window
from analyzer.ports import Arms, Tier
from mock_newrelic_bench import APP, KEY, Bench
from svckit.clock import ManualClock
from svckit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

NOW = 1_770_170_400.0  # 2026-02-04T02:00:00Z
WINDOW = Window(start=NOW - 30, end=NOW)
ARMS = Arms(app=APP, canary="7cd75c6d7c", stable="54bc444575")


def _event(pod_hash: str, *, bad: bool = False, ago: float = 10) -> dict[str, Any]:
    return {
        "eventType": "Transaction",
        "appName": APP,
        "podTemplateHash": pod_hash,
        "duration": 0.02,
        "error": bad,
        "httpResponseCode": "500" if bad else "200",
        "timestamp": int((NOW - ago) * 1000),
    }


@pytest.fixture(name="bench")
async def _bench() -> AsyncIterator[Bench]:
    async with Bench(ManualClock(NOW)) as bench:
        bench.http.headers.update(KEY)
        yield bench


async def test_a_window_has_counts_and_latencies(bench: Bench) -> None:
    """An arm that sent nothing is empty, with a note."""
    events = [_event(ARMS.canary, bad=bad) for bad in (True, False, False)]
    assert (await bench.send([*events, _event(ARMS.canary, ago=40)])).status_code == 200
    reading = await NewRelicRestSource(bench.http, timeout_seconds=5).read_window(ARMS, WINDOW)
    assert reading.canary.counts == ArmCounts(count=3, bad=1)
    assert reading.canary.latency is not None
    assert reading.canary.latency.counts == (3,)
    assert reading.canary.latency.le_ms[0] == pytest.approx(20, rel=0.03)
    assert reading.stable.counts.count == 0
    assert "no data" in reading.stable.note


async def test_history_comes_in_blocks_of_stable(bench: Bench) -> None:
    """Each block has the requests of its own time; blocks without any are left out."""
    events = [
        *(_event(ARMS.stable, ago=80) for _ in range(3)),
        *(_event(ARMS.stable, ago=10, bad=bad) for bad in (True, False)),
    ]
    assert (await bench.send(events)).status_code == 200
    history = await NewRelicRestSource(bench.http, timeout_seconds=5).read_history(
        ARMS, Window(start=NOW - 90, end=NOW), block_s=30
    )
    assert history.blocks == ((3, 0), (2, 1))
    assert history.latency is not None
    assert history.latency.count == 5


def _told(**changes: Any) -> dict[str, Any]:
    whole = {
        "count": 4,
        "errors": 1,
        "buckets": [{"le": 20.5, "count": 3}, {"le": 21.0, "count": 1}],
        "windowEnd": "2026-02-04T02:00:00Z",
    }
    return {**whole, **changes}


async def _read(document: dict[str, Any]) -> Any:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=document))
    async with httpx.AsyncClient(transport=transport, base_url="http://apm.test") as http:
        return await NewRelicRestSource(http, timeout_seconds=5).read_window(ARMS, WINDOW)


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        pytest.param({"windowEnd": "2026-02-04T01:55:00Z"}, "windowEnd", id="earlier-window"),
        pytest.param({"windowEnd": "yesterday"}, "unusable", id="no-time"),
        pytest.param({"count": 3}, "buckets hold 4 of 3", id="buckets-too-full"),
        pytest.param({"buckets": [{"le": 2, "count": -1}]}, "negative", id="negative-bucket"),
        pytest.param(
            {"buckets": [{"le": 2, "count": 1}, {"le": 1, "count": 1}]}, "not above", id="unordered"
        ),
        pytest.param({"buckets": [{"le": None, "count": 1}]}, "unusable", id="null-edge"),
    ],
)
async def test_an_answer_that_contradicts_itself_is_an_error(
    lie: dict[str, Any], said: str
) -> None:
    """Never judged by the half of it that looks right."""
    with pytest.raises(Unavailable, match=said):
        await _read(_told(**lie))


async def test_a_source_without_latencies_still_tells_counts() -> None:
    """The tier says what is missing."""
    assert (await _read(_told())).tier is Tier.HISTOGRAM
    reading = await _read(_told(buckets=[]))
    assert reading.tier is Tier.COUNTS
    assert reading.canary.counts == ArmCounts(count=4, bad=1)
