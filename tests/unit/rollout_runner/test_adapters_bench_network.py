"""What the bench tells the load generator, and what it makes of its silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rollout_runner.adapters.bench_network import BenchNetwork
from rollout_runner.adapters.cluster_network import Address, ClusterNetwork
from rollout_runner.events import VersionTraffic
from rollout_runner.scenarios.model import Traffic
from svckit.errors import Unavailable

pytestmark = pytest.mark.anyio

URLS = {"old": "http://127.0.0.1:1", "new": "http://127.0.0.1:2"}


class Bench:
    """The network and a generator that answers as told."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        self.told: list[tuple[str, str, Any]] = []
        self.losses: list[str] = []
        self.answer = answer or (lambda _: httpx.Response(202))
        self.cluster = ClusterNetwork()
        self.network = BenchNetwork(
            cluster=self.cluster,
            namespace="voting01-qa",
            votegen=httpx.AsyncClient(
                base_url="http://votegen", transport=httpx.MockTransport(self._handle)
            ),
            url_of=URLS.get,
            traffic=Traffic(rate=50.0, arrivals="poisson"),
            seed=7,
            lose=self.losses.append,
        )

    def _handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.told.append((request.method, request.url.path, body))
        return self.answer(request)


def fails(error: type[httpx.TransportError]) -> Callable[[httpx.Request], httpx.Response]:
    """Return a generator that cannot be reached."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise error("", request=request)

    return answer


def target(name: str, weight: int) -> dict[str, Any]:
    """Return one target of a plan."""
    return {"name": name, "url": URLS[name], "weight": weight}


async def test_the_first_split_starts_the_traffic() -> None:
    """A whole plan, then the start; later splits only change the targets."""
    bench = Bench()
    await bench.network.split({"old": 100})
    await bench.network.split({"old": 80, "new": 20})
    assert bench.told == [
        (
            "PUT",
            "/control/plan",
            {"targets": [target("old", 100)], "rate": 50.0, "arrivals": "poisson", "seed": 7},
        ),
        ("POST", "/control/start", None),
        ("PATCH", "/control/plan", {"targets": [target("old", 80), target("new", 20)]}),
    ]


async def test_a_version_without_pods_gets_nothing() -> None:
    """There is no address to send its share to."""
    bench = Bench()
    await bench.network.split({"old": 80, "gone": 20})
    assert bench.told[0][2]["targets"] == [target("old", 80)]


async def test_without_any_pods_nothing_is_told() -> None:
    """Traffic starts with the first version that is there."""
    bench = Bench()
    await bench.network.split({"gone": 100})
    assert bench.told == []


async def test_a_rate_can_change() -> None:
    """Nothing else of the plan does."""
    bench = Bench()
    await bench.network.split({"old": 100})
    await bench.network.change_rate(5.0)
    assert bench.told[2:] == [("PATCH", "/control/plan", {"rate": 5.0})]


async def test_a_rate_that_changes_before_the_start() -> None:
    """It is the one that the traffic starts with."""
    bench = Bench()
    await bench.network.change_rate(5.0)
    assert bench.told == []
    await bench.network.split({"old": 100})
    assert (bench.told[0][2]["rate"], bench.told[0][2]["arrivals"]) == (5.0, "poisson")


async def test_a_service_is_switched_in_its_namespace() -> None:
    """The Rollout names the Service only."""
    bench = Bench()
    bench.cluster.add_pods("new", Address("127.0.0.1", 2))
    await bench.network.select("vote-canary", "new")
    assert bench.cluster._endpoint("vote-canary.voting01-qa") == Address("127.0.0.1", 2)


async def test_totals_are_counted_by_version() -> None:
    """Every kind of failure that a client sees is an error, a refused vote is none."""
    errors = {"http_5xx": 1, "timeout": 2, "connect": 3, "reset": 4, "protocol": 5, "http_4xx": 9}
    old, new = {"requests": 50, "errors": {}}, {"requests": 90, "errors": errors}
    status = {"state": "running", "result": {"targets": {"old": old, "new": new}}}
    bench = Bench(lambda _: httpx.Response(200, json=status))
    assert list(await bench.network.observe()) == [
        VersionTraffic(hash="old", requests=50, errors=0),
        VersionTraffic(hash="new", requests=90, errors=15),
    ]
    assert bench.losses == []


async def test_before_the_start_there_is_nothing_to_count() -> None:
    """An idle generator is no lost one."""
    bench = Bench(lambda _: httpx.Response(200, json={"state": "idle", "result": None}))
    assert list(await bench.network.observe()) == []
    assert bench.losses == []


@pytest.mark.parametrize("state", ["finished", "failed", "stopping", "idle"])
async def test_a_generator_that_does_not_send_any_more_is_lost(state: str) -> None:
    """Its totals stand still, which must not be taken for a quiet time."""
    bench = Bench(lambda _: httpx.Response(200, json={"state": state, "result": None}))
    await bench.network.split({"old": 100})
    await bench.network.observe()
    assert bench.losses == [f"stopped sending (state {state})"]


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError]
)
async def test_a_generator_that_cannot_be_told_is_lost(error: type[httpx.TransportError]) -> None:
    """The run goes on, but weights that nobody applied must not lead to a promotion."""
    bench = Bench()
    await bench.network.split({"old": 100})
    bench.answer = fails(error)
    await bench.network.split({"old": 80, "new": 20})
    assert bench.losses == [f"did not take PATCH /control/plan ({error.__name__})"]


async def test_a_generator_that_cannot_be_asked_is_lost() -> None:
    """No totals are no zeros; it is asked no second time."""
    bench = Bench(fails(httpx.ReadTimeout))
    assert list(await bench.network.observe()) == []
    assert list(await bench.network.observe()) == []
    assert bench.losses == ["did not tell its status (ReadTimeout)"]
    assert len(bench.told) == 1


async def test_a_generator_that_refuses_ends_the_run() -> None:
    """Its words are passed on."""
    bench = Bench(lambda _: httpx.Response(422, text="weight is negative"))
    with pytest.raises(Unavailable, match="votegen refused PUT /control/plan: weight is negative"):
        await bench.network.split({"old": 100})
