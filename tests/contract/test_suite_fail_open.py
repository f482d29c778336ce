"""Every way in which an answer can be wrong, against the deployed gate.

Argo Rollouts before 1.10 passes any 2xx answer that is not JSON without looking at the conditions.
That is Argo's own behaviour, which no condition can mend: `UNREAD` lists those answers, and the
second half of this file holds our services to never giving one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollout_runner.argo import gojson
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from suite_apps import (
    ADMIN,
    ANALYZER_HOST,
    APM_HOST,
    CANARY,
    FIRST_ANALYSIS_STEP,
    HEALTH_STEP,
    KEY,
    STABLE,
    Suite,
    deployed_metrics,
    web_provider,
)
from svckit.clock import ManualClock

PASSING = {
    "http-health": {"status": "healthy", "httpCode": 200, "latencyMs": 3.1},
    "http-health-check": {"status": "healthy", "httpCode": 200, "latencyMs": 3.1},
    "error-rate": {"app": "a", "metric": "errorRate", "window": "3m", "errorRate": 0.5},
    "canary-vs-stable": {"verdict": "pass", "passed": True, "reason": "no difference"},
}
FIELDS = {
    "http-health": "status",
    "http-health-check": "status",
    "error-rate": "errorRate",
    "canary-vs-stable": "verdict",
}
LOGIN_PAGE = b"<!DOCTYPE html><html><body><form>Log in</form></body></html>"
RELEASES_THAT_READ = (ArgoVersion.V1_10,)
RELEASES_THAT_DO_NOT = (ArgoVersion.V1_8, ArgoVersion.V1_9)


def _field(metric: str, text: str) -> bytes:
    """Return the passing document with its decisive field replaced by this JSON text."""
    document = {**PASSING[metric], FIELDS[metric]: "<field>"}
    return json.dumps(document).replace('"<field>"', text).encode()


def _without_field(metric: str) -> bytes:
    return json.dumps(
        {name: value for name, value in PASSING[metric].items() if name != FIELDS[metric]}
    ).encode()


def _body(metric: str, kind: str) -> bytes:
    """Return a body of that kind, as near to a passing answer of the metric as the kind allows."""
    passing = json.dumps(PASSING[metric]).encode()
    return {
        "passing": passing,
        "html": LOGIN_PAGE,
        "empty": b"",
        "blank": b" \n",
        "plain-text": b"ok",
        "truncated": passing[:-1],
        "cut-in-half": passing[: len(passing) // 2],
        "bom": b"\xef\xbb\xbf" + passing,
        "two-documents": passing + b"\n" + passing,
        "trailing-comma": passing[:-1] + b",}",
        "single-quotes": passing.replace(b'"', b"'"),
        "nan": _field(metric, "NaN"),
        "infinity": _field(metric, "-Infinity"),
        "overflow": _field(metric, "-1e400"),
        "callback": b"callback(" + passing + b")",
        "null": b"null",
        "true": b"true",
        "zero": b"0",
        "text": json.dumps(PASSING[metric][FIELDS[metric]]).encode(),
        "object-in-text": json.dumps(json.dumps(PASSING[metric])).encode(),
        "list": b"[" + passing + b"]",
        "empty-list": b"[]",
        "empty-object": b"{}",
        "missing-key": _without_field(metric),
        "null-field": _field(metric, "null"),
        "string-number": _field(metric, '"0.5"'),
        "empty-string": _field(metric, '""'),
        "boolean-field": _field(metric, "false"),
        "list-field": _field(metric, "[0.5]"),
        "object-field": _field(metric, '{"value": 0.5}'),
        "nested": json.dumps({"data": PASSING[metric]}).encode(),
        "other-case": passing.replace(
            FIELDS[metric].encode(), FIELDS[metric].capitalize().encode()
        ),
        "last-duplicate-wins": passing[:-1] + f', "{FIELDS[metric]}": "bad"}}'.encode(),
        "problem": b'{"type": "about:blank", "status": 404, "error": "no_data"}',
    }[kind]


# 2xx bodies that Go's JSON decoder refuses: before 1.10 the conditions are never evaluated.
UNREAD = frozenset(
    {
        "html", "empty", "blank", "plain-text", "truncated", "cut-in-half", "bom", "two-documents",
        "trailing-comma", "single-quotes", "nan", "infinity", "overflow", "callback",
    }
)  # fmt: skip
READ = frozenset(
    {
        "null", "true", "zero", "text", "object-in-text", "list", "empty-list", "empty-object",
        "missing-key", "null-field", "string-number", "empty-string", "boolean-field", "list-field",
        "object-field", "nested", "other-case", "last-duplicate-wins", "problem",
    }
)  # fmt: skip


class _Answering(httpx.AsyncBaseTransport):
    """Answers the gate's request; whatever it is redirected to is a login page."""

    def __init__(self, status: int, body: bytes, **headers: str) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/login":
            return httpx.Response(200, content=LOGIN_PAGE, request=request)
        return httpx.Response(self.status, headers=self.headers, content=self.body, request=request)


async def _measure(
    clock: ManualClock, name: str, version: ArgoVersion, transport: httpx.AsyncBaseTransport
) -> Measurement:
    metrics = deployed_metrics(HEALTH_STEP if name == "http-health-check" else FIRST_ANALYSIS_STEP)
    provider = web_provider(clock, version, transport)
    measurement = await provider.run(metrics[name], "m")
    await provider.close()
    return measurement


METRICS = pytest.mark.parametrize("metric", sorted(PASSING))


@METRICS
@pytest.mark.anyio
async def test_the_right_answer_passes(clock: ManualClock, metric: str) -> None:
    """What follows differs from this answer in one thing only."""
    for version in ArgoVersion:
        answering = _Answering(200, _body(metric, "passing"))
        assert (await _measure(clock, metric, version, answering)).phase is Phase.SUCCESSFUL


@METRICS
@pytest.mark.parametrize("kind", sorted(READ))
@pytest.mark.anyio
async def test_json_of_another_shape_never_passes(
    clock: ManualClock, metric: str, kind: str
) -> None:
    """In no release: the conditions see that the field is not what it should be."""
    for version in ArgoVersion:
        answering = _Answering(200, _body(metric, kind))
        measurement = await _measure(clock, metric, version, answering)
        assert measurement.phase is not Phase.SUCCESSFUL, (version, measurement)


@METRICS
@pytest.mark.parametrize("kind", sorted(UNREAD))
@pytest.mark.anyio
async def test_what_is_not_json_passes_before_1_10_only(
    clock: ManualClock, metric: str, kind: str
) -> None:
    """From 1.10 on the conditions meet a string and fail to evaluate; before, they are skipped."""
    answering = _Answering(200, _body(metric, kind))
    for version in RELEASES_THAT_READ:
        measurement = await _measure(clock, metric, version, answering)
        assert measurement.phase is Phase.ERROR, (version, measurement)
    for version in RELEASES_THAT_DO_NOT:
        measurement = await _measure(clock, metric, version, answering)
        assert measurement.phase is Phase.SUCCESSFUL, (version, measurement)


@METRICS
@pytest.mark.parametrize("status", [201, 202, 203, 204, 206])
@pytest.mark.anyio
async def test_any_2xx_is_read_like_200(clock: ManualClock, metric: str, status: int) -> None:
    """An empty 204 is a body that is not JSON; a document under 206 is a document."""
    empty = _Answering(status, b"")
    for version in ArgoVersion:
        expected = Phase.ERROR if version in RELEASES_THAT_READ else Phase.SUCCESSFUL
        assert (await _measure(clock, metric, version, empty)).phase is expected
        if status != 204:
            wrong = _Answering(status, _body(metric, "missing-key"))
            assert (await _measure(clock, metric, version, wrong)).phase is not Phase.SUCCESSFUL


@METRICS
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.anyio
async def test_a_redirection_to_a_login_page(clock: ManualClock, metric: str, status: int) -> None:
    """Redirections are followed, so the page at their end is what is read, or not."""
    login = _Answering(status, b"", Location="/login")
    for version in ArgoVersion:
        expected = Phase.ERROR if version in RELEASES_THAT_READ else Phase.SUCCESSFUL
        assert (await _measure(clock, metric, version, login)).phase is expected


@METRICS
@pytest.mark.parametrize("status", [300, 304, 400, 401, 403, 404, 408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("kind", ["passing", "html", "empty"])
@pytest.mark.anyio
async def test_no_other_status_passes(
    clock: ManualClock, metric: str, status: int, kind: str
) -> None:
    """Not even with a passing document: the body is not looked at."""
    for version in ArgoVersion:
        answering = _Answering(status, _body(metric, kind))
        measurement = await _measure(clock, metric, version, answering)
        assert measurement.phase is Phase.ERROR
        assert measurement.message == f"received non 2xx response code: {status}"


class _Failing(httpx.AsyncBaseTransport):
    """Breaks the exchange."""

    def __init__(self, error: type[httpx.TransportError]) -> None:
        self.error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise self.error("broken", request=request)


@METRICS
@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.ReadTimeout,
        httpx.ReadError,
        httpx.RemoteProtocolError,
        httpx.DecodingError,
        httpx.TooManyRedirects,
    ],
)
@pytest.mark.anyio
async def test_no_broken_exchange_passes(
    clock: ManualClock, metric: str, error: type[httpx.TransportError]
) -> None:
    """Refused, reset, late, cut off or garbled: an error that names the address."""
    for version in ArgoVersion:
        measurement = await _measure(clock, metric, version, _Failing(error))
        assert measurement.phase is Phase.ERROR
        assert measurement.message.startswith('Get "http://')


@pytest.mark.parametrize(
    "number", ["-1", "-0.0001", "0", "-0.0", "1.9999", "1e-9", "0.50", "1E0", "-1e308"]
)
@pytest.mark.anyio
async def test_the_error_rate_is_believed_as_a_number(clock: ManualClock, number: str) -> None:
    """A number below the threshold passes, be it negative: the condition has no lower bound."""
    for version in ArgoVersion:
        answering = _Answering(200, _field("error-rate", number))
        measurement = await _measure(clock, "error-rate", version, answering)
        assert measurement.phase is Phase.SUCCESSFUL


@pytest.mark.parametrize("number", ["2", "2.0", "2.0000001", "100", "1e308", "20E-1"])
@pytest.mark.anyio
async def test_a_rate_at_the_threshold_fails(clock: ManualClock, number: str) -> None:
    """Whatever way it is written."""
    for version in ArgoVersion:
        answering = _Answering(200, _field("error-rate", number))
        measurement = await _measure(clock, "error-rate", version, answering)
        assert measurement.phase is Phase.FAILED


# From here on: our own services never give an answer that a gate could take for another one.

PARAMETERS = {
    "/v1/metrics": {
        "app": ["voting01-vote-qa", "unknown", "a b", ""],
        "metric": ["errorRate", "errorRatio", "throughput", "p95", "apdex", "count", "errorrate"],
        "window": ["5m", "1s", "24h", "5x", "0m", "-5m", "999d", "5 m"],
        "hash": [CANARY, STABLE, "x"],
        "role": ["canary", "stable"],
        "detail": ["full", "none"],
        "min_samples": ["1", "100000", "-1", "x"],
        "at": ["2026-02-04T02:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "x"],
        "since": ["2026-02-04T02:00:00Z", "0001-01-01T00:00:00+23:59", "x"],
        "t": ["0.5", "nan", "inf", "-1", "1e400"],
        "label.x": ["y"],
    },
    "/v1/analysis": {
        "app": ["voting01-vote-qa", "unknown", "a b", ""],
        "canary": [CANARY, STABLE, "x", "-"],
        "stable": [STABLE, "y", CANARY, ""],
        "window": ["5m", "1s", "24h", "1h30m", "0s", "-5m", "1ns", "5"],
        "since": ["2026-02-04T02:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "x"],
        "error_threshold": ["2", "0", "100", "0.5", "-1", "nan", "1e2"],
        "source": ["newrelic", "prometheus"],
        "run": ["r"],
    },
    "/v1/health-check": {
        "service": ["vote-canary", "vote-gone", "localhost:80", "169.254.169.254", ""],
        "namespace": ["voting01-qa", "kube-system", ""],
        "path": ["/", "/health", "/nope", "//evil", "/?x", "x", "/%2e%2e"],
    },
}
REQUIRED = {
    "/v1/metrics": ("app", "metric", "window"),
    "/v1/analysis": ("app", "canary", "stable"),
    "/v1/health-check": ("service", "namespace"),
}
HOSTS = {
    "/v1/metrics": APM_HOST,
    "/v1/analysis": ANALYZER_HOST,
    "/v1/health-check": ANALYZER_HOST,
}
INJECTIONS = st.sampled_from(
    [
        {},
        {"effect": {"set": 5.2}},
        {"effect": {"set": 0.0}, "hash": CANARY},
        {"effect": {"set": 1e300}, "metric": "throughput"},
        {"effect": {"error_ratio": 1}, "hash": STABLE},
        {"effect": {"no_data": True}},
        {"effect": {"status": 301}},
        {"effect": {"status": 503}, "probability": 0.5},
    ]
)


def _value(path: str, name: str) -> st.SearchStrategy[bytes]:
    known = PARAMETERS[path].get(name, [])
    return st.one_of(
        *([st.sampled_from(known).map(str.encode)] * 3 if known else []),
        st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.binary(max_size=4),
    )


def _pairs(path: str) -> st.SearchStrategy[bytes]:
    """Return query strings: the required parameters mostly, others sometimes, in any form."""

    def pair(name: str) -> st.SearchStrategy[bytes]:
        return _value(path, name).map(
            lambda value: f"{quote_from_bytes(name.encode())}={quote_from_bytes(value)}".encode()
        )

    required = st.tuples(*(pair(name) for name in REQUIRED[path])).map(list)
    names = st.sampled_from([*PARAMETERS[path], "unknown", "\x00", "App"])
    others = st.lists(names.flatmap(pair), max_size=3)
    noise = st.lists(st.sampled_from([b"", b"=", b"&", b"app", b"%", b"%zz", b"+", b";"]))
    return st.tuples(required | st.just([]), others, noise.filter(lambda n: len(n) < 3)).map(
        lambda parts: b"&".join([*parts[0], *parts[1], *parts[2]])
    )


def _plausible(path: str) -> st.SearchStrategy[bytes]:
    """Return query strings that are mostly accepted: required values, and at most one more."""
    values = PARAMETERS[path]
    required = {name: st.sampled_from(values[name][:2]) for name in REQUIRED[path]}
    other = st.sampled_from([name for name in values if name not in required])
    more = other.flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(values[name])))
    return st.tuples(st.fixed_dictionaries(required), st.lists(more, max_size=1)).map(
        lambda parts: str(httpx.QueryParams({**parts[0], **dict(parts[1])})).encode()
    )


def _queries(path: str) -> st.SearchStrategy[list[bytes]]:
    return st.lists(_plausible(path) | _plausible(path) | _pairs(path), min_size=8, max_size=8)


class Sweep:
    """One suite with data, for many questions."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.run = runner.run
        self.suite = Suite(ManualClock())

    async def start(self) -> None:
        """Give both arms samples."""
        await self.suite.__aenter__()
        for pod_hash, bad in ((CANARY, 40), (STABLE, 2)):
            await self.suite.ingest(pod_hash, bad=bad, count=400)
        self.suite.clock.advance(1)

    async def ask(self, path: str, queries: list[bytes], injection: dict[str, Any]) -> None:
        """Check every answer while this injection is the only one in force."""
        await self.suite.apm.delete("/control/injections", headers=ADMIN)
        if injection:
            await self.suite.inject(**injection)
        base = httpx.URL(f"http://{HOSTS[path]}")
        for query in queries:
            url = base.copy_with(raw_path=path.encode() + b"?" + query)
            _check(path, await self.suite.apm.get(url, headers=KEY))


@pytest.fixture(name="sweep", scope="module")
def _sweep() -> Iterator[Sweep]:
    with asyncio.Runner() as runner:
        sweep = Sweep(runner)
        runner.run(sweep.start())
        yield sweep
        runner.run(sweep.suite.__aexit__())


def _check(path: str, response: httpx.Response) -> None:
    """Every answer is one JSON document for Go's decoder: an answer, or a problem without one."""
    told = (response.status_code, response.text)
    document = gojson.decode(response.content)
    assert isinstance(document, dict), told
    asked_for = document.get("error") == "injected_status"
    assert response.status_code == 200 or response.status_code >= 400 or asked_for, told
    assert response.status_code != 500, told
    if response.status_code != 200:
        assert response.headers["content-type"] == "application/problem+json", told
        assert document["status"] == response.status_code, told
        assert not {"errorRate", "verdict", "passed", "httpCode"} & set(document), told
        assert not any(f'"{name}"' in response.text for name in ("errorRate", "verdict")), told
    elif path == "/v1/metrics":
        value = document[document["metric"]]
        assert isinstance(value, float), told
        assert value >= 0, told
    elif path == "/v1/analysis":
        assert document["verdict"] in {"pass", "fail", "inconclusive"}, told
        assert document["passed"] is (document["verdict"] == "pass"), told
    else:
        assert document["status"] == ("healthy" if document["httpCode"] == 200 else "unhealthy"), (
            told
        )


SWEEP = settings(max_examples=60)


@SWEEP
@given(queries=_queries("/v1/metrics"), injection=INJECTIONS)
@example(queries=[b"app=voting01-vote-qa&metric=errorRate&window=3m"], injection={})
def test_the_facade_answers_json_whatever_is_asked(
    sweep: Sweep, queries: list[bytes], injection: dict[str, Any]
) -> None:
    """A number under the metric's name, or a problem without that name."""
    sweep.run(sweep.ask("/v1/metrics", queries, injection))


@SWEEP
@given(queries=_queries("/v1/analysis"), injection=INJECTIONS)
@example(queries=[f"app=voting01-vote-qa&canary={CANARY}&stable={STABLE}".encode()], injection={})
def test_the_analysis_answers_json_whatever_is_asked(
    sweep: Sweep, queries: list[bytes], injection: dict[str, Any]
) -> None:
    """A verdict, or a problem without one."""
    sweep.run(sweep.ask("/v1/analysis", queries, injection))


@SWEEP
@given(queries=_queries("/v1/health-check"))
@example(queries=[b"service=vote-canary&namespace=voting01-qa"])
def test_the_health_check_answers_json_whatever_is_asked(
    sweep: Sweep, queries: list[bytes]
) -> None:
    """A status with its code, or a problem without one."""
    sweep.run(sweep.ask("/v1/health-check", queries, {}))


@pytest.fixture(name="suite", scope="module")
async def _suite() -> AsyncIterator[Suite]:
    """One suite for all, as nothing here changes anything in it."""
    clock = ManualClock()
    async with Suite(clock) as suite:
        for pod_hash in (CANARY, STABLE):
            await suite.ingest(pod_hash, bad=2, count=400)
        clock.advance(1)
        yield suite


GATE_QUERIES = {
    "/v1/metrics": "app=voting01-vote-qa&metric=errorRate&window=3m",
    "/v1/analysis": f"app=voting01-vote-qa&canary={CANARY}&stable={STABLE}",
    "/v1/health-check": "service=vote-canary&namespace=voting01-qa",
}


@pytest.mark.parametrize("path", sorted(GATE_QUERIES))
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"])
@pytest.mark.anyio
async def test_only_get_answers(suite: Suite, path: str, method: str) -> None:
    """Any other method is a 405 problem."""
    url = f"http://{HOSTS[path]}{path}?{GATE_QUERIES[path]}"
    response = await suite.apm.request(method, url, headers=KEY)
    assert response.status_code == 405
    assert "GET" in response.headers["allow"]
    _check(path, response)


@pytest.mark.parametrize("path", sorted(GATE_QUERIES))
@pytest.mark.parametrize("variant", [".json", "/x", "//x", ";x", "%20", "%00", "/..", "/%2e%2e/x"])
@pytest.mark.anyio
async def test_a_path_beside_the_gates_is_not_found(suite: Suite, path: str, variant: str) -> None:
    """A typing error in the URL is a problem, never a page or an empty answer."""
    url = f"http://{HOSTS[path]}{path}{variant}?{GATE_QUERIES[path]}"
    response = await suite.apm.get(url, headers=KEY, follow_redirects=True)
    assert 400 <= response.status_code < 500
    _check(path, response)


@pytest.mark.parametrize("path", sorted(GATE_QUERIES))
@pytest.mark.parametrize("slashes", ["/", "//"])
@pytest.mark.anyio
async def test_a_trailing_slash_gives_the_same_answer_or_none(
    suite: Suite, path: str, slashes: str
) -> None:
    """However it is answered, a gate that follows redirections ends at JSON."""
    url = f"http://{HOSTS[path]}{path}{slashes}?{GATE_QUERIES[path]}"
    _check(path, await suite.apm.get(url, headers=KEY, follow_redirects=True))


@pytest.mark.parametrize("path", sorted(GATE_QUERIES))
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Accept": "text/html"}, id="wants-html"),
        pytest.param({"Accept-Encoding": "gzip, br"}, id="compressed"),
        pytest.param({"Range": "bytes=0-3"}, id="range"),
        pytest.param({"If-None-Match": "*"}, id="conditional"),
        pytest.param({"If-Modified-Since": "Wed, 04 Feb 2099 02:00:00 GMT"}, id="if-modified"),
        pytest.param({"X-HTTP-Method-Override": "DELETE"}, id="override"),
        pytest.param({"Content-Type": "application/json"}, id="as-deployed"),
        pytest.param({"User-Agent": "Mozilla/5.0"}, id="browser"),
    ],
)
@pytest.mark.anyio
async def test_headers_do_not_change_the_form_of_the_answer(
    suite: Suite, path: str, headers: dict[str, str]
) -> None:
    """No 206, no 304, no page: a gate always gets the whole document."""
    url = f"http://{HOSTS[path]}{path}?{GATE_QUERIES[path]}"
    response = await suite.apm.get(url, headers={**KEY, **headers})
    assert response.status_code == 200
    _check(path, response)


@pytest.mark.parametrize("key", [None, "", "wrong", "admin-key", "t\u00e9st-key", "test-key "])
@pytest.mark.anyio
async def test_no_other_key_gets_a_number(suite: Suite, key: str | None) -> None:
    """401 or 403, as a problem."""
    headers = {} if key is None else {b"Api-Key": key.encode("latin-1")}
    url = f"/v1/metrics?{GATE_QUERIES['/v1/metrics']}"
    response = await suite.apm.get(url, headers=headers)
    assert response.status_code in {401, 403}
    _check("/v1/metrics", response)


@pytest.mark.anyio
async def test_an_analyzer_with_keys_gives_no_verdict_without_one(clock: ManualClock) -> None:
    """401, as a problem, on both routes of the gate."""
    async with Suite(clock, judge={"api_keys": "k1,k2"}) as suite:
        for path in ("/v1/analysis", "/v1/health-check"):
            for headers in ({}, KEY, ADMIN):
                response = await suite.analyzer.get(f"{path}?{GATE_QUERIES[path]}", headers=headers)
                assert response.status_code == 401
                _check(path, response)
