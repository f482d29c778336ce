"""NerdGraph as Argo's newRelic provider, its web provider and change tracking speak to it."""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mock_newrelic_bench import APP, CANARY, KEY, STABLE, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

# What newrelic-client-go v2 (dc87be36) sends for Argo Rollouts' newRelic provider, recorded.
ARGO_QUERY = (
    "query (\n  $query: Nrql!, \n  $accountId: Int!,\n  $timeout: Seconds!\n)\n{\n  actor {\n"
    "    account(id: $accountId) {\n      nrql(query: $query, timeout: $timeout) {\n"
    "        results\n      }\n    }\n  }\n}\n"
)
ARGO_HEADERS = {
    **KEY,
    "User-Agent": "argo-rollouts/v1.8 (https://github.com/argoproj/argo-rollouts)",
    "Content-Type": "application/json",
    "NewRelic-Requesting-Services": "newrelic-client-go",
    "X-Query-Source-Component-Id": "newrelic-client-go",
    "Accept-Encoding": "gzip",
}
ERROR_RATE = (
    "SELECT percentage(count(*), WHERE error IS true) AS 'errorRate' FROM Transaction "
    f"WHERE appName = '{APP}' SINCE 5 minutes ago"
)


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _argo(bench: Bench, nrql: str, **headers: str) -> dict[str, Any]:
    variables = {"accountId": 1234567, "query": nrql, "timeout": 5}
    response = await bench.http.post(
        "/graphql",
        json={"query": ARGO_QUERY, "variables": variables},
        headers={**ARGO_HEADERS, **headers},
    )
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


async def _results(bench: Bench, nrql: str) -> list[dict[str, Any]]:
    """Return what Argo's decoder takes: a list of objects under exactly this path."""
    document = await _argo(bench, nrql)
    assert list(document) == ["data"], document
    results: list[dict[str, Any]] = document["data"]["actor"]["account"]["nrql"]["results"]
    assert all(isinstance(row, dict) for row in results)
    return results


async def _graph(bench: Bench, query: str, variables: Any = None, **headers: str) -> Any:
    response = await bench.http.post(
        "/graphql", json={"query": query, "variables": variables}, headers={**KEY, **headers}
    )
    assert response.status_code == 200
    return response.json()


async def test_the_error_rate_is_the_facades(bench: Bench) -> None:
    """Argo's newRelic provider and its web provider read one number."""
    await bench.fill(948, 52)
    assert await _results(bench, ERROR_RATE) == [{"errorRate": 5.2}]
    assert await bench.value() == 5.2


@pytest.mark.parametrize(
    ("nrql", "rows"),
    [
        ("SELECT count(*) FROM Transaction", [{"count": 10}]),
        ("SELECT average(duration) FROM Transaction", [{"average.duration": 0.02}]),
        (
            "FROM Transaction SELECT count(*) FACET role",
            [{"facet": "canary", "role": "canary", "count": 10}],
        ),
        ("SELECT count(*) FROM Transaction WHERE appName = 'other' FACET role", []),
        ("SELECT average(duration) FROM Transaction WHERE appName = 'other'",
         [{"average.duration": None}]),
        ("SELECT count(*) FROM Transaction WHERE appName = 'other'", [{"count": 0}]),
    ],
)  # fmt: skip
async def test_shapes_of_results(bench: Bench, nrql: str, rows: list[dict[str, Any]]) -> None:
    """As New Relic names columns and facets; without data NULL, 0 for a count, no facet."""
    await bench.fill(9, 1, role="canary")
    assert await _results(bench, nrql) == rows


async def test_percentiles_and_time_series(bench: Bench) -> None:
    """Percentiles by their number as a text; steps with their times in seconds."""
    await bench.fill(100, duration=0.25)
    (row,) = await _results(bench, "SELECT percentile(duration, 50, 95) FROM Transaction")
    assert list(row["percentile.duration"]) == ["50", "95"]
    assert row["percentile.duration"]["95"] == pytest.approx(0.25, rel=0.011)
    steps = await _results(
        bench, "SELECT count(*) FROM Transaction TIMESERIES 1 minute SINCE 2 minutes ago"
    )
    assert [sorted(step) for step in steps] == [["beginTimeSeconds", "count", "endTimeSeconds"]] * 2
    assert [step["count"] for step in steps] == [0, 100]


async def test_arms_by_host_name(bench: Bench) -> None:
    """The community's way to split canary and stable: the beginning of the pod's name."""
    await bench.fill(90, 10, host=f"vote-{CANARY}-abcde")
    await bench.fill(99, 1, host=f"vote-{STABLE}-fghij")
    arm = "filter(percentage(count(*), WHERE error IS true), WHERE host LIKE 'vote-{}%') AS '{}'"
    query = (
        f"SELECT {arm.format(CANARY, 'canary')}, {arm.format(STABLE, 'stable')} "
        "FROM Transaction SINCE 70 seconds ago"
    )
    assert await _results(bench, query) == [{"canary": 10.0, "stable": 1.0}]


async def test_a_wrong_query_is_an_error_with_its_place(bench: Bench) -> None:
    """In NerdGraph's own form: no results, a message, a path of texts, a class."""
    document = await _argo(bench, "SELECT cuont(*) FROM Transaction")
    assert document["data"]["actor"]["account"]["nrql"] is None
    (error,) = document["errors"]
    assert error["message"].startswith("NRQL Syntax Error: Error at line 1 position 8")
    assert error["path"] == ["actor", "account", "nrql"]
    assert error["extensions"]["errorClass"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("key", [None, "wrong"])
async def test_without_a_right_key(bench: Bench, key: str | None) -> None:
    """401 with the code by which New Relic's client knows it."""
    headers = {"Api-Key": key} if key else {}
    response = await bench.http.post(
        "/graphql", json={"query": "{actor{user{name}}}"}, headers=headers
    )
    assert response.status_code == 401
    assert response.json()["errors"][0]["extensions"]["error_code"] == "BAD_API_KEY"


async def test_block_strings_and_empty_variables(bench: Bench) -> None:
    """Argo's web provider writes NRQL into a block string and sends a text for no variables."""
    await bench.fill(3, 1)
    nrql = f'nrql(timeout: 120 query: """{ERROR_RATE}""") {{ results }}'
    query = f"{{ actor {{ account(id: 1) {{ {nrql} }} }} }}"
    document = await _graph(bench, query, "")
    assert document["data"]["actor"]["account"]["nrql"]["results"] == [{"errorRate": 25.0}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nonsense", 400),
        (b"[]", 400),
        (b'{"query":1}', 400),
        (b'{"query":"{actor{user{name}}}","variables":[1]}', 400),
        (b'{"query":"{"}', 200),
        (b'{"query":"{nothing}"}', 200),
        (b'{"query":"query a {actor{user{name}}} query b {actor{user{name}}}"}', 200),
        (b'{"query":"query($x:Int!){actor{account(id:$x){id}}}","variables":{"x":"y"}}', 200),
    ],
)
async def test_bad_requests_have_errors(bench: Bench, body: bytes, status: int) -> None:
    """Never a traceback; what GraphQL itself refuses is 200 with errors."""
    response = await bench.http.post("/graphql", content=body, headers=KEY)
    assert response.status_code == status
    assert response.json()["errors"][0]["message"]


async def test_a_compressed_request_and_introspection(bench: Bench) -> None:
    """Gzip is understood; the schema can be asked for."""
    body = gzip.compress(json.dumps({"query": "{ __schema { queryType { name } } }"}).encode())
    headers = {**KEY, "Content-Encoding": "gzip"}
    response = await bench.http.post("/graphql", content=body, headers=headers)
    assert response.json() == {"data": {"__schema": {"queryType": {"name": "RootQueryType"}}}}


async def test_metadata_says_how_it_was_computed(bench: Bench) -> None:
    """Event types, window and messages; totals beside facets."""
    await bench.fill(3, role="canary")
    document = await _graph(
        bench,
        '{ actor { account(id: 7) { id nrql(query: "SELECT count(*) FROM Transaction FACET role") '
        "{ totalResult otherResult metadata { eventTypes facets messages "
        "timeWindow { begin end since } } } } } }",
    )
    account = document["data"]["actor"]["account"]
    assert account["id"] == 7
    assert account["nrql"]["totalResult"] == {"count": 3}
    metadata = account["nrql"]["metadata"]
    assert (metadata["eventTypes"], metadata["facets"]) == (["Transaction"], ["role"])
    assert metadata["messages"] == ["computed from all samples, exactly"]
    percentile = await _graph(
        bench, '{ actor { account(id: 7) { nrql(query: "SELECT percentile(duration, 95) FROM '
        'Transaction") { metadata { messages } } } } }',
    )  # fmt: skip
    assert percentile["data"]["actor"]["account"]["nrql"]["metadata"]["messages"] == [
        "computed from all samples, durations in buckets: off by 1.1 % at most"
    ]
    assert metadata["timeWindow"]["end"] - metadata["timeWindow"]["begin"] == 3_600_000


async def test_change_tracking(bench: Bench, clock: ManualClock) -> None:
    """An entity is found by name; its deployment is a row of NRQL and a marker of REST v2."""
    await bench.fill(1)
    found = await _graph(
        bench, f'{{ actor {{ entitySearch(query: "name = \'{APP}\' AND domain = \'APM\'") '
        "{ count results { entities { guid name applicationId } } } } }",
    )  # fmt: skip
    (entity,) = found["data"]["actor"]["entitySearch"]["results"]["entities"]
    made = await _graph(
        bench,
        "mutation($d: ChangeTrackingDeploymentInput!) { changeTrackingCreateDeployment"
        "(deployment: $d) { deploymentId entityGuid version user } }",
        {"d": {"entityGuid": entity["guid"], "version": "v17", "user": "me"}},
    )
    deployment = made["data"]["changeTrackingCreateDeployment"]
    assert (deployment["entityGuid"], deployment["version"]) == (entity["guid"], "v17")
    clock.advance(1)
    rows = await _results(bench, f"SELECT version, user FROM Deployment WHERE appName = '{APP}'")
    assert [(row["version"], row["user"]) for row in rows] == [("v17", "me")]
    listed = await bench.http.get(
        f"/v2/applications/{entity['applicationId']}/deployments.json", headers=KEY
    )
    assert [one["revision"] for one in listed.json()["deployments"]] == ["v17"]


async def test_a_deployment_of_nothing_is_refused(bench: Bench) -> None:
    """An unknown entity is the caller's mistake, told in the errors."""
    document = await _graph(
        bench,
        'mutation { changeTrackingCreateDeployment(deployment: {entityGuid: "x", version: "1"}) '
        "{ deploymentId } }",
    )
    assert document["errors"][0]["extensions"]["errorClass"] == "BAD_USER_INPUT"


async def test_an_injection_shows(bench: Bench) -> None:
    """A data effect moves the answer, and the answer says so."""
    await bench.fill(100)
    injection = await bench.inject({"error_ratio": 0.1})
    response = await bench.http.post(
        "/graphql",
        json={
            "query": ARGO_QUERY,
            "variables": {"accountId": 1, "query": ERROR_RATE, "timeout": 5},
        },
        headers=ARGO_HEADERS,
    )
    assert response.json()["data"]["actor"]["account"]["nrql"]["results"] == [{"errorRate": 10.0}]
    assert response.headers["x-mock-injection"] == injection["id"]
