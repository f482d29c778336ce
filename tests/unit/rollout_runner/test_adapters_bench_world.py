"""What a scenario's actions become: calls of versions, APM and generator, in words too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rollout_runner.adapters.bench_world import BenchWorld
from rollout_runner.scenarios.model import Scenario, TimelineEntry
from svckit.errors import InvalidInput, Unavailable

pytestmark = pytest.mark.anyio


class Rates:
    """A network that remembers rates."""

    def __init__(self) -> None:
        self.changed: list[float] = []

    async def change_rate(self, rate: float) -> None:
        """Remember the rate."""
        self.changed.append(rate)


class Bench:
    """The world around services that answer as told."""

    def __init__(
        self,
        answer: Callable[[httpx.Request], httpx.Response] | None = None,
        **scenario: Any,
    ) -> None:
        self.told: list[tuple[str, str, Any, str]] = []
        self.stopped: list[str] = []
        self.rates = Rates()
        self.urls = {"old": "http://stable", "new": "http://canary"}
        self._answer = answer or (lambda _: httpx.Response(200))
        self.world = BenchWorld(
            Scenario.model_validate({"name": "x"} | scenario),
            hashes={"stable": "old", "canary": "new"},
            url_of=self.urls.get,
            http=httpx.AsyncClient(transport=httpx.MockTransport(self._handle)),
            apm_url="http://apm",
            admin_key="secret",
            network=self.rates,  # type: ignore[arg-type]
            stop=self._stop,
        )

    async def act(self, **action: Any) -> str:
        """Perform one action and return what was said."""
        return await self.world.act(TimelineEntry.model_validate({"at": "1m"} | action))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        key = request.headers.get("Api-Key", "")
        self.told.append((request.method, str(request.url), body, key))
        return self._answer(request)

    async def _stop(self, name: str) -> None:
        self.stopped.append(name)


async def test_a_version_is_prepared_before_it_serves() -> None:
    """Its behaviour is put in force, or cleared when it is healthy."""
    bench = Bench(canary={"errors": "5.2%"})
    await bench.world.behave("new", "http://fresh")
    await bench.world.behave("old", "http://stable")
    assert bench.told == [
        ("PUT", "http://fresh/control/faults", {"error_ratio": 0.052}, ""),
        ("DELETE", "http://stable/control/faults", None, ""),
    ]


async def test_a_behaviour_changes() -> None:
    """At once where the version runs, and for every process of it that starts later."""
    bench = Bench()
    assert await bench.act(canary={"status": 503}) == "canary is now: HTTP 503 to everything"
    await bench.world.behave("new", "http://fresh")
    assert [call[:3] for call in bench.told] == [
        ("PUT", "http://canary/control/faults", {"status": 503}),
        ("PUT", "http://fresh/control/faults", {"status": 503}),
    ]


async def test_a_behaviour_of_a_version_that_is_not_there_waits_for_it() -> None:
    """Nobody is called; the version gets it when it starts."""
    bench = Bench()
    del bench.urls["old"]
    assert await bench.act(baseline={"hang": "1s"}) == "stable is now: hangs 1s"
    assert bench.told == []
    await bench.world.behave("old", "http://later")
    assert bench.told[0][2] == {"hang": "1s"}


async def test_traffic_changes() -> None:
    """The network is told."""
    bench = Bench()
    assert await bench.act(traffic={"rate": "300/m"}) == "traffic is now 5/s"
    assert bench.rates.changed == [5.0]


@pytest.mark.parametrize(
    ("inject", "body", "said"),
    [
        pytest.param(
            {"app": "a", "effect": {"set": 5.2}},
            {"app": "a", "effect": {"set": 5.2}},
            'the APM now answers {"set": 5.2}',
            id="app-wide",
        ),
        pytest.param(
            {"app": "a", "role": "canary", "effect": {"status": 503}, "ttl": "2m"},
            {"app": "a", "hash": "new", "effect": {"status": 503}, "ttl": "2m"},
            'the APM now answers {"status": 503} for the canary',
            id="canary",
        ),
        pytest.param(
            {"role": "stable", "effect": {"set": 1}},
            {"hash": "old", "effect": {"set": 1}},
            'the APM now answers {"set": 1} for the stable',
            id="stable",
        ),
    ],
)
async def test_an_injection(inject: dict[str, Any], body: dict[str, Any], said: str) -> None:
    """A role becomes the hash that telemetry carries; the admin key goes with it."""
    bench = Bench()
    assert await bench.act(inject=inject) == said
    assert bench.told == [("POST", "http://apm/control/injections", body, "secret")]


async def test_injections_are_cleared() -> None:
    """All of them."""
    bench = Bench()
    assert await bench.act(clear="all") == "all injections are cleared"
    assert bench.told == [("DELETE", "http://apm/control/injections", None, "secret")]


async def test_a_program_is_stopped() -> None:
    """By whoever started it."""
    bench = Bench()
    assert await bench.act(stop="votegen") == "votegen is stopped"
    assert bench.stopped == ["votegen"]


async def test_an_unknown_role_is_refused() -> None:
    """Before the APM is asked."""
    bench = Bench()
    with pytest.raises(InvalidInput, match=r"inject\.role is 'blue'") as caught:
        await bench.act(inject={"role": "blue", "effect": {"set": 1}})
    assert caught.value.hint == "expected canary or stable"
    assert bench.told == []


async def test_what_a_service_refuses_is_the_scenarios_fault() -> None:
    """With the service's words."""
    bench = Bench(lambda _: httpx.Response(422, text="effect: unknown key 'sett'"))
    with pytest.raises(InvalidInput, match=r"refused .*unknown key 'sett'"):
        await bench.act(inject={"effect": {"sett": 1}})


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_service_that_fails(status: int) -> None:
    """The action was not done, so the run cannot go on as if it had been."""
    bench = Bench(lambda _: httpx.Response(status))
    with pytest.raises(Unavailable, match=f"HTTP {status}"):
        await bench.act(clear="all")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (httpx.ConnectError("refused"), "refused"),
        (httpx.ReadTimeout(""), "ReadTimeout"),
    ],
)
async def test_a_service_that_is_gone(error: httpx.TransportError, told: str) -> None:
    """The message names the call and the cause."""

    def answer(_request: httpx.Request) -> httpx.Response:
        raise error

    bench = Bench(answer)
    with pytest.raises(Unavailable) as caught:
        await bench.act(canary={"errors": "1%"})
    assert caught.value.detail == f"scenario: PUT http://canary/control/faults: {told}"


async def test_an_operator_command_is_not_for_the_world() -> None:
    """The engine performs it; here it is a mistake, said as one."""
    with pytest.raises(InvalidInput, match="do"):
        await Bench().act(do="abort")
