"""Requests recorded from unmodified agents, replayed with their headers and parameters.

The files name agent and version, and what was left out of long lists: an agent's `events_seen`
then is larger than the number of events, as it is after sampling.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mock_newrelic_bench import KEY, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

VECTORS = Path(__file__).parent / "newrelic"
PATH = "/agent_listener/invoke_raw_method"
PYTHON, FLASK, NODE = "py_agent", "pyflask", "node_agent"
VOTE, RESULT = "voting01-vote-qa", "voting01-result-qa"
AGENTS = (PYTHON, FLASK, NODE)


def _recorded(agent: str, method: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((VECTORS / f"{agent}_{method}.json").read_text())
    return document


def _methods(agent: str) -> list[str]:
    """Return the methods that were recorded of an agent, in the order of their calls."""
    names = [path.stem.removeprefix(f"{agent}_") for path in VECTORS.glob(f"{agent}_*.json")]
    # The calls of Flask's agent are those of two runs; all are replayed as one, its end last.
    return sorted(names, key=lambda name: (name == "shutdown", int(_recorded(agent, name)["n"])))


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


class Session:
    """One recorded agent, speaking to a service."""

    def __init__(self, bench: Bench, clock: ManualClock, agent: str) -> None:
        self.bench = bench
        self.clock = clock
        self.agent = agent
        self.run_id = ""
        self.headers: dict[str, str] = {}

    async def call(self, method: str, **changes: str) -> httpx.Response:
        """Replay one call at the time at which it was made."""
        recorded = _recorded(self.agent, method)
        self.clock.advance(max(0.0, recorded["t"] - self.clock.now()))
        headers = {
            name: value
            for name, value in recorded["headers"].items()
            if name not in {"host", "content-length", "nr-session"}
        }
        headers |= {**self.headers, **changes}
        query = dict(recorded["query"])
        body = recorded["body"]
        if "run_id" in query:
            query["run_id"] = self.run_id
            body = [self.run_id if part == recorded["query"]["run_id"] else part for part in body]
        content = json.dumps(body).encode()
        encoding = headers["content-encoding"].lower()
        if encoding == "gzip":
            content = gzip.compress(content)
        elif encoding == "deflate":
            content = zlib.compress(content)
        return await self.bench.http.request(
            recorded["http_method"],
            PATH,
            params=query,
            headers=headers,
            content=content,
        )

    async def begin(self) -> dict[str, Any]:
        """Replay preconnect and connect; return what connect was answered."""
        first = _recorded(self.agent, "preconnect")["t"]
        self.clock.advance(first - self.clock.now())
        assert (await self.call("preconnect")).status_code == 200
        answer = await self.call("connect")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()["return_value"]
        self.run_id = told["agent_run_id"]
        self.headers = told["request_headers_map"]
        return told


@pytest.mark.parametrize("agent", AGENTS)
async def test_every_recorded_call_is_answered_as_the_agent_expects(
    bench: Bench, clock: ManualClock, agent: str
) -> None:
    """Status and shape of the return value are those that the agent was recorded to accept."""
    session = Session(bench, clock, agent)
    told = await session.begin()
    recorded = _recorded(agent, "connect")["response"]
    assert recorded.keys() - told.keys() <= {
        "entity_name", "browser_key", "beacon", "error_beacon", "js_agent_loader", "js_agent_file",
        "event_harvest_config", "span_event_harvest_config",
    }  # fmt: skip
    for method in _methods(agent):
        if method in {"preconnect", "connect"}:
            continue
        answer = await session.call(method)
        assert answer.status_code == 200, (method, answer.text)
        expected = _recorded(agent, method)["response"]
        # An empty list and null are the same to them.
        assert (answer.json()["return_value"] or None) == (expected or None), method


@pytest.mark.parametrize(
    ("agent", "app", "count", "errors", "milliseconds"),
    [
        (PYTHON, VOTE, 32464, 132, 1000 * 24.51355218887329 / 32464),
        (FLASK, VOTE, 6, 4, 1000 * 0.04893159866333008 / 6),
        (NODE, RESULT, 48, 24, 1000 * 1.8896271650000003 / 48),
    ],
)
async def test_the_exact_counts_of_an_agent_are_told(  # noqa: PLR0917 - one column each
    bench: Bench, clock: ManualClock, agent: str, app: str,
    count: int, errors: int, milliseconds: float,
) -> None:  # fmt: skip
    """Requests, errors and average time of `HttpDispatcher` and `Errors/all`, as recorded."""
    session = Session(bench, clock, agent)
    await session.begin()
    await session.call("metric_data")
    for metric, value in (
        ("count", count), ("responseTime", milliseconds), ("errorRate", 100 * errors / count),
    ):  # fmt: skip
        told = await _ask(bench, app, metric, source="agent_metrics")
        assert told[metric] == pytest.approx(value, abs=1e-4), metric
        assert told["errorCount"] == errors


@pytest.mark.parametrize(
    ("agent", "app", "seen"),
    [(PYTHON, VOTE, 80), (NODE, RESULT, 20)],
)
async def test_events_stand_for_all_that_the_agent_saw(
    bench: Bench, clock: ManualClock, agent: str, app: str, seen: int
) -> None:
    """Few of them were kept in the recording, as a full reservoir would have done."""
    session = Session(bench, clock, agent)
    await session.begin()
    await session.call("analytic_event_data")
    told = await _ask(bench, app, "count")
    assert (told["count"], told["source"]) == (seen, "agent")


async def test_labels_of_the_run_and_of_events_select(bench: Bench, clock: ManualClock) -> None:
    """The role from connect, the hash that the application added to some transactions."""
    session = Session(bench, clock, PYTHON)
    await session.begin()
    await session.call("analytic_event_data")
    whole = (await _ask(bench, VOTE, "count", role="canary", version="v2"))["count"]
    hashed = (await _ask(bench, VOTE, "count", hash="abc123"))["count"]
    assert (whole, 0 < hashed < whole) == (80, True)


async def _ask(bench: Bench, app: str, metric: str, **more: str) -> dict[str, Any]:
    """Return the facade's answer over five minutes."""
    question = {"app": app, "metric": metric, "window": "5m", "detail": "full", **more}
    answer = await bench.http.get("/v1/metrics", params=question, headers=KEY)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document
