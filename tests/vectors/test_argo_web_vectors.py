"""The web provider's pure part against measurements that the real provider took.

What needs a real exchange is named in `_EXCHANGE_ONLY`; the pure part of those is checked here,
the same cases can be replayed through an adapter with `WebCase.replay`.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from rollout_runner.argo import gojson
from rollout_runner.argo.jsonpath import (
    JsonPathCrashError,
    JsonPathError,
    NoResultError,
    compile_path,
)
from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.argo.web import build_request, request_error
from vectors.argo_replay_web import SERVER, WebCase, executed_web, load, unit_web

_EXECUTED = executed_web()
_UNIT = unit_web()
_EXCHANGE_ONLY = {
    "w148": "the request after a redirect is the client's",
    "w149": "the request after a redirect that keeps method and body is the client's",
    "w150": "the request after a redirect that turns POST into GET is the client's",
    "w151": "only a client can run into its limit of redirects",
}


def _params(cases: list[WebCase]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


_PURE = [case for case in [*_EXECUTED, *_UNIT] if case.name != "w151" and not case.crashes]


@pytest.mark.parametrize("case", _params(_PURE))
def test_reading_of_1_10(case: WebCase) -> None:
    """Phase, value and message are the recorded ones."""
    reading = case.replay(ArgoVersion.V1_10, case.recorded)
    assert {
        "phase": reading.phase,
        "value": reading.value,
        "message": reading.message.replace(SERVER, "<server>"),
    } == case.expected
    assert not reading.unevaluated


@pytest.mark.parametrize("case", _params([case for case in _PURE if case.name.startswith("w")]))
def test_reading_of_1_9(case: WebCase) -> None:
    """The older release differs in plain-text bodies and in the wording of condition errors."""
    reading = case.replay(ArgoVersion.V1_9, case.recorded)
    expected = case.expected_v1_9
    assert (reading.phase, reading.value) == (expected["phase"], expected["value"])
    message = reading.message.replace(SERVER, "<server>")
    if expected["message"].startswith("could not evaluate"):
        assert message
        assert expected["message"].endswith(f'": {message}')
    else:
        assert message == expected["message"]
    skipped = case.expected_v1_9 != case.expected
    if skipped:
        assert reading.unevaluated


@pytest.mark.parametrize("case", _params([case for case in _EXECUTED if case.crashes]))
def test_bare_null_is_an_error_that_says_so(case: WebCase) -> None:
    """Where the real controller would crash, the measurement is an Error that names the cause."""
    for version in ArgoVersion:
        reading = case.replay(version, case.recorded)
        assert (reading.phase, reading.value) == (Phase.ERROR, "")
        assert "null" in reading.message
        assert "crashes" in reading.message


def test_redirect_loop_is_worded_as_go_does() -> None:
    """The message of the case that only a client can run into comes from the shared wording."""
    case = next(case for case in _EXECUTED if case.name == "w151")
    assert build_request(case.web).max_redirects == 10
    assert request_error("GET", "/q", "stopped after 10 redirects") == case.expected["message"]


_SEEN = [case for case in [*_EXECUTED, *_UNIT] if case.request and case.name not in _EXCHANGE_ONLY]


@pytest.mark.parametrize("case", _params(_SEEN))
def test_request_as_the_server_saw_it(case: WebCase) -> None:
    """Method, path, body and headers are those that the real provider sent."""
    request = build_request(case.web)
    seen = case.request
    assert (request.method, urlsplit(request.url).path) == (seen["method"], seen["uri"])
    if case.web.get("jsonBody") is not None:
        assert json.loads(request.body) == json.loads(seen["body"])
        assert b" " not in request.body  # the controller compacts it before it is sent
    else:
        assert request.body.decode() == seen["body"]
    if "headers" in seen:
        sent = {name: [value] for name, value in request.headers if name != "Accept-Encoding"}
        assert sent == {
            name: value for name, value in seen["headers"].items() if name != "Content-Length"
        }


def test_every_case_is_checked() -> None:
    """No recorded measurement is left out, and what needs an exchange is named."""
    names = {case.name for case in [*_EXECUTED, *_UNIT]}
    checked = {case.name for case in _PURE} | {"w151"}
    checked |= {case.name for case in _EXECUTED if case.crashes}
    assert checked == names
    assert _EXCHANGE_ONLY.keys() <= names
    redirected = {case.name for case in _EXECUTED if case.location}
    assert redirected == _EXCHANGE_ONLY.keys()


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(vector, id=vector["id"])
        for vector in load("generated_jsonpaths", folder="expr")
    ],
)
def test_generated_path(vector: dict[str, Any]) -> None:
    """A generated path selects, or refuses, what client-go did."""
    assert _outcome(vector["path"], vector["body"]) == vector["outcome"]


def _outcome(text: str, body: str) -> dict[str, Any]:
    try:
        path = compile_path(text)
    except JsonPathError as error:
        return {"parse": str(error)}
    try:
        return {"value": gojson.encode(path.first(gojson.decode(body)))}
    except NoResultError:
        return {"none": True}
    except JsonPathCrashError:
        return {"panic": True}
    except JsonPathError as error:
        return {"find": str(error)}
