"""Runs end to end: real votes and telemetry, the APM, and the analyzer that reads it for a gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from suite_apps import APP, CANARY, KEY, STABLE, Suite
from svckit.clock import ManualClock

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

WINDOW_S, LAG_S, WINDOWS = 30, 10, 22


@pytest.fixture(name="suite")
async def _suite() -> AsyncIterator[Suite]:
    async with Suite(ManualClock()) as suite:
        yield suite


async def served(suite: Suite, *, canary: int, stable: int) -> None:
    """Cast real votes, and let both versions report them."""
    await suite.canary.vote(canary)
    await suite.stable.vote(stable)
    await suite.canary.report()
    await suite.stable.report()


async def timed(suite: Suite, pod_hash: str, seconds: Any, bad: int = 0) -> None:
    """Have the APM take in requests of these durations, the first ones failed."""
    events = [
        {
            "eventType": "Transaction",
            "appName": APP,
            "podTemplateHash": pod_hash,
            "duration": float(one),
            "error": index < bad,
            "httpResponseCode": "500" if index < bad else "200",
        }
        for index, one in enumerate(seconds)
    ]
    response = await suite.apm.post("/v1/accounts/1/events", json=events, headers=KEY)
    assert response.status_code == 200, response.text


async def asked(suite: Suite) -> dict[str, Any]:
    """Ask as the gate does."""
    return await suite.verdict(run=f"{APP}-{CANARY}", window="1s")


def latencies(rng: np.random.Generator, count: int, *, scale: float = 1, tail: float = 1) -> Any:
    """Draw log-normal latencies in seconds; `tail` stretches the 99th percentile above the 90th."""
    drawn = 0.08 * np.exp(0.6 * rng.standard_normal(count)) * scale
    edge, p99 = 0.08 * np.exp(0.6 * 1.2816), 0.08 * np.exp(0.6 * 2.3263)
    power = 1 + np.log(tail) / np.log(p99 / edge)
    return np.where(drawn > edge, edge * (drawn / edge) ** power, drawn)


async def test_a_healthy_canary_passes(suite: Suite) -> None:
    """Half a percent of errors on either side, served and reported by the real application."""
    await suite.canary.faults(error_ratio=0.005)
    await suite.stable.faults(error_ratio=0.005)
    answers = []
    for _ in range(WINDOWS):
        answers.append(await asked(suite))
        await served(suite, canary=150, stable=600)
        suite.clock.advance(WINDOW_S)
        if answers[-1]["verdict"] == "pass":
            break
    assert answers[-1]["verdict"] == "pass", answers[-1]["reason"]
    assert {one["verdict"] for one in answers[:-1]} == {"inconclusive"}


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param({"error_ratio": 0.052}, id="5.2-percent"),
        pytest.param({"status": 400, "scope": "POST"}, id="every-post-refused"),
    ],
)
async def test_a_canary_with_errors_fails(suite: Suite, faults: dict[str, Any]) -> None:
    """What the real application answers to a browser's votes, seen by the gate."""
    await suite.canary.faults(**faults)
    await suite.stable.faults(error_ratio=0.005)
    await asked(suite)
    for _ in range(8):
        await served(suite, canary=150, stable=600)
        suite.clock.advance(WINDOW_S)
        answer = await asked(suite)
        if answer["verdict"] == "fail":
            break
    assert (answer["verdict"], answer["reasonCode"]) == ("fail", "error_rate_higher")


@pytest.mark.parametrize(
    "slower",
    [pytest.param({"scale": 3.0}, id="three-times"), pytest.param({"tail": 1.3}, id="tail-only")],
)
async def test_a_slow_canary_fails(suite: Suite, slower: dict[str, float]) -> None:
    """All of it three times as slow, or the 99th percentile by 30 % and nothing else."""
    rng = np.random.default_rng(7)
    await asked(suite)
    for _ in range(WINDOWS):
        await timed(suite, CANARY, latencies(rng, 300, **slower))
        await timed(suite, STABLE, latencies(rng, 1200))
        suite.clock.advance(WINDOW_S)
        answer = await asked(suite)
        if answer["verdict"] == "fail":
            break
    assert (answer["verdict"], answer["reasonCode"]) == ("fail", "latency_higher")


async def test_a_few_requests_decide_nothing(suite: Suite) -> None:
    """Twenty-four requests of a good canary are no pass."""
    await asked(suite)
    for _ in range(4):
        await served(suite, canary=6, stable=24)
        suite.clock.advance(WINDOW_S)
    suite.clock.advance(LAG_S)
    answer = await asked(suite)
    assert (answer["verdict"], answer["reasonCode"]) == ("inconclusive", "not_enough_samples")
    assert answer["metrics"][0]["canary"]["count"] == 24


async def test_a_shared_outage_is_held(suite: Suite) -> None:
    """Both versions fail ten times as often as before: neither a fail nor a pass."""
    await suite.stable.faults(error_ratio=0.005)
    for _ in range(30):
        await served(suite, canary=0, stable=400)
        suite.clock.advance(WINDOW_S)
    await suite.canary.faults(error_ratio=0.06)
    await suite.stable.faults(error_ratio=0.06)
    await asked(suite)
    verdicts = []
    for _ in range(12):
        await served(suite, canary=100, stable=400)
        suite.clock.advance(WINDOW_S)
        answer = await asked(suite)
        verdicts.append(answer["verdict"])
    assert set(verdicts) == {"inconclusive"}
    assert answer["reasonCode"] == "both_degraded"
