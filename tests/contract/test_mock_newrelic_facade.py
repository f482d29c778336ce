"""`GET /v1/metrics`, as gates and shell scripts rely on it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest

from mock_newrelic_bench import APP, CANARY, KEY, STABLE, Bench
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def test_the_body_is_the_documented_one_byte_for_byte(bench: Bench) -> None:
    """Five keys in their order, on one line, as JSON."""
    await bench.fill(995, 5)
    response = await bench.ask()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.text == (
        '{"app":"voting01-vote-qa","metric":"errorRate","window":"5m","errorRate":0.5,'
        '"timestamp":"2026-02-04T02:00:00Z"}'
    )


@pytest.mark.parametrize(
    ("good", "bad", "text"),
    [
        pytest.param(948, 52, "5.2", id="bad-rate-is-no-http-error"),
        pytest.param(1000, 0, "0.0", id="no-error-is-zero"),
        pytest.param(98, 2, "2.0", id="exactly-two"),
        pytest.param(2, 1, "33.3333", id="four-decimals"),
        pytest.param(0, 7, "100.0", id="all-failed"),
    ],
)
async def test_the_number_as_it_is_written(bench: Bench, good: int, bad: int, text: str) -> None:
    """The value has at most four decimals and at least one."""
    await bench.fill(good, bad)
    assert f'"errorRate":{text},' in (await bench.ask()).text


async def test_one_error_in_a_hundred_thousand_has_no_exponent(bench: Bench) -> None:
    """A tiny rate is written out: 0.001."""
    for _ in range(20):
        # Few attributes, so that 5000 events stay below the size limit of a body.
        lean = [{"eventType": "Transaction", "appName": APP, "httpResponseCode": 200}]
        assert (await bench.send(lean * 5000)).status_code == 200
    lean[0]["httpResponseCode"] = 503
    await bench.send(lean)
    response = await bench.ask()
    assert response.json()["errorRate"] == 0.001
    assert not re.search(r"[0-9]e[-+]?[0-9]", response.text)


async def test_an_unmeasurably_small_rate_is_zero_without_sign_or_exponent(bench: Bench) -> None:
    """0.00001 % rounds to 0.0."""
    await bench.inject({"set": 0.00001})
    assert '"errorRate":0.0,' in (await bench.ask()).text


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="plain"),
        pytest.param({"role": "canary"}, id="role"),
        pytest.param({"hash": CANARY}, id="hash"),
        pytest.param({"detail": "full"}, id="detail"),
        pytest.param({"detail": "full", "label.errorRate": "errorRate"}, id="hostile-label"),
    ],
)
async def test_the_value_key_occurs_once(bench: Bench, more: dict[str, str]) -> None:
    """A reader that greps for the key finds one number, with every selector and detail."""
    attributes = {"podTemplateHash": CANARY, "role": "canary", "errorRate": "errorRate"}
    await bench.fill(98, 2, **attributes)
    response = await bench.ask(**more)
    assert response.status_code == 200
    assert re.findall(r'"errorRate"\s*:\s*([0-9.]+)', response.text) == ["2.0"]
    assert "\n" not in response.text


async def test_detail_comes_after_the_five_keys(bench: Bench, clock: ManualClock) -> None:
    """detail=full adds counts, window and freshness."""
    await bench.fill(1194, 6, role="canary")
    clock.advance(3)
    document = (await bench.ask(detail="full", role="canary")).json()
    assert list(document) == [
        "app", "metric", "window", "errorRate", "timestamp",
        "unit", "errorRatio", "sampleCount", "errorCount", "windowStart", "windowEnd",
        "lastSampleAt", "freshnessSeconds", "source", "selector", "injected", "approximate",
    ]  # fmt: skip
    assert document["unit"] == "percent"
    assert document["errorRatio"] == 0.005
    assert (document["sampleCount"], document["errorCount"]) == (1200, 6)
    assert document["windowStart"] == "2026-02-04T01:55:03Z"
    assert document["windowEnd"] == document["timestamp"] == "2026-02-04T02:00:03Z"
    assert (document["lastSampleAt"], document["freshnessSeconds"]) == ("2026-02-04T02:00:00Z", 3)
    assert document["selector"] == {"role": "canary"}
    assert document["injected"] is None


async def test_detail_of_the_ratio_has_its_key_once(bench: Bench) -> None:
    """metric=errorRatio with detail names errorRatio once."""
    await bench.fill(95, 5)
    response = await bench.ask("errorRatio", detail="full")
    assert response.text.count('"errorRatio":') == 1
    assert response.json()["errorRatio"] == 0.05


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param("errorRate", 2.0, id="errorRate"),
        pytest.param("errorRatio", 0.02, id="errorRatio"),
        pytest.param("successRate", 98.0, id="successRate"),
        pytest.param("httpErrorRate", 2.0, id="httpErrorRate"),
        pytest.param("http4xxRate", 0.0, id="http4xxRate"),
        pytest.param("throughput", 60.0, id="throughput"),
        pytest.param("rps", 1.0, id="rps"),
        pytest.param("count", 300, id="count"),
        pytest.param("errorCount", 6, id="errorCount"),
        pytest.param("responseTime", 20.0, id="responseTime"),
        pytest.param("apdex", 1.0, id="apdex"),
    ],
)
async def test_metrics(bench: Bench, metric: str, expected: float) -> None:
    """Each metric answers under its own name in the same envelope."""
    await bench.fill(294, 6)
    response = await bench.ask(metric)
    assert list(response.json()) == ["app", "metric", "window", metric, "timestamp"]
    assert response.json()[metric] == expected


@pytest.mark.parametrize("metric", ["p50", "p75", "p90", "p95", "p99", "p999"])
async def test_percentiles_are_milliseconds_within_their_error(bench: Bench, metric: str) -> None:
    """A percentile of equal durations is that duration, off by 1.1 % at most."""
    await bench.fill(100, duration=0.231)
    assert abs(await bench.value(metric) / 231 - 1) <= 0.011


async def test_apdex_takes_its_threshold(bench: Bench) -> None:
    """Satisfied up to t, half up to 4t, nothing above."""
    for duration in (0.1, 0.3, 3.0):
        await bench.fill(10, duration=duration)
    assert await bench.value("apdex", t="0.2") == 0.5


async def test_what_counts_as_an_error(bench: Bench) -> None:
    """5xx, transport failures and flagged samples are errors; a 4xx never is."""
    for status, flag in ((200, False), (404, True), (400, False), (500, False), (0, False)):
        events = [{"eventType": "Transaction", "appName": APP, "duration": 0.1}]
        await bench.send([{**events[0], "httpResponseCode": status, "error": flag}])
    await bench.send([{**events[0], "error": True}, {**events[0]}, {**events[0]}])
    assert await bench.value("count") == 8
    assert await bench.value("errorRate") == 37.5
    assert await bench.value("httpErrorRate") == 12.5
    assert await bench.value("http4xxRate") == 25.0


async def test_selectors_separate_canary_and_stable(bench: Bench) -> None:
    """At 50/50 the application has the mean of both versions."""
    await bench.fill(948, 52, podTemplateHash=CANARY, role="canary")
    await bench.fill(995, 5, podTemplateHash=STABLE, role="stable")
    assert await bench.value() == 2.85
    assert await bench.value(role="canary") == await bench.value(hash=CANARY) == 5.2
    assert await bench.value(role="stable") == await bench.value(hash=STABLE) == 0.5
    assert await bench.error(role="canary", hash=STABLE) == "404 no_data"


async def test_selectors_on_version_host_and_labels(bench: Bench) -> None:
    """Version, host and any other attribute select too; tags.x is the label x."""
    await bench.fill(90, 10, version="v18", host="a", region="eu", **{"tags.team": "platform"})
    await bench.fill(100, 0, version="v17", host="b", region="us")
    assert await bench.value(version="v18") == 10.0
    assert await bench.value(host="b") == 0.0
    assert await bench.value(**{"label.region": "eu"}) == 10.0
    assert await bench.value(**{"label.team": "platform"}) == 10.0


async def test_the_hash_is_read_from_the_pod_name(bench: Bench) -> None:
    """Without podTemplateHash the host name tells the hash."""
    await bench.fill(10, host=f"vote-{CANARY}-7hqnx")
    assert await bench.value("count", hash=CANARY) == 10


async def test_nine_applications_do_not_mix(bench: Bench) -> None:
    """Each name of the deployment has its own rate."""
    names = [
        f"voting01-{service}-{env}"
        for service in ("vote", "result", "worker")
        for env in ("dev", "qa", "staging")
    ]
    for number, app in enumerate(names):
        await bench.fill(100 - number, number, app=app)
    assert [await bench.value(app=app) for app in names] == [float(n) for n in range(9)]


async def test_no_sample_in_the_window_is_not_zero(bench: Bench, clock: ManualClock) -> None:
    """A known application without recent samples is no_data, for counts too."""
    await bench.fill(100)
    clock.advance(302)
    assert await bench.error() == "404 no_data"
    assert await bench.error("throughput") == "404 no_data"


async def test_an_application_that_was_only_probed_has_no_data(bench: Bench) -> None:
    """Health checks make an application known and give it no rate."""
    await bench.fill(9, **{"request.headers.userAgent": "kube-probe/1.29"})
    assert await bench.error() == "404 no_data"


async def test_an_unknown_application_is_an_error(bench: Bench) -> None:
    """A typo in the name is 404 unknown_app, never 0."""
    await bench.fill(10)
    assert await bench.error(app="voting01-vote-QA") == "404 unknown_app"


async def test_latency_of_samples_without_duration_is_no_data(bench: Bench) -> None:
    """Samples without durations count in rates and have no latency."""
    await bench.fill(10, duration=None)
    assert await bench.value() == 0.0
    assert await bench.error("p95") == "404 no_data"
    assert await bench.error("responseTime") == "404 no_data"


async def test_a_sample_counts_until_its_age_reaches_the_window(
    bench: Bench, clock: ManualClock
) -> None:
    """At 299.9 s it is in the 5-minute window, at 301 s it is not; 10 minutes still hold it."""
    await bench.fill(10)
    clock.advance(299.9)
    assert await bench.value("count") == 10
    clock.advance(1.1)
    assert await bench.error() == "404 no_data"
    assert await bench.value("count", "10m") == 10


async def test_windows_use_the_time_of_the_event(bench: Bench, clock: ManualClock) -> None:
    """What arrives late counts where it belongs: six minutes old is in 10m and not in 5m."""
    await bench.fill(50, 50, timestamp=int((clock.now() - 360) * 1000))
    assert await bench.error() == "404 no_data"
    assert await bench.value(window="10m") == 50.0


async def test_an_event_from_the_future_counts_when_its_time_has_come(
    bench: Bench, clock: ManualClock
) -> None:
    """An event that is an hour ahead is kept until then."""
    await bench.fill(3, timestamp=int((clock.now() + 3600) * 1000))
    assert await bench.error() == "404 no_data"
    clock.advance(3600)
    assert await bench.value("count") == 3


async def test_a_window_of_a_day_is_exact_at_its_edge(bench: Bench, clock: ManualClock) -> None:
    """The longest window counts to the second as well."""
    await bench.fill(1, timestamp=int((clock.now() - 86_398) * 1000))
    await bench.fill(1, timestamp=int((clock.now() - 86_402) * 1000))
    assert await bench.value("count", "24h") == 1


async def test_an_answer_follows_ingest_within_the_same_second(bench: Bench) -> None:
    """A repeated question sees samples that came in between."""
    await bench.fill(10)
    assert await bench.value("count") == 10
    await bench.fill(5)
    assert await bench.value("count") == 15


async def test_min_samples_refuses_a_thin_window(bench: Bench) -> None:
    """Fewer samples than asked for is 422, as many is an answer."""
    await bench.fill(24)
    assert await bench.error(min_samples="25") == "422 insufficient_samples"
    assert await bench.value(min_samples="24") == 0.0


async def test_since_and_at_bound_the_window(bench: Bench, clock: ManualClock) -> None:
    """`since` cuts off what is older, `at` answers for an instant that has passed."""
    await bench.fill(10, 10)
    clock.advance(60)
    await bench.fill(10)
    assert await bench.value("count", since="2026-02-04T02:00:30Z") == 10
    assert await bench.value("count", at="2026-02-04T02:00:30Z") == 20
    response = await bench.ask("count", at="2026-02-04T02:00:30Z")
    assert response.json()["timestamp"] == "2026-02-04T02:00:30Z"


async def test_windows_that_end_at_whole_seconds_share_no_sample(
    bench: Bench, clock: ManualClock
) -> None:
    """Two adjoining windows given by at count each sample once."""
    for _ in range(4):
        await bench.fill(1)
        clock.advance(1)
    first = await bench.value("count", "2s", at="2026-02-04T02:00:02Z")
    second = await bench.value("count", "2s", at="2026-02-04T02:00:04Z")
    assert (first, second) == (2, 2)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("metric=errorRate&window=5m", "bad_app", id="app-missing"),
        pytest.param("app=a&window=5m", "bad_metric", id="metric-missing"),
        pytest.param("app=a&metric=errorRate", "bad_window", id="window-missing"),
        pytest.param("app=a&metric=foo&window=5m", "bad_metric", id="metric-unknown"),
        pytest.param("app=a&metric=errorrate&window=5m", "bad_metric", id="metric-case"),
        pytest.param("app=a&metric=errorRate&window=5x", "bad_window", id="unit"),
        pytest.param("app=a&metric=errorRate&window=0m", "bad_window", id="zero"),
        pytest.param("app=a&metric=errorRate&window=-5m", "bad_window", id="negative"),
        pytest.param("app=a&metric=errorRate&window=999d", "bad_window", id="days"),
        pytest.param("app=a&metric=errorRate&window=25h", "bad_window", id="beyond-retention"),
        pytest.param("app=a&metric=errorRate&window=5+m", "bad_window", id="space"),
        pytest.param("app=a&metric=errorRate&window=1m30s", "bad_window", id="compound"),
        pytest.param("app=a&metric=errorRate&window=300", "bad_window", id="no-unit"),
        pytest.param("app=a&metric=errorRate&window=%D9%A5m", "bad_window", id="arabic-digit"),
        pytest.param("app=a%22;rm&metric=errorRate&window=5m", "bad_app", id="app-syntax"),
        pytest.param("app=&metric=errorRate&window=5m", "bad_app", id="app-empty"),
        pytest.param("app=a&app=b&metric=errorRate&window=5m", "duplicate_parameter", id="twice"),
        pytest.param(
            "app=a&metric=errorRate&window=5m&role=x&role=x", "duplicate_parameter", id="role-twice"
        ),
        pytest.param("app=a&metric=errorRate&window=5m&hsh=x", "unknown_parameter", id="typo"),
        pytest.param("app=a&metric=errorRate&window=5m&hash=", "bad_selector", id="hash-empty"),
        pytest.param("app=a&metric=errorRate&window=5m&label.=x", "unknown_parameter", id="label"),
        pytest.param("app=a&metric=errorRate&window=5m&detail=some", "bad_parameter", id="detail"),
        pytest.param("app=a&metric=errorRate&window=5m&at=now", "bad_at", id="at"),
        pytest.param(
            "app=a&metric=errorRate&window=5m&at=2027-01-01T00:00:00Z", "bad_at", id="at+"
        ),
        pytest.param("app=a&metric=errorRate&window=5m&since=2020-01-01", "bad_since", id="since"),
        pytest.param("app=a&metric=errorRate&window=5m&min_samples=-1", "bad_parameter", id="min"),
        pytest.param("app=a&metric=errorRate&window=5m&t=0.5", "unknown_parameter", id="t-alone"),
        pytest.param("app=a&metric=apdex&window=5m&t=nan", "bad_parameter", id="t-nan"),
        pytest.param("app=a&metric=errorRate&window=5m&hash", "bad_parameter", id="no-value"),
        pytest.param("app=a&metric=errorRate&window=5m&hash=%FF", "bad_parameter", id="not-utf8"),
    ],
)
async def test_a_question_that_could_mean_two_things_is_refused(
    bench: Bench, query: str, code: str
) -> None:
    """Bad parameters are 400 with their own code, and never echo what was sent."""
    await bench.fill(10, app="a")
    response = await bench.http.get(f"/v1/metrics?{query}", headers=KEY)
    assert (response.status_code, response.json()["error"]) == (400, code)
    assert '"errorRate"' not in response.text
    assert ";rm" not in response.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="none"),
        pytest.param({"Api-Key": "wrong"}, 401, id="wrong"),
        pytest.param({"Api-Key": "admin-key"}, 403, id="admin-key"),
        pytest.param({"API-KEY": "test-key"}, 200, id="any-case"),
    ],
)
async def test_the_key_is_required(bench: Bench, headers: dict[str, str], status: int) -> None:
    """No or a wrong key is 401 without the metric, the other plane's key is 403."""
    await bench.fill(10)
    parameters = {"app": APP, "metric": "errorRate", "window": "5m"}
    response = await bench.http.get("/v1/metrics", params=parameters, headers=headers)
    assert response.status_code == status
    assert (status == 200) == ('"errorRate"' in response.text)


async def test_open_mode_answers_without_a_key(clock: ManualClock) -> None:
    """With auth=open the header-less question is answered, the control plane is not opened."""
    async with Bench(clock, auth="open") as bench:
        await bench.fill(98, 2)
        url = f"/v1/metrics?app={APP}&metric=errorRate&window=5m"
        assert (await bench.http.get(url)).json()["errorRate"] == 2.0
        assert (await bench.http.get("/control/injections")).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(bench: Bench, method: str) -> None:
    """Only GET asks; the refusal is a problem."""
    response = await bench.http.request(method, "/v1/metrics", headers=KEY)
    assert response.status_code == 405
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_fresh_service_knows_nothing(bench: Bench) -> None:
    """After a start the first answers are errors, not zero."""
    assert await bench.error() == "404 unknown_app"


async def test_stale_data_is_refused_when_so_configured(clock: ManualClock) -> None:
    """With stale_after an old last sample is 503, although it is in the window."""
    async with Bench(clock, stale_after="1m") as bench:
        await bench.fill(10)
        clock.advance(60)
        assert await bench.value() == 0.0
        clock.advance(1)
        assert await bench.error() == "503 stale_data"


async def test_problems_tell_what_to_do(bench: Bench) -> None:
    """A refusal carries type, title, status, detail, instance, error and hint."""
    document = json.loads((await bench.ask()).text)
    assert set(document) == {"type", "title", "status", "detail", "instance", "error", "hint"}
