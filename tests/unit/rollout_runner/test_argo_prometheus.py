"""The prometheus provider's rules that the recordings do not reach."""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.argo.expr import Floats
from rollout_runner.argo.prometheus import PrometheusError, build_query, measure, read_answer
from rollout_runner.argo.types import ArgoVersion, Phase

NOW = 1_770_000_000.25
V1_9, V1_10 = ArgoVersion.V1_9, ArgoVersion.V1_10


def query(version: ArgoVersion = V1_10, default: str = "", **block: Any) -> Any:
    """Return the query of a block."""
    fields = {"address": "http://prom:9090", "query": "up"} | block
    return build_query(fields, now=NOW, version=version, default_address=default)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"address": ""}, "prometheus address is not configured"),
        ({"address": "prom:9090"}, "prometheus address is not is url format"),
        ({"timeout": -1}, "prometheus timeout should not be negative"),
        (
            {"rangeQuery": {"start": "now()", "end": "now()", "step": "1d"}},
            'failed to parse rangeQuery.step as duration: time: unknown unit "d" in duration "1d"',
        ),
        (
            {"rangeQuery": {"start": "result", "end": "now()", "step": "1m"}},
            "failed to parse rangeQuery.start as time: unknown name result",
        ),
        (
            {"rangeQuery": {"start": "1 + 1", "end": "now()", "step": "1m"}},
            "failed to parse rangeQuery.start as time: expected time.Time, but got int",
        ),
        (
            {"authentication": {"basicAuth": {"username": "u"}}},
            "missing mandatory parameter in metric for basic auth setup: password",
        ),
    ],
)
def test_a_block_that_cannot_be_used_is_refused_as_argo_does(
    block: dict[str, Any], message: str
) -> None:
    """The message is Argo's."""
    with pytest.raises(PrometheusError) as caught:
        query(**block)
    assert str(caught.value) == message


def test_the_address_of_the_environment_stands_in() -> None:
    """Without an address in the block the controller's own one is asked."""
    made = query(address="", default="http://other/prefix/")
    assert made.post.url == "http://other/prefix/api/v1/query"


def test_a_query_is_a_form_that_a_get_repeats() -> None:
    """The form is sorted, spaces are plus signs, the instant has milliseconds."""
    made = query(query='rate(x{a="b"}[1m]) > 0', headers=[{"key": "x-scope-orgid", "value": "t"}])
    form = "query=rate%28x%7Ba%3D%22b%22%7D%5B1m%5D%29+%3E+0&time=1770000000.25"
    assert made.post.body.decode() == form
    assert made.get.url == f"http://prom:9090/api/v1/query?{form}"
    assert dict(made.post.headers)["X-Scope-Orgid"] == "t"
    assert "Content-Type" not in dict(made.get.headers)


def test_basic_authentication_came_with_1_10() -> None:
    """Older releases ignore the block, so a gate that needs it fails there."""
    block = {"authentication": {"basicAuth": {"username": "u", "password": "p"}}}
    assert dict(query(**block).post.headers)["Authorization"] == "Basic dTpw"
    assert "Authorization" not in dict(query(version=V1_9, **block).post.headers)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>", "bad_response: readObjectStart: expect { or n, but found <, error found"),
        (200, b'{"status":"success"}', "Skip: do not know how to skip: 0, error found in #0 byte"),
        (302, b"", "bad_response: bad response code 302"),
        (400, b'{"status":"success"}', "bad_response: inconsistent body for response code"),
        (
            200,
            b'{"status":"success","data":{"resultType":"vector","result":[{"value":[1,2]}]}}',
            "unmarshalerDecoder: model.Vector: unmarshalerDecoder: sample value must be a quoted",
        ),
        (
            200,
            b'{"status":"success","data":{"resultType":"foo","result":[]}}',
            'unmarshalerDecoder: ResultType: unmarshalerDecoder: unknown value type "foo"',
        ),
        (200, b'{"status":1}', "bad_response: v1.apiResponse.Status: ReadString: expects"),
    ],
)
def test_an_answer_that_is_no_data_is_an_error(status: int, body: bytes, message: str) -> None:
    """A page, an envelope without data, a wrong type: an error with the client's words."""
    answer = read_answer(status, body)
    assert answer.value is None
    assert answer.error.startswith(message)


def test_no_series_is_an_empty_list_and_not_zero() -> None:
    """A condition on the first sample of no series is an Error."""
    answer = read_answer(200, b'{"status":"success","data":{"resultType":"vector","result":[]}}')
    assert answer.value == Floats()
    measured = measure(
        answer, success_condition="result[0] < 1", failure_condition="", version=V1_10
    )
    assert measured.phase is Phase.ERROR
    assert "nil or empty" in measured.message
