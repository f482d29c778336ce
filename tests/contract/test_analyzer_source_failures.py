"""However a source fails, the answer is a problem and never a verdict."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client import CollectorRegistry

from analyzer_bench import analyzer_client, histogram_answer

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

QUERY = "/v1/analysis?app=voting01-vote-qa&canary=new&stable=old"
GOOD = '{"scale":5,"buckets":[],"count":600,"errors":3}'


def _raises(error: type[httpx.HTTPError]) -> Callable[[httpx.Request], httpx.Response]:
    def source(request: httpx.Request) -> httpx.Response:
        raise error("failed", request=request)  # type: ignore[call-arg]

    return source


def _answers(
    status: int, body: str | bytes, content_type: str = "application/json"
) -> Callable[[httpx.Request], httpx.Response]:
    def source(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body, headers={"content-type": content_type})

    return source


FAILURES = [
    pytest.param(_raises(httpx.ConnectError), 502, id="refused"),
    pytest.param(_raises(httpx.ReadError), 502, id="reset"),
    pytest.param(_raises(httpx.RemoteProtocolError), 502, id="garbage"),
    pytest.param(_raises(httpx.ConnectTimeout), 504, id="connect-timeout"),
    pytest.param(_raises(httpx.ReadTimeout), 504, id="read-timeout"),
    pytest.param(_answers(401, '{"error":"unauthorized"}'), 502, id="401"),
    pytest.param(_answers(403, '{"error":"forbidden"}'), 502, id="403"),
    pytest.param(_answers(404, "<html>not here</html>", "text/html"), 502, id="404-html"),
    pytest.param(_answers(404, '{"detail":"Not Found"}'), 502, id="404-other"),
    pytest.param(_answers(404, '{"error":5}'), 502, id="404-odd-code"),
    pytest.param(_answers(422, '{"error":"bad_window"}'), 502, id="422"),
    pytest.param(_answers(429, '{"error":"rate_limited"}'), 502, id="429"),
    pytest.param(_answers(500, "oops", "text/plain"), 502, id="500"),
    pytest.param(_answers(503, '{"error":"stale_data"}'), 502, id="503"),
    pytest.param(_answers(503, '{"error":"no_data"}'), 502, id="503-no-data"),
    pytest.param(_answers(204, b""), 502, id="204"),
    pytest.param(_answers(302, GOOD), 502, id="redirect"),
    pytest.param(_answers(200, b""), 502, id="empty"),
    pytest.param(_answers(200, "<html>login</html>", "text/html"), 502, id="login-page"),
    pytest.param(_answers(200, GOOD[:-5]), 502, id="truncated"),
    pytest.param(_answers(200, GOOD + "}"), 502, id="trailing"),
    pytest.param(_answers(200, "null"), 502, id="null"),
    pytest.param(_answers(200, "[600, 3]"), 502, id="list"),
    pytest.param(_answers(200, '{"count":600}'), 502, id="errors-missing"),
    pytest.param(_answers(200, '{"errors":3}'), 502, id="count-missing"),
    pytest.param(_answers(200, '{"Count":600,"Errors":3}'), 502, id="other-case"),
    pytest.param(_answers(200, '{"count":600,"errors":NaN}'), 502, id="nan"),
    pytest.param(_answers(200, '{"count":Infinity,"errors":3}'), 502, id="infinity"),
    pytest.param(_answers(200, '{"count":600,"errors":null}'), 502, id="null-value"),
    pytest.param(_answers(200, '{"count":"600","errors":"3"}'), 502, id="string-numbers"),
    pytest.param(_answers(200, '{"count":600.5,"errors":3}'), 502, id="fraction"),
    pytest.param(_answers(200, '{"count":600,"errors":true}'), 502, id="boolean"),
    pytest.param(_answers(200, '{"count":600,"errors":-1}'), 502, id="negative"),
    pytest.param(_answers(200, '{"count":3,"errors":600}'), 502, id="more-errors-than-requests"),
    pytest.param(_answers(200, '{"count":1' + "0" * 40 + ',"errors":3}'), 502, id="astronomical"),
    pytest.param(_answers(200, b'{"count":600,"errors":3,"x":"\xff"}'), 502, id="not-utf8"),
    pytest.param(_answers(200, "[" * 100_000), 502, id="deep"),
    pytest.param(_answers(200, " " * (8 * 1024 * 1024 + 1) + GOOD), 502, id="endless"),
]


@pytest.mark.parametrize("failing", ["new", "old"], ids=["canary", "stable"])
@pytest.mark.parametrize(("failure", "status"), FAILURES)
async def test_a_failing_source_gives_no_verdict(
    failure: Callable[[httpx.Request], httpx.Response], status: int, failing: str
) -> None:
    """One broken arm is enough: the other one alone is not judged."""

    def source(request: httpx.Request) -> httpx.Response:
        return (
            failure(request) if request.url.params["hash"] == failing else histogram_answer(3, 600)
        )

    registry = CollectorRegistry()
    async with analyzer_client(source, registry=registry) as client:
        response = await client.get(QUERY)
    document = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    stale = "stale_data" in document["detail"]
    assert document["error"] == (
        "source_timeout" if status == 504 else "source_stale" if stale else "source_failed"
    )
    assert "newrelic" in document["detail"]
    assert not {"verdict", "passed", "metrics"} & document.keys()
    assert not [
        sample
        for metric in registry.collect()
        if metric.name == "analyzer_verdicts"
        for sample in metric.samples
    ]


async def test_a_source_that_hangs_times_out() -> None:
    """The wait is bounded even when single reads are not late."""

    async def source(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with analyzer_client(source, source_timeout_seconds=0.02) as client:
        response = await client.get(QUERY)
    assert (response.status_code, response.json()["error"]) == (504, "source_timeout")


async def test_a_refused_key_says_which_setting() -> None:
    """401 of the source is the operator's to mend, and no key is shown."""
    async with analyzer_client(
        _answers(401, '{"error":"unauthorized"}'), newrelic_api_key="s3cret"
    ) as client:
        response = await client.get(QUERY)
    assert "ANALYZER_NEWRELIC_API_KEY" in response.json()["hint"]
    assert "s3cret" not in response.text


async def test_a_foreign_body_is_not_repeated() -> None:
    """Text of the source does not travel on."""
    async with analyzer_client(_answers(500, '{"error":"<script>alert(1)</script>"}')) as client:
        response = await client.get(QUERY)
    assert "script" not in response.text


async def test_failures_are_counted_by_outcome() -> None:
    """The histogram's label tells time-outs from other failures."""
    registry = CollectorRegistry()
    async with analyzer_client(_raises(httpx.ReadTimeout), registry=registry) as client:
        await client.get(QUERY)
    name = "analyzer_source_request_duration_seconds_count"
    labels = {"source": "newrelic", "outcome": "source_timeout"}
    assert registry.get_sample_value(name, labels) == 1
