"""The remote judge for Kayenta: its request in its own shape, the original's classes out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from analyzer_bench import analyzer_client

pytestmark = pytest.mark.anyio

VECTORS = Path(__file__).parent.parent / "vectors" / "statistics"


def _request(**changes: Any) -> dict[str, Any]:
    """Return what Kayenta's RemoteJudge posts, with the members that its mapper writes."""
    metric = {
        "name": "Error Rate",
        "query": {"type": "newrelic", "select": "percentage(count(*), WHERE error IS true)"},
        "groups": ["err"],
        "analysisConfigurations": {"canary": {"direction": "increase", "critical": False}},
        "scopeName": "default",
    }
    pair = {
        "name": "Error Rate",
        "id": "f0a5b1de",
        "tags": {"zone": "a"},
        "values": {
            "control": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0],
            "experiment": [1.5, 2.5, 3.5, "NaN", 5.5, 6.5, 7.5, 8.5, 9.5, None],
        },
        "scopes": {
            "control": {
                "startTimeIso": "2026-02-04T02:00:00Z",
                "startTimeMillis": 1770170400000,
                "stepMillis": 60000,
            }
        },
        "attributes": {"control": {"query": "SELECT 1"}},
    }
    request = {
        "canaryConfig": {
            "createdTimestamp": 1513798922188,
            "name": "MySampleNewrelicCanaryConfig",
            "description": "Example",
            "configVersion": "1.0",
            "applications": ["vote"],
            "judge": {"name": "RemoteJudge-v1.0", "judgeConfigurations": {}},
            "metrics": [metric],
            "templates": {},
            "classifier": {"groupWeights": {"err": 100.0}},
        },
        "scoreThresholds": {"pass": 95.0, "marginal": 75.0},
        "metricSetPairList": [pair],
    }
    return {**request, **changes}


async def _judge(request: Any) -> httpx.Response:
    async with analyzer_client(lambda _request: httpx.Response(500)) as client:
        content = request if isinstance(request, bytes) else json.dumps(request).encode()
        response: httpx.Response = await client.post("/judge", content=content)
        return response


async def test_the_answer_is_a_canary_judge_result() -> None:
    """Every member that Kayenta's mapper insists on is there."""
    response = await _judge(_request())
    assert response.status_code == 200, response.text
    document = response.json()
    assert document["judgeName"] == "RemoteJudge-v1.0"
    assert document["score"] == {
        "score": 100.0,
        "classification": "Pass",
        "classificationReason": "",
    }
    assert [group["name"] for group in document["groupScores"]] == ["err"]
    (result,) = document["results"]
    assert result["classification"] == "Pass"
    assert (result["id"], result["tags"], result["groups"]) == ("f0a5b1de", {"zone": "a"}, ["err"])
    assert result["experimentMetadata"]["stats"]["count"] == 8
    assert result["resultMetadata"]["ratio"] == pytest.approx(5.625 / 5.5)


def _cases() -> list[Any]:
    """Return the cases that hold at the levels of Kayenta's judge: its users' and those of no data.

    The other cases of its own tests set levels that a request cannot, and are replayed as vectors.
    """
    classified = json.loads((VECTORS / "kayenta_classifier.json").read_text())["vectors"]
    issues = json.loads((VECTORS / "kayenta_issues.json").read_text())["vectors"]
    chosen = [
        one
        for one in classified
        if one["expected"]["classification"] and not (one["experiment"] and one["control"])
    ] + [
        {**one, "expected": {"classification": one["kayenta"]}}
        for one in issues
        if (one["tolerance"], one["confLevel"]) == (0.25, 0.98)
    ]
    return [pytest.param(one, id=one["name"]) for one in chosen]


@pytest.mark.parametrize("vector", _cases())
async def test_classes_are_those_of_the_original(vector: dict[str, Any]) -> None:
    """Over HTTP as in Kayenta's own tests, at the levels that its judge uses."""
    effect: dict[str, Any] = {"measure": vector.get("effectSizeMeasure", "meanRatio")}
    for key, kind in (("effectSizeThresholds", "allowed"), ("criticalThresholds", "critical")):
        if key in vector:
            effect[f"{kind}Decrease"], effect[f"{kind}Increase"] = vector[key]
    canary = {
        "direction": vector.get("direction", "either"),
        "nanStrategy": vector.get("nanStrategy", "remove"),
        "critical": vector.get("isCritical", False),
        "mustHaveData": vector.get("isDataRequired", False),
        "effectSize": effect,
    }
    request = _request()
    request["canaryConfig"]["metrics"][0]["analysisConfigurations"] = {"canary": canary}
    request["metricSetPairList"][0]["values"] = {
        "experiment": vector["experiment"],
        "control": vector["control"],
    }
    response = await _judge(request)
    assert response.status_code == 200, response.text
    (result,) = response.json()["results"]
    assert result["classification"] == vector["expected"]["classification"]


def _with_metric(**canary: Any) -> dict[str, Any]:
    request = _request()
    request["canaryConfig"]["metrics"][0]["analysisConfigurations"] = {"canary": canary}
    return request


def _with_values(**values: Any) -> dict[str, Any]:
    request = _request()
    request["metricSetPairList"][0]["values"] = values
    return request


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        pytest.param(b"{", 400, "not JSON", id="no-json"),
        pytest.param({}, 422, "canaryConfig", id="empty"),
        pytest.param(_request(metricSetPairList=[]), 422, "nothing to judge", id="no-pairs"),
        pytest.param(_request(scoreThresholds={"pass": 95}), 422, "marginal", id="no-threshold"),
        pytest.param(_with_metric(direction="up"), 422, "direction", id="unknown-direction"),
        pytest.param(_with_metric(critical="yes"), 422, "critical", id="text-for-boolean"),
        pytest.param(_with_values(experiment=[1.0]), 422, "control", id="no-control"),
        pytest.param(_with_values(experiment=["x"], control=[1]), 422, "numbers", id="text"),
    ],
)
async def test_what_cannot_be_judged_is_refused(request_: Any, status: int, said: str) -> None:
    """With a problem that names the member, and never with a score."""
    response = await _judge(request_)
    assert response.status_code == status
    assert said in response.json()["detail"]
    assert "score" not in response.json()


async def test_a_pair_without_a_metric_of_its_name_is_refused() -> None:
    """Kayenta's judge throws there; here it is the caller's to mend."""
    request = _request()
    request["metricSetPairList"][0]["name"] = "Another"
    response = await _judge(request)
    assert response.status_code == 422
    assert "Another" in response.json()["detail"]
