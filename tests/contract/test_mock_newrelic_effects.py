"""Value and data effects, selectors, schedules and triggers, as the surfaces show them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from mock_newrelic.adapters.memory import MemoryStore
from mock_newrelic.domain.injections import Ask
from mock_newrelic.schemas import Injection
from mock_newrelic.service.audit import Audit
from mock_newrelic.service.injections import InjectionService
from mock_newrelic.service.instruments import Instruments
from mock_newrelic.service.measure import Measure
from mock_newrelic_bench import ADMIN, APP, CANARY, KEY, STABLE, Bench
from svckit.clock import ManualClock
from svckit.metrics import new_registry

pytestmark = pytest.mark.anyio

URL = "/control/injections"


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        await bench.fill(190, 10, podTemplateHash=CANARY, role="canary")
        await bench.fill(800, podTemplateHash=STABLE, role="stable", duration=0.05)
        yield bench


async def _histogram(bench: Bench, **selector: str) -> dict[str, Any]:
    response = await bench.http.get(
        "/v1/metrics/histogram", params={"app": APP, "window": "5m", **selector}, headers=KEY
    )
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


async def _nrql(bench: Bench, text: str) -> dict[str, Any]:
    response = await bench.http.get(
        "/v1/accounts/1/query", params={"nrql": text}, headers={"X-Query-Key": "test-key"}
    )
    assert response.status_code == 200, response.text
    row: dict[str, Any] = response.json()["results"][0]
    return row


async def _listed(bench: Bench) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await bench.http.get(URL, headers=ADMIN)).json()["injections"]
    return found


@pytest.mark.parametrize(
    ("effect", "values"),
    [
        pytest.param({"add": 3}, [4, 4, 4, 4], id="add"),
        pytest.param({"scale": 2}, [2, 2, 2, 2], id="scale"),
        pytest.param({"clamp": {"max": 0.5}}, [0.5, 0.5, 0.5, 0.5], id="clamp"),
        pytest.param({"flap": {"a": 0, "b": 8, "period": "20s"}}, [0, 8, 0, 8], id="flap"),
        pytest.param({"ramp": {"from": 0, "to": 9, "over": "30s"}}, [0, 3, 6, 9], id="ramp"),
        pytest.param({"step": {"to": 8, "at": "20s"}}, [1, 1, 8, 8], id="step-at"),
        pytest.param({"step": {"to": 8, "query": 2}}, [1, 8, 8, 8], id="step-query"),
        pytest.param({"step": {"to": 8, "weight": 20}}, [8, 8, 8, 8], id="step-weight"),
        pytest.param({"step": {"to": 8, "weight": 21}}, [1, 1, 1, 1], id="step-weight-not-yet"),
        pytest.param({"sawtooth": {"to": 9, "period": "30s"}}, [0, 3, 6, 0], id="sawtooth"),
        pytest.param(
            {"spike": {"to": 50, "every": "20s", "for": "5s"}}, [50, 1, 50, 1], id="spike"
        ),
        pytest.param({"replay": {"values": [2, None, 4]}}, [2, 1, 4, 4], id="replay"),
        pytest.param({"copy": {"role": "canary"}}, [5, 5, 5, 5], id="copy"),
    ],
)
async def test_values_follow_their_course(
    bench: Bench, clock: ManualClock, effect: dict[str, Any], values: list[float]
) -> None:
    """Asked every ten seconds, the error rate is what the effect makes of the measured 1 %."""
    await bench.inject(effect)
    seen = []
    for _ in values:
        seen.append(await bench.value())
        clock.advance(10)
    assert seen == values


async def test_noise_is_the_same_with_the_same_seed(clock: ManualClock) -> None:
    """Two services with one seed tell the same numbers, with another one others."""

    async def told(seed: int) -> list[float]:
        async with Bench(clock) as bench:
            await bench.fill(90, 10)
            await bench.inject({"noise": 2}, seed=seed)
            return [await bench.value() for _ in range(20)]

    first = await told(7)
    assert first == await told(7) != await told(8)
    assert len(set(first)) == 20
    assert sum(first) / 20 == pytest.approx(10, abs=1.5)


async def test_latency_of_the_canary_on_every_surface(bench: Bench) -> None:
    """Added to the canary's samples: facade, histogram and NRQL agree; errors stay."""
    before = await _histogram(bench, role="canary")
    await bench.inject({"latency": {"add": "300ms"}}, role="canary")
    assert await bench.value("responseTime", role="canary") == 320.0
    assert await bench.value("responseTime") == 0.2 * 320 + 0.8 * 50
    assert await bench.value("p95", role="canary") == pytest.approx(320, rel=0.011)
    assert await bench.value("p95", role="stable") == pytest.approx(50, rel=0.011)
    assert await bench.value() == 1.0
    after = await _histogram(bench, role="canary")
    assert after["count"] == before["count"] == sum(one["count"] for one in after["buckets"])
    assert [one["le"] for one in after["buckets"]] == [pytest.approx(320, rel=0.022)]
    row = await _nrql(bench, "SELECT average(duration) AS a FROM Transaction")
    assert row["a"] == pytest.approx(0.104)


async def test_errors_agree_between_facade_histogram_and_nrql(bench: Bench) -> None:
    """One data effect, one number, whoever asks."""
    await bench.inject({"error_ratio": 0.1}, hash=CANARY)
    assert await bench.value(role="canary") == 14.5
    assert (await _histogram(bench, role="canary"))["errors"] == 29
    row = await _nrql(
        bench,
        "SELECT percentage(count(*), WHERE error IS TRUE) AS e FROM Transaction "
        "WHERE role = 'canary'",
    )
    assert row["e"] == 14.5


@pytest.mark.parametrize(
    ("effect", "count"),
    [
        pytest.param({"throughput_scale": 0.1}, 820, id="throughput_scale"),
        pytest.param({"drop": 0.25}, 950, id="drop"),
        pytest.param({"duplicate": 0.5}, 1100, id="duplicate"),
        pytest.param({"sampling": 10}, 1000, id="sampling"),
        pytest.param({"label_loss": True}, 1000, id="label_loss"),
    ],
)
async def test_how_many_samples_there_seem_to_be(
    bench: Bench, effect: dict[str, Any], count: int
) -> None:
    """Of 200 canary and 800 stable samples."""
    await bench.inject(effect, role="canary")
    assert await bench.value("count") == count


async def test_sampling_hides_rare_errors(bench: Bench) -> None:
    """One error in a hundred is not seen by a reservoir of ten."""
    await bench.inject({"sampling": 10})
    assert await bench.value(role="canary") in {0.0, 10.0}
    assert await bench.value("count", role="canary") == 200


async def test_lost_labels_make_the_canary_invisible(bench: Bench) -> None:
    """No selector finds it, and the answer says which injection did that."""
    injected = await bench.inject({"label_loss": ["role"]}, role="canary")
    response = await bench.ask(role="canary")
    assert response.status_code == 404
    assert response.headers["X-Mock-Injection"] == injected["id"]
    assert await bench.value(hash=CANARY) == 5.0
    assert await bench.value() == 1.0


async def test_stale_repeats_what_was_until_it_ends(bench: Bench, clock: ManualClock) -> None:
    """New samples are not seen, old ones do not leave; only the age tells."""
    clock.advance(1)
    injected = await bench.inject({"stale": True}, ttl="20m")
    clock.advance(1)
    await bench.fill(0, 1000)
    clock.advance(600)
    assert await bench.value() == 1.0
    detail = (await bench.ask(detail="full")).json()
    assert detail["freshnessSeconds"] >= 600
    await bench.http.delete(f"{URL}/{injected['id']}", headers=ADMIN)
    assert await bench.error() == "404 no_data"


async def test_stale_data_is_refused_where_a_limit_is_set(clock: ManualClock) -> None:
    """With --stale-after the frozen answer becomes 503 in time."""
    async with Bench(clock, stale_after="1m") as bench:
        await bench.fill(10)
        clock.advance(1)
        await bench.inject({"stale": True})
        clock.advance(30)
        assert await bench.value() == 0.0
        clock.advance(60)
        assert await bench.error() == "503 stale_data"


async def test_late_data_is_seen_late(bench: Bench, clock: ManualClock) -> None:
    """With a lag of 45 s the samples of now are seen in 45 s."""
    await bench.inject({"delay_ingest": "45s"})
    assert await bench.error() == "404 no_data"
    clock.advance(45)
    assert await bench.value("count") == 1000


async def test_a_gap_swallows_its_seconds(bench: Bench, clock: ManualClock) -> None:
    """Twenty seconds from the beginning on are missing, what was before stays."""
    clock.advance(10)
    await bench.inject({"gap": {"for": "20s"}})
    await bench.fill(0, 500)
    clock.advance(20)
    await bench.fill(0, 7)
    assert await bench.value("count") == 1007


async def test_selectors_choose_the_questions(bench: Bench) -> None:
    """Window, surface, client and label each narrow an injection."""
    await bench.inject({"set": 1.5}, window="1m")
    assert await bench.value(window="1m") == 1.5
    assert await bench.value(window="5m") == 1.0
    await bench.http.delete(URL, headers=ADMIN)
    await bench.inject({"status": 503}, surface=["histogram"])
    assert await bench.value() == 1.0
    question = f"/v1/metrics/histogram?app={APP}&window=5m"
    assert (await bench.http.get(question, headers=KEY)).status_code == 503
    await bench.http.delete(URL, headers=ADMIN)
    await bench.inject({"status": 503}, client="argo-rollouts*")
    assert await bench.value() == 1.0
    question = f"/v1/metrics?app={APP}&metric=errorRate&window=5m"
    response = await bench.http.get(question, headers={**KEY, "User-Agent": "argo-rollouts/1.9"})
    assert response.status_code == 503


async def test_a_key_is_named_by_its_digest(bench: Bench) -> None:
    """The journal shows the digits that select it; the key itself is nowhere."""
    await bench.ask()
    [*_, entry] = (await bench.http.get("/control/requests", headers=ADMIN)).json()["requests"]
    assert len(entry["key"]) == 6
    await bench.inject({"status": 401}, key=entry["key"])
    assert await bench.error() == "401 injected_status"
    await bench.http.delete(URL, headers=ADMIN)
    await bench.inject({"status": 401}, key="000000")
    assert await bench.value() == 1.0


async def test_only_some_questions_are_struck(bench: Bench) -> None:
    """By number, and at most so often."""
    await bench.inject({"set": 50}, nth=[2, 4])
    assert [await bench.value() for _ in range(5)] == [1, 50, 1, 50, 1]
    await bench.http.delete(URL, headers=ADMIN)
    await bench.inject({"set": 50}, maxHits=2)
    assert [await bench.value() for _ in range(3)] == [50, 50, 1]
    [listed] = await _listed(bench)
    assert (listed["hits"], listed["maxHits"]) == (2, 2)


async def test_a_schedule_switches_on_and_off(bench: Bench, clock: ManualClock) -> None:
    """Ten seconds of every thirty; or from named minutes on."""
    await bench.inject({"set": 50}, schedule={"every": "30s", "for": "10s"})
    seen = []
    for _ in range(4):
        seen.append(await bench.value())
        clock.advance(10)
    assert seen == [50, 1, 1, 50]
    await bench.http.delete(URL, headers=ADMIN)
    await bench.inject({"set": 50}, schedule={"cron": "2-59/2 * * * *", "for": "30s"})
    assert await bench.value() == 1  # 02:00:40
    clock.advance(80)
    assert await bench.value() == 50  # 02:02:00
    clock.advance(30)
    assert await bench.value() == 1


@pytest.mark.parametrize(
    ("trigger", "at_once"),
    [
        pytest.param({"weight": 20}, True, id="weight"),
        pytest.param({"weight": 50}, False, id="weight-not-yet"),
        pytest.param({"metric": "errorRate", "op": "ge", "value": 1}, True, id="metric"),
        pytest.param({"metric": "errorRate", "op": "gt", "value": 1}, False, id="metric-not-yet"),
        pytest.param({"deployment": True}, False, id="deployment-not-yet"),
    ],
)
async def test_a_trigger_has_to_come_first(
    bench: Bench, trigger: dict[str, Any], *, at_once: bool
) -> None:
    """The canary has 20 % of the traffic and the application 1 % errors; then both have more."""
    await bench.inject({"set": 70}, trigger=trigger)
    assert await bench.value() == (70 if at_once else 1)
    await bench.fill(0, 1000, role="canary")
    assert (await bench.value() == 70) == ("deployment" not in trigger)


async def test_a_deployment_marker_fires_a_trigger(bench: Bench) -> None:
    """The marker of the revision that is waited for, and no other one."""
    await bench.inject({"set": 70}, trigger={"deployment": "v17*"})
    applications = (await bench.http.get("/v2/applications.json", headers=KEY)).json()
    url = f"/v2/applications/{applications['applications'][0]['id']}/deployments.json"
    for revision, value in (("v16", 1), ("v17-rc1", 70)):
        marker = {"deployment": {"revision": revision}}
        assert (await bench.http.post(url, json=marker, headers=KEY)).status_code == 201
        assert await bench.value() == value


async def test_a_trigger_on_a_hit_counts_questions(bench: Bench) -> None:
    """From the third question on."""
    await bench.inject({"set": 50}, trigger={"hit": 3})
    assert [await bench.value() for _ in range(4)] == [1, 1, 50, 50]


async def test_a_dry_run_counts_and_changes_nothing(bench: Bench) -> None:
    """Hits and audit tell what would have been touched."""
    await bench.inject({"set": 50}, dryRun=True)
    response = await bench.ask()
    assert response.json()["errorRate"] == 1.0
    assert "X-Mock-Injection" not in response.headers
    [listed] = await _listed(bench)
    assert (listed["hits"], listed["dryRun"]) == (1, True)
    entries = (await bench.http.get("/control/audit", headers=ADMIN)).json()["entries"]
    assert entries[-1]["action"] == "injection_would_apply"


async def test_an_injection_that_never_struck_says_so(bench: Bench, clock: ManualClock) -> None:
    """A misspelt application is noticed at the end at the latest: in log and audit."""
    await bench.inject({"set": 50}, app="voting01-vote-qq", ttl="10s")
    with capture_logs() as logs:
        clock.advance(10)
        await bench.value()
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == [
        "injection_never_hit"
    ]
    entries = (await bench.http.get("/control/audit", headers=ADMIN)).json()["entries"]
    assert (entries[-1]["action"], entries[-1]["hits"]) == ("injection_expired", 0)


async def test_an_answer_names_seed_and_injection(bench: Bench) -> None:
    """X-Mock-Seed repeats what decided."""
    await bench.inject({"status": 503}, seed=42)
    response = await bench.ask()
    assert response.headers["X-Mock-Seed"] == "42"


async def test_a_preview_shows_and_does_nothing(bench: Bench) -> None:
    """Whom it covers, what is measured there, which questions it would strike."""
    body = {"app": "voting01-*", "effect": {"set": 50}, "role": "canary", "probability": 0.5}
    response = await bench.http.post("/control/injections:preview", json=body, headers=ADMIN)
    document = response.json()
    assert document["apps"] == [{"app": APP, "metric": "errorRate", "measured": 5.0}]
    assert len(document["strikes"]) == 20
    assert await _listed(bench) == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"surface": "nowhere"}, id="surface"),
        pytest.param({"surface": []}, id="no-surface"),
        pytest.param({"surface": "event_api"}, id="ingest-value"),
        pytest.param({"surface": ["nerdgraph", "insights"]}, id="nrql-value"),
        pytest.param({"surface": "event_api", "effect": {"status": 503}}, id="ingest-app"),
        pytest.param({"schedule": {"for": "1s"}}, id="schedule-empty"),
        pytest.param({"schedule": {"every": "1s", "for": "2s"}}, id="schedule-longer"),
        pytest.param({"schedule": {"cron": "61 * * * *", "for": "1s"}}, id="cron-range"),
        pytest.param({"schedule": {"cron": "* * *", "for": "1s"}}, id="cron-fields"),
        pytest.param({"trigger": {}}, id="trigger-empty"),
        pytest.param({"trigger": {"hit": 1, "weight": 5}}, id="trigger-two"),
        pytest.param({"startAt": "yesterday"}, id="start-no-time"),
        pytest.param({"startAt": "2020-01-01T00:00:00Z"}, id="start-past"),
        pytest.param({"startAt": "2026-02-04T02:10:00Z", "delay": "1s"}, id="start-and-delay"),
        pytest.param({"key": "test-key"}, id="key-itself"),
        pytest.param({"labels": {"role": "canary"}}, id="label-of-its-own"),
        pytest.param({"nth": [0]}, id="nth-zero"),
        pytest.param({"effect": {"payload": "nonsense"}}, id="payload"),
        pytest.param({"effect": {"transport": "nonsense"}}, id="transport"),
        pytest.param({"effect": {"latency": {}}}, id="latency-empty"),
        pytest.param({"effect": {"latency": {"add": "-1s"}}}, id="latency-negative"),
        pytest.param({"effect": {"gap": {"every": "10s", "for": "10s"}}}, id="gap-all"),
        pytest.param({"effect": {"replay": {"values": []}}}, id="replay-empty"),
        pytest.param({"effect": {"step": {"to": 8}}}, id="step-where"),
        pytest.param({"effect": {"status": {"code": 429, "retry_after": "soon"}}}, id="retry"),
        pytest.param({"effect": {"rate_limit": {"rps": 1, "concurrency": 1}}}, id="rate-two"),
    ],
)
async def test_a_wrong_wish_is_refused_in_words(bench: Bench, body: dict[str, Any]) -> None:
    """422 with a reason; nothing is in force."""
    wish = {"app": APP, "effect": {"set": 1}, **body}
    response = await bench.http.post(URL, json=wish, headers=ADMIN)
    assert response.status_code == 422, response.text
    assert response.json()["detail"]
    assert await _listed(bench) == []


def _service(store: MemoryStore, clock: ManualClock) -> InjectionService:
    registry = new_registry(package="mock_newrelic", version="0")
    return InjectionService(
        store=store,
        clock=clock,
        audit=Audit(store),
        instruments=Instruments(registry),
        measure=Measure(store),
    )


def test_a_restart_changes_nothing(clock: ManualClock) -> None:
    """The same injections, the same time left and hits; the draws go on where they were."""
    wish = Injection(app=APP, effect={"set": 5}, probability=0.5, seed=3, ttl="10m")
    ask = Ask(app=APP, metric="errorRate")

    def struck(service: InjectionService, times: int) -> list[bool]:
        found = []
        for _ in range(times):
            strikes = service.touching(ask, clock.now())
            service.applied([one.injection for one in strikes], ask, clock.now())
            found.append(bool(strikes))
        return found

    undisturbed = _service(MemoryStore(max_apps=5, max_series=5), clock)
    undisturbed.create(wish)
    expected = struck(undisturbed, 40)

    store = MemoryStore(max_apps=5, max_series=5)
    first = _service(store, clock)
    first.create(wish)
    before = struck(first, 15)
    second = _service(store, clock)
    assert second.listed() == first.listed()
    assert before + struck(second, 25) == expected
    clock.advance(600)
    assert _service(store, clock).listed() == []
    second.create(wish)
    assert [one["id"] for one in second.listed()] == ["inj_000002"]
