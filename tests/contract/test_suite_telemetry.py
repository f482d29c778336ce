"""voteapp's telemetry and the APM together: every vote served is one sample, no more, no less."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from suite_apps import APM_HOST, APP, CANARY, KEY, STABLE, Suite, Version
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture(name="suite")
async def _suite(clock: ManualClock) -> AsyncIterator[Suite]:
    async with Suite(clock) as suite:
        yield suite


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        pytest.param({"error_ratio": 0.052}, 500, id="ratio"),
        pytest.param({"error_ratio": 0.3, "status": 503}, 503, id="ratio-as-503"),
        pytest.param({"error_ratio": 1.0}, 500, id="all"),
        pytest.param({"status": 502}, 502, id="status"),
        pytest.param({"error_ratio": 0.5, "scope": "GET"}, 500, id="other-method"),
    ],
)
async def test_the_error_rate_is_failed_over_served(
    suite: Suite, faults: dict[str, Any], code: int
) -> None:
    """What clients saw is what the APM tells, to the last of its four decimals."""
    await suite.canary.faults(**faults)
    seen = await suite.canary.vote(400)
    await suite.canary.report()
    answer = await suite.answer(hash=CANARY)
    assert (answer["sampleCount"], answer["errorCount"]) == (400, seen[code])
    assert answer["errorRate"] == round(100 * seen[code] / 400, 4)
    assert await suite.canary.recorded() == seen[200] == 400 - seen[code]


async def test_the_same_seed_fails_the_same_votes(suite: Suite, clock: ManualClock) -> None:
    """Two canaries with one seed have one rate; another seed has another."""
    rates = []
    for seed in (7, 7, 8):
        version = Version(
            clock, suite.cluster, CANARY, seed=seed, pod_name=f"vote-{CANARY}-7hqnx", app=f"s{seed}"
        )
        await version.faults(error_ratio=0.052)
        rates.append((await version.vote(400))[500])
        await version.close()
    assert rates[0] == rates[1] != rates[2]


async def test_the_application_is_the_mean_of_its_versions(suite: Suite) -> None:
    """Without a selector both versions count, each with its share of the traffic."""
    await suite.canary.faults(error_ratio=0.2)
    bad = (await suite.canary.vote(100))[500]
    await suite.stable.vote(300)
    await suite.canary.report()
    await suite.stable.report()
    both, canary, stable = [
        await suite.answer(**selector) for selector in ({}, {"hash": CANARY}, {"hash": STABLE})
    ]
    assert 0 < bad < 100
    assert (both["sampleCount"], both["errorCount"]) == (400, bad)
    assert both["errorRate"] == pytest.approx(canary["errorRate"] / 4, abs=0.0001)
    assert stable["errorRate"] == 0


async def test_selectors_know_versions_by_every_name(suite: Suite) -> None:
    """Hash, version and pod name select the same samples."""
    await suite.canary.vote(30)
    await suite.stable.vote(10)
    await suite.canary.report()
    await suite.stable.report()
    pod = (await suite.canary.http.get("/health")).json()["hostname"]
    for selector in ({"hash": CANARY}, {"version": "v17"}, {"host": pod}):
        assert (await suite.answer(**selector))["sampleCount"] == 30


async def test_health_probes_are_no_samples(suite: Suite) -> None:
    """Probes of a version that answers them with 503 neither count nor fail."""
    await suite.canary.vote(20)
    await suite.canary.faults(status=503)
    assert await suite.canary.probe(50) == {503: 50}
    await suite.canary.report()
    answer = await suite.answer(hash=CANARY)
    assert (answer["sampleCount"], answer["errorCount"]) == (20, 0)


async def test_the_suites_own_routes_are_no_samples(suite: Suite) -> None:
    """Reading metrics and turning switches is not traffic of the application."""
    await suite.canary.vote(1)
    for path in ("/livez", "/readyz", "/metrics", "/openapi.json", "/control/votes"):
        assert (await suite.canary.http.get(path)).status_code == 200
    await suite.canary.report()
    assert (await suite.answer(hash=CANARY))["sampleCount"] == 1


@pytest.mark.parametrize(
    ("method", "path", "arguments"),
    [
        pytest.param("POST", "/", {"json": {"vote": "a"}}, id="no-form"),
        pytest.param("GET", "/vote", {}, id="not-found"),
        pytest.param("DELETE", "/", {}, id="method"),
        pytest.param("POST", "/", {"data": {"vote": "a" * 70_000}}, id="too-large"),
    ],
)
async def test_client_errors_are_samples_without_being_errors(
    suite: Suite, method: str, path: str, arguments: dict[str, Any]
) -> None:
    """A 4xx has a rate of its own."""
    await suite.canary.vote(1)
    await suite.canary.http.request(method, path, **arguments)
    await suite.canary.report()
    assert (await suite.answer())["errorRate"] == 0
    assert (await suite.ask("http4xxRate")).json()["http4xxRate"] == 50


async def test_a_client_that_gave_up_is_an_error(suite: Suite, clock: ManualClock) -> None:
    """A version that hangs fails everybody who waits for it, and its error rate says so."""
    hanging = Version(clock, suite.cluster, CANARY, sleep=clock.sleep)
    await hanging.vote(1)
    await hanging.faults(hang="60s")
    await _leave_while_waiting(hanging)
    await hanging.report()
    answer = await suite.answer(hash=CANARY)
    assert (answer["sampleCount"], answer["errorCount"], answer["errorRate"]) == (2, 1, 50)
    assert (await suite.ask("http4xxRate")).json()["http4xxRate"] == 0
    await hanging.close()


async def _leave_while_waiting(version: Version) -> None:
    """Post a vote and close the connection while the answer is awaited."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"vote=a"},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        raise AssertionError(f"nobody is there to read {message}")

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
        "query_string": b"",
    }
    await version.app(scope, receive, send)


class _Lossy(httpx.AsyncBaseTransport):
    """Delivers every request, but loses the first `lost` answers; `status` replaces them."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, lost: int, status: int | None) -> None:
        self.inner = inner
        self.lost = lost
        self.status = status
        self.ids: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.ids.append(request.headers["x-request-id"])
        response = await self.inner.handle_async_request(request)
        if len(self.ids) > self.lost:
            return response
        if self.status is not None:
            return httpx.Response(self.status)
        raise httpx.ReadError("connection reset", request=request)


@pytest.mark.parametrize("status", [None, 408, 429, 500, 502, 503, 504])
async def test_a_batch_that_is_sent_again_counts_once(
    suite: Suite, clock: ManualClock, status: int | None
) -> None:
    """The APM had it although the answer was lost: same x-request-id, no second count."""
    lossy = _Lossy(suite.cluster, lost=3, status=status)
    version = Version(clock, lossy, CANARY)
    await version.faults(error_ratio=0.5)
    seen = await version.vote(20)
    await version.report()
    assert len(lossy.ids) == 4
    assert len(set(lossy.ids)) == 1
    answer = await suite.answer(hash=CANARY)
    assert (answer["sampleCount"], answer["errorCount"]) == (20, seen[500])
    assert version.telemetry.outcomes == {"sent": 20, "dropped": 0, "rejected": 0}
    await version.close()


async def test_telemetry_waits_for_an_apm_that_is_away(suite: Suite, clock: ManualClock) -> None:
    """Votes of an outage arrive when it is over, in the seconds in which they were cast."""
    apm = suite.cluster.hosts.pop(APM_HOST)
    away = True

    async def come_back(_seconds: float) -> None:
        nonlocal away
        if away:
            suite.cluster.hosts[APM_HOST] = apm
            away = False
        await asyncio.sleep(0)

    version = Version(clock, suite.cluster, CANARY, sleep=come_back)
    await version.vote(10)
    clock.advance(301)
    await version.vote(5)
    await version.report()
    assert (version.telemetry.outcomes["sent"], version.telemetry.retries) == (15, 1)
    assert (await suite.answer(window="5m"))["sampleCount"] == 5
    assert (await suite.answer(window="10m"))["sampleCount"] == 15
    await version.close()


async def test_many_votes_go_in_several_compressed_batches(suite: Suite) -> None:
    """Every batch is below the APM's limit, compressed, under an id of its own."""
    await suite.canary.vote(1001)
    await suite.canary.report()
    batches = suite.cluster.requests_to(APM_HOST, "/v1/accounts/1/events")
    assert len(batches) == len({each.headers["x-request-id"] for each in batches}) == 3
    assert {each.headers["content-encoding"] for each in batches} == {"gzip"}
    assert (await suite.answer(hash=CANARY))["sampleCount"] == 1001


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"version": "v" * 255}, id="long-version"),
        pytest.param({"version": 'é"<\\>\u2028'}, id="odd-version"),
        pytest.param({"pod_name": "p" * 255}, id="long-pod-name"),
        pytest.param({"hash": "a" * 63}, id="long-hash"),
        pytest.param({"app": "a" * 200}, id="long-app"),
        pytest.param({"app": "Vote (QA) v1.2 @eu+west/a:b_c"}, id="odd-app"),
        pytest.param({"account_id": 2**63}, id="large-account"),
    ],
)
async def test_the_apm_takes_whatever_voteapp_may_be_called(
    suite: Suite, clock: ManualClock, settings: dict[str, Any]
) -> None:
    """No accepted setting makes the APM refuse the batches."""
    version = Version(clock, suite.cluster, settings.pop("hash", CANARY), **settings)
    await version.vote(2)
    await version.report()
    assert version.telemetry.outcomes == {"sent": 2, "dropped": 0, "rejected": 0}
    assert (await suite.answer(app=settings.get("app", APP)))["sampleCount"] == 2
    await version.close()


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/" + "x" * 8000, {}, id="long-path"),
        pytest.param("/%00%ff%c3%a9%22", {}, id="odd-path"),
        pytest.param("/?q=" + "x" * 8000, {}, id="long-query"),
        pytest.param("/", {"User-Agent": "x" * 8000}, id="long-agent"),
        pytest.param("/", {"User-Agent": 'a"\\\t<'}, id="odd-agent"),
        pytest.param("/", {"User-Agent": ""}, id="no-agent"),
    ],
)
async def test_the_apm_takes_whatever_clients_send(
    suite: Suite, path: str, headers: dict[str, str]
) -> None:
    """One odd request must not cost the batch of all the others."""
    await suite.canary.vote(3)
    await suite.canary.http.get(path, headers=headers)
    await suite.canary.report()
    assert suite.canary.telemetry.outcomes == {"sent": 4, "dropped": 0, "rejected": 0}
    assert (await suite.answer(hash=CANARY))["sampleCount"] == 4


async def test_a_wrong_key_is_no_error_rate_of_zero(suite: Suite, clock: ManualClock) -> None:
    """Votes that the APM refuses leave the application unknown, and the sender counts them."""
    version = Version(clock, suite.cluster, CANARY, api_key="wrong")
    await version.vote(20)
    await version.report()
    assert version.telemetry.outcomes == {"sent": 0, "dropped": 0, "rejected": 20}
    assert (await suite.ask()).json()["error"] == "unknown_app"
    metrics = (await version.http.get("/metrics")).text
    assert 'voteapp_telemetry_events_total{outcome="rejected"} 20.0' in metrics
    await version.close()


async def test_reports_in_the_background_arrive(suite: Suite) -> None:
    """While the application lives it reports by itself; what is left goes when it ends."""
    version = Version(suite.clock, suite.cluster, CANARY)
    async with version.app.router.lifespan_context(version.app):
        await version.vote(7)
    assert (await suite.answer(hash=CANARY))["sampleCount"] == 7
    await version.http.aclose()


async def test_samples_carry_the_time_of_serving(suite: Suite) -> None:
    """A version that reports late fills the seconds in which it served."""
    await suite.canary.vote(4)
    suite.clock.advance(60)
    await suite.canary.vote(6)
    await suite.canary.report()
    assert (await suite.answer(window="60s"))["sampleCount"] == 10
    assert (await suite.answer(window="59s"))["sampleCount"] == 6
    response = await suite.apm.get(
        "/v1/metrics/series",
        params={"app": APP, "metric": "count", "window": "5m", "step": "10s"},
        headers=KEY,
    )
    points = response.json()["points"]
    assert [(point["at"], point["value"]) for point in points] == [
        ("2026-02-04T02:00:00Z", 4),
        ("2026-02-04T02:01:00Z", 6),
    ]
