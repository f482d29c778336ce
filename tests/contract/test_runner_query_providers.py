"""The newRelic and prometheus providers over real sockets, and a whole analysis from a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loopback_server import LoopbackServer, Seen, answer
from rollout_runner.adapters.cluster_network import Address
from rollout_runner.adapters.providers.new_relic import NewRelicProvider
from rollout_runner.adapters.providers.prometheus import PrometheusProvider
from rollout_runner.argo.analysis import Metric
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.conformance.record import Record
from rollout_runner.conformance.runner import read_records
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

VECTORS = Path(__file__).parents[1] / "vectors" / "argo"
NERDGRAPH = read_records(VECTORS / "executed_newrelic.json")
PROMETHEUS = read_records(VECTORS / "executed_prometheus.json")


class ImpatientClock(ManualClock):
    """Sleeps no time at all, and remembers how long it was to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Note the wait."""
        self.slept.append(seconds)


def metric(provider: dict[str, Any], success: str = "", failure: str = "") -> Metric:
    """Return a metric with this provider block."""
    return Metric.from_json(
        {
            "name": "m",
            "provider": provider,
            "successCondition": success,
            "failureCondition": failure,
        }
    )


async def ask_new_relic(url: str, subject: Metric, clock: ManualClock) -> Measurement:
    """Take one measurement of a profile that leads to this URL."""
    secret = {"personal-api-key": "NRAK-XXXX", "account-id": "1234567", "base-url-nerdgraph": url}
    provider = NewRelicProvider(
        clock=clock,
        resolve=lambda _: None,
        version=ArgoVersion.V1_10,
        secrets={"newrelic": secret},
    )
    try:
        return await provider.run(subject, "run.m.1")
    finally:
        await provider.close()


def told(measured: Measurement, server: LoopbackServer) -> dict[str, Any]:
    """Return a measurement as the recordings show it."""
    message = measured.message.replace(f"127.0.0.1:{server.port}", "<server>")
    return {"phase": str(measured.phase), "value": measured.value, "message": message}


@pytest.mark.parametrize("record", [pytest.param(each, id=each["id"]) for each in NERDGRAPH])
async def test_recorded_nerdgraph_measurement(record: Record) -> None:
    """Verdict, message, attempts and waits are those of the real provider."""
    response = record["response"]
    clock = ImpatientClock()
    async with LoopbackServer(answer(response["status"], response["body"].encode())) as server:
        block = {"newRelic": {"query": record["query"], "timeout": record["timeout"]}}
        subject = metric(block, record["successCondition"], record["failureCondition"])
        measured = await ask_new_relic(f"{server.url}/graphql", subject, clock)
    assert told(measured, server) == record["expected"]
    assert len(server.seen) == record["requestCount"]
    assert sum(clock.slept) == record["tookSecondsAbout"]


async def test_a_server_that_recovers_is_not_held_against_the_canary() -> None:
    """An attempt that succeeds after others have failed is the measurement."""
    replies = iter([answer(500), answer(429, Retry_After="9"), answer(200, _rows([{"n": 1}]))])

    async with LoopbackServer(lambda _: next(replies)) as server:
        clock = ImpatientClock()
        subject = metric({"newRelic": {"query": "q"}}, "result.n == 1")
        measured = await ask_new_relic(f"{server.url}/graphql", subject, clock)
    assert measured.phase is Phase.SUCCESSFUL
    assert clock.slept == [1.0, 9.0]


async def test_no_server_at_all_is_an_error_after_four_attempts() -> None:
    """A connection that is refused is tried again; then the error tells why."""
    async with LoopbackServer(answer(200)) as server:
        url = f"{server.url}/graphql"
    clock = ImpatientClock()
    measured = await ask_new_relic(url, metric({"newRelic": {"query": "q"}}), clock)
    assert measured.phase is Phase.ERROR
    assert measured.message.startswith(f'POST {url} giving up after 4 attempt(s): Post "{url}": ')
    assert measured.message.endswith("connection refused")
    assert clock.slept == [1.0, 2.0, 4.0]


async def test_a_missing_profile_is_an_error_and_asks_nobody() -> None:
    """The Secret that a metric names must exist."""
    provider = NewRelicProvider(
        clock=ManualClock(), resolve=lambda _: None, version=ArgoVersion.V1_9, secrets={}
    )
    measured = await provider.run(metric({"newRelic": {"query": "q", "profile": "nr"}}), "run.m.1")
    await provider.close()
    assert (measured.phase, measured.message) == (Phase.ERROR, 'secrets "nr" not found')


def _rows(rows: list[dict[str, Any]]) -> bytes:
    nrql = {"nrql": {"results": rows}}
    return json.dumps({"data": {"actor": {"account": nrql}}}).encode()


def as_recorded(record: Record) -> Callable[[Seen], bytes]:
    """Return the Prometheus of the recording."""
    response = record["response"]

    def reply(seen: Seen) -> bytes:
        if seen.method == "POST" and response["rejectPostWith405"]:
            return answer(405, b"")
        return answer(response["status"], response["body"].encode())

    return reply


@pytest.mark.parametrize("record", [pytest.param(each, id=each["id"]) for each in PROMETHEUS])
async def test_recorded_prometheus_measurement(record: Record) -> None:
    """Verdict, message, metadata and requests are those of the real provider."""
    async with LoopbackServer(as_recorded(record)) as server:
        block = dict(record["prometheus"])
        block["address"] = f"{server.url}{block.get('address', '')}"
        provider = PrometheusProvider(
            clock=ManualClock(), resolve=lambda _: None, version=ArgoVersion.V1_10
        )
        subject = metric(
            {"prometheus": block}, record["successCondition"], record["failureCondition"]
        )
        measured = await provider.run(subject, "run.m.1")
        await provider.close()
    expected = dict(record["expected"])
    if "providerError" in expected:
        expected = {
            "phase": "Error",
            "value": "",
            "message": expected["providerError"],
            "metadata": None,
        }
    metadata = dict(measured.metadata) or None
    assert told(measured, server) | {"metadata": metadata} == expected
    wanted = record["observedRequests"]
    assert [(seen.method, seen.target.partition("?")[0]) for seen in server.seen] == [
        (each["method"], each["uri"].partition("?")[0]) for each in wanted
    ]
    for seen, each in zip(server.seen, wanted, strict=True):
        names = {name for name, _ in seen.headers} - {"Host", "Content-Length", "Accept-Encoding"}
        assert names == each["headers"].keys() - {"Content-Length"}


async def test_cluster_names_lead_to_this_machine() -> None:
    """A Prometheus in the cluster is asked where the bench says it is."""
    body = b'{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}'
    async with LoopbackServer(answer(200, body)) as server:
        provider = PrometheusProvider(
            clock=ManualClock(),
            resolve={"prom.monitoring": Address("127.0.0.1", server.port)}.get,
            version=ArgoVersion.V1_9,
            default_address="http://prom.monitoring:9090",
        )
        measured = await provider.run(metric({"prometheus": {"query": "up"}}, "result == 5"), "m")
        await provider.close()
    assert (measured.phase, measured.value) == (Phase.SUCCESSFUL, "5")
    assert server.seen[0].header("Host") == "prom.monitoring:9090"
