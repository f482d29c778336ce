"""The generator's control plane: plan, start, live changes, status, stop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from svckit.clock import ManualClock
from votegen.app import create_app
from votegen.domain.outcome import ErrorKind, Outcome
from votegen.settings import VotegenSettings
from votegen_fakes import FakeTargets, drive, let_pass

pytestmark = pytest.mark.anyio

PLAN: dict[str, Any] = {
    "targets": [
        {"name": "stable", "url": "http://stable.test", "weight": 80},
        {"name": "canary", "url": "http://canary.test", "weight": 20},
    ],
    "rate": 100,
    "duration": "10s",
}


@dataclass
class _Generator:
    client: httpx.AsyncClient
    targets: FakeTargets
    clock: ManualClock

    async def call(self, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        response = await self.client.request(method, path, json=body)
        assert response.status_code == expect, response.text
        return response.json()

    async def start(self, plan: dict[str, Any] = PLAN) -> None:
        await self.call("PUT", "/control/plan", plan)
        await self.call("POST", "/control/start")

    async def stop(self) -> Any:
        return await drive(self.clock, self.call("POST", "/control/stop"))

    async def result(self) -> Any:
        return (await self.call("GET", "/v1/status"))["result"]


@pytest.fixture(name="generator")
async def _generator(clock: ManualClock) -> AsyncIterator[_Generator]:
    targets = FakeTargets(clock)
    app = create_app(
        VotegenSettings(),
        clock=clock,
        connectors=targets,
        monotonic=clock.now,
        sleep=clock.sleep,
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://votegen.test") as client:
        generator = _Generator(client, targets, clock)
        yield generator
        await generator.stop()


@pytest.mark.parametrize(
    "path", ["/livez", "/readyz", "/healthz", "/metrics", "/openapi.json", "/docs"]
)
async def test_common_routes(generator: _Generator, path: str) -> None:
    """What every service of the suite has."""
    assert (await generator.client.get(path)).status_code == 200


async def test_status_before_anything(generator: _Generator) -> None:
    """Idle, without plan and result: no numbers are made up."""
    assert await generator.call("GET", "/v1/status") == {
        "state": "idle",
        "plan": None,
        "result": None,
    }


async def test_a_plan_is_echoed_with_its_defaults(generator: _Generator) -> None:
    """PUT answers the whole plan, GET repeats it."""
    plan = await generator.call("PUT", "/control/plan", PLAN)
    assert plan == {
        "targets": PLAN["targets"],
        "rate": 100,
        "shape": None,
        "duration": "10s",
        "arrivals": "constant",
        "connections": None,
        "voters": "new",
        "split_a": 0.66,
        "gets": 0.0,
        "think": "0s",
        "timeout": "10s",
        "host_header": "",
        "seed": 1,
    }
    assert await generator.call("GET", "/control/plan") == plan


async def test_a_run_ends_by_itself_with_its_result(generator: _Generator) -> None:
    """After its duration the state is finished and every planned request is accounted for."""
    await generator.start()
    await let_pass(generator.clock, 11)
    status = await generator.call("GET", "/v1/status")
    assert status["state"] == "finished"
    result = status["result"]
    assert (result["planned"], result["completed"]) == (1000, 1000)
    requests = {name: target["requests"] for name, target in result["targets"].items()}
    assert requests == {"stable": pytest.approx(800, abs=2), "canary": pytest.approx(200, abs=2)}
    assert sum(requests.values()) == 1000


async def test_status_attributes_requests_and_errors_to_versions(generator: _Generator) -> None:
    """Per target and hash: requests, and those that failed."""
    bad = Outcome(status=500, pod_hash="7cd75c6d7c")
    good = Outcome(status=200, pod_hash="54bc444575")
    generator.targets.outcome = lambda host, _n: bad if host == "canary.test" else good
    await generator.start()
    await let_pass(generator.clock, 11)
    targets = (await generator.result())["targets"]
    canary, stable = targets["canary"], targets["stable"]
    n = canary["requests"]
    assert canary["hashes"] == {"7cd75c6d7c": {"requests": n, "errors": n}}
    assert stable["hashes"] == {"54bc444575": {"requests": 1000 - n, "errors": 0}}


async def test_rate_and_weights_change_while_it_runs(generator: _Generator) -> None:
    """In force within a second: the next second has the new rate and the new split."""
    await generator.start()
    await let_pass(generator.clock, 1)
    plan = await generator.call(
        "PATCH", "/control/plan", {"rate": 200, "weights": {"stable": 0, "canary": 100}}
    )
    assert (plan["rate"], [target["weight"] for target in plan["targets"]]) == (200, [0, 100])
    before = len(generator.targets.payloads)
    await let_pass(generator.clock, 1)
    after = generator.targets.hosts()[before:]
    assert set(after) == {"canary.test"}
    assert 180 <= len(after) <= 201


async def test_targets_are_added_while_it_runs(generator: _Generator) -> None:
    """A new list of targets is in force at once."""
    await generator.start({**PLAN, "targets": PLAN["targets"][:1]})
    await let_pass(generator.clock, 1)
    await generator.call("PATCH", "/control/plan", {"targets": PLAN["targets"]})
    await let_pass(generator.clock, 1)
    assert (await generator.result())["targets"]["canary"]["requests"] == pytest.approx(20, abs=2)


async def test_stop_finishes_what_is_under_way_and_answers_the_result(
    generator: _Generator,
) -> None:
    """The answer to stop is the final status."""
    generator.targets.answers_in = lambda _now: 0.3
    await generator.start()
    await let_pass(generator.clock, 1)
    status = await generator.stop()
    assert status["state"] == "finished"
    result = status["result"]
    assert (result["in_flight"], result["backlog"]) == (0, 0)
    ended = sum(target["requests"] for target in result["targets"].values())
    assert result["planned"] == ended + result["abandoned"]


async def test_stop_without_a_run_is_no_error(generator: _Generator) -> None:
    """Stopping what is stopped changes nothing."""
    assert (await generator.call("POST", "/control/stop"))["state"] == "idle"


async def test_a_second_start_begins_at_zero(generator: _Generator) -> None:
    """Counters are those of the present run."""
    await generator.start()
    await let_pass(generator.clock, 11)
    await generator.call("POST", "/control/start")
    await let_pass(generator.clock, 1)
    assert (await generator.result())["planned"] < 150


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        pytest.param("POST", "/control/start", None, "no_plan", id="start"),
        pytest.param("PATCH", "/control/plan", {"rate": 5}, "no_plan", id="patch"),
        pytest.param("GET", "/control/plan", None, "no_plan", id="get"),
    ],
)
async def test_without_a_plan(
    generator: _Generator, method: str, path: str, body: Any, code: str
) -> None:
    """What needs a plan says so, and how to give one."""
    problem = await generator.call(method, path, body, expect=409)
    assert (problem["error"], problem["hint"]) == (code, "PUT /control/plan first")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "/control/start", None, id="start"),
        pytest.param("PUT", "/control/plan", PLAN, id="put"),
    ],
)
async def test_during_a_run(generator: _Generator, method: str, path: str, body: Any) -> None:
    """A second start or plan is a conflict; the run goes on."""
    await generator.start()
    problem = await generator.call(method, path, body, expect=409)
    assert problem["error"] == "running"
    assert (await generator.call("GET", "/v1/status"))["state"] == "running"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"targets": []}, "targets", id="no-target"),
        pytest.param({"targets": [{"url": "ftp://h"}]}, "ftp://h", id="ftp"),
        pytest.param({"targets": [{"url": "http://h", "wieght": 3}]}, "wieght", id="unknown-key"),
        pytest.param({"targets": [{"url": "http://h"}] * 2}, "'default'", id="same-name"),
        pytest.param({"rate": "fast"}, "rate", id="rate-text"),
        pytest.param({"rate": -1}, "rate", id="rate-negative"),
        pytest.param({"rate": "50"}, "rate", id="rate-quoted"),
        pytest.param({"duration": "1d"}, "duration", id="duration"),
        pytest.param({"duration": "0s"}, "duration", id="duration-zero"),
        pytest.param({"arrivals": "sine"}, "arrivals", id="arrivals"),
        pytest.param({"connections": 0}, "connections", id="connections"),
        pytest.param({"voters": "many"}, "voters", id="voters"),
        pytest.param({"split_a": 66}, "split_a", id="split"),
        pytest.param({"stages": "0s:10"}, "stages", id="unknown-field"),
    ],
)
async def test_wrong_plans_are_refused_and_change_nothing(
    generator: _Generator, change: dict[str, Any], message: str
) -> None:
    """A problem that names the field; the plan before stays."""
    plan = await generator.call("PUT", "/control/plan", PLAN)
    problem = await generator.call("PUT", "/control/plan", {**PLAN, **change}, expect=422)
    assert message in problem["detail"]
    assert await generator.call("GET", "/control/plan") == plan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({}, "nothing to change", id="nothing"),
        pytest.param({"weights": {"cannary": 5}}, "'cannary'", id="unknown-target"),
        pytest.param({"weights": {"stable": 0, "canary": 0}}, "above 0", id="all-zero"),
        pytest.param({"weights": {"canary": -1}}, "weights.canary", id="negative"),
        pytest.param({"seed": 2}, "seed", id="fixed-field"),
    ],
)
async def test_wrong_changes_are_refused_and_the_run_goes_on(
    generator: _Generator, change: dict[str, Any], message: str
) -> None:
    """A bad PATCH leaves rate, weights and run as they were."""
    await generator.start()
    plan = await generator.call("GET", "/control/plan")
    problem = await generator.call("PATCH", "/control/plan", change, expect=422)
    assert message in problem["detail"]
    assert await generator.call("GET", "/control/plan") == plan
    await let_pass(generator.clock, 1)
    assert (await generator.result())["planned"] >= 90


async def test_readiness_says_that_a_target_is_down(generator: _Generator) -> None:
    """While a weighted target refuses connections, /readyz is 503; afterwards it recovers."""
    refused = Outcome(failure=ErrorKind.CONNECT)
    good = Outcome(status=200)
    generator.targets.outcome = lambda _host, _n: refused
    await generator.start()
    await let_pass(generator.clock, 0.5)
    down = await generator.call("GET", "/readyz", expect=503)
    generator.targets.outcome = lambda _host, _n: good
    await let_pass(generator.clock, 0.5)
    up = await generator.call("GET", "/readyz")
    assert (down["checks"], up["checks"]) == ({"targets": False}, {"targets": True})


async def test_a_run_that_crashes_says_so(generator: _Generator) -> None:
    """A broken engine is failed with its reason, never a run without traffic."""
    await generator.start()
    await let_pass(generator.clock, 0.1)
    generator.targets.payloads = None  # type: ignore[assignment] - makes every send raise
    await let_pass(generator.clock, 0.5)
    status = await generator.call("GET", "/v1/status")
    assert status["state"] == "failed"
    assert "NoneType" in status["error"]
    assert set(generator.targets.closed) == {"stable.test", "canary.test"}
    await generator.call("GET", "/readyz", expect=503)


async def test_metrics_show_the_run(generator: _Generator) -> None:
    """Requests by outcome, a latency histogram, late starts, work under way."""
    bad = Outcome(status=503, pod_hash="7cd75c6d7c")
    good = Outcome(status=200, pod_hash="7cd75c6d7c")
    generator.targets.outcome = lambda host, _n: bad if host == "canary.test" else good
    await generator.start()
    await let_pass(generator.clock, 11)
    n = (await generator.result())["targets"]["canary"]["requests"]
    text = (await generator.client.get("/metrics")).text
    for line in (
        f'votegen_requests_total{{code="ok",target="stable"}} {1000 - n}.0',
        f'votegen_requests_total{{code="http_5xx",target="canary"}} {n}.0',
        f'votegen_request_duration_seconds_bucket{{le="0.005",target="stable"}} {1000 - n}.0',
        f'votegen_request_duration_seconds_count{{target="stable"}} {1000 - n}.0',
        "votegen_late_starts_total 0.0",
        "votegen_in_flight 0.0",
    ):
        assert line in text


async def test_shutdown_stops_the_run(clock: ManualClock) -> None:
    """Leaving the application ends the run, with what is under way finished."""
    targets = FakeTargets(clock)
    app = create_app(
        VotegenSettings(),
        clock=clock,
        connectors=targets,
        monotonic=clock.now,
        sleep=clock.sleep,
    )
    lifespan = app.router.lifespan_context(app)
    await lifespan.__aenter__()
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://votegen.test") as client:
        await client.put("/control/plan", json=PLAN)
        await client.post("/control/start")
        await let_pass(clock, 1)
    await drive(clock, asyncio.ensure_future(lifespan.__aexit__(None, None, None)))
    assert set(targets.closed) == {"stable.test", "canary.test"}
    assert targets.under_way == 0


async def test_an_apm_is_told_what_the_client_saw(clock: ManualClock) -> None:
    """Every request that ended is one transaction, and the metrics say how many were told."""
    told: list[Any] = []

    def take(request: httpx.Request) -> httpx.Response:
        assert request.headers["api-key"] == "test-key"
        told.extend(json.loads(request.content))
        return httpx.Response(200)

    app = create_app(
        VotegenSettings(report_to="http://apm.test", report_app="seen"),
        clock=clock,
        connectors=FakeTargets(clock),
        monotonic=clock.now,
        sleep=clock.sleep,
        report_transport=httpx.MockTransport(take),
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://votegen.test") as client:
        async with app.router.lifespan_context(app):
            generator = _Generator(client, FakeTargets(clock), clock)
            await generator.start()
            await let_pass(clock, 2)
            ended = (await generator.stop())["result"]["planned"]
        metrics = (await client.get("/metrics")).text
    assert len(told) == ended > 0
    assert {event["appName"] for event in told} == {"seen"}
    assert f'votegen_reports_total{{outcome="sent"}} {ended:.1f}' in metrics
