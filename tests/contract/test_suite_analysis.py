"""The analyzer and the APM together: what becomes of what the APM holds, hides or makes up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from suite_apps import ADMIN, APM_HOST, APP, CANARY, PROBE, STABLE, Suite, Version
from svckit.clock import ManualClock
from svckit.timestamps import format_timestamp

pytestmark = pytest.mark.anyio

SuiteWith = Callable[..., Awaitable[Suite]]


@pytest.fixture(name="suite_with")
async def _suite_with(clock: ManualClock) -> AsyncIterator[SuiteWith]:
    opened: list[Suite] = []

    async def build(**settings: Any) -> Suite:
        suite = await Suite(clock, **settings).__aenter__()
        opened.append(suite)
        return suite

    yield build
    for suite in opened:
        await suite.__aexit__()


@pytest.fixture(name="suite")
async def _suite(suite_with: SuiteWith) -> Suite:
    return await suite_with()


async def _fill(
    suite: Suite, canary: tuple[int, int] | None, stable: tuple[int, int] | None
) -> None:
    """Have the APM hold both arms, each as (bad, count), in the second that has just passed."""
    for pod_hash, arm in ((CANARY, canary), (STABLE, stable)):
        if arm is not None:
            await suite.ingest(pod_hash, bad=arm[0], count=arm[1])
    suite.clock.advance(1)


@pytest.mark.parametrize(
    ("canary", "stable", "verdict", "code"),
    [
        pytest.param((2, 400), (8, 1600), "pass", "no_difference", id="both-healthy"),
        pytest.param((40, 400), (8, 1600), "fail", "error_rate_higher", id="canary-worse"),
        pytest.param((30, 30), (8, 1600), "fail", "obvious_outage", id="canary-dead-early"),
        pytest.param((8, 400), (32, 1600), "fail", "error_rate_above_threshold", id="both-at-2%"),
        pytest.param((0, 20), (8, 1600), "inconclusive", "not_enough_samples", id="canary-thin"),
        pytest.param(None, (8, 1600), "inconclusive", "no_data", id="canary-missing"),
        pytest.param((2, 400), None, "inconclusive", "no_baseline", id="stable-missing"),
    ],
)
async def test_the_verdict_on_what_the_apm_holds(
    suite: Suite,
    canary: tuple[int, int] | None,
    stable: tuple[int, int] | None,
    verdict: str,
    code: str,
) -> None:
    """The analyzer judges exactly the counts that were ingested."""
    await _fill(suite, canary, stable)
    answer = await suite.verdict()
    assert (answer["verdict"], answer["reasonCode"]) == (verdict, code)
    for name, arm in (("canary", canary), ("stable", stable)):
        bad, count = arm or (0, 0)
        seen = answer["metrics"][0][name]
        assert (seen["bad"], seen["count"]) == (bad, count)


async def test_an_unknown_application_is_inconclusive_with_a_note(suite: Suite) -> None:
    """A typo in the template is no verdict on the canary, and both arms say why."""
    await _fill(suite, (2, 400), (8, 1600))
    answer = await suite.verdict(app="voting01-vote-qaa")
    assert (answer["verdict"], answer["reasonCode"]) == ("inconclusive", "no_data")
    assert answer["notes"] == [
        "canary: the source does not know the application",
        "stable: the source does not know the application",
    ]


async def test_an_unknown_hash_is_not_the_whole_application(suite: Suite) -> None:
    """A hash that sent nothing has no data, however much the application has."""
    await _fill(suite, (2, 400), (8, 1600))
    answer = await suite.verdict(canary="54bc44457")
    assert (answer["verdict"], answer["reasonCode"]) == ("inconclusive", "no_data")
    assert answer["notes"] == ["canary: the source has no data in the window"]


@pytest.mark.parametrize(
    ("key", "status"),
    [
        pytest.param("wrong", 401, id="wrong"),
        pytest.param("", 401, id="none"),
        pytest.param("admin-key", 403, id="control-plane-key"),
    ],
)
async def test_a_refused_key_is_no_verdict(suite_with: SuiteWith, key: str, status: int) -> None:
    """502 with the setting to mend, whatever the APM has against the key."""
    suite = await suite_with(judge={"newrelic_api_key": key})
    await _fill(suite, (2, 400), (8, 1600))
    response = await suite.analysis()
    problem = response.json()
    assert (response.status_code, problem["error"]) == (502, "source_failed")
    assert f"HTTP {status}" in problem["detail"]
    assert "ANALYZER_NEWRELIC_API_KEY" in problem["hint"]
    assert "verdict" not in problem


# A `set` injection fixes a rate. The analyzer asks for counts, so the APM answers with as many
# errors as the rate makes of the samples that are really there.
@pytest.mark.parametrize(
    ("effect", "scope", "canary_bad", "stable_bad", "verdict", "code"),
    [
        pytest.param(
            {"set": 5.2}, {}, 21, 83, "fail", "error_rate_above_threshold", id="rate-of-the-app"
        ),
        pytest.param(
            {"set": 5.2}, {"hash": CANARY}, 21, 8, "fail", "error_rate_higher", id="rate-of-canary"
        ),
        pytest.param(
            {"set": 5.2}, {"hash": STABLE}, 2, 83, "pass", "no_difference", id="rate-of-stable"
        ),
        pytest.param({"set": 0.052}, {"metric": "errorRatio"}, 21, 83, "fail",
                     "error_rate_above_threshold", id="ratio"),
        pytest.param({"set": 900}, {"metric": "throughput"}, 2, 8, "pass", "no_difference",
                     id="other-metric"),
        pytest.param({"error_ratio": 0.1}, {"hash": CANARY}, 42, 8, "fail", "error_rate_higher",
                     id="data-of-canary"),
        pytest.param({"error_ratio": 0.1}, {"hash": STABLE}, 2, 167, "pass", "no_difference",
                     id="data-of-stable"),
    ],
)  # fmt: skip
async def test_an_injected_rate_moves_the_counts(  # noqa: PLR0917 - a table
    suite: Suite,
    effect: dict[str, Any],
    scope: dict[str, str],
    canary_bad: int,
    stable_bad: int,
    verdict: str,
    code: str,
) -> None:
    """Injections reach the comparison as counts of the arms in their scope."""
    await _fill(suite, (2, 400), (8, 1600))
    await suite.inject(effect, **scope)
    answer = await suite.verdict()
    seen = answer["metrics"][0]
    assert (seen["canary"]["bad"], seen["stable"]["bad"]) == (canary_bad, stable_bad)
    assert (seen["canary"]["count"], seen["stable"]["count"]) == (400, 1600)
    assert (answer["verdict"], answer["reasonCode"]) == (verdict, code)


async def test_facade_and_analyzer_tell_the_same_injected_rate(suite: Suite) -> None:
    """Both metrics of a gate see one error rate of the canary, measured or injected."""
    await _fill(suite, (2, 400), (8, 1600))
    for effect in ({"error_ratio": 0.1}, {"set": 7.0}):
        await suite.inject(effect, hash=CANARY)
        facade = await suite.answer(hash=CANARY)
        seen = (await suite.verdict())["metrics"][0]["canary"]
        assert (facade["errorCount"], facade["sampleCount"]) == (seen["bad"], seen["count"])
        assert facade["errorRate"] == pytest.approx(seen["errorRate"], abs=0.0001)


async def test_an_injected_rate_makes_no_samples(suite: Suite) -> None:
    """Without samples the facade repeats the injected number; the analyzer has no data."""
    await suite.inject({"set": 0})
    assert (await suite.answer())["errorRate"] == 0
    assert (await suite.verdict())["reasonCode"] == "no_data"


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        pytest.param({}, "no_data", id="application"),
        pytest.param({"hash": CANARY}, "no_data", id="canary"),
        pytest.param({"hash": STABLE}, "no_baseline", id="stable"),
    ],
)
async def test_hidden_samples_are_inconclusive(
    suite: Suite, scope: dict[str, str], code: str
) -> None:
    """`no_data` is what missing traffic looks like, for either arm."""
    await _fill(suite, (2, 400), (8, 1600))
    await suite.inject({"no_data": True}, **scope)
    answer = await suite.verdict()
    assert (answer["verdict"], answer["reasonCode"]) == ("inconclusive", code)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 429, 500, 503, 599])
@pytest.mark.parametrize("pod_hash", [None, CANARY, STABLE])
async def test_an_injected_status_is_no_verdict(
    suite: Suite, status: int, pod_hash: str | None
) -> None:
    """A source that fails for one arm or both is 502; an injected 404 is not missing data."""
    await _fill(suite, (2, 400), (8, 1600))
    await suite.inject({"status": status}, **({"hash": pod_hash} if pod_hash else {}))
    response = await suite.analysis()
    assert (response.status_code, response.json()["error"]) == (502, "source_failed")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("settings", "age", "detail"),
    [
        pytest.param({"stale_after": "30s"}, 60, "HTTP 503 (stale_data)", id="stale"),
        pytest.param({"max_series": 1}, 1, "HTTP 503 (too_many_series)", id="labels-lost"),
    ],
)
async def test_a_partial_answer_is_no_verdict(
    suite_with: SuiteWith, settings: dict[str, Any], age: float, detail: str
) -> None:
    """What the APM will not vouch for is not judged."""
    suite = await suite_with(apm=settings)
    await _fill(suite, (2, 400), (8, 1600))
    suite.clock.advance(age - 1)
    response = await suite.analysis()
    assert response.status_code == 502
    assert detail in response.json()["detail"]


async def test_an_unreachable_apm_is_no_verdict(suite: Suite) -> None:
    """502 with a hint, until the APM is back."""
    await _fill(suite, (2, 400), (8, 1600))
    apm = suite.cluster.hosts.pop(APM_HOST)
    response = await suite.analysis()
    assert (response.status_code, response.json()["error"]) == (502, "source_failed")
    suite.cluster.hosts[APM_HOST] = apm
    assert (await suite.verdict())["verdict"] == "pass"


async def test_both_arms_are_read_over_one_window(suite: Suite) -> None:
    """Same end, same length, whole seconds, even when the clock stands between two."""
    suite.clock.advance(0.75)
    await _fill(suite, (2, 400), (8, 1600))
    answer = await suite.verdict(window="3m")
    canary, stable = suite.cluster.requests_to(APM_HOST, "/v1/metrics/histogram")
    assert (canary.url.params["hash"], stable.url.params["hash"]) == (CANARY, STABLE)
    for name in ("app", "window", "at"):
        assert canary.url.params[name] == stable.url.params[name]
    assert canary.url.params["window"] == "180s"
    assert canary.url.params["at"] == answer["window"]["end"] == "2026-02-04T02:00:01Z"


async def test_what_happens_between_the_two_reads_changes_neither_arm(suite: Suite) -> None:
    """Votes that are reported while the analyzer asks belong to a second that is not over."""
    await _fill(suite, (2, 400), (8, 1600))
    answer, *_ = await asyncio.gather(
        suite.verdict(),
        suite.ingest(CANARY, bad=400, count=400),
        suite.ingest(STABLE, bad=0, count=400),
    )
    seen = answer["metrics"][0]
    assert (seen["canary"], seen["stable"]) == (
        {"bad": 2, "count": 400, "errorRate": 0.5},
        {"bad": 8, "count": 1600, "errorRate": 0.5},
    )


async def test_only_seconds_that_are_over_are_judged(suite: Suite) -> None:
    """The running second counts in neither arm; one second later it does."""
    for pod_hash in (CANARY, STABLE):
        await suite.ingest(pod_hash, bad=0, count=400)
    assert (await suite.verdict())["reasonCode"] == "no_data"
    suite.clock.advance(1)
    assert (await suite.verdict())["verdict"] == "pass"


@pytest.mark.parametrize(
    ("window", "seen"),
    [
        pytest.param("59s", 400, id="just-the-last-minute"),
        pytest.param("60s", 400, id="half-open"),
        pytest.param("61s", 800, id="one-second-more"),
        pytest.param("1m1s", 800, id="compound"),
        pytest.param("24h", 800, id="longest"),
    ],
)
async def test_the_window_bounds_what_is_judged(suite: Suite, window: str, seen: int) -> None:
    """Any Go duration of whole seconds means the same to both services, to the second."""
    await _fill(suite, (200, 400), (200, 400))
    suite.clock.advance(59)
    await _fill(suite, (0, 400), (0, 400))
    answer = await suite.verdict(window=window)
    assert answer["metrics"][0]["canary"]["count"] == seen


async def test_since_leaves_earlier_traffic_out(suite: Suite) -> None:
    """What a canary did before its step began does not count."""
    await _fill(suite, (200, 400), (8, 1600))
    since = format_timestamp(suite.clock.now())
    await _fill(suite, (2, 400), (8, 1600))
    assert (await suite.verdict())["verdict"] == "fail"
    answer = await suite.verdict(since=since)
    assert (answer["verdict"], answer["metrics"][0]["canary"]["count"]) == ("pass", 400)
    assert answer["window"]["start"] == since


async def test_latencies_do_not_matter_to_errors(suite: Suite) -> None:
    """A slow canary has the error rate of a fast one, timed or not; it fails by its latency."""
    await suite.ingest(CANARY, bad=2, count=400, duration=60)
    await suite.ingest(STABLE, bad=8, count=800, duration=0)
    await suite.ingest(STABLE, bad=0, count=800, duration=None)
    suite.clock.advance(1)
    answer = await suite.verdict()
    found = {metric["name"]: metric["verdict"] for metric in answer["metrics"]}
    assert found == {"error_rate": "pass", "error_rate_threshold": "pass", "latency": "fail"}
    assert answer["metrics"][0]["stable"]["count"] == 1600


async def test_probe_traffic_is_not_judged(suite: Suite) -> None:
    """Health checks of the canary, failed or not, neither fail nor thin out its rate."""
    await _fill(suite, (2, 400), (8, 1600))
    await suite.ingest(CANARY, bad=500, count=1000, **{"request.headers.userAgent": "kube-probe/1"})
    await suite.ingest(CANARY, bad=500, count=1000, **{"request.uri": "/healthz"})
    suite.clock.advance(1)
    answer = await suite.verdict()
    assert (answer["verdict"], answer["metrics"][0]["canary"]["count"]) == ("pass", 400)


@pytest.mark.parametrize(
    "app",
    [
        pytest.param("voting01-vote-qa", id="plain"),
        pytest.param("Vote (QA) v1.2 @eu+west/a:b_c", id="every-character"),
        pytest.param("x" * 200, id="longest"),
        pytest.param("(", id="one-bracket"),
        pytest.param("vote ", id="trailing-space"),
        pytest.param("vote:", id="trailing-colon"),
        pytest.param("x" * 201, id="too-long"),
        pytest.param("vöte", id="umlaut"),
    ],
)
async def test_both_services_take_the_same_application_names(suite: Suite, app: str) -> None:
    """A name that the APM can hold can be judged, one that it cannot is the caller's mistake."""
    held = (await suite.ask(app=app)).json()["error"] != "bad_app"
    assert (await suite.analysis(app=app)).status_code == (200 if held else 422)


async def _health(suite: Suite) -> dict[str, Any]:
    response = await suite.analyzer.get(
        "/v1/health-check", params={"service": "vote-canary", "namespace": "voting01-qa"}
    )
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


@pytest.mark.parametrize(
    ("faults", "status", "code"),
    [
        pytest.param({}, "healthy", 200, id="none"),
        pytest.param({"error_ratio": 1.0}, "healthy", 200, id="every-vote-fails"),
        pytest.param({"error_ratio": 1.0, "status": 503}, "healthy", 200, id="as-503"),
        pytest.param({"status": 503, "scope": "POST"}, "healthy", 200, id="posts-only"),
        pytest.param({"latency": {"add": "2s"}}, "healthy", 200, id="slow"),
        pytest.param({"status": 503}, "unhealthy", 503, id="status"),
        pytest.param({"status": 404}, "unhealthy", 404, id="not-found"),
        pytest.param({"status": 500, "scope": "GET"}, "unhealthy", 500, id="gets-only"),
    ],
)
async def test_the_health_check_of_a_version_with_faults(
    suite: Suite, faults: dict[str, Any], status: str, code: int
) -> None:
    """A sick process is unhealthy; failing votes are the APM's to notice, not the probe's."""
    await suite.canary.faults(**faults)
    answer = await _health(suite)
    assert (answer["status"], answer["httpCode"]) == (status, code)


async def test_votes_that_fail_by_the_applications_own_switch_leave_it_healthy(
    suite: Suite,
) -> None:
    """/api/error-sim breaks voting, not the page that is probed."""
    await suite.canary.http.post("/api/error-sim")
    assert await suite.canary.vote(3) == {500: 3}
    assert (await _health(suite))["status"] == "healthy"


async def test_a_hanging_version_is_unhealthy(suite_with: SuiteWith, clock: ManualClock) -> None:
    """The probe gives up by itself, and says how long it waited."""
    suite = await suite_with(judge={"health_timeout_seconds": 0.05})
    hanging = Version(clock, suite.cluster, CANARY, sleep=clock.sleep)
    suite.cluster.hosts["vote-canary.voting01-qa.svc.cluster.local"] = hanging.app
    await hanging.faults(hang="1h")
    answer = await _health(suite)
    assert (answer["status"], answer["httpCode"]) == ("unhealthy", None)
    assert answer["reason"] == "no answer within 0.05 s"
    await hanging.close()


async def test_a_service_without_pods_is_unhealthy(suite: Suite) -> None:
    """Nobody there is a finding about the target, with HTTP 200."""
    del suite.cluster.hosts["vote-canary.voting01-qa.svc.cluster.local"]
    answer = await _health(suite)
    assert (answer["status"], answer["httpCode"]) == ("unhealthy", None)


async def test_the_analyzers_probes_count_in_no_rate(suite: Suite) -> None:
    """They reach the APM as probes: the application is known and has no samples."""
    await suite.canary.faults(status=503)
    for _ in range(3):
        await _health(suite)
    await suite.canary.report()
    known = (await suite.apm.get(f"/v1/apps/{APP}", headers={"Api-Key": "test-key"})).json()
    assert known["samples"] == 0
    assert (await suite.ask()).json()["error"] == "no_data"


async def test_kubelet_probes_are_answered_and_not_counted(suite: Suite) -> None:
    """The rate of votes is exact however often the kubelet asks."""
    assert (await suite.canary.http.get("/", headers=PROBE)).status_code == 200
    await suite.canary.vote(4)
    await suite.canary.report()
    assert (await suite.answer(hash=CANARY))["sampleCount"] == 4


async def test_the_apm_writes_down_what_the_analyzer_asked(suite: Suite) -> None:
    """The journal holds both reads of one analysis, so that a verdict can be retraced."""
    await _fill(suite, (2, 400), (8, 1600))
    await suite.verdict(window="3m")
    journal = await suite.apm.get("/control/requests", params={"surface": "query"}, headers=ADMIN)
    assert [(each["path"], each["app"], each["status"]) for each in journal.json()["requests"]] == [
        ("/v1/metrics/histogram", APP, 200),
        ("/v1/metrics/histogram", APP, 200),
    ]
