"""Injections: what a tester asks for is what a gate sees, no more and no longer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from mock_newrelic_bench import ADMIN, APP, CANARY, KEY, STABLE, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

URL = "/control/injections"


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def _fill_both(bench: Bench) -> None:
    await bench.fill(200, podTemplateHash=CANARY, role="canary")
    await bench.fill(800, podTemplateHash=STABLE, role="stable")


async def test_set_is_exact_at_once_and_gone_at_once(bench: Bench) -> None:
    """The next answer is the injected one, and after clearing the measured one again."""
    await bench.fill(995, 5)
    injected = await bench.inject({"set": 5.2})
    assert await bench.value() == 5.2
    response = await bench.http.delete(f"{URL}/{injected['id']}", headers=ADMIN)
    assert response.json() == {"cleared": 1}
    assert await bench.value() == 0.5


async def test_an_injected_answer_is_marked(bench: Bench) -> None:
    """Header, details, log, audit and counter all say that the number is not measured."""
    await bench.fill(100)
    with capture_logs() as logs:
        injected = await bench.inject({"set": 5.2}, reason="rehearsal")
        response = await bench.ask(detail="full")
    assert response.headers["X-Mock-Injection"] == injected["id"]
    assert response.json()["injected"] == [injected["id"]]
    assert response.json()["errorRatio"] == 0.052
    assert [log["event"] for log in logs if log["log_level"] == "info"] == [
        "injection_created",
        "injected_answer_given",
    ]
    audit = (await bench.http.get("/control/audit", headers=ADMIN)).json()["entries"]
    assert [entry["action"] for entry in audit] == ["injection_created", "injection_applied"]
    assert audit[0]["injection"]["reason"] == "rehearsal"
    assert audit[1]["selector"] == {}
    metrics = (await bench.http.get("/metrics")).text
    assert 'mock_newrelic_injected_answers_total{effect="set"} 1.0' in metrics
    assert 'mock_newrelic_active_injections{effect="set"} 1.0' in metrics


async def test_a_measured_answer_is_not_marked(bench: Bench) -> None:
    """Without an injection there is no header."""
    await bench.fill(100)
    assert "X-Mock-Injection" not in (await bench.ask()).headers


async def test_the_plain_body_keeps_its_five_keys(bench: Bench) -> None:
    """An injected answer looks like any other to a gate."""
    await bench.inject({"set": 5.2})
    assert (await bench.ask()).text == (
        '{"app":"voting01-vote-qa","metric":"errorRate","window":"5m","errorRate":5.2,'
        '"timestamp":"2026-02-04T02:00:00Z"}'
    )


async def test_listing_shows_scope_time_and_hits(bench: Bench) -> None:
    """The list tells what is in force, until when, and how often it struck."""
    await bench.fill(10)
    await bench.inject({"set": 5.2}, hash=CANARY, ttl="10m", delay="1m", priority=3, seed=9)
    await bench.inject({"status": 503})
    await bench.ask()
    first, second = (await bench.http.get(URL, headers=ADMIN)).json()["injections"]
    assert first == {
        "id": "inj_000001", "app": APP, "hash": CANARY, "metric": "errorRate",
        "effect": {"set": 5.2, "unit": "percent"},
        "createdAt": "2026-02-04T02:00:00.000Z", "startsAt": "2026-02-04T02:01:00.000Z",
        "expiresAt": "2026-02-04T02:11:00.000Z", "probability": 1.0, "priority": 3, "seed": 9,
        "reason": "", "active": False, "hits": 0,
    }  # fmt: skip
    assert (second["active"], second["hits"]) == (True, 1)
    assert second["expiresAt"] == "2026-02-04T02:15:00.000Z"


async def test_ttl_ends_an_injection_without_a_call(bench: Bench, clock: ManualClock) -> None:
    """At 30 s it is gone, from answers and list, and the audit says expired."""
    await bench.fill(100)
    await bench.inject({"set": 5.2}, ttl="30s")
    clock.advance(29.9)
    assert await bench.value() == 5.2
    clock.advance(0.1)
    assert await bench.value() == 0.0
    assert (await bench.http.get(URL, headers=ADMIN)).json() == {"injections": []}
    audit = (await bench.http.get("/control/audit", headers=ADMIN)).json()["entries"]
    assert audit[-1]["action"] == "injection_expired"


async def test_delay_starts_an_injection_later(bench: Bench, clock: ManualClock) -> None:
    """It begins after the delay, in the same second too, and lives its ttl from there."""
    await bench.fill(100)
    await bench.inject({"set": 5.2}, delay="1.5s", ttl="2s")
    clock.advance(1)
    assert await bench.value() == 0.0
    clock.advance(0.5)
    assert await bench.value() == 5.2
    clock.advance(2)
    assert await bench.value() == 0.0


async def test_a_value_without_scope_answers_every_query(bench: Bench) -> None:
    """Whatever the selector, the number is the injected one."""
    await _fill_both(bench)
    await bench.inject({"set": 5.2})
    assert await bench.value() == 5.2
    assert await bench.value(role="stable") == 5.2
    assert await bench.value(hash=CANARY) == 5.2


async def test_a_value_for_the_canary_leaves_everything_else_alone(bench: Bench) -> None:
    """Only queries that name the canary see it; stable, the whole and other apps do not."""
    await _fill_both(bench)
    await bench.fill(10, app="voting01-result-qa")
    await bench.inject({"set": 5.2}, role="canary")
    assert await bench.value(role="canary") == 5.2
    assert await bench.value(role="canary", hash=CANARY) == 5.2
    assert await bench.value(role="stable") == await bench.value() == 0.0
    assert await bench.value(app="voting01-result-qa") == 0.0


async def test_error_ratio_moves_the_whole_in_proportion(bench: Bench) -> None:
    """Failing 5 % of a canary with a fifth of the traffic is 1 % of the application."""
    await _fill_both(bench)
    await bench.inject({"error_ratio": 0.05}, role="canary")
    assert await bench.value(role="canary") == 5.0
    assert await bench.value(hash=CANARY) == 5.0
    assert await bench.value() == 1.0
    assert await bench.value("httpErrorRate") == 1.0
    assert await bench.value(role="stable") == 0.0
    await bench.http.delete(URL, headers=ADMIN)
    assert await bench.value() == 0.0


async def test_error_ratio_adds_to_real_errors(bench: Bench) -> None:
    """The share is taken of the samples that are no errors yet."""
    await bench.fill(900, 100)
    await bench.inject({"error_ratio": 0.5})
    assert await bench.value() == 55.0


async def test_no_data_of_the_canary_hides_its_samples(bench: Bench) -> None:
    """The canary has no data, the application has those of stable."""
    await _fill_both(bench)
    injected = await bench.inject({"no_data": True}, role="canary")
    assert await bench.error(role="canary") == "404 no_data"
    assert (await bench.ask(role="canary")).headers["X-Mock-Injection"] == injected["id"]
    assert await bench.value("count") == 800


async def test_no_data_of_the_application(bench: Bench) -> None:
    """Without scope there is nothing left to count."""
    await _fill_both(bench)
    await bench.inject({"no_data": True})
    assert await bench.error() == "404 no_data"
    assert await bench.error("count", role="stable") == "404 no_data"


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 502, 503, 599])
async def test_status_replaces_the_answer(bench: Bench, status: int) -> None:
    """The query fails with that status and no number."""
    await bench.fill(100)
    injected = await bench.inject({"status": status})
    assert await bench.error() == f"{status} injected_status"
    assert (await bench.ask()).headers["X-Mock-Injection"] == injected["id"]


async def test_status_with_scope_fails_only_queries_that_name_it(bench: Bench) -> None:
    """A status for the canary leaves the question about the whole alone."""
    await _fill_both(bench)
    await bench.inject({"status": 503}, role="canary")
    assert await bench.error(role="canary") == "503 injected_status"
    assert await bench.value() == 0.0


async def test_set_answers_for_an_application_without_data(bench: Bench) -> None:
    """The tester asked for this number, so it comes whatever was measured; details say so."""
    injected = await bench.inject({"set": 5.2})
    response = await bench.ask(detail="full")
    assert response.json()["errorRate"] == 5.2
    assert response.json()["injected"] == [injected["id"]]
    assert response.json()["sampleCount"] == 0


async def test_the_error_rate_is_set_in_all_its_units(bench: Bench) -> None:
    """ErrorRatio and successRate say the same as the injected errorRate; others are measured."""
    await bench.fill(100)
    await bench.inject({"set": 5.2})
    assert await bench.value("errorRatio") == 0.052
    assert await bench.value("successRate") == 94.8
    assert await bench.value("httpErrorRate") == 0.0
    assert await bench.value("count") == 100


async def test_another_metric_can_be_set(bench: Bench) -> None:
    """With metric= the value is that metric's, in its unit."""
    await bench.fill(100)
    await bench.inject({"set": 750}, metric="p95")
    assert await bench.value("p95") == 750.0
    assert await bench.value() == 0.0


async def test_an_application_glob_covers_what_it_matches(bench: Bench) -> None:
    """voting01-vote-* covers the environments of one service, case included."""
    for app in ("voting01-vote-dev", "voting01-result-dev", "Voting01-vote-dev"):
        await bench.fill(10, app=app)
    await bench.inject({"set": 5.2}, app="voting01-vote-*")
    assert await bench.value(app="voting01-vote-dev") == 5.2
    assert await bench.value(app="voting01-result-dev") == 0.0
    assert await bench.value(app="Voting01-vote-dev") == 0.0


async def test_the_highest_priority_wins_and_then_the_newest(bench: Bench) -> None:
    """Among injections of one layer exactly one speaks."""
    await bench.inject({"set": 1.0}, priority=5)
    await bench.inject({"set": 2.0}, priority=9)
    await bench.inject({"set": 3.0}, priority=9)
    await bench.inject({"set": 4.0})
    assert await bench.value() == 3.0


async def test_layers_combine(bench: Bench) -> None:
    """A data effect and a value effect hold together; a status beats both."""
    await bench.fill(100)
    await bench.inject({"error_ratio": 0.5})
    await bench.inject({"set": 7}, metric="p95")
    assert (await bench.value(), await bench.value("p95")) == (50.0, 7.0)
    await bench.inject({"status": 500}, metric="p95")
    assert await bench.error("p95") == "500 injected_status"
    assert await bench.value() == 50.0


async def test_probability_strikes_its_share_the_same_way_every_time(clock: ManualClock) -> None:
    """Two services with the same seed strike the same queries, about the share asked for."""

    async def strikes(seed: int) -> list[bool]:
        async with Bench(clock) as bench:
            await bench.fill(10)
            await bench.inject({"status": 503}, probability=0.3, seed=seed)
            return [(await bench.ask()).status_code == 503 for _ in range(200)]

    first = await strikes(7)
    assert first == await strikes(7)
    assert first != await strikes(8)
    assert 40 <= sum(first) <= 80


async def test_queries_out_of_scope_take_no_draw(clock: ManualClock) -> None:
    """Which query in scope is struck does not depend on what others ask meanwhile."""

    async def strikes(*, disturbed: bool) -> list[bool]:
        async with Bench(clock) as bench:
            await _fill_both(bench)
            await bench.inject({"status": 503}, role="canary", probability=0.5)
            struck = []
            for _ in range(40):
                struck.append((await bench.ask(role="canary")).status_code == 503)
                if disturbed:
                    await bench.ask(role="stable")
            return struck

    assert await strikes(disturbed=True) == await strikes(disturbed=False)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"effect": {"set": 250}}, id="above-100"),
        pytest.param({"effect": {"set": -1}}, id="negative"),
        pytest.param({"effect": {"set": "abc"}}, id="text"),
        pytest.param({"effect": {"set": "5.2"}}, id="number-as-text"),
        pytest.param({"effect": {"set": True}}, id="boolean"),
        pytest.param({"effect": {"set": None}}, id="null"),
        pytest.param({"effect": {"set": 5.2, "unit": "ratio"}}, id="wrong-unit"),
        pytest.param({"effect": {"set": 5.2, "status": 503}}, id="two-effects"),
        pytest.param({"effect": {}}, id="no-effect"),
        pytest.param({}, id="effect-missing"),
        pytest.param({"effect": {"explode": 1}}, id="unknown-effect"),
        pytest.param({"effect": {"error_ratio": 5}}, id="percent-as-ratio"),
        pytest.param({"effect": {"no_data": False}}, id="no-data-false"),
        pytest.param({"effect": {"status": 200}}, id="status-200"),
        pytest.param({"effect": {"status": "503"}}, id="status-text"),
        pytest.param({"effect": {"set": 1}, "metric": "foo"}, id="unknown-metric"),
        pytest.param({"effect": {"set": 1}, "metric": "*"}, id="set-of-everything"),
        pytest.param({"effect": {"status": 503}, "metric": "foo"}, id="status-unknown-metric"),
        pytest.param({"effect": {"set": 2}, "metric": "errorRatio"}, id="ratio-above-1"),
        pytest.param({"effect": {"set": 1}, "ttl": "25h"}, id="ttl-long"),
        pytest.param({"effect": {"set": 1}, "ttl": "0s"}, id="ttl-zero"),
        pytest.param({"effect": {"set": 1}, "ttl": "1d"}, id="ttl-days"),
        pytest.param({"effect": {"set": 1}, "delay": "-1s"}, id="delay-negative"),
        pytest.param({"effect": {"set": 1}, "probability": 0}, id="never"),
        pytest.param({"effect": {"set": 1}, "probability": 2}, id="more-than-always"),
        pytest.param({"effect": {"set": 1}, "role": ""}, id="role-empty"),
        pytest.param({"effect": {"set": 1}, "rol": "canary"}, id="unknown-field"),
        pytest.param({"effect": {"set": 1}, "app": ""}, id="app-empty"),
    ],
)
async def test_a_wrong_injection_is_refused(bench: Bench, body: dict[str, Any]) -> None:
    """422, a reason, and nothing in force."""
    response = await bench.http.post(URL, json={"app": APP, **body}, headers=ADMIN)
    assert response.status_code == 422
    assert response.json()["detail"]
    assert (await bench.http.get(URL, headers=ADMIN)).json() == {"injections": []}


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
async def test_a_number_that_is_none_is_refused(bench: Bench, value: str) -> None:
    """NaN and infinity cannot be set."""
    body = f'{{"app":"a","effect":{{"set":{value}}}}}'
    headers = {**ADMIN, "Content-Type": "application/json"}
    response = await bench.http.post(URL, content=body, headers=headers)
    assert response.status_code in {400, 422}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="none"),
        pytest.param({"Api-Key": "wrong"}, 401, id="wrong"),
        pytest.param(KEY, 403, id="reading-key"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", URL),
        ("GET", URL),
        ("DELETE", URL),
        ("DELETE", f"{URL}/inj_000001"),
        ("GET", "/control/audit"),
        ("GET", "/control/requests"),
        ("POST", "/control/wait?count=1"),
        ("POST", "/control/reset"),
    ],
)
async def test_the_control_plane_needs_the_admin_key(
    bench: Bench, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """No or a wrong key is 401, the reading key 403."""
    body = {"app": APP, "effect": {"set": 1}} if method == "POST" else None
    response = await bench.http.request(method, path, headers=headers, json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


async def test_ending_an_unknown_injection_is_an_error(bench: Bench) -> None:
    """DELETE of what is not there is 404, so that a typo is noticed."""
    response = await bench.http.delete(f"{URL}/inj_9", headers=ADMIN)
    assert (response.status_code, response.json()["error"]) == (404, "not_found")


async def test_clearing_all(bench: Bench) -> None:
    """DELETE on the collection ends everything and says how much."""
    for value in (1, 2, 3):
        await bench.inject({"set": value})
    assert (await bench.http.delete(URL, headers=ADMIN)).json() == {"cleared": 3}
    assert await bench.error() == "404 unknown_app"
