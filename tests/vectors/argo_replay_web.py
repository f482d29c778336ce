"""Reading the recorded vectors of conditions and of the web provider, and replaying them.

A web vector is replayed through an `Exchange`: the pure replay answers with what was recorded, an
adapter can send the request for real and must come to the same readings.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollout_runner.argo.expr import Floats, NrdbRow, NrdbRows
from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.argo.web import (
    WebProviderError,
    WebReading,
    WebRequest,
    build_request,
    measure,
)

SERVER = "server.example"
Exchange = Callable[[WebRequest], tuple[int, bytes]]
_FOLDER = Path(__file__).parent


def load(name: str, folder: str = "argo") -> list[dict[str, Any]]:
    """Return all vectors of a file; results that they share are put in their place."""
    document = json.loads((_FOLDER / folder / f"{name}.json").read_text(encoding="utf-8"))
    assert len(document["vectors"]) == document["count"]
    shared = document.get("results", {})
    if not shared:
        return list(document["vectors"])
    return [vector | {"result": shared[vector["result"]]} for vector in document["vectors"]]


def result_of(vector: dict[str, Any]) -> Any:
    """Return the result of a condition vector as the Python value that stands for it."""
    result, go_type = vector["result"], vector["goType"]
    match go_type:
        case "int":
            return int(result)
        case "[]float64":
            return Floats(map(_float, result))
        case "float64" | "*float64":
            return _float(result)
        case "nrdb.NRDBResult":
            return NrdbRow(_decoded(result))
        case "[]nrdb.NRDBResult":
            return NrdbRows(map(NrdbRow, _decoded(result)))
        case _:
            return _decoded(result)


def _float(value: Any) -> float:
    return float(value["$float"] if isinstance(value, dict) else value)


def _decoded(value: Any) -> Any:
    """Make every number a float, as Argo's providers do."""
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class WebCase:
    """One recorded measurement of the web provider.

    Attributes:
        name: its id in the file.
        web: the `provider.web` block, with an absolute URL.
        success_condition, failure_condition: of the metric.
        status, body, location: what the server answered; `body` is the last answer's.
        expected: the reading of 1.10; its message is None where none was recorded.
        expected_v1_9: the reading of 1.9.1, whose error texts were recorded for few cases.
        crashes: whether the real provider panics.
        request: the request that the server saw, if any reached it.
    """

    name: str
    web: dict[str, Any]
    success_condition: str
    failure_condition: str
    status: int
    body: bytes
    location: str
    expected: dict[str, Any]
    expected_v1_9: dict[str, Any]
    crashes: bool
    request: dict[str, Any]

    def replay(self, version: ArgoVersion, exchange: Exchange) -> WebReading:
        """Measure as the provider does, with the answer that the exchange gives."""
        try:
            status, body = exchange(build_request(self.web))
        except WebProviderError as error:
            return WebReading(phase=Phase.ERROR, message=str(error))
        return measure(
            status,
            body,
            json_path=self.web.get("jsonPath", ""),
            success_condition=self.success_condition,
            failure_condition=self.failure_condition,
            version=version,
        )

    def recorded(self, _request: WebRequest) -> tuple[int, bytes]:
        """Answer with what was recorded, after any redirect."""
        return (200 if self.location else self.status), self.body


def executed_web() -> list[WebCase]:
    """Return the measurements that were taken over a real socket."""
    return [_executed_case(vector) for vector in load("executed_web")]


def _executed_case(vector: dict[str, Any]) -> WebCase:
    expected = vector["expected"]
    if "providerError" in expected:
        expected = {"phase": "Error", "value": "", "message": expected["providerError"]}
    response = vector["response"]
    return WebCase(
        name=vector["id"],
        web=vector["web"] | {"url": f"http://{SERVER}{vector['web']['url']}"},
        success_condition=vector["successCondition"],
        failure_condition=vector["failureCondition"],
        status=response["status"],
        body=response["body"].encode(),
        location=response["location"] or "",
        expected=expected,
        expected_v1_9=vector.get("expected_v1_9_1", expected),
        crashes="panic" in expected,
        request=vector.get("observedRequest", {}),
    )


def unit_web() -> list[WebCase]:
    """Return the measurements of Argo's own unit tests."""
    return [_unit_case(vector) for vector in load("web_unit")]


def _unit_case(vector: dict[str, Any]) -> WebCase:
    metric, recorded = vector["metric"], vector["expected"]
    web = metric["provider"]["web"]
    wanted = vector["expectedRequest"]
    expected = {
        "phase": recorded["phase"],
        "value": recorded["recordedValue"],
        "message": recorded["recordedMessage"],
    }
    body = wanted.get("body", wanted.get("jsonBody", ""))
    request = {"method": wanted["method"], "uri": "/", "body": body} if wanted else {}
    return WebCase(
        name=vector["id"],
        web=web | {"url": web["url"].replace("<test server>", f"http://{SERVER}/")},
        success_condition=metric.get("successCondition", ""),
        failure_condition=metric.get("failureCondition", ""),
        status=vector["response"]["status"],
        body=vector["response"]["body"].encode(),
        location="",
        expected=expected,
        expected_v1_9=expected,
        crashes=False,
        request=request,
    )
