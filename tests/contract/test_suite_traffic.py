"""votegen, voteapp and the APM together: three counts of the same votes, by different parties."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from suite_apps import CANARY, STABLE, Suite, Version
from suite_wire import Generator, Wire
from svckit.clock import ManualClock
from votegen_fakes import drive, let_pass

pytestmark = pytest.mark.anyio


@pytest.fixture(name="suite")
async def _suite(clock: ManualClock) -> AsyncIterator[Suite]:
    async with Suite(clock) as suite:
        yield suite


def _plan(**changes: Any) -> dict[str, Any]:
    return {
        "targets": [
            {"name": "canary", "url": "http://canary.test", "weight": 20},
            {"name": "stable", "url": "http://stable.test", "weight": 80},
        ],
        "rate": 20,
        "duration": "60s",
        **changes,
    }


def _generator(suite: Suite, versions: Mapping[str, Version] | None = None) -> Generator:
    versions = versions or {"canary.test": suite.canary, "stable.test": suite.stable}
    return Generator(suite.clock, Wire({host: each.app for host, each in versions.items()}))


def _by_hash(result: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return (requests, errors) by hash over all targets."""
    requests: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for target in result["targets"].values():
        for pod_hash, count in target["hashes"].items():
            requests[pod_hash] += count["requests"]
            errors[pod_hash] += count["errors"]
    return {pod_hash: (requests[pod_hash], errors[pod_hash]) for pod_hash in requests}


async def _apm(suite: Suite, pod_hash: str) -> tuple[int, int]:
    answer = await suite.answer(hash=pod_hash, window="10m")
    return answer["sampleCount"], answer["errorCount"]


@pytest.mark.parametrize(
    ("plan", "faults"),
    [
        pytest.param({}, {}, id="healthy"),
        pytest.param({}, {"error_ratio": 0.2}, id="some-fail"),
        pytest.param({}, {"error_ratio": 0.2, "status": 503}, id="some-fail-as-503"),
        pytest.param({}, {"status": 502}, id="all-fail"),
        pytest.param({"arrivals": "poisson", "seed": 9}, {"error_ratio": 0.1}, id="poisson"),
        pytest.param({"voters": "returning:20"}, {"error_ratio": 0.1}, id="returning-voters"),
        pytest.param({"rate": "max", "duration": "1s", "connections": 5}, {}, id="closed-loop"),
    ],
)
async def test_client_server_and_apm_count_the_same_votes(
    suite: Suite, plan: dict[str, Any], faults: dict[str, Any]
) -> None:
    """By hash: requests = samples, errors = errors, and what succeeded was recorded."""
    if faults:
        await suite.canary.faults(**faults)
    generator = _generator(suite)
    if plan.get("rate") == "max":
        result = await _closed_loop(generator, _plan(**plan), requests=200)
    else:
        result = await generator.run(_plan(**plan))
    await suite.canary.report()
    await suite.stable.report()
    counted = _by_hash(result)
    assert set(counted) == {CANARY, STABLE}
    for version in (suite.canary, suite.stable):
        requests, errors = counted[version.hash]
        assert requests > 0
        assert await version.recorded() == requests - errors
        assert await _apm(suite, version.hash) == (requests, errors)
    assert result["completed"] == sum(requests for requests, _ in counted.values())
    assert (counted[CANARY][1] > 0) == bool(faults)


async def _closed_loop(
    generator: Generator, plan: dict[str, Any], *, requests: int
) -> dict[str, Any]:
    """Answers take no time, so the loop is stopped after so many instead of after a time."""
    await generator.start(plan)
    while (await generator.call("GET", "/v1/status"))["result"]["completed"] < requests:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)  # a call that waits for nothing lets nobody else run
    status = await drive(generator.clock, generator.call("POST", "/control/stop"))
    result: dict[str, Any] = status["result"]
    return result


async def test_weights_become_shares_of_the_samples(suite: Suite) -> None:
    """A weight of 20 is a fifth of what the APM holds, and of what the client counts."""
    result = await _generator(suite).run(_plan(rate=50))
    await suite.canary.report()
    await suite.stable.report()
    canary, _ = await _apm(suite, CANARY)
    stable, _ = await _apm(suite, STABLE)
    assert canary / (canary + stable) == pytest.approx(0.2, abs=0.001)
    assert result["targets"]["canary"]["share"] == pytest.approx(canary / (canary + stable))


async def test_a_weight_that_moves_moves_the_samples(suite: Suite) -> None:
    """All traffic to the canary from a minute on: stable's samples end there."""
    generator = _generator(suite)
    await generator.start(_plan(duration="2m"))
    await let_pass(suite.clock, 60)
    await generator.call("PATCH", "/control/plan", {"weights": {"canary": 100, "stable": 0}})
    await suite.stable.report()
    before = await _apm(suite, STABLE)
    await let_pass(suite.clock, 60)
    await drive(suite.clock, generator.call("POST", "/control/stop"))
    await suite.stable.report()
    await suite.canary.report()
    assert await _apm(suite, STABLE) == before
    assert (await suite.answer(window="30s"))["sampleCount"] == pytest.approx(600, abs=1)
    assert (await suite.answer(window="30s", hash=CANARY))["sampleCount"] == pytest.approx(
        600, abs=1
    )


async def test_a_version_that_hangs_fails_for_client_and_apm(suite: Suite) -> None:
    """Every time-out of the client is an error of the version, not a missing sample."""
    hanging = Version(suite.clock, suite.cluster, CANARY, sleep=suite.clock.sleep)
    await hanging.faults(hang="10m")
    generator = _generator(suite, {"canary.test": hanging, "stable.test": suite.stable})
    result = await generator.run(_plan(rate=5, timeout="2s", connections=50))
    await hanging.report()
    target = result["targets"]["canary"]
    assert target["errors"]["timeout"] == target["requests"] == 60
    assert await _apm(suite, CANARY) == (60, 60)
    await hanging.close()


async def test_a_version_that_is_not_there_has_no_samples(suite: Suite) -> None:
    """The client counts refused connections; the APM has no data, which is not zero errors."""
    generator = _generator(suite, {"stable.test": suite.stable})
    result = await generator.run(_plan())
    assert result["targets"]["canary"]["errors"]["connect"] == 240
    await suite.stable.report()
    response = await suite.ask(hash=CANARY)
    assert (response.status_code, response.json()["error"]) == (404, "no_data")


async def test_a_slow_version_is_as_slow_for_client_and_apm(suite: Suite) -> None:
    """The client's latency is the fault's; every request is counted although it took long."""
    slow = Version(suite.clock, suite.cluster, CANARY, sleep=suite.clock.sleep)
    await slow.faults(latency={"add": "500ms"})
    generator = _generator(suite, {"canary.test": slow, "stable.test": suite.stable})
    result = await generator.run(_plan())
    await slow.report()
    target = result["targets"]["canary"]
    assert target["ok"] == target["requests"] == 240
    assert target["latency_ms"]["p50"] == pytest.approx(500, rel=0.01)
    assert await _apm(suite, CANARY) == (240, 0)
    await slow.close()


async def test_two_versions_behind_one_address_are_told_apart(suite: Suite) -> None:
    """Behind an ingress the client knows only who answered; its split is the APM's."""
    count = 0

    async def ingress(scope: Any, receive: Any, send: Any) -> None:
        nonlocal count
        count += 1
        await (suite.canary.app if count % 4 == 0 else suite.stable.app)(scope, receive, send)

    await suite.canary.faults(error_ratio=0.5)
    generator = Generator(suite.clock, Wire({"vote.test": ingress}))
    result = await generator.run(
        _plan(targets=[{"name": "ingress", "url": "http://vote.test", "weight": 1}])
    )
    await suite.canary.report()
    await suite.stable.report()
    counted = _by_hash(result)
    assert counted == {pod_hash: await _apm(suite, pod_hash) for pod_hash in (CANARY, STABLE)}
    assert counted[CANARY][0] == 300


async def test_the_same_seed_gives_the_same_counts(clock: ManualClock) -> None:
    """The whole chain repeats, to the last count."""
    seen = []
    for _ in range(2):
        async with Suite(clock) as suite:
            version = Version(clock, suite.cluster, CANARY, pod_name=f"vote-{CANARY}-7hqnx")
            await version.faults(error_ratio=0.1)
            generator = _generator(suite, {"canary.test": version, "stable.test": suite.stable})
            result = await generator.run(_plan(arrivals="poisson", seed=3))
            await version.report()
            seen.append((_by_hash(result), await _apm(suite, CANARY)))
            await version.close()
    assert seen[0] == seen[1]
