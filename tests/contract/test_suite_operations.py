"""What every service has beside its own work, and that nothing which is sent to it crashes it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_from_bytes

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp
from structlog.testing import capture_logs

import analyzer.app
import analyzer.settings
import mock_newrelic.app
import mock_newrelic.settings
import voteapp.app
import voteapp.settings
import votegen.app
import votegen.settings
from suite_apps import ADMIN, APP, KEY, Cluster, at_once
from svckit.asgi import distribution_version
from svckit.clock import ManualClock
from votegen_fakes import FakeTargets


def _mock_newrelic(clock: ManualClock) -> ASGIApp:
    return mock_newrelic.app.create_app(
        mock_newrelic.settings.Settings(ephemeral=True), clock=clock
    )


WINDOW = {
    "start": "2026-02-04T02:00:00Z", "end": "2026-02-04T02:00:30Z", "metric": "errors",
    "canary": {"count": 300, "bad": 6}, "stable": {"count": 1200, "bad": 24},
}  # fmt: skip


def _analyzer(clock: ManualClock) -> FastAPI:
    """Its source knows no application, and no Service that it may probe is there."""
    cluster = Cluster()
    cluster.hosts["apm.test"] = _mock_newrelic(clock)
    settings = analyzer.settings.Settings(
        source="newrelic=http://apm.test",
        newrelic_api_key="test-key",
        health_allow="*/*",
        ephemeral=True,
    )
    return analyzer.app.create_app(settings, clock=clock, transport=cluster)


def _voteapp(clock: ManualClock) -> FastAPI:
    return voteapp.app.create_app(voteapp.settings.VoteappSettings(), clock=clock, sleep=at_once)


def _votegen(clock: ManualClock) -> FastAPI:
    return votegen.app.create_app(
        votegen.settings.VotegenSettings(),
        clock=clock,
        connectors=FakeTargets(clock),
        monotonic=clock.now,
        sleep=clock.sleep,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: how it is built, and what it is called."""

    package: str
    title: str
    build: Callable[[ManualClock], ASGIApp]
    not_found: str = "/nope"
    first: tuple[tuple[str, str, Any], ...] = ()
    """What is sent before anything else, so that there is something to spoil."""


SERVICES = {
    each.package: each
    for each in (
        Service(
            package="mock_newrelic",
            title="mock-newrelic",
            build=_mock_newrelic,
            first=(
                ("POST", "/v1/accounts/1/events", {"eventType": "Transaction", "appName": APP}),
                ("POST", "/control/injections", {"app": "another", "effect": {"status": 503}}),
                ("PUT", "/control/snapshots/before", {"requests": []}),
            ),
        ),
        Service(
            package="analyzer",
            title="canary-analyzer",
            build=_analyzer,
            first=(("POST", "/v1/judge", {"run": "r1", "windows": [WINDOW]}),),
        ),
        Service(
            package="votegen",
            title="votegen",
            build=_votegen,
            first=(("PUT", "/control/plan", {"targets": [{"url": "http://vote.test"}]}),),
        ),
        # Elsewhere voteapp is the voting application, which answers in HTML.
        Service(package="voteapp", title="voteapp", build=_voteapp, not_found="/control/nope"),
    )
}
every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


@pytest.fixture(name="client")
async def _client(service: Service, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    async with _client_of(service.build(clock)) as client:
        yield client


def _client_of(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.test")


PARAMETER = re.compile(r"\{\w+\}")
FOREIGN = (
    "/v1/accounts/", "/metric/v1", "/trace/v1", "/log/v1", "/v1/traces", "/v1/logs", "/graphql",
    "/v2/", "/agent_listener/", "/judge",
)  # fmt: skip
"""Protocols of others, whose clients expect their own forms. That right requests are answered is
tested with these clients and with what was recorded of them."""


def _is_foreign(path: str, method: str = "") -> bool:
    return path.startswith(FOREIGN) or (method, path) == ("POST", "/v1/metrics")


def _is_problem(response: httpx.Response) -> bool:
    """Whether the answer is a problem with its members, and only with known ones."""
    document = response.json()
    members = {"type", "title", "status", "detail", "instance", "error", "hint", "errors"}
    return (
        response.headers["content-type"] == "application/problem+json"
        and {"type", "title", "status", "detail", "error"} <= set(document) <= members
        and document["status"] == response.status_code
        and document["type"].endswith(document["error"])
    )


@every_service
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
@pytest.mark.anyio
async def test_health_is_told(client: httpx.AsyncClient, path: str) -> None:
    """A service that can work says so in JSON, without a key."""
    response = await client.get(path)
    assert response.status_code == 200
    assert response.json()["status"] == "ok"


@every_service
@pytest.mark.anyio
async def test_metrics_can_be_scraped(service: Service, client: httpx.AsyncClient) -> None:
    """Prometheus text that parses, with the build and the requests that were served."""
    await client.get("/livez")
    response = await client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {each.name: each for each in text_string_to_metric_families(response.text)}
    [build] = families[f"{service.package}_build_info"].samples
    assert (build.labels, build.value) == ({"version": distribution_version()}, 1)
    served = families["http_server_request_duration_seconds"].samples
    assert any(
        each.name.endswith("_count") and each.labels["route"] == "/livez" and each.value == 1
        for each in served
    )


@every_service
@pytest.mark.anyio
async def test_the_api_is_documented(service: Service, client: httpx.AsyncClient) -> None:
    """Every operation has a summary and a name of its own."""
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    assert document["info"]["title"] == service.title
    assert document["info"]["version"] == distribution_version()
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert all(each["summary"] for each in operations)
    assert len({each["operationId"] for each in operations}) == len(operations)


@every_service
@pytest.mark.anyio
async def test_the_documentation_is_a_page(service: Service, client: httpx.AsyncClient) -> None:
    """/docs shows the service's own document."""
    response = await client.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert service.title in response.text
    assert "/openapi.json" in response.text


@every_service
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.anyio
async def test_an_unknown_path_is_a_problem(
    service: Service, client: httpx.AsyncClient, method: str
) -> None:
    """404, never a page."""
    response = await client.request(method, service.not_found)
    assert response.status_code == 404
    assert _is_problem(response)


@every_service
@pytest.mark.anyio
async def test_a_wrong_method_is_a_problem(client: httpx.AsyncClient) -> None:
    """405 with the methods that are there, on every documented path."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert len(paths) > 5
    for path, operations in paths.items():
        if _is_foreign(path):
            continue
        response = await client.request("PROPFIND", PARAMETER.sub("1", path), headers=KEY)
        assert response.status_code == 405, path
        assert _is_problem(response), path
        # The framework names the methods of the first route of a path.
        allowed = set(response.headers["allow"].split(", "))
        assert allowed <= {method.upper() for method in operations}, path


@every_service
@pytest.mark.anyio
async def test_problems_have_an_instance_of_their_own(
    service: Service, client: httpx.AsyncClient
) -> None:
    """Two equal refusals can be told apart in a log."""
    instances = [(await client.get(service.not_found)).json()["instance"] for _ in range(2)]
    assert instances[0] != instances[1]


# Fuzzing: a request that is right in every part, with some part of it spoilt.


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A request that is answered with 2xx: parameters, a document, and what the path needs."""

    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    segment: str = "1"


EVENT = {
    "eventType": "Transaction", "appName": APP, "timestamp": 1770170400000, "duration": 0.02,
    "error": False, "httpResponseCode": "200", "podTemplateHash": "7cd75c6d7c", "role": "canary",
    "host": "vote-7cd75c6d7c-7hqnx", "version": "v17", "request.uri": "/", "request.method": "POST",
    "request.headers.userAgent": "votegen", "name": "vote", "zone": "a", "tags.team": 7,
}  # fmt: skip
FACADE = {"app": APP, "metric": "errorRate", "window": "5m"}
TARGET = {"name": "canary", "url": "http://vote.test:8083/", "weight": 20}
SAMPLES = {
    ("mock_newrelic", "GET", "/v1/metrics"): Sample(
        query={**FACADE, "detail": "full", "min_samples": "1", "since": "2026-02-04T01:59:00Z"}
    ),
    ("mock_newrelic", "GET", "/v1/metrics/series"): Sample(query={**FACADE, "step": "10s"}),
    ("mock_newrelic", "GET", "/v1/metrics/histogram"): Sample(
        query={"app": APP, "window": "5m", "since": "2026-02-04T01:59:00Z"}
    ),
    ("mock_newrelic", "POST", "/v1/metrics:batch"): Sample(body={"queries": [FACADE, FACADE]}),
    ("mock_newrelic", "GET", "/v1/apps/{app}"): Sample(segment=APP),
    ("mock_newrelic", "POST", "/v1/accounts/events"): Sample(body=[EVENT, EVENT]),
    ("mock_newrelic", "POST", "/v1/accounts/{account}/events"): Sample(body=EVENT),
    ("mock_newrelic", "POST", "/control/injections"): Sample(
        body={
            "app": "voting01-*", "role": "canary", "hash": "7cd75c6d7c", "version": "v17",
            "host": "h", "metric": "errorRate", "effect": {"set": 5.2, "unit": "percent"},
            "ttl": "10m", "delay": "1s", "probability": 0.5, "priority": 1, "seed": 2,
            "reason": "test",
        }
    ),
    ("mock_newrelic", "POST", "/control/injections:preview"): Sample(
        body={"app": "voting01-*", "metric": "errorRate", "effect": {"set": 5.2}}
    ),
    ("mock_newrelic", "GET", "/control/audit"): Sample(query={"format": "jsonl"}),
    ("mock_newrelic", "POST", "/control/snapshots/{name}"): Sample(segment="new", body={}),
    ("mock_newrelic", "GET", "/control/snapshots/{name}"): Sample(segment="before"),
    ("mock_newrelic", "PUT", "/control/snapshots/{name}"): Sample(
        segment="after", body={"requests": []}
    ),
    ("mock_newrelic", "DELETE", "/control/snapshots/{name}"): Sample(segment="before"),
    ("mock_newrelic", "POST", "/control/sessions"): Sample(body={"ttl": "10m"}),
    ("mock_newrelic", "DELETE", "/control/injections/{identity}"): Sample(segment="inj_000001"),
    ("mock_newrelic", "GET", "/control/requests"): Sample(
        query={"surface": "ingest", "app": APP, "limit": "10"}
    ),
    ("mock_newrelic", "POST", "/control/wait"): Sample(
        query={"timeout": "0s", "app": APP, "samples": "1"}
    ),
    ("mock_newrelic", "POST", "/control/reset"): Sample(query={"app": "another"}),
    ("analyzer", "GET", "/v1/analysis"): Sample(
        query={
            "app": APP, "canary": "7cd75c6d7c", "stable": "54bc444575", "window": "5m",
            "since": "2026-02-04T01:59:00Z", "error_threshold": "2", "source": "newrelic",
            "config": "strict",
        }
    ),
    ("analyzer", "GET", "/v1/analysis/{run}"): Sample(segment="r1"),
    ("analyzer", "GET", "/v1/analysis/{run}/page"): Sample(segment="r1"),
    ("analyzer", "GET", "/v1/health-check"): Sample(
        query={"service": "vote-canary", "namespace": "voting01-qa", "path": "/health"}
    ),
    ("analyzer", "POST", "/v1/judge"): Sample(
        body={
            "id": "r1", "config": "balanced", "horizon": "11m", "interval": "30s", "weight": 20,
            "windows": [WINDOW],
        }
    ),
    ("voteapp", "GET", "/control/votes"): Sample(query={"limit": "5"}),
    ("voteapp", "PUT", "/control/faults"): Sample(
        body={
            "error_ratio": 0.05, "latency": {"add": "200ms", "jitter": "50ms"}, "status": 503,
            "hang": "1s", "scope": "POST",
        }
    ),
    ("votegen", "PUT", "/control/plan"): Sample(
        body={
            "targets": [TARGET, {"url": "http://other.test"}], "rate": 50, "duration": "60s",
            "arrivals": "poisson", "connections": 5, "voters": "returning:9", "split_a": 0.66,
            "timeout": "10s", "host_header": "vote.test", "seed": 1,
        }
    ),
    ("votegen", "PATCH", "/control/plan"): Sample(
        body={"rate": 10, "targets": [TARGET], "weights": {"canary": 3}}
    ),
}  # fmt: skip

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
TEXT = st.sampled_from(
    [
        "", "0", "-1", "1", "5m", "1h30m", "0s", "2026-02-04T02:00:00Z", "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999+23:59", "0001-01-01T00:00:00+23:59", "errorRate", "p95",
        "apdex", "nan", "inf", "1e999", "full", "/", "//", "..", "\x00", "\ud800", "1\ud800",
        "http://\ud800", "http://[::1", "returning:0", "a" * 300, "null", "true", "{}", "[]", "*",
        "[", "%", "&", "\u0661", "9" * 5000, "9" * 5000 + "s", "0." + "9" * 5000 + "m", "9999h",
    ]
) | st.text(max_size=10)  # fmt: skip
VALUES: st.SearchStrategy[Any] = (
    TEXT | JSON | st.sampled_from([0, -1, 1, 0.5, 1e300, -0.0, 2**63, [], {}, "", None])
)
HEADERS = st.sampled_from(
    [
        *[{}] * 12, {"content-type": b"text/plain"}, {"content-type": b"\xff"},
        {"content-type": b"multipart/form-data"}, {"content-encoding": b"gzip"},
        {"content-type": b"application/x-www-form-urlencoded"}, {"content-encoding": b"br"},
        {"x-request-id": b"\xe9" * 300}, {"cookie": b"voter_id=\xe9"}, {"accept": b"text/html"},
        {"api-key": b"\xff"}, {"api-key": b""},
    ]
)  # fmt: skip
RAW = st.binary(max_size=12) | st.sampled_from(
    [b"", b"{", b"[" * 20_000, b"\xff", b"NaN", b'{"a":1e999}', b'"\\ud800"', b"0" * 5000]
)
GONE = object()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _places(document: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of everything in a document, itself included."""
    yield here
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _places(value, (*here, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from _places(value, (*here, index))


def _spoilt(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return the document with another value in a place, or without it."""
    if not place:
        return None if value is GONE else value
    key, *rest = place
    document = document.copy()
    if not rest and value is GONE:
        del document[key]
    else:
        document[key] = _spoilt(document[key], tuple(rest), value)
    return document


def _bodies(sample: Sample) -> st.SearchStrategy[bytes]:
    if sample.body is None:
        return st.just(b"") | RAW
    place = st.sampled_from(list(_places(sample.body)))
    documents = st.tuples(place, VALUES | st.just(GONE)).map(
        lambda change: _spoilt(sample.body, *change)
    )
    return st.one_of(RAW, *[documents.map(lambda value: json.dumps(value).encode())] * 9)


def _queries(sample: Sample) -> st.SearchStrategy[bytes]:
    """Return the sample's parameters with one changed, dropped, doubled or added."""
    good = list(sample.query.items())

    def spoilt(change: tuple[str, int, str]) -> list[tuple[str, str]]:
        how, index, text = change
        pairs = good.copy()
        name, value = pairs[index] if pairs else ("x", "y")
        match how:
            case "value":
                pairs[index : index + 1] = [(name, text)]
            case "name":
                pairs[index : index + 1] = [(text, value)]
            case "drop":
                pairs[index : index + 1] = []
            case _:
                pairs.append((name if how == "double" else text, text))
        return pairs

    ways = st.sampled_from(["value", "value", "name", "drop", "double", "add"])
    written = st.tuples(ways, st.integers(0, max(0, len(good) - 1)), TEXT).map(
        lambda change: b"&".join(
            "=".join(quote_from_bytes(_bytes(part)) for part in pair).encode()
            for pair in spoilt(change)
        )
    )
    right = st.just(str(httpx.QueryParams(sample.query)).encode())
    noise = st.binary(max_size=6).map(
        lambda octets: quote_from_bytes(octets, safe="&=+;%").encode()
    )
    return st.one_of(right, written, written, written, st.tuples(right, noise).map(b"&".join))


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One documented operation of a service."""

    service: Service
    method: str
    path: str
    definition: dict[str, Any]

    @property
    def sample(self) -> Sample:
        """A request that is right."""
        return SAMPLES.get((self.service.package, self.method, self.path), Sample())

    def request(
        self, client: httpx.AsyncClient, segment: str, query: bytes, body: bytes, **headers: bytes
    ) -> httpx.Request:
        """Build a request with the right key, unless a header says otherwise."""
        filled = quote(_bytes(segment), safe="")
        path = PARAMETER.sub(lambda _: filled, self.path)
        key = ADMIN if self.path.startswith("/control") else KEY
        given = {"api-key": key["Api-Key"].encode(), "content-type": b"application/json"} | headers
        return client.build_request(
            self.method,
            client.base_url.copy_with(raw_path=path.encode() + (b"?" + query if query else b"")),
            content=body,
            headers={name.encode(): value for name, value in given.items()},
        )

    def __str__(self) -> str:
        return f"{self.service.package}-{self.method}-{self.path}"


def _operations() -> Iterator[Operation]:
    for service in SERVICES.values():
        app: Any = service.build(ManualClock())
        for path, operations in getattr(app, "_app", app).openapi()["paths"].items():
            for method, definition in operations.items():
                yield Operation(
                    service=service, method=method.upper(), path=path, definition=definition
                )


OPERATIONS = list(_operations())
UNGUESSABLE = "/control/sessions/{token}"
"""A token is known to whoever began the session; the tests of sessions do that."""
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=str)


@pytest.fixture(name="loop", scope="module")
def _loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(name="served")
def _served(loop: asyncio.Runner, operation: Operation) -> Iterator[httpx.AsyncClient]:
    """A client of the operation's service, which holds something to spoil."""
    client = _client_of(operation.service.build(ManualClock()))
    for method, path, document in operation.service.first:
        key = ADMIN if path.startswith("/control") else KEY
        response = loop.run(client.request(method, path, json=document, headers=key))
        assert response.is_success, response.text
    yield client
    loop.run(client.aclose())


@pytest.mark.parametrize(
    "operation",
    [
        one
        for one in OPERATIONS
        if not _is_foreign(one.path, one.method) and one.path != UNGUESSABLE
    ],
    ids=str,
)
def test_a_right_request_is_answered(
    loop: asyncio.Runner, served: httpx.AsyncClient, operation: Operation
) -> None:
    """What the fuzzing starts from works, and nothing documented is left out of it."""
    sample = operation.sample
    if operation.definition.get("parameters") or "requestBody" in operation.definition:
        assert sample != Sample()
    query = str(httpx.QueryParams(sample.query)).encode()
    body = b"" if sample.body is None else json.dumps(sample.body).encode()
    response = loop.run(served.send(operation.request(served, sample.segment, query, body)))
    assert response.is_success, response.text


@every_operation
def test_no_request_crashes_a_service(
    loop: asyncio.Runner, served: httpx.AsyncClient, operation: Operation
) -> None:
    """Any query, body and header ends in an answer; a refusal tells why, never with a 500."""
    sample = operation.sample
    segments = st.just(sample.segment) | TEXT.filter(bool)
    queries = _queries(sample)
    if operation.path == "/control/wait":
        # It waits in real time, so it must be told not to.
        queries = queries.filter(lambda query: b"timeout=0s&" in query)

    @settings(max_examples=30)
    @given(segment=segments, query=queries, body=_bodies(sample), headers=HEADERS)
    def attack(segment: str, query: bytes, body: bytes, headers: dict[str, bytes]) -> None:
        request = operation.request(served, segment, query, body, **headers)
        response = loop.run(served.send(request))
        assert response.status_code < 500 or response.status_code in {502, 507}, response.text
        if response.is_error and not _is_foreign(operation.path, operation.method):
            assert _is_problem(response), response.text
        assert "Traceback" not in response.text

    with capture_logs():  # a crash would be told in full for every example
        attack()
    assert loop.run(served.get("/livez")).status_code == 200


BEYOND = 10**400
"""A whole number that no float can hold, and few parsers mind."""
PLAN = {"targets": [TARGET]}
SERVED = {"eventType": "Transaction", "appName": "a"}


@pytest.mark.parametrize(
    ("package", "method", "path", "body"),
    [
        ("votegen", "PUT", "/control/plan", PLAN | {"rate": BEYOND}),
        ("votegen", "PUT", "/control/plan", PLAN | {"split_a": BEYOND}),
        ("votegen", "PUT", "/control/plan", PLAN | {"connections": BEYOND}),
        ("votegen", "PUT", "/control/plan", {"targets": [TARGET | {"weight": BEYOND}]}),
        ("voteapp", "PUT", "/control/faults", {"error_ratio": BEYOND}),
        ("voteapp", "PUT", "/control/faults", {"status": BEYOND}),
        ("analyzer", "POST", "/v1/judge",
         {"windows": [WINDOW | {"canary": {"count": BEYOND, "bad": 0}}]}),
        ("mock_newrelic", "POST", "/v1/accounts/1/events", [SERVED | {"duration": BEYOND}]),
        ("mock_newrelic", "POST", "/v1/accounts/1/events", [SERVED | {"timestamp": BEYOND}]),
        ("mock_newrelic", "POST", "/control/injections",
         {"app": "a", "effect": {"status": BEYOND}}),
        ("mock_newrelic", "POST", "/control/injections",
         {"app": "a", "effect": {"set": BEYOND}}),
        ("mock_newrelic", "POST", "/control/injections",
         {"app": "a", "effect": {"error_ratio": BEYOND}}),
    ],
)  # fmt: skip
@pytest.mark.anyio
async def test_a_number_beyond_any_float_is_refused(
    clock: ManualClock, package: str, method: str, path: str, body: Any
) -> None:
    """It is too large like any other number that is."""
    key = ADMIN if path.startswith("/control") else KEY
    async with _client_of(SERVICES[package].build(clock)) as client:
        response = await client.request(method, path, json=body, headers=key)
    assert 400 <= response.status_code < 500
    assert _is_problem(response)
