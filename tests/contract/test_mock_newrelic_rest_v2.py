"""REST v2 as New Relic's clients use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mock_newrelic_bench import APP, CANARY, KEY, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _get(bench: Bench, path: str, **parameters: Any) -> httpx.Response:
    return await bench.http.get(f"/v2/{path}", params=parameters, headers=KEY)


async def _number(bench: Bench, name: str = APP) -> int:
    response = await _get(bench, "applications.json", **{"filter[name]": name})
    number: int = response.json()["applications"][0]["id"]
    return number


async def test_the_summary_is_the_facades(bench: Bench) -> None:
    """Milliseconds, percent, per minute, over three minutes."""
    await bench.fill(95, 5, duration=0.25, host=f"vote-{CANARY}-abcde")
    (one,) = (await _get(bench, "applications.json")).json()["applications"]
    summary = one["application_summary"]
    assert summary["error_rate"] == await bench.value("errorRate", "180s") == 5.0
    assert summary["response_time"] == await bench.value("responseTime", "180s")
    assert summary["throughput"] == pytest.approx(
        await bench.value("throughput", "180s"), abs=0.001
    )
    assert summary["apdex_score"] == await bench.value("apdex", "180s")
    assert (summary["host_count"], one["reporting"], one["health_status"]) == (1, True, "green")


async def test_without_data_there_is_no_summary(bench: Bench, clock: ManualClock) -> None:
    """A zero would read as health."""
    await bench.fill(5)
    clock.advance(1000)
    (one,) = (await _get(bench, "applications.json")).json()["applications"]
    assert "application_summary" not in one
    assert (one["reporting"], one["health_status"]) == (False, "gray")


async def test_who_takes_the_first_row_gets_the_name_asked_for(bench: Bench) -> None:
    """The filter finds parts of names, as New Relic's does; the exact name comes first."""
    for name in (f"a-{APP}", APP, f"{APP}-canary", "other"):
        await bench.fill(1, app=name)
    response = await _get(bench, "applications.json", **{"filter[name]": APP})
    assert [one["name"] for one in response.json()["applications"]] == [
        APP, f"a-{APP}", f"{APP}-canary",
    ]  # fmt: skip


async def test_ids_outlive_a_restart(bench: Bench, clock: ManualClock) -> None:
    """The number depends on the name only."""
    await bench.fill(1)
    async with Bench(clock) as other:
        await other.fill(1)
        assert await _number(bench) == await _number(other)


async def test_pages_are_linked(bench: Bench) -> None:
    """RFC 5988, which New Relic's Go client follows."""
    await bench.fill(1)
    number = await _number(bench)
    path = f"applications/{number}/deployments.json"
    for revision in range(201):
        await bench.http.post(
            f"/v2/{path}", json={"deployment": {"revision": f"v{revision}"}}, headers=KEY
        )
    first = await _get(bench, path)
    assert len(first.json()["deployments"]) == 200
    assert first.links["next"]["url"] == first.links["last"]["url"]
    second = await bench.http.get(first.links["next"]["url"], headers=KEY)
    assert [one["revision"] for one in second.json()["deployments"]] == ["v0"]
    assert "next" not in second.links


async def test_record_list_and_delete_a_deployment(bench: Bench) -> None:
    """201 with the marker, which is listed until it is deleted."""
    await bench.fill(1)
    path = f"applications/{await _number(bench)}/deployments"
    body = {"deployment": {"revision": "v2", "description": "canary v2", "user": "me"}}
    made = await bench.http.post(f"/v2/{path}.json", json=body, headers=KEY)
    assert made.status_code == 201
    marker = made.json()["deployment"]
    assert (marker["revision"], marker["user"]) == ("v2", "me")
    assert [one["id"] for one in (await _get(bench, f"{path}.json")).json()["deployments"]] == [
        marker["id"]
    ]
    gone = await bench.http.delete(f"/v2/{path}/{marker['id']}.json", headers=KEY)
    assert gone.json()["deployment"]["id"] == marker["id"]
    again = await bench.http.delete(f"/v2/{path}/{marker['id']}.json", headers=KEY)
    assert (again.status_code, list(again.json())) == (404, ["error"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{}", 422),
        (b'{"deployment":{}}', 422),
        (b'{"deployment":{"revision":" "}}', 422),
        (b'{"deployment":{"revision":1}}', 422),
        (b'{"deployment":{"revision":"v","timestamp":"soon"}}', 422),
        (b'{"deployment":{"revision":"v","timestamp":"2020-01-01T00:00:00Z"}}', 422),
    ],
)
async def test_bad_deployments_are_refused(bench: Bench, body: bytes, status: int) -> None:
    """With the reason as a title; nothing is recorded."""
    await bench.fill(1)
    path = f"/v2/applications/{await _number(bench)}/deployments.json"
    response = await bench.http.post(path, content=body, headers=KEY)
    assert response.status_code == status
    assert response.json()["error"]["title"]
    assert (await bench.http.get(path, headers=KEY)).json()["deployments"] == []


async def test_metric_data_by_query_or_form(bench: Bench, clock: ManualClock) -> None:
    """The documentation sends a form with GET; both give counts and times step by step."""
    await bench.fill(9, 1, duration=0.1)
    clock.advance(60)
    path = f"/v2/applications/{await _number(bench)}/metrics/data.json"
    form = "names[]=HttpDispatcher&names[]=Errors/all&names[]=Nothing&period=60"
    by_form = await bench.http.request(
        "GET", path, content=form.encode(),
        headers={**KEY, "Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    by_query = await bench.http.get(f"{path}?{form}", headers=KEY)
    assert by_form.json() == by_query.json()
    data = by_query.json()["metric_data"]
    assert (data["metrics_found"], data["metrics_not_found"]) == (
        ["HttpDispatcher", "Errors/all"], ["Nothing"],
    )  # fmt: skip
    calls, errors = (metric["timeslices"] for metric in data["metrics"])
    assert len(calls) == len(errors) == 30
    assert sum(step["values"]["call_count"] for step in calls) == 10
    assert sum(step["values"]["error_count"] for step in errors) == 1
    (busy,) = [step["values"] for step in calls if step["values"]["call_count"]]
    assert busy["average_response_time"] == 100.0
    assert "average_response_time" not in calls[0]["values"]


async def test_one_summarized_timeslice(bench: Bench) -> None:
    """The error rate by New Relic's formula is the facade's."""
    await bench.fill(95, 5)
    path = f"applications/{await _number(bench)}/metrics/data.json"
    response = await _get(
        bench, path,
        **{"names[]": ["HttpDispatcher", "Errors/all", "Apdex"], "summarize": "true",
           "values[]": ["call_count", "error_count", "score"]},
    )  # fmt: skip
    values = [
        metric["timeslices"][0]["values"] for metric in response.json()["metric_data"]["metrics"]
    ]
    assert values == [{"call_count": 100}, {"error_count": 5}, {"score": 1.0}]


async def test_hosts_and_instances(bench: Bench) -> None:
    """Each with its own summary and links to each other."""
    await bench.fill(10, host="a")
    await bench.fill(9, 1, host="b")
    base = f"applications/{await _number(bench)}"
    hosts = (await _get(bench, f"{base}/hosts.json")).json()["application_hosts"]
    assert [one["application_summary"]["error_rate"] for one in hosts] == [0.0, 10.0]
    one = await _get(bench, f"{base}/hosts/{hosts[1]['id']}.json")
    assert one.json()["application_host"]["host"] == "b"
    (first, _) = (await _get(bench, f"{base}/instances.json")).json()["application_instances"]
    assert first["links"]["application_host"] == hosts[0]["id"]
    assert hosts[0]["links"]["application_instances"] == [first["id"]]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("applications/1.json", 404),
        ("applications/abc.json", 404),
        ("applications.json?page=0", 422),
        ("applications.xml", 406),
        ("applications/1/metrics/data.xml", 406),
    ],
)
async def test_errors_have_a_title(bench: Bench, path: str, status: int) -> None:
    """`{"error": {"title": …}}`, as New Relic answers."""
    response = await bench.http.get(f"/v2/{path}", headers=KEY)
    assert response.status_code == status
    assert response.json()["error"]["title"]


@pytest.mark.parametrize("headers", [{}, {"X-Api-Key": "wrong"}])
async def test_the_key_is_required(bench: Bench, headers: dict[str, str]) -> None:
    """In either header; without it 401."""
    response = await bench.http.get("/v2/applications.json", headers=headers)
    assert response.status_code == 401
    assert (
        await bench.http.get("/v2/applications.json", headers={"X-Api-Key": "test-key"})
    ).status_code == 200
