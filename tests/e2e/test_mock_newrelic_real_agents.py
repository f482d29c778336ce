"""Unmodified New Relic agents, Python and Node, against a running service over TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from e2e.agents import KEY, LICENSE, Apm, apm, installed, node_agent, python_agent, until, use
from e2e.programs import get

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

APP = "agent-app"
REQUESTS = [
    *(f"/wait?ms={20 + 2 * number}" for number in range(130)),
    *(f"/wait?ms={30 + number}&status=404" for number in range(8)),
    *(f"/wait?ms={40 + number}&status=500" for number in range(7)),
    *(["/raise"] * 5),
]
STATUSES = Counter({200: 130, 404: 8, 500: 12})


def _quantile(seconds: list[float], ratio: float) -> float:
    """Return the duration that this part of the requests does not exceed; ranks as NRQL's."""
    ordered = sorted(seconds)
    return ordered[max(0, -(-int(ratio * 1e6) * len(ordered) // 10**6) - 1)]


def _nrql(service: Apm, query: str) -> float:
    answer = httpx.get(
        f"{service.url}/v1/accounts/1/query",
        params={"nrql": query},
        headers={"X-Query-Key": KEY["Api-Key"]},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    [row] = answer.json()["results"]
    [value] = row.values()
    return float(value)


def _agrees(service: Apm, durations: list[float], *, errors: int) -> None:
    """Insist on what the application did: exact counts and rates, p95 within 2 %."""
    told = service.ask(APP, "count", role="canary", version="v2")
    assert (told["count"], told["errorCount"], told["source"]) == (150, errors, "agent")
    assert service.ask(APP, "errorRate")["errorRate"] == round(100 * errors / 150, 4)
    assert service.ask(APP, "httpErrorRate")["httpErrorRate"] == 8.0
    assert service.ask(APP, "http4xxRate")["http4xxRate"] == round(100 * 8 / 150, 4)
    # The five that fail at once are the quickest.
    took = _quantile([*([0.0] * 5), *durations], 0.95)
    p95 = service.ask(APP, "p95")["p95"] / 1000
    assert p95 == pytest.approx(took, rel=0.02)
    query = f"FROM Transaction WHERE appName = '{APP}' SINCE 5 minutes ago"
    assert _nrql(service, f"SELECT count(*) {query}") == 150
    rate = _nrql(service, f"SELECT percentage(count(*), WHERE error IS true) {query}")
    assert rate == pytest.approx(100 * errors / 150)


async def test_the_facade_tells_what_an_application_with_pythons_agent_did(tmp_path: Path) -> None:
    """A returned 500 is no error to Python's agent, a raised exception is; both are HTTP 5xx."""
    with apm(tmp_path) as service:
        with python_agent(service, APP) as base:
            statuses, durations = await use(base, REQUESTS)
            assert statuses == STATUSES
            until(lambda: service.count(APP) == 150)
            _agrees(service, durations, errors=5)
        exact = service.ask(APP, "count", source="agent_metrics")
        assert (exact["count"], exact["errorCount"]) == (150, 5)
        calls = service.calls()
        assert {status for _, status in calls} == {200}
        assert [calls[0][0], calls[1][0], calls[-1][0]] == ["preconnect", "connect", "shutdown"]


@pytest.mark.slow
async def test_expected_errors_are_no_errors(tmp_path: Path) -> None:
    """Nor in NRQL; custom events, attributes and logs are found there."""
    with apm(tmp_path) as service, python_agent(service, APP) as base:
        statuses, _ = await use(base, ["/expected"] * 3 + ["/wait?ms=1"] * 3)
        assert statuses == {200: 6}
        until(lambda: service.count(APP) == 6)
        assert service.ask(APP, "errorRate")["errorRate"] == 0
        assert _nrql(service, "SELECT count(*) FROM Transaction WHERE error.expected IS true") == 3
        assert _nrql(service, "SELECT count(*) FROM Transaction WHERE experiment='waiting'") == 3
        until(lambda: _nrql(service, "SELECT count(*) FROM Vote WHERE choice = 'a'") == 3)
        until(lambda: _nrql(service, "SELECT count(*) FROM TransactionError") == 3)
        until(lambda: _nrql(service, "SELECT count(*) FROM Log WHERE message LIKE '%vote%'") == 3)


@pytest.mark.slow
async def test_pythons_agent_reacts_to_statuses(tmp_path: Path) -> None:
    """503: sent again, nothing lost; 409: a new run by itself; 410: silence for good."""
    with apm(tmp_path) as service, python_agent(service, APP) as base:
        await use(base, ["/wait?ms=1"] * 10)
        until(lambda: service.count(APP) == 10)
        service.inject({"status": 503}, method="analytic_event_data")
        await use(base, ["/wait?ms=1"] * 10)
        until(lambda: ("analytic_event_data", 503) in service.calls())
        assert service.count(APP) == 10
        service.clear()
        until(lambda: service.count(APP) == 20)
        service.inject({"status": 409}, method="analytic_event_data", maxHits=1)
        await use(base, ["/wait?ms=1"] * 10)
        until(lambda: service.calls().count(("connect", 200)) == 2)
        service.clear()
        await use(base, ["/wait?ms=1"] * 10)
        until(lambda: service.count(APP) >= 30)
        service.inject({"status": 410}, method="analytic_event_data", maxHits=1)
        known = service.count(APP)
        await use(base, ["/wait?ms=1"] * 10)
        until(lambda: ("analytic_event_data", 410) in service.calls())
        service.clear()
        statuses, _ = await use(base, ["/wait?ms=1"] * 10)
        assert statuses == {200: 10}
        assert service.count(APP) == known
        assert service.calls().count(("connect", 200)) == 2


@pytest.mark.slow
async def test_a_reservoir_stands_for_all_that_was_seen(tmp_path: Path) -> None:
    """Told to send 20 events a period, the agent samples; the count comes out exactly."""
    with apm(tmp_path) as service:
        service.inject({"agent": {"harvest_limits": {"analytic_event_data": 20}}})
        with python_agent(service, APP) as base:
            await use(base, ["/wait?ms=1"] * 317)
            until(lambda: service.count(APP) == 317)
        rows = "SELECT count(*) FROM Transaction WHERE experiment = 'waiting'"
        assert _nrql(service, rows) == 317


@pytest.mark.slow
@pytest.mark.parametrize("durable", [True, False])
async def test_agents_outlive_a_restart_of_the_service(tmp_path: Path, *, durable: bool) -> None:
    """With a durable store the run goes on; without one the agent connects again by itself.

    What it reported just then is lost with the run, as agents have it, and nothing counts twice.
    """
    flags = ("--data-dir", str(tmp_path / "data")) if durable else ("--ephemeral",)
    with apm(tmp_path, flags) as first, python_agent(first, APP) as base:
        await use(base, ["/wait?ms=1"] * 10)
        until(lambda: first.count(APP) == 10)
        first.stop()
        with apm(tmp_path, flags, tls_port=first.tls_port) as second:
            await use(base, ["/wait?ms=1"] * 10)
            if durable:
                until(lambda: second.count(APP) == 20)
                assert ("connect", 200) not in second.calls()
            else:
                until(lambda: ("connect", 200) in second.calls())
                await use(base, ["/wait?ms=1"] * 10)
                until(lambda: second.count(APP) == 10)


def test_deployments_are_recorded_by_the_agents_own_command(tmp_path: Path) -> None:
    """`newrelic-admin record-deploy` finds the application and marks a revision."""
    with apm(tmp_path) as service:
        event = {"eventType": "Transaction", "appName": APP, "duration": 0.1}
        httpx.post(f"{service.url}/v1/accounts/1/events", json=event, headers=KEY, trust_env=False)
        settings = tmp_path / "newrelic.ini"
        settings.write_text(
            f"[newrelic]\nlicense_key = {LICENSE}\napp_name = {APP}\nhost = localhost\n"
            f"port = {service.tls_port}\nca_bundle_path = {service.ca}\napi_key = test-key\n"
        )
        command = [str(Path(sys.executable).with_name("newrelic-admin")), "record-deploy"]
        done = subprocess.run(
            [*command, str(settings), "a canary", "v2", "more traffic", "tester"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "NEW_RELIC_API_KEY": "test-key"},
        )
        assert done.returncode == 0, done.stderr
        [found] = get(f"{service.url}/v2/applications.json", **{"filter[name]": APP})[
            "applications"
        ]
        path = f"{service.url}/v2/applications/{found['id']}/deployments.json"
        [deployment] = get(path)["deployments"]
        assert (deployment["revision"], deployment["user"]) == ("v2", "tester")


@pytest.fixture(name="packages", scope="session")
def _packages() -> Path:
    """Node's packages, installed once per checkout."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    return installed(Path(__file__).parents[2] / ".gatelab" / "node-agent")


@pytest.mark.external
async def test_the_facade_tells_what_an_application_with_nodes_agent_did(
    tmp_path: Path, packages: Path
) -> None:
    """Every HTTP 500 is an error to Node's agent, returned or thrown."""
    with apm(tmp_path) as service:
        with node_agent(service, APP, packages) as base:
            statuses, durations = await use(base, REQUESTS)
            assert statuses == STATUSES
            until(lambda: service.count(APP) == 150)
            _agrees(service, durations, errors=12)
        exact = service.ask(APP, "count", source="agent_metrics")
        assert (exact["count"], exact["errorCount"]) == (150, 12)
        assert service.calls()[-1] == ("shutdown", 200)
