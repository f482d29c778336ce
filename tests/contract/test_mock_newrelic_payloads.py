"""Payload and HTTP faults: what a JSON parser and the gate's shell lines make of each of them."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from test_mock_newrelic_shell_reader import read_in_shell

from mock_newrelic.domain.effects.payload import KINDS, Content, Payload, parse
from mock_newrelic.domain.surfaces import Surface
from mock_newrelic_bench import ADMIN, APP, KEY, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

OPTIONS: dict[str, Any] = {"clock_skew": "-90s", "huge_body": 200_000}


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        await bench.fill(95, 5)
        yield bench


async def _spoilt(bench: Bench, kind: str, metric: str = "errorRate") -> httpx.Response:
    option = OPTIONS.get(kind)
    await bench.inject({"payload": kind if option is None else {kind: option}})
    return await bench.ask(metric)


@pytest.mark.parametrize(
    ("kind", "shell", "value"),
    [
        pytest.param("null", "0", None, id="null"),
        pytest.param("inf", "0", math.inf, id="inf"),
        pytest.param("negative", "0", -5.0, id="negative"),
        pytest.param("string_number", "0", "5.0", id="string_number"),
        pytest.param("bool", "0", False, id="bool"),
        pytest.param("array", "0", [5.0], id="array"),
        pytest.param("nested", "0", {"value": 5.0}, id="nested"),
        pytest.param("wrong_unit", "500.0", 500.0, id="wrong_unit"),
        pytest.param("exponent", "5.000000", 5.0, id="exponent"),
    ],
)
async def test_a_number_is_written_as_something_else(
    bench: Bench, kind: str, shell: str, value: object
) -> None:
    """JSON readers get this value; the shell lines mostly fall back to 0, which is the mistake."""
    response = await _spoilt(bench, kind)
    assert response.status_code == 200
    assert response.json()["errorRate"] == value
    assert read_in_shell(response.text, "2")[0] == shell
    assert list(response.json()) == ["app", "metric", "window", "errorRate", "timestamp"]


async def test_nan_is_no_json(bench: Bench) -> None:
    """A strict parser refuses the body; Python's reads a number that no comparison holds for."""
    response = await _spoilt(bench, "nan")
    assert '"errorRate":NaN,' in response.text
    assert math.isnan(response.json()["errorRate"])
    assert read_in_shell(response.text, "2") == ("0", "PASS")


async def test_a_key_that_is_missing_or_renamed(bench: Bench) -> None:
    """The other four keys stay."""
    response = await _spoilt(bench, "missing_key")
    assert list(response.json()) == ["app", "metric", "window", "timestamp"]
    response = await _spoilt(bench, "renamed_key")
    assert response.json()["errorRate_v2"] == 5.0
    assert "errorRate" not in response.json()
    assert read_in_shell(response.text, "2") == ("0", "PASS")


async def test_the_key_twice(bench: Bench) -> None:
    """With extra_rows the facade says the number twice, first 0: readers disagree."""
    response = await _spoilt(bench, "extra_rows")
    assert response.text.count('"errorRate":') == 2
    assert response.json()["errorRate"] == 5.0
    assert "0.0" in read_in_shell(response.text, "2")[0]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("empty_results", b"{}", id="empty_results"),
        pytest.param("json_null", b"null", id="json_null"),
        pytest.param("empty_body", b"", id="empty_body"),
    ],
)
async def test_an_answer_without_content(bench: Bench, kind: str, body: bytes) -> None:
    """Status 200, and nothing to judge."""
    response = await _spoilt(bench, kind)
    assert (response.status_code, response.content) == (200, body)


async def test_no_content(bench: Bench) -> None:
    """204 without a body."""
    response = await _spoilt(bench, "no_content")
    assert (response.status_code, response.content) == (204, b"")


async def test_a_login_page(bench: Bench) -> None:
    """200 and HTML, as an expired single sign-on answers."""
    response = await _spoilt(bench, "html_login_page")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert read_in_shell(response.text, "2") == ("0", "PASS")


@pytest.mark.parametrize("kind", ["malformed_json", "truncated_json", "wrong_charset", "bom"])
async def test_a_body_that_no_parser_takes(bench: Bench, kind: str) -> None:
    """The body is announced as JSON and is none."""
    response = await _spoilt(bench, kind)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    with pytest.raises(ValueError, match=r"Expecting|BOM|codec|Unterminated|delimiter|trailing"):
        json.loads(response.content.decode())


async def test_malformed_json_still_satisfies_grep(bench: Bench) -> None:
    """The shell lines read a number where a parser stops."""
    assert read_in_shell((await _spoilt(bench, "malformed_json")).text, "2") == ("5.0", "FAIL")


async def test_the_wrong_media_type(bench: Bench) -> None:
    """The body is right, its type is not."""
    response = await _spoilt(bench, "wrong_content_type")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.json()["errorRate"] == 5.0


async def test_a_huge_body(bench: Bench) -> None:
    """The same document with blanks up to the size asked for."""
    response = await _spoilt(bench, "huge_body")
    assert len(response.content) == OPTIONS["huge_body"]
    assert response.json()["errorRate"] == 5.0


async def test_another_application(bench: Bench) -> None:
    """The answer names an application that was not asked about."""
    assert (await _spoilt(bench, "wrong_app")).json()["app"] == f"{APP}-other"


@pytest.mark.parametrize(
    ("kind", "timestamp"),
    [("old_timestamp", "2026-02-03T02:00:00Z"), ("clock_skew", "2026-02-04T01:58:30Z")],
)
async def test_time_that_is_not_now(bench: Bench, kind: str, timestamp: str) -> None:
    """A day old, or off by the skew; the skew shows in the Date header too."""
    response = await _spoilt(bench, kind)
    assert response.json()["timestamp"] == timestamp
    if kind == "clock_skew":
        moved = parsedate_to_datetime(response.headers["date"]).isoformat()
        assert moved == "2026-02-04T01:58:30+00:00"


async def test_a_spoilt_number_needs_no_data(clock: ManualClock) -> None:
    """A tester who asks for NaN gets it, measured or not."""
    async with Bench(clock) as bench:
        response = await _spoilt(bench, "nan")
        assert (response.status_code, response.json()["app"]) == (200, APP)
        assert '"errorRate":NaN' in response.text


async def test_charts_and_histograms_are_spoilt_alike(bench: Bench) -> None:
    """Every reading surface has its numbers changed."""
    await bench.inject({"payload": "string_number"})
    query = f"app={APP}&window=5m"
    series = await bench.http.get(f"/v1/metrics/series?{query}&metric=errorRate", headers=KEY)
    assert [point["value"] for point in series.json()["points"]] == ["5.0"]
    histogram = await bench.http.get(f"/v1/metrics/histogram?{query}", headers=KEY)
    assert histogram.json()["count"] == "100"


NERDGRAPH = (
    b'{"data":{"actor":{"account":{"nrql":{"results":[{"errorRate":5.0,"facet":"vote"}]}}}}}'
)
REST2 = (
    b'{"applications":[{"id":1,"name":"vote","application_summary":{"error_rate":0.05,'
    b'"host_count":2}}]}'
)


def _content(kind: str, body: bytes, surface: Surface) -> Any:
    effect = parse({kind: OPTIONS[kind]} if kind in OPTIONS else kind, None)
    spoilt = effect.spoil(Content(status=200, body=body), surface, "")
    assert spoilt is not None
    return json.loads(spoilt.body)


def _rows(kind: str) -> Any:
    document = _content(kind, NERDGRAPH, Surface.NERDGRAPH)
    return document["data"]["actor"]["account"]["nrql"]["results"]


def test_rows_of_nrql_are_spoilt_in_their_numbers_only() -> None:
    """Facets stay; rows can be doubled or gone; keys can be missing."""
    assert _rows("null") == [{"errorRate": None, "facet": "vote"}]
    assert _rows("string_number") == [{"errorRate": "5.0", "facet": "vote"}]
    assert _rows("missing_key") == [{"facet": "vote"}]
    assert _rows("renamed_key") == [{"errorRate_v2": 5.0, "facet": "vote"}]
    assert _rows("empty_results") == []
    assert _rows("extra_rows") == [
        {"errorRate": 0.0, "facet": "vote"},
        {"errorRate": 5.0, "facet": "vote"},
    ]


def test_graphql_errors_name_their_class() -> None:
    """With or without data beside them; the path holds strings only."""
    document = _content("graphql_errors", NERDGRAPH, Surface.NERDGRAPH)
    assert document["data"] is None
    [error] = document["errors"]
    assert error["extensions"]["errorClass"] == "TIMEOUT"
    assert all(isinstance(part, str) for part in error["path"])
    partial = _content("partial_data", NERDGRAPH, Surface.NERDGRAPH)
    assert partial["data"] == json.loads(NERDGRAPH)["data"]
    assert partial["errors"]


def test_rest_summaries_are_spoilt_in_their_signals_only() -> None:
    """Ids and counts of hosts stay."""
    [one] = _content("nested", REST2, Surface.REST2)["applications"]
    assert one["application_summary"] == {"error_rate": {"value": 0.05}, "host_count": 2}
    assert _content("wrong_app", REST2, Surface.REST2)["applications"][0]["name"] == "vote-other"


def test_what_does_not_apply_is_no_hit() -> None:
    """GraphQL errors exist on NerdGraph only; an error body has no number to spoil."""
    facade = Content(status=200, body=b'{"errorRate":1.0}')
    graphql = Payload(given="graphql_errors", kind="graphql_errors")
    assert graphql.spoil(facade, Surface.FACADE, "errorRate") is None
    refused = Content(status=404, body=b'{"error":"no_data"}')
    for kind in ("null", "extra_rows", "wrong_app", "old_timestamp"):
        assert Payload(given=kind, kind=kind).spoil(refused, Surface.FACADE, "errorRate") is None


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_no_payload_fault_makes_an_error_body_with_the_metric(
    bench: Bench, kind: str
) -> None:
    """Whatever is injected, an answer that says failure does not hold the metric's key."""
    response = await _spoilt(bench, kind)
    if response.status_code >= 400:
        assert '"errorRate"' not in response.text
    assert response.status_code < 500


# --- HTTP effects ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry_after", "header"),
    [
        pytest.param(30, "30", id="seconds"),
        pytest.param("date", "Wed, 04 Feb 2026 02:00:30 GMT", id="date"),
        pytest.param("absent", None, id="absent"),
    ],
)
async def test_retry_after_has_three_forms(
    bench: Bench, retry_after: object, header: str | None
) -> None:
    """Seconds, a date, or nothing at all."""
    await bench.inject({"status": {"code": 429, "retry_after": retry_after}})
    response = await bench.ask()
    assert response.status_code == 429
    assert response.headers.get("retry-after") == header


async def test_a_redirection_leads_to_a_login_page(bench: Bench) -> None:
    """302 has somewhere to go."""
    await bench.inject({"status": 302})
    assert (await bench.ask()).headers["location"] == "/login"


async def test_a_rate_limit_lets_so_many_through(bench: Bench, clock: ManualClock) -> None:
    """Three in a second; after it three more."""
    await bench.inject({"rate_limit": {"rps": 3}})
    for _ in range(2):
        statuses = [(await bench.ask()).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        clock.advance(1)


async def test_a_quota_is_used_up_and_comes_back(bench: Bench, clock: ManualClock) -> None:
    """So many per period, and 429 says when the next one begins."""
    await bench.inject({"quota": {"requests": 2, "per": "1m"}})
    clock.advance(10)
    assert [(await bench.ask()).status_code for _ in range(3)] == [200, 200, 429]
    assert (await bench.ask()).headers["retry-after"] == "50"
    clock.advance(50)
    assert (await bench.ask()).status_code == 200


async def test_a_key_that_is_good_only_now_and_then(bench: Bench, clock: ManualClock) -> None:
    """401 in the first half of each period."""
    await bench.inject({"auth_flap": {"period": "30s"}})
    statuses = []
    for _ in range(4):
        statuses.append((await bench.ask()).status_code)
        clock.advance(10)
    assert statuses == [401, 401, 200, 401]
    [listed] = (await bench.http.get("/control/injections", headers=ADMIN)).json()["injections"]
    assert listed["hits"] == 3


async def test_a_wrong_key_is_told_so_before_any_fault(bench: Bench) -> None:
    """Who may not ask sees 401, not the injected 503, and is no hit."""
    await bench.inject({"status": 503})
    question = f"/v1/metrics?app={APP}&metric=errorRate&window=5m"
    response = await bench.http.get(question, headers={"Api-Key": "wrong"})
    assert (response.status_code, response.json()["error"]) == (401, "unauthorized")
    [listed] = (await bench.http.get("/control/injections", headers=ADMIN)).json()["injections"]
    assert listed["hits"] == 0
