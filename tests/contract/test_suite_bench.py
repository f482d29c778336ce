"""The bench's hands on the real services: what it asks for is understood, what it reads is true."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollout_runner.adapters.bench_network import BenchNetwork
from rollout_runner.adapters.bench_world import BenchWorld
from rollout_runner.adapters.cluster_network import ClusterNetwork
from rollout_runner.events import VersionTraffic
from rollout_runner.scenarios.load import load_scenario
from rollout_runner.scenarios.model import Scenario, TimelineEntry, Traffic
from suite_apps import APM_HOST, CANARY, STABLE, Suite, Version
from suite_wire import Generator, Wire
from svckit.clock import ManualClock
from svckit.errors import InvalidInput, Unavailable
from votegen_fakes import drive, let_pass

pytestmark = pytest.mark.anyio

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
URLS = {CANARY: "http://canary.test", STABLE: "http://stable.test"}


class _Bench:
    """The bench's network and world around a suite and a generator."""

    def __init__(self, suite: Suite, scenario: Scenario, canary: Version | None = None) -> None:
        self.suite = suite
        self.canary = canary or suite.canary
        self.losses: list[str] = []
        hosts = {"canary.test": self.canary.app, "stable.test": suite.stable.app}
        suite.cluster.hosts |= hosts
        self.generator = Generator(suite.clock, Wire(hosts))
        self.network = BenchNetwork(
            cluster=ClusterNetwork(),
            namespace="voting01-qa",
            votegen=self.generator.http,
            url_of=URLS.get,
            traffic=scenario.traffic,
            seed=scenario.seed,
            lose=self.losses.append,
        )
        self.world = BenchWorld(
            scenario,
            hashes={"canary": CANARY, "stable": STABLE},
            url_of=URLS.get,
            http=httpx.AsyncClient(transport=suite.cluster),
            apm_url=f"http://{APM_HOST}",
            admin_key="admin-key",
            network=self.network,
            stop=self._stop,
        )

    async def _stop(self, name: str) -> None:
        raise AssertionError(f"{name} cannot be stopped here")

    async def run(self, seconds: float) -> None:
        """Let virtual time pass, then have everything reported."""
        await let_pass(self.suite.clock, seconds)
        await self.canary.report()
        await self.suite.stable.report()

    async def end(self) -> None:
        """Stop the votes, wait for what is under way, and have everything reported."""
        await drive(self.suite.clock, self.generator.call("POST", "/control/stop"))
        await self.run(0)

    async def apm(self, pod_hash: str) -> VersionTraffic:
        """Return the totals of a version as the APM holds them."""
        answer = await self.suite.answer(hash=pod_hash, window="1h")
        return VersionTraffic(
            hash=pod_hash, requests=answer["sampleCount"], errors=answer["errorCount"]
        )


@pytest.fixture(name="suite")
async def _suite(clock: ManualClock) -> AsyncIterator[Suite]:
    async with Suite(clock) as suite:
        yield suite


def _entry(**action: Any) -> TimelineEntry:
    return TimelineEntry.model_validate({"at": "1s", **action})


def _scenario(**fields: Any) -> Scenario:
    return Scenario.model_validate({"name": "test", "traffic": {"rate": "20/s"}, **fields})


@pytest.mark.parametrize(
    "canary",
    [
        pytest.param({}, id="healthy"),
        pytest.param({"errors": "5.2%"}, id="errors"),
        pytest.param({"status": 503}, id="status"),
        pytest.param({"latency": {"add": "100ms", "jitter": "50ms"}}, id="slow"),
        pytest.param({"hang": "1m"}, id="hang"),
    ],
)
async def test_the_totals_of_the_bench_are_those_of_the_apm(
    suite: Suite, canary: dict[str, Any]
) -> None:
    """Requests and errors by version, whatever the version does to its requests."""
    version = Version(suite.clock, suite.cluster, CANARY, sleep=suite.clock.sleep)
    bench = _Bench(suite, _scenario(canary=canary), version)
    await bench.world.behave(CANARY, URLS[CANARY])
    await bench.network.split({CANARY: 20, STABLE: 80})
    await bench.run(60)
    await bench.end()
    seen = {each.hash: each for each in await bench.network.observe()}
    assert seen == {CANARY: await bench.apm(CANARY), STABLE: await bench.apm(STABLE)}
    assert seen[STABLE].errors == 0
    assert seen[CANARY].requests > 100
    await version.close()


async def test_a_split_is_in_force_at_once(suite: Suite) -> None:
    """The weights of a step are the shares of the samples from then on."""
    bench = _Bench(suite, _scenario(traffic={"rate": "20/s", "arrivals": "constant"}))
    counted = []
    for weight in (0, 20, 50, 100):
        await bench.network.split({CANARY: weight, STABLE: 100 - weight})
        await bench.run(30)
        counted.append((await suite.answer(window="29s"))["sampleCount"])
        if weight:
            share = (await suite.answer(window="29s", hash=CANARY))["sampleCount"] / counted[-1]
            assert share == pytest.approx(weight / 100, abs=0.005)
    assert counted == [29 * 20 + 1] * 4  # the last second has only begun
    assert bench.losses == []
    await bench.end()


async def test_a_rate_is_in_force_at_once(suite: Suite) -> None:
    """More traffic in the middle of a run."""
    bench = _Bench(suite, _scenario())
    await bench.network.split({CANARY: 0, STABLE: 100})
    await bench.run(30)
    await bench.world.act(_entry(traffic={"rate": "40/s"}))
    await bench.run(30)
    assert (await bench.apm(STABLE)).requests == pytest.approx(1800, rel=0.1)
    await bench.end()


async def test_a_generator_that_stopped_is_lost(suite: Suite) -> None:
    """Votes that are not cast any more are noticed by whoever looks at the totals."""
    bench = _Bench(suite, _scenario())
    await bench.network.split({CANARY: 20, STABLE: 80})
    await bench.run(1)
    await bench.network.observe()
    assert bench.losses == []
    await bench.end()
    await bench.network.observe()
    assert bench.losses == ["stopped sending (state finished)"]


@pytest.mark.parametrize(
    ("behaviour", "faults"),
    [
        pytest.param({}, {}, id="healthy"),
        pytest.param({"errors": "0%"}, {}, id="no-errors"),
        pytest.param({"errors": "5.2%"}, {"error_ratio": 0.052, "scope": "all"}, id="errors"),
        pytest.param({"status": 503}, {"status": 503, "scope": "all"}, id="status"),
        pytest.param(
            {"latency": {"add": "200ms"}},
            {"latency": {"add": "200ms", "jitter": "0s"}, "scope": "all"},
            id="latency",
        ),
        pytest.param({"hang": "90s"}, {"hang": "1m30s", "scope": "all"}, id="hang"),
        pytest.param(
            {"errors": "10%", "status": 502},
            {"error_ratio": 0.1, "status": 502, "scope": "all"},
            id="errors-as-502",
        ),
        pytest.param({"p50": "20ms", "p99": "120ms"}, {}, id="simulated-only"),
    ],
)
async def test_a_behaviour_is_what_the_version_does(
    suite: Suite, behaviour: dict[str, Any], faults: dict[str, Any]
) -> None:
    """Every field of a scenario reaches the version's switches, and replaces the ones before."""
    bench = _Bench(suite, _scenario())
    await suite.canary.faults(status=500)
    await bench.world.act(_entry(canary=behaviour))
    assert (await suite.canary.http.get("/control/faults")).json() == faults


async def test_an_injection_for_a_role_is_for_its_hash(suite: Suite) -> None:
    """Telemetry carries hashes, so that is what the APM must be told; clearing ends it."""
    bench = _Bench(suite, _scenario())
    for pod_hash in (CANARY, STABLE):
        await suite.ingest(pod_hash, bad=0, count=100)
    body = {"app": "voting01-vote-qa", "role": "canary", "effect": {"error_ratio": 0.5}}
    await bench.world.act(_entry(inject=body))
    assert (await suite.answer(hash=CANARY))["errorRate"] == 50
    assert (await suite.answer(hash=STABLE))["errorRate"] == 0
    assert (await suite.answer())["errorRate"] == 25
    await bench.world.act(_entry(clear="all"))
    assert (await suite.answer())["errorRate"] == 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"effect": {"set": 5.2}}, id="no-app"),
        pytest.param({"app": "a", "effect": {"explode": True}}, id="unknown-effect"),
        pytest.param({"app": "a", "effect": {"set": "5.2"}}, id="text"),
        pytest.param({"app": "a", "effect": {"set": 5.2}, "ttl": "1d"}, id="ttl"),
        pytest.param({"app": "a", "effect": {"set": 5.2}, "colour": "red"}, id="unknown-field"),
        pytest.param({"app": "a", "effect": {"set": 5.2}, "role": "blue"}, id="role"),
    ],
)
async def test_a_wrong_injection_is_the_scenarios_fault(suite: Suite, body: dict[str, Any]) -> None:
    """What the APM refuses is told as bad input, not as a failing program."""
    bench = _Bench(suite, _scenario())
    with pytest.raises(InvalidInput):
        await bench.world.act(_entry(inject=body))


async def test_an_apm_that_is_gone_is_told(suite: Suite) -> None:
    """An injection that cannot be made is a failure of the bench, not of the scenario."""
    bench = _Bench(suite, _scenario())
    del suite.cluster.hosts[APM_HOST]
    with pytest.raises(Unavailable, match="no such host"):
        await bench.world.act(_entry(inject={"app": "a", "effect": {"set": 1}}))


@pytest.mark.parametrize("path", SCENARIOS, ids=[path.stem for path in SCENARIOS])
async def test_the_services_understand_what_ships(suite: Suite, path: Path) -> None:
    """Traffic, behaviours and injections of every scenario that ships are taken."""
    scenario = load_scenario(path)
    assert scenario.traffic.rate == 0 or scenario.traffic == Traffic(rate=50)
    bench = _Bench(suite, scenario)
    for pod_hash, url in URLS.items():
        await bench.world.behave(pod_hash, url)
    await bench.network.split({CANARY: 20, STABLE: 80})
    for entry in scenario.timeline:
        if entry.stop is None and entry.do is None:
            assert await bench.world.act(entry)
    await bench.run(1)
    await bench.end()
