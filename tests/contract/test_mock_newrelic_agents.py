"""The collector: what agents may send, what they are told, and what nobody should send."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mock_newrelic_bench import ADMIN, APP, KEY, Bench
from svckit.clock import ManualClock
from svckit.timestamps import format_timestamp
from telemetry_traffic import as_events, quantile, traffic

pytestmark = pytest.mark.anyio

PATH = "/agent_listener/invoke_raw_method"
LICENSE = "0123456789abcdef0123456789abcdef01234567"
DATA = (
    "metric_data", "analytic_event_data", "error_event_data", "custom_event_data",
    "span_event_data", "log_event_data",
)  # fmt: skip
OTHERS = (
    "agent_settings", "error_data", "transaction_sample_data", "sql_trace_data", "profile_data",
    "update_loaded_modules", "get_agent_commands", "agent_command_results",
)  # fmt: skip


class Agent:
    """An agent by hand, one run of it."""

    def __init__(self, bench: Bench, *, client: str = "NewRelic-PythonAgent/14.1.0") -> None:
        self.bench = bench
        self.client = client
        self.run_id = ""
        self.told: dict[str, Any] = {}

    async def send(
        self, method: str, body: bytes, *, license_key: str = LICENSE, **headers: str
    ) -> httpx.Response:
        """Call a method with a body as it goes over the wire."""
        query = {"method": method, "protocol_version": "17", "marshal_format": "json"}
        query |= {"license_key": license_key}
        if self.run_id:
            query["run_id"] = self.run_id
        own = {"User-Agent": self.client, **self.told.get("request_headers_map", {}), **headers}
        return await self.bench.http.post(PATH, params=query, content=body, headers=own)

    async def call(self, method: str, body: Any, **headers: str) -> Any:
        """Call a method and insist on success; return its value."""
        answer = await self.send(method, json.dumps(body).encode(), **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()["return_value"]

    async def connect(self, *apps: str, **more: Any) -> dict[str, Any]:
        """Connect, and keep the run."""
        self.run_id = ""
        wanted = {"app_name": list(apps or (APP,)), "language": "python", "host": "h1", **more}
        self.told = await self.call("connect", [wanted])
        self.run_id = self.told.get("agent_run_id", "")
        return self.told

    async def harvest(
        self, events: list[Any], *, seen: int | None = None, method: str = "analytic_event_data"
    ) -> None:
        """Send events, `seen` of which were seen."""
        reservoir = {"reservoir_size": 833, "events_seen": len(events) if seen is None else seen}
        await self.call(method, [self.run_id, reservoir, events])

    async def minute(self, count: int, errors: int, seconds: float, *, until: float) -> None:
        """Send the exact counts of the minute that ends at an instant."""
        metrics = [
            [{"name": "HttpDispatcher", "scope": ""}, [count, seconds, seconds, 0, 1, 1]],
            [{"name": "Errors/all"}, [errors, 0, 0, 0, 0, 0]],
        ]
        await self.call("metric_data", [self.run_id, until - 60, until, metrics])


def transaction(at: float, *, duration: float = 0.1, status: int = 200, **more: Any) -> list[Any]:
    """Return an event as agents send them; `more` are attributes of the user."""
    intrinsic = {"type": "Transaction", "name": "WebTransaction/Function/app:ok"}
    intrinsic |= {"timestamp": round(at * 1000), "duration": duration}
    return [intrinsic, more, {"http.statusCode": status, "request.uri": "/"}]


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


@pytest.fixture(name="agent")
async def _agent(bench: Bench) -> Agent:
    agent = Agent(bench)
    await agent.connect(labels=[{"label_type": "role", "label_value": "canary"}])
    return agent


async def _rows(bench: Bench, query: str) -> list[dict[str, Any]]:
    answer = await bench.http.get(
        "/v1/accounts/1/query", params={"nrql": query}, headers={"X-Query-Key": "test-key"}
    )
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["results"]
    return rows


async def test_a_sample_of_a_reservoir_stands_for_exactly_what_was_seen(
    bench: Bench, clock: ManualClock, agent: Agent
) -> None:
    """833 events of 6322 seen, 83 of them errors: 6322 requests, in windows as in NRQL."""
    now = clock.now()
    events = [transaction(now - 2, status=200) for _ in range(833)]
    for event in events[::10][:83]:
        event[0]["error"] = True
    await agent.harvest(events, seen=6322)
    assert await bench.value("count") == 6322
    [row] = await _rows(bench, "SELECT count(*) FROM Transaction WHERE request.uri = '/'")
    assert row == {"count": 6322}
    rate = await bench.value("errorRate")
    assert rate == pytest.approx(100 * 83 / 833, abs=0.1)
    [row] = await _rows(bench, "SELECT percentage(count(*), WHERE error IS true) FROM Transaction")
    assert row["percentage"] == pytest.approx(rate, abs=1e-3)


async def test_an_agent_and_the_event_api_tell_the_same(
    bench: Bench, clock: ManualClock, agent: Agent
) -> None:
    """The same 10,000 requests by both ways: every number is the same, and p95 is the true one."""
    served = traffic(clock.now())
    events = [transaction(one.at, duration=one.seconds, status=one.status) for one in served]
    for event in events:
        event[0]["error"] = event[2]["http.statusCode"] >= 500
    for start in range(0, len(events), 1000):
        await agent.harvest(events[start : start + 1000])
        told = as_events(served[start : start + 1000], APP)
        assert (await bench.send(told)).status_code == 200
    for metric in ("count", "errorRate", "httpErrorRate", "http4xxRate", "responseTime", "p95"):
        values = [await bench.value(metric, source=name) for name in ("agent", "events")]
        assert values[0] == pytest.approx(values[1], rel=1e-6), metric
    p95 = await bench.value("p95", source="agent")
    assert p95 / 1000 == pytest.approx(quantile(served, 0.95), rel=0.02)


async def test_both_meanings_of_an_error_are_kept(
    bench: Bench, clock: ManualClock, agent: Agent
) -> None:
    """A returned 500 is no error unless the agent says so; a raised one that is no 500 is one."""
    at = clock.now() - 2
    returned = transaction(at, status=500)
    raised = transaction(at, status=200)
    raised[0]["error"] = True
    both = transaction(at, status=503)
    both[0] |= {"error": True, "apdexPerfZone": "F"}
    expected = transaction(at)
    expected[0] |= {"error": True, "apdexPerfZone": "S"}
    await agent.harvest([returned, raised, both, expected, transaction(at, status=404)])
    assert await bench.value("errorRate") == 40
    assert await bench.value("httpErrorRate") == 40
    assert await bench.value("http4xxRate") == 20
    for condition, count in (
        ("error IS true", 2), ("error IS false", 3), ("httpResponseCode LIKE '5%'", 2),
        ("http.statusCode >= 500", 2), ("error.expected IS true", 1),
    ):  # fmt: skip
        rows = await _rows(bench, f"SELECT count(*) FROM Transaction WHERE {condition}")  # noqa: S608
        assert rows == [{"count": count}], condition


async def test_connect_tells_what_events_belong_to(bench: Bench, clock: ManualClock) -> None:
    """Application, host, tags, names of Kubernetes; the hash is in the pod's name."""
    agent = Agent(bench)
    await agent.connect(
        APP,
        labels=[{"label_type": "role", "label_value": "canary"}],
        metadata={
            "NEW_RELIC_METADATA_KUBERNETES_POD_NAME": "vote-7cd75c6d7c-7hqnx",
            "NEW_RELIC_METADATA_KUBERNETES_NAMESPACE_NAME": "voting",
        },
    )
    await agent.harvest([transaction(clock.now() - 1, region="eu")] * 3)
    for selector in (
        {"role": "canary"}, {"hash": "7cd75c6d7c"}, {"host": "vote-7cd75c6d7c-7hqnx"},
        {"label.region": "eu"}, {"transaction": "WebTransaction/Function/app:ok"},
    ):  # fmt: skip
        assert await bench.value("count", **selector) == 3, selector
    assert await bench.error("count", role="stable") == "404 no_data"
    [row] = await _rows(bench, "SELECT count(*) FROM Transaction WHERE podTemplateHash LIKE '7cd%'")
    assert row == {"count": 3}


async def test_a_hash_that_the_application_adds_is_the_hash(
    bench: Bench, clock: ManualClock, agent: Agent
) -> None:
    """As a custom attribute of its transactions."""
    own = {"rollouts-pod-template-hash": "79bd65fcc9"}
    await agent.harvest([transaction(clock.now() - 1, **own), transaction(clock.now() - 1)])
    assert await bench.value("count", hash="79bd65fcc9", role="canary") == 1
    assert await bench.value("count", role="canary") == 2


async def test_a_roll_up_counts_for_each_of_its_names(bench: Bench, clock: ManualClock) -> None:
    """Three names at most, as New Relic has it."""
    agent = Agent(bench)
    await agent.connect(APP, "voting", "all", "one too many")
    await agent.harvest([transaction(clock.now() - 1)] * 2)
    await agent.minute(2, 0, 0.2, until=clock.now())
    for app in (APP, "voting", "all"):
        for source in ("agent", "agent_metrics"):
            assert await bench.value("count", app=app, source=source) == 2
    assert await bench.error("count", app="one too many") == "404 unknown_app"


async def test_an_application_is_known_as_soon_as_its_agent_connects(
    bench: Bench, agent: Agent
) -> None:
    """No request yet is no data, not an unknown application."""
    assert agent.run_id
    assert await bench.error("errorRate") == "404 no_data"


async def test_exact_counts_answer_for_the_minutes_that_they_cover(
    bench: Bench, clock: ManualClock, agent: Agent
) -> None:
    """Never quantiles and statuses, which they lack; never a minute that is not told yet."""
    start = clock.now()
    clock.advance(60)
    await agent.harvest([transaction(start + 30)] * 50, seen=99)
    await agent.minute(100, 7, 12.5, until=clock.now())
    clock.advance(30)
    at = {"at": format_timestamp(start + 60), "window": "1m", "detail": "full"}
    told = (await bench.ask("count", **at)).json()
    assert (told["count"], told["errorCount"], told["source"]) == (100, 7, "agent_metrics")
    assert await bench.value("responseTime", **at) == 125.0
    for metric, value in (("p95", 100), ("httpErrorRate", 0.0)):
        told = (await bench.ask(metric, **at)).json()
        assert told["source"] == "agent"
        assert told[metric] == pytest.approx(value, rel=0.02)
    told = (await bench.ask("count", window="2m", detail="full")).json()
    assert (told["count"], told["source"]) == (99, "agent")
    for metric, code in (("p95", "no_distribution"), ("httpErrorRate", "no_statuses")):
        assert await bench.error(metric, source="agent_metrics") == f"404 {code}"


async def test_health_checks_count_in_no_rate(
    bench: Bench, clock: ManualClock, agent: Agent
) -> None:
    """And counts that have them among them do not answer any more, unless they are asked for."""
    at = clock.now() - 1
    probe = transaction(at)
    probe[2]["request.headers.userAgent"] = "kube-probe/1.29"
    await agent.harvest([transaction(at)] * 3 + [probe])
    assert await bench.value("count") == 3
    clock.advance(60)
    await agent.minute(4, 0, 1, until=clock.now())
    clock.advance(5)
    told = (
        await bench.ask("count", at=format_timestamp(clock.now() - 5), window="61s", detail="full")
    ).json()
    assert (told["count"], told["source"]) == (3, "agent")


@pytest.mark.parametrize(
    ("client", "host", "expected"),
    [
        ("NewRelic-PythonAgent/14", "apm.test:8443", "apm.test"),
        ("NewRelic-PythonAgent/14", "apm.test", "apm.test"),
        ("NewRelic-GoAgent/3", "apm.test:8443", "apm.test:8443"),
        ("NewRelic-GoAgent/3", "apm.test", "apm.test"),
        ("NewRelic-NodeAgent/13", "apm.test:8443", "apm.test:8443"),
        ("NewRelic-GoAgent/3", "[::1]:8443", "[::1]:8443"),
    ],
)
async def test_agents_are_redirected_in_the_form_that_they_understand(
    bench: Bench, client: str, host: str, expected: str
) -> None:
    """Python's keeps its port; the others need it, unless it is 443."""
    value = await Agent(bench, client=client).call("preconnect", [], Host=host)
    assert value == {"redirect_host": expected}


async def test_a_public_name_and_port_may_be_set(clock: ManualClock) -> None:
    """For a service behind another port: with 443, a bare name serves all agents."""
    async with Bench(clock, public_host="apm.example", public_port=443) as bench:
        for client in ("NewRelic-PythonAgent/14", "NewRelic-NodeAgent/13", "NewRelic-GoAgent/3"):
            value = await Agent(bench, client=client).call("preconnect", [], Host="10.0.0.1:8443")
            assert value == {"redirect_host": "apm.example"}


async def test_runs_end_and_unknown_ones_begin_anew(agent: Agent) -> None:
    """After shutdown, or with a run of another service: 409, and the type that agents expect."""
    await agent.call("shutdown", [agent.run_id])
    for run in (agent.run_id, "run-of-another-service", ""):
        agent.run_id = run
        answer = await agent.send("metric_data", b"[]")
        assert answer.status_code == 409
        kind = answer.json()["exception"]["error_type"]
        assert kind == "NewRelic::Agent::ForceRestartException"


@pytest.mark.parametrize(
    "key", ["", "short", "k" * 65, "0123456789abcdef 123456789abcdef", "ä" * 40]
)
async def test_a_malformed_licence_is_refused(bench: Bench, key: str) -> None:
    """With 401 and the type that agents expect."""
    answer = await Agent(bench).send("preconnect", b"[]", license_key=key)
    assert answer.status_code == 401
    assert answer.json()["exception"]["error_type"] == "NewRelic::Agent::LicenseException"


async def test_licences_may_be_listed(clock: ManualClock) -> None:
    """Then no other is good, however well-formed."""
    async with Bench(clock, license_keys=f"eu01xx{'7' * 34},other") as bench:
        for key, status in ((f"eu01xx{'7' * 34}", 200), ("other", 200), (LICENSE, 401)):
            assert (
                await Agent(bench).send("preconnect", b"[]", license_key=key)
            ).status_code == status


async def test_a_session_is_named_by_header_or_label(bench: Bench, clock: ManualClock) -> None:
    """The reply tells the agent to send the header along; sessions see nothing of each other."""
    created = await bench.http.post("/control/sessions", json={"name": "a"}, headers=ADMIN)
    token = created.json()["session"]
    agent = Agent(bench)
    told = await agent.connect(labels=[{"label_type": "mock_session", "label_value": token}])
    assert told["request_headers_map"]["X-Mock-Session"] == token
    await agent.harvest([transaction(clock.now() - 1)])
    assert await bench.error("count") == "404 unknown_app"
    assert await bench.value("count", mock_session=token) == 1
    refused = await Agent(bench).send(
        "connect",
        json.dumps(
            [{"app_name": ["a"], "labels": [{"label_type": "mock_session", "label_value": "no"}]}]
        ).encode(),
    )
    assert refused.status_code == 400


@pytest.mark.parametrize("encoding", ["identity", "Identity", "gzip", "deflate", ""])
async def test_every_encoding_of_agents_is_understood(
    bench: Bench, clock: ManualClock, agent: Agent, encoding: str
) -> None:
    """Whatever the content type says."""
    body = json.dumps([agent.run_id, {"events_seen": 1}, [transaction(clock.now() - 1)]]).encode()
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}.get(encoding, bytes)(body)
    answer = await agent.send(
        "analytic_event_data",
        packed,
        **{"Content-Encoding": encoding, "Content-Type": "application/octet-stream"},
    )
    assert answer.status_code == 200
    assert await bench.value("count") == 1


async def test_every_method_is_answered(agent: Agent) -> None:
    """What is not counted is accepted; binary profiles need be no JSON."""
    for method in OTHERS:
        value = await agent.call(method, [agent.run_id])
        assert value in ([], None)
    assert (await agent.send("pprof_data", b"\x1f\x8b\x00\xff")).status_code == 200


async def test_the_agent_is_told_otherwise(bench: Bench) -> None:
    """The effect changes what connect answers, and is named in a header and in the journal."""
    effect = {
        "report_period_ms": 60_000,
        "harvest_limits": {"analytic_event_data": 100, "span_event_data": 10},
        "collect_span_events": False,
    }
    made = await bench.inject({"agent": effect})
    told = await Agent(bench).connect()
    assert told["collect_span_events"] is False
    assert told["event_harvest_config"]["report_period_ms"] == 60_000
    assert told["event_harvest_config"]["harvest_limits"]["analytic_event_data"] == 100
    assert told["span_event_harvest_config"] == {"report_period_ms": 60_000, "harvest_limit": 10}
    assert (await Agent(bench).connect("other"))["collect_span_events"] is True
    listed = await bench.http.get("/control/requests", params={"surface": "agent"}, headers=ADMIN)
    assert [one["injections"] for one in listed.json()["requests"]] == [made["id"], ""]
    await bench.inject({"agent": {"agent_run_id": "absent"}})
    assert "agent_run_id" not in await Agent(bench).connect()
    await bench.inject({"agent": {"redirect_host": "nowhere.invalid"}}, app="*")
    assert await Agent(bench).call("preconnect", []) == {"redirect_host": "nowhere.invalid"}


@pytest.mark.parametrize("status", [401, 409, 410, 413, 429, 503])
async def test_a_method_is_refused_by_injection(
    bench: Bench, clock: ManualClock, agent: Agent, status: int
) -> None:
    """In the collector's form; nothing of the body counts, and other methods go on."""
    await bench.inject({"status": status}, app="*", surface="agent", method="analytic_event_data")
    body = json.dumps([agent.run_id, {}, [transaction(clock.now() - 1)]]).encode()
    answer = await agent.send("analytic_event_data", body)
    assert answer.status_code == status
    assert answer.json()["exception"].keys() == {"message", "error_type"}
    assert await bench.error("count") == "404 no_data"
    await agent.call("get_agent_commands", [agent.run_id])


STRANGE = (
    b"", b" ", b"null", b"0", b'"x"', b"[]", b"{}", b"[[]]", b"[null]", b"[{}]", b"NaN", b"[1e999]",
    b"{" * 10_000, b"[" * 10_000, b'{"a":' * 10_000, b'"\\ud800"', b"[" + b"9" * 5000 + b"]",
    b"\xff\xfe", b'["r",1,2,3]', b'["r",{},{}]', b'["r",{"events_seen":-1},[]]',
    b'["r",{"events_seen":1e999},[[{}]]]', b'["r",{"events_seen":true},[]]', b'["r",null,[]]',
    b'["r",{"events_seen":99999999999999},[[{}]]]', b'["r",5,1,[]]', b'["r",null,null,[]]',
    b'["r",-1e300,1e300,[]]', b'["r",0,9e99,[]]', b'[{"logs":7}]', b'[{"logs":[7,null]}]',
    b'[{"app_name":[]}]', b'[{"app_name":7}]', b'[{"app_name":["\\u0000"]}]',
    b'[{"app_name":["a"],"labels":7,"metadata":[],"host":7}]', b'[{"app_name":[["a"]]}]',
)  # fmt: skip
_ALL = ("preconnect", "connect", *DATA, *OTHERS, "pprof_data", "no_such_method", "", "\x00")


async def _state(bench: Bench) -> list[float]:
    asked = (
        ("agent", "count"),
        ("agent", "errorRate"),
        ("agent", "p95"),
        ("agent_metrics", "count"),
    )
    return [await bench.value(metric, source=source) for source, metric in asked]


async def test_nonsense_is_never_a_fault_of_the_service(
    bench: Bench, clock: ManualClock, agent: Agent
) -> None:
    """Every method with every strange body: below 500, and what was known stays known."""
    await agent.harvest([transaction(clock.now() - 1)] * 10)
    await agent.minute(10, 1, 1.0, until=clock.now())
    before = await _state(bench)
    for method in _ALL:
        for body in STRANGE:
            answer = await agent.send(method, body)
            assert answer.status_code < 500, (method, body[:60], answer.text)
            assert answer.json().keys() <= {"return_value", "exception"}
    assert await _state(bench) == before


async def test_spoilt_bodies_are_never_a_fault_of_the_service(
    bench: Bench, clock: ManualClock, agent: Agent
) -> None:
    """Good bodies with a value exchanged for nonsense, hundreds of them, seeded."""
    rng = random.Random(11)  # noqa: S311 - no secret
    now = clock.now()
    good: dict[str, Any] = {
        "analytic_event_data": ["r", {"events_seen": 2}, [transaction(now - 1)] * 2],
        "metric_data": ["r", now - 60, now, [[{"name": "HttpDispatcher"}, [1, 1, 1, 1, 1, 1]]]],
        "custom_event_data": ["r", {"events_seen": 1}, [[{"type": "Vote", "timestamp": 1}, {}]]],
        "log_event_data": [{"common": {"attributes": {}}, "logs": [{"message": "m"}]}],
    }
    nonsense = [
        None,
        True,
        -1,
        0,
        1e300,
        2**63,
        10**30,
        "",
        "\ud800",
        "x" * 5000,
        [],
        {},
        [[]],
        {"": 1},
    ]
    for number in range(500):
        method = rng.choice(list(good))
        body = _spoilt(good[method], rng, rng.choice(nonsense))
        answer = await agent.send(method, json.dumps(body).encode())
        assert answer.status_code < 500, (number, method, body)
    assert await bench.value("count", source="agent") >= 1


def _spoilt(value: Any, rng: random.Random, nonsense: Any) -> Any:
    """Return a copy of a document in which one value, somewhere, is nonsense."""
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        return [
            _spoilt(one, rng, nonsense) if index == place else one
            for index, one in enumerate(value)
        ]
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        return {**value, name: _spoilt(value[name], rng, nonsense)}
    return nonsense


async def test_what_is_too_large_is_refused(bench: Bench, agent: Agent) -> None:
    """Over the wire (413), and unpacked; nothing of it counts."""
    assert (await agent.send("analytic_event_data", b" " * 1_000_001)).status_code == 413
    bomb = gzip.compress(b"[" + b" " * 40_000_000 + b"]")
    answer = await agent.send("analytic_event_data", bomb, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert (await agent.send("metric_data", b"x", **{"Content-Encoding": "br"})).status_code == 415
    assert await bench.error("count") == "404 no_data"


async def test_bad_events_are_dropped_and_told(
    bench: Bench, clock: ManualClock, agent: Agent
) -> None:
    """The good ones count; NrIntegrationError has the reasons."""
    now = clock.now()
    bad = [transaction(now - 200_000), transaction(now, duration=-1), "no event", [{}, {}, {}, {}]]
    await agent.harvest([transaction(now - 1), *bad])
    assert await bench.value("count") == 1
    for reason, count in (("bad_timestamp", 1), ("bad_duration", 1), ("bad_event", 2)):
        query = f"SELECT sum(droppedCount) FROM NrIntegrationError WHERE category = '{reason}'"  # noqa: S608
        assert await _rows(bench, query) == [{"sum": count}]


async def test_put_is_taken_as_post(bench: Bench) -> None:
    """Node's agent may be told to use it."""
    query = {"method": "preconnect", "license_key": LICENSE}
    answer = await bench.http.put(PATH, params=query, content=b"[]", headers=KEY)
    assert answer.status_code == 200
