"""Windows from NerdGraph: real queries against the APM's own endpoint, and answers that lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from analyzer.adapters.nerdgraph import NerdGraphSource
from analyzer.domain.model import ArmCounts, Window
from analyzer.ports import Arms, Tier
from mock_newrelic_bench import APP, KEY, Bench
from svckit.clock import ManualClock
from svckit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio

NOW = 1_770_170_400.0  # 2026-02-04T02:00:00Z
WINDOW = Window(start=NOW - 30, end=NOW)
ARMS = Arms(app=APP, canary="7cd75c6d7c", stable="54bc444575")


def _event(pod_hash: str, duration: float, *, bad: bool = False, ago: float = 10) -> dict[str, Any]:
    return {
        "eventType": "Transaction",
        "appName": APP,
        "podTemplateHash": pod_hash,
        "duration": duration,
        "error": bad,
        "httpResponseCode": "500" if bad else "200",
        "timestamp": int((NOW - ago) * 1000),
    }


@pytest.fixture(name="bench")
async def _bench() -> AsyncIterator[Bench]:
    async with Bench(ManualClock(NOW)) as bench:
        yield bench


def _source(http: httpx.AsyncClient) -> NerdGraphSource:
    http.headers.update({"API-Key": KEY["Api-Key"]})
    return NerdGraphSource(http, timeout_seconds=5, account=1)


async def test_a_window_has_counts_and_latencies_of_both_arms(bench: Bench) -> None:
    """Every request is in one bin, whichever of the three scales it falls into."""
    events = [
        *(_event(ARMS.canary, seconds) for seconds in (0.0205, 0.3051, 3.051, 60)),
        _event(ARMS.canary, 0.0205, bad=True),
        *(_event(ARMS.stable, 0.0205) for _ in range(7)),
        _event(ARMS.stable, 0.0205, ago=45),
        _event("another", 0.0205, bad=True),
    ]
    assert (await bench.send(events)).status_code == 200
    reading = await _source(bench.http).read_window(ARMS, WINDOW)
    assert reading.tier is Tier.HISTOGRAM
    assert reading.canary.counts == ArmCounts(count=5, bad=1)
    assert reading.stable.counts == ArmCounts(count=7, bad=0)
    assert reading.canary.latency is not None
    assert reading.canary.latency.counts == (2, 1, 1, 1)
    # The APM keeps latencies in bins of 2.2 %, so a bin of 1 ms may be one beside.
    assert [pytest.approx(edge, rel=0.06) for edge in reading.canary.latency.le_ms] == [
        21,
        310,
        3100,
        float("inf"),
    ]


async def test_an_arm_without_events_is_empty_and_says_so(bench: Bench) -> None:
    """Nothing found is told as nothing found."""
    assert (await bench.send([_event(ARMS.stable, 0.02)])).status_code == 200
    reading = await _source(bench.http).read_window(ARMS, WINDOW)
    assert reading.canary.counts.count == 0
    assert "no transactions" in reading.canary.note
    assert reading.stable.note == ""


async def test_history_comes_in_blocks_of_stable(bench: Bench) -> None:
    """Blocks without requests are left out; the oldest comes first."""
    events = [
        *(_event(ARMS.stable, 0.02, ago=85) for _ in range(3)),
        *(_event(ARMS.stable, 0.02, ago=5, bad=bad) for bad in (True, False)),
        _event(ARMS.canary, 0.02, ago=5),
    ]
    assert (await bench.send(events)).status_code == 200
    history = await _source(bench.http).read_history(
        ARMS, Window(start=NOW - 90, end=NOW), block_s=30
    )
    assert history.blocks == ((3, 0), (2, 1))
    assert history.latency is not None
    assert history.latency.count == 5


async def test_names_are_quoted(bench: Bench) -> None:
    """A name with a quote asks for that name."""
    arms = Arms(app="o'app", canary="a", stable="b")
    reading = await _source(bench.http).read_window(arms, WINDOW)
    assert reading.stable.counts.count == 0


def _row(**changes: Any) -> dict[str, Any]:
    fine, middle, coarse = [0] * 250, [0] * 250, [0] * 250
    fine[20] = middle[2] = coarse[0] = 4
    row = {
        "facet": ARMS.canary,
        "requests": 4,
        "bad": 1,
        "timed": 4,
        "below 0.25 s": fine,
        "below 2.5 s": middle,
        "below 25 s": coarse,
    }
    return {**row, **changes}


def _answer(*rows: Any, begin: int = int(NOW - 30) * 1000, **more: Any) -> bytes:
    nrql = {
        "results": list(rows),
        "metadata": {"timeWindow": {"begin": begin, "end": int(NOW) * 1000}},
    }
    return json.dumps({"data": {"actor": {"account": {"nrql": nrql}}}, **more}).encode()


LIES = [
    pytest.param(200, b"<html>login</html>", "unusable", id="html"),
    pytest.param(200, _answer(_row())[:-3], "unusable", id="truncated"),
    pytest.param(200, b"null", "unusable", id="null"),
    pytest.param(200, b'{"data":null}', "no results", id="no-data"),
    pytest.param(200, b'{"data":{"actor":{"account":null}}}', "no results", id="wrong-account"),
    pytest.param(200, _answer(_row(), errors=[{"message": "x"}]), "GraphQL errors", id="errors"),
    pytest.param(200, _answer(_row(), begin=5), "another time window", id="another-window"),
    pytest.param(200, _answer(_row(), _row()), "twice", id="arm-twice"),
    pytest.param(200, _answer(_row(facet="x")), "not asked for", id="another-arm"),
    pytest.param(200, _answer(_row(facet=None)), "not asked for", id="null-arm"),
    pytest.param(200, _answer("x"), "no results", id="row-is-text"),
    pytest.param(200, _answer(_row(requests=None)), "counts", id="null-count"),
    pytest.param(200, _answer(_row(requests="4")), "counts", id="text-count"),
    pytest.param(200, _answer(_row(requests=4.5)), "counts", id="half-a-request"),
    pytest.param(200, _answer(_row(requests=float("nan"))), "unusable", id="nan"),
    pytest.param(200, _answer(_row(requests=True)), "counts", id="boolean"),
    pytest.param(200, _answer(_row(bad=5)), "counts", id="more-bad-than-requests"),
    pytest.param(200, _answer({"facet": ARMS.canary}), "counts", id="columns-missing"),
    pytest.param(200, _answer(_row(timed=3)), "buckets hold 4 of 3", id="buckets-too-full"),
    pytest.param(200, _answer(_row(timed=9)), "more requests are timed", id="timed-too-many"),
    pytest.param(200, _answer(_row(**{"below 25 s": [1]})), "250 buckets", id="buckets-cut"),
    pytest.param(401, b"{}", "HTTP 401", id="401"),
    pytest.param(429, b"{}", "HTTP 429", id="429"),
    pytest.param(503, b"", "HTTP 503", id="503"),
]


@pytest.mark.parametrize(("status", "body", "said"), LIES)
async def test_what_cannot_be_trusted_is_an_error(status: int, body: bytes, said: str) -> None:
    """Never an empty arm, and never a number that was not told."""

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body)

    with pytest.raises(Unavailable, match=said):
        await _read_from(answer)


async def test_the_undisturbed_answer_is_read() -> None:
    """The row that the lies are made of is right when nothing is changed."""
    reading = await _read_from(lambda _request: httpx.Response(200, content=_answer(_row())))
    assert reading.canary.counts == ArmCounts(count=4, bad=1)


async def _read_from(answer: Callable[[httpx.Request], httpx.Response]) -> Any:
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(answer), base_url="http://nerdgraph.test"
    ) as http:
        return await _source(http).read_window(ARMS, WINDOW)
