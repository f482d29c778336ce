"""`POST /v1/judge` with runs, latencies, history and a plan; and bad input of every kind."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest

from analyzer_bench import analyzer_client
from svckit.timestamps import format_timestamp

pytestmark = pytest.mark.anyio

START = 1_770_170_400


def window(
    index: int, canary: Any, stable: Any, metric: str = "errors", **more: Any
) -> dict[str, Any]:
    """Return window number `index` of 30 s; an arm of two numbers is (count, bad)."""
    arms = [
        {"count": arm[0], "bad": arm[1]} if isinstance(arm, tuple) else arm
        for arm in (canary, stable)
    ]
    return {
        "start": format_timestamp(START + 30 * index),
        "end": format_timestamp(START + 30 * (index + 1)),
        "metric": metric,
        "canary": arms[0],
        "stable": arms[1],
        **more,
    }


def windows(number: int, canary: Any, stable: Any, **more: Any) -> list[dict[str, Any]]:
    """Return so many alike."""
    return [window(index, canary, stable, **more) for index in range(number)]


def _never(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"sent {request.url}")


async def judged(client: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    """Return the answer, and insist on a verdict."""
    response = await client.post("/v1/judge", json=body)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


@pytest.mark.parametrize(
    ("given", "verdict", "code"),
    [
        pytest.param(windows(22, (300, 6), (1200, 24)), "pass", "no_difference", id="healthy"),
        pytest.param(windows(4, (300, 15), (1200, 24)), "fail", "error_rate_higher", id="errors"),
        pytest.param(
            windows(3, {"samples_ms": [60.0] * 200}, {"samples_ms": [20.0] * 800},
                    metric="latency"),
            "fail",
            "latency_higher",
            id="latency-samples",
        ),
        pytest.param(
            windows(
                3,
                {"le_ms": [20, 60, "+Inf"], "counts": [10, 200, 0]},
                {"le_ms": [20, 60, "+Inf"], "counts": [800, 40, 0]},
                metric="latency",
            ),
            "fail",
            "latency_higher",
            id="latency-bins",
        ),
        pytest.param(
            windows(4, (300, 40), (1200, 24), metric="latency"),
            "fail",
            "latency_higher",
            id="latency-counts",
        ),
        pytest.param(
            windows(2, {"le_ms": [1, 1.02, 1.0404], "counts": [0, 3, 12]},
                    {"le_ms": [], "counts": []}, metric="latency"),
            "inconclusive",
            "no_baseline",
            id="empty-stable",
        ),
        pytest.param(windows(3, (0, 0), (0, 0)), "inconclusive", "no_data", id="nothing"),
        pytest.param(windows(3, (24, 1), (96, 1)), "inconclusive", "not_enough_samples", id="few"),
        pytest.param(
            windows(3, (10**9, 2 * 10**7), (10**9, 10**7)), "fail", "error_rate_higher", id="huge"
        ),
        pytest.param(windows(3, (300, 0), (1200, 0)), "inconclusive", "margin_not_excluded",
                     id="no-errors"),
        pytest.param(windows(3, (300, 300), (1200, 1200)), "inconclusive", "margin_not_excluded",
                     id="only-errors"),
    ],
)  # fmt: skip
async def test_windows_are_judged_as_a_run(
    given: list[dict[str, Any]], verdict: str, code: str
) -> None:
    """Every form of arms, and every number in the answer finite."""
    async with analyzer_client(_never) as client:
        answer = await judged(client, id="x", windows=given)
    assert (answer["verdict"], answer["reasonCode"]) == (verdict, code)
    assert answer["run"] == "x"
    numbers = [
        value
        for metric in answer["metrics"]
        for value in (metric["effect"], metric["evidence"], *(metric["interval"] or ()))
    ]
    assert all(value is None or math.isfinite(value) for value in numbers)


async def test_swapped_arms_with_a_weight_are_noticed() -> None:
    """A canary with four fifths of the traffic is not the one that was given a fifth."""
    async with analyzer_client(_never) as client:
        answer = await judged(client, weight=20, windows=windows(22, (1200, 24), (300, 6)))
    assert (answer["verdict"], answer["reasonCode"]) == ("inconclusive", "traffic_split")


async def test_history_with_bursts_tempers_the_judge() -> None:
    """The same windows fail without history, and are within the habits of a bursty application."""
    bursts = [120 if index % 10 == 0 else 12 for index in range(120)]
    history = [
        {
            "start": format_timestamp(START - 30 * (120 - index)),
            "end": format_timestamp(START - 30 * (119 - index)),
            "metric": "errors",
            "stable": {"count": 1200, "bad": bad},
        }
        for index, bad in enumerate(bursts)
    ]
    given = windows(4, (300, 13), (1200, 24))
    async with analyzer_client(_never) as client:
        without = await judged(client, windows=given)
        with_history = await judged(client, windows=given, history=history)
    assert (without["verdict"], with_history["verdict"]) == ("fail", "inconclusive")


async def test_a_shared_outage_is_held_and_not_blamed_on_the_canary() -> None:
    """Stable is ten times worse than its history, and so is the canary."""
    history = [
        {
            "start": format_timestamp(START - 30 * (60 - index)),
            "end": format_timestamp(START - 30 * (59 - index)),
            "metric": "errors",
            "stable": {"count": 1200, "bad": 6 + index % 2},
        }
        for index in range(60)
    ]
    async with analyzer_client(_never) as client:
        answer = await judged(client, windows=windows(22, (300, 15), (1200, 60)), history=history)
    assert (answer["verdict"], answer["reasonCode"]) == ("inconclusive", "both_degraded")


async def test_windows_add_up_to_a_run() -> None:
    """Brought one by one, given twice, or all at once: one answer."""
    given = windows(6, (300, 15), (1200, 24))
    async with analyzer_client(_never) as client:
        for one in given:
            answer = await judged(client, run="r1", windows=[one])
        again = await judged(client, run="r1", windows=given)
        at_once = await judged(client, run="r2", windows=given)
        history = (await client.get("/v1/analysis/r1")).json()
    assert answer["verdict"] == "fail"
    assert answer == again
    assert {**at_once, "run": "r1"} == answer
    assert [look["verdict"] for look in history["looks"]][-1] == "fail"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(window(1, (300, 9), (1200, 24)), "other counts", id="contradiction"),
        pytest.param(
            window(1, (300, 6), (1200, 24), end="2026-02-04T02:01:10Z"), "overlaps", id="overlap"
        ),
        pytest.param(window(-3, (300, 6), (1200, 24)), "lies before", id="clock-back"),
        pytest.param(
            window(9, {"samples_ms": [1.0]}, {"samples_ms": [1.0]}, metric="latency"),
            "began without",
            id="other-metric",
        ),
    ],
)
async def test_what_does_not_fit_a_run_is_refused(changed: dict[str, Any], said: str) -> None:
    """Nothing of it is kept."""
    async with analyzer_client(_never) as client:
        before = await judged(client, run="r", windows=windows(4, (300, 6), (1200, 24)))
        response = await client.post("/v1/judge", json={"run": "r", "windows": [changed]})
        after = await judged(client, run="r", windows=windows(4, (300, 6), (1200, 24)))
    assert response.status_code == 422
    assert said in response.json()["detail"]
    assert before == after


async def test_a_run_is_read_or_brought_along() -> None:
    """Never both."""
    async with analyzer_client(_never) as client:
        await judged(client, run="r", windows=windows(2, (300, 6), (1200, 24)))
        response = await client.get("/v1/analysis?app=a&canary=b&stable=c&run=r")
    assert (response.status_code, response.json()["error"]) == (409, "run_is_brought_along")


async def test_a_body_without_numbers_that_are_none_is_no_json() -> None:
    """NaN and infinity are refused by the parser."""
    body = json.dumps({"windows": windows(1, {"samples_ms": [math.nan]}, {"samples_ms": [1.0]},
                                          metric="latency")})  # fmt: skip
    async with analyzer_client(_never) as client:
        response = await client.post("/v1/judge", content=body)
    assert response.status_code == 400


async def test_an_unknown_configuration_lists_the_known_ones() -> None:
    """The presets are there without a directory."""
    async with analyzer_client(_never) as client:
        response = await client.post(
            "/v1/judge", json={"config": "none", "windows": windows(1, (1, 0), (1, 0))}
        )
    assert (response.status_code, response.json()["error"]) == (422, "unknown_config")
    assert "balanced, latency-sensitive, low-traffic, strict" in response.json()["hint"]


@pytest.mark.parametrize("config", ["strict", "balanced", "low-traffic", "latency-sensitive"])
async def test_every_preset_fails_a_clear_regression(config: str) -> None:
    """Errors and latency together."""
    given = windows(10, (300, 30), (1200, 24)) + windows(
        10, {"samples_ms": [20.0] * 300}, {"samples_ms": [20.0] * 1200}, metric="latency"
    )
    async with analyzer_client(_never) as client:
        answer = await judged(client, config=config, windows=given)
    assert (answer["verdict"], answer["config"]["name"]) == ("fail", config)
