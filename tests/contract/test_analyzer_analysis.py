"""`GET /v1/analysis` and `POST /v1/judge` as a gate sees them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from analyzer_bench import START, analyzer_client, histogram_answer, source_of
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

QUERY = "/v1/analysis?app=voting01-vote-qa&canary=new&stable=old"
HEALTHY = source_of(new=(3, 574), old=(3, 626))


def _never(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"sent {request.url}")


@pytest.mark.parametrize(
    ("arms", "verdict", "code"),
    [
        pytest.param({"new": (3, 574), "old": (3, 626)}, "pass", "no_difference", id="healthy"),
        pytest.param(
            {"new": (30, 574), "old": (3, 626)}, "fail", "error_rate_higher", id="regression"
        ),
        pytest.param(
            {"new": (30, 574), "old": (33, 626)},
            "fail",
            "error_rate_above_threshold",
            id="shared-outage",
        ),
        pytest.param(
            {"new": (1, 24), "old": (0, 96)}, "inconclusive", "not_enough_samples", id="few"
        ),
        pytest.param({"new": (3, 574)}, "inconclusive", "no_baseline", id="no-baseline"),
        pytest.param({"old": (3, 626)}, "inconclusive", "no_data", id="no-canary"),
        pytest.param({}, "inconclusive", "no_data", id="nothing"),
    ],
)
async def test_every_verdict_is_http_200(
    arms: dict[str, tuple[int, int]], verdict: str, code: str
) -> None:
    """A bad canary is not an error of the analyzer."""
    async with analyzer_client(source_of(**arms)) as client:
        response = await client.get(QUERY)
    document = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert (document["verdict"], document["reasonCode"]) == (verdict, code)
    assert document["passed"] is (verdict == "pass")


async def test_the_document_has_the_keys_of_the_contract() -> None:
    """Conditions and reports rely on these names."""
    async with analyzer_client(HEALTHY) as client:
        document = (await client.get(QUERY)).json()
    assert {
        "verdict", "passed", "reason", "reasonCode", "run", "metrics", "timestamp"
    } <= document.keys()  # fmt: skip
    assert [metric["name"] for metric in document["metrics"]] == [
        "error_rate",
        "error_rate_threshold",
        "latency",
    ]
    for metric in document["metrics"]:
        assert {
            "name", "verdict", "reason", "reasonCode", "canary", "stable", "effect", "interval",
            "evidence", "threshold",
        } <= metric.keys()  # fmt: skip
    assert document["metrics"][0]["canary"] == {"count": 574, "bad": 3, "errorRate": 0.522648}
    assert document["metrics"][0]["interval"][0] < document["metrics"][0]["effect"]
    assert document["metrics"][1]["threshold"] == 2
    assert document["timestamp"] == "2026-02-04T02:00:00Z"


async def test_both_arms_are_asked_over_the_same_window() -> None:
    """One end and one length for both, and the key goes along."""
    seen: list[httpx.Request] = []

    def source(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return histogram_answer(3, 600)

    clock = ManualClock(START + 0.7)
    async with analyzer_client(source, clock=clock, newrelic_api_key="k3y") as client:
        await client.get(f"{QUERY}&window=2m30s")
    assert sorted(request.url.params["hash"] for request in seen) == ["new", "old"]
    for request in seen:
        assert request.url.path == "/v1/metrics/histogram"
        assert request.headers["api-key"] == "k3y"
        assert dict(request.url.params) | {"hash": ""} == {
            "app": "voting01-vote-qa",
            "hash": "",
            "window": "150s",
            "at": "2026-02-04T02:00:00Z",
        }


async def test_since_shortens_the_window() -> None:
    """Nothing before it is looked at."""
    seen: list[str] = []

    def source(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.params["window"])
        return histogram_answer(3, 600)

    async with analyzer_client(source) as client:
        document = (await client.get(f"{QUERY}&since=2026-02-04T01:58:00Z")).json()
        await client.get(f"{QUERY}&since=2026-02-04T01:00:00Z")
    assert seen == ["120s", "120s", "300s", "300s"]
    assert document["window"] == {"start": "2026-02-04T01:58:00Z", "end": "2026-02-04T02:00:00Z"}


async def test_the_threshold_is_the_callers() -> None:
    """A rate equal to it fails, a rate below passes."""
    async with analyzer_client(source_of(new=(6, 600), old=(6, 600))) as client:
        equal = (await client.get(f"{QUERY}&error_threshold=1")).json()
        above = (await client.get(f"{QUERY}&error_threshold=1.0001")).json()
    assert (equal["verdict"], above["verdict"]) == ("fail", "pass")


async def test_the_same_question_gives_the_same_bytes() -> None:
    """Argo retries cannot be told from new measurements, so the answer must not change."""
    async with analyzer_client(HEALTHY) as client:
        first, second = await client.get(QUERY), await client.get(QUERY)
    assert first.content == second.content


@pytest.mark.parametrize(
    ("query", "name"),
    [
        pytest.param(f"{QUERY}&weight=20", "weight", id="plan-without-run"),
        pytest.param(f"{QUERY}&windw=5m", "windw", id="unknown"),
        pytest.param(f"{QUERY}&app=other", "app", id="doubled"),
        pytest.param(f"{QUERY}&error_threshold=", "error_threshold", id="empty"),
        pytest.param(f"{QUERY}&error_threshold=2%25", "error_threshold", id="percent"),
        pytest.param(f"{QUERY}&source=prometheus", "source", id="other-source"),
        pytest.param(f"{QUERY}&since=2026-02-04T02:00:01Z", "since", id="future"),
        pytest.param("/v1/analysis?app=a&canary=b", "stable", id="missing"),
        pytest.param("/v1/analysis?app=a&canary=b&stable=b", "stable", id="same-hash"),
    ],
)
async def test_bad_parameters_are_422_and_nothing_is_asked(query: str, name: str) -> None:
    """The problem names the parameter and holds no verdict."""
    async with analyzer_client(_never) as client:
        response = await client.get(query)
    document = response.json()
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert document["errors"][0]["loc"] == f"query.{name}"
    assert "verdict" not in document


async def test_without_a_source_there_is_no_verdict() -> None:
    """The analyzer says how to configure one."""
    async with analyzer_client(_never, source="") as client:
        response = await client.get(QUERY)
    assert (response.status_code, response.json()["error"]) == (503, "no_source")
    assert "--source" in response.json()["hint"]


async def test_an_unknown_application_is_told() -> None:
    """The verdict is inconclusive, and a note helps to find the typing error."""

    def source(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, json={"error": "unknown_app"})

    async with analyzer_client(source) as client:
        document = (await client.get(QUERY)).json()
    assert document["verdict"] == "inconclusive"
    assert "canary: the source does not know the application" in document["notes"]


@pytest.mark.parametrize("headers", [{}, {"Api-Key": "wrong"}, {"Api-Key": ""}])
@pytest.mark.parametrize(
    "path", [QUERY, "/v1/health-check?service=vote&namespace=voting01-qa", "/v1/judge"]
)
async def test_configured_keys_are_required(headers: dict[str, str], path: str) -> None:
    """No key and a wrong key are both 401, and nothing is sent."""
    async with analyzer_client(_never, api_keys="one,two", headers=headers) as client:
        response = await client.request("POST" if path.endswith("judge") else "GET", path)
    assert (response.status_code, response.json()["error"]) == (401, "unauthorized")


async def test_a_configured_key_opens() -> None:
    """Any key of the list will do."""
    async with analyzer_client(HEALTHY, api_keys="one,two", headers={"Api-Key": "two"}) as client:
        assert (await client.get(QUERY)).status_code == 200


def _body(**changes: Any) -> dict[str, Any]:
    window = {
        "start": "2026-02-04T02:00:00Z",
        "end": "2026-02-04T02:05:00Z",
        "metric": "errors",
        "canary": {"count": 574, "bad": 30},
        "stable": {"count": 626, "bad": 3},
    }
    return {"id": "r1", "windows": [window], **changes}


async def test_judge_answers_as_the_analysis_does() -> None:
    """The same counts, brought along, get the same verdict."""
    async with analyzer_client(source_of(new=(30, 574), old=(3, 626))) as client:
        judged = (await client.post("/v1/judge", json=_body())).json()
        analysed = (await client.get(QUERY)).json()
    assert judged["verdict"] == "fail"
    assert judged["metrics"] == analysed["metrics"][:2]
    assert (judged["run"], judged["timestamp"]) == ("r1", "2026-02-04T02:05:00Z")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"<html>", 400, id="html"),
        pytest.param(b'{"windows": [', 400, id="truncated"),
        pytest.param(json.dumps(_body(config="none")).encode(), 422, id="unknown-config"),
        pytest.param(json.dumps(_body(windows=[])).encode(), 422, id="no-windows"),
        pytest.param(b" " * (8 * 1024 * 1024 + 1), 413, id="too-large"),
    ],
)
async def test_an_unusable_body_is_a_problem(content: bytes, status: int) -> None:
    """Bad input is the caller's, never a verdict or a 500."""
    async with analyzer_client(_never) as client:
        response = await client.post("/v1/judge", content=content)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert "verdict" not in response.json()


async def test_verdicts_and_samples_are_counted() -> None:
    """The metrics name the verdict, the metric and the reason."""
    registry = CollectorRegistry()
    async with analyzer_client(HEALTHY, registry=registry) as client:
        await client.get(QUERY)
        text = (await client.get("/metrics")).text
    labels = {"verdict": "pass", "metric": "error_rate", "reason_code": "no_difference"}
    assert registry.get_sample_value("analyzer_verdicts_total", labels) == 1
    samples = {"app": "voting01-vote-qa", "metric": "error_rate", "arm": "canary"}
    assert registry.get_sample_value("analyzer_samples", samples) == 574
    asked = {"source": "newrelic", "outcome": "ok"}
    name = "analyzer_source_request_duration_seconds_count"
    assert registry.get_sample_value(name, asked) == 1
    assert "analyzer_verdicts_total" in text


async def test_application_names_cannot_flood_the_metrics() -> None:
    """Beyond a hundred applications the rest share one label."""
    registry = CollectorRegistry()
    async with analyzer_client(HEALTHY, registry=registry) as client:
        for number in range(110):
            await client.get(f"/v1/analysis?app=app-{number}&canary=new&stable=old")
    samples = [
        sample.labels["app"]
        for metric in registry.collect()
        if metric.name == "analyzer_samples"
        for sample in metric.samples
    ]
    assert len(set(samples)) == 101
    assert "other" in samples


async def test_the_documentation_lists_the_parameters() -> None:
    """What is read by hand is described all the same."""
    async with analyzer_client(_never) as client:
        document = (await client.get("/openapi.json")).json()
    listed = document["paths"]["/v1/analysis"]["get"]["parameters"]
    assert [item["name"] for item in listed if item["required"]] == ["app", "canary", "stable"]
