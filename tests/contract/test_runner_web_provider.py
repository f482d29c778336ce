"""The web provider over real sockets: every recorded measurement, redirects, time-outs, OAuth2."""

from __future__ import annotations

import asyncio
import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from loopback_server import LoopbackServer, Seen, answer
from rollout_runner.adapters.cluster_network import Address
from rollout_runner.adapters.providers.web import WebProvider
from rollout_runner.argo.analysis import Metric
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.conformance.runner import read_records
from rollout_runner.conformance.web import SERVER, WebCase, executed_case
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

VECTORS = Path(__file__).parents[1] / "vectors" / "argo"
CASES = [executed_case(record) for record in read_records(VECTORS / "executed_web.json")]
OK = answer(200, b'{"errorRate": 0.5}')


@dataclass
class Provider:
    """The real provider and what it warned of; `names` are the cluster names that it knows."""

    names: dict[str, Address] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    version: ArgoVersion = ArgoVersion.V1_10

    @asynccontextmanager
    async def open(self) -> AsyncIterator[WebProvider]:
        """Yield the provider."""
        provider = WebProvider(
            clock=ManualClock(),
            resolve=self.names.get,
            version=self.version,
            warn=self.warnings.append,
        )
        try:
            yield provider
        finally:
            await provider.close()

    async def measure(self, web: dict[str, Any], success: str = "") -> Measurement:
        """Take one measurement."""
        async with self.open() as provider:
            return await provider.run(metric(web, success), "run.m.1")


def metric(web: dict[str, Any], success: str = "", failure: str = "") -> Metric:
    """Return a metric with this web block."""
    return Metric.from_json(
        {
            "name": "m",
            "provider": {"web": web},
            "successCondition": success,
            "failureCondition": failure,
        }
    )


def as_recorded(case: WebCase) -> Callable[[Seen], bytes]:
    """Return the server of the recording: it redirects `/q` where the case has a location."""

    def reply(seen: Seen) -> bytes:
        if case.location and seen.target == "/q":
            return answer(case.status, b"", Location=case.location)
        return answer(200 if case.location else case.status, case.body)

    return reply


async def replay(case: WebCase, version: ArgoVersion) -> tuple[Measurement, LoopbackServer]:
    """Measure a recorded case against a server that answers as the recorded one."""
    async with LoopbackServer(as_recorded(case)) as server:
        web = case.web | {"url": case.web["url"].replace(f"http://{SERVER}", server.url)}
        subject = Provider(version=version)
        async with subject.open() as provider:
            measured = await provider.run(
                metric(web, case.success_condition, case.failure_condition), "run.m.1"
            )
    message = measured.message.replace(f"127.0.0.1:{server.port}", "<server>")
    return Measurement(phase=measured.phase, value=measured.value, message=message), server


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
async def test_recorded_measurement(case: WebCase) -> None:
    """Phase, value and message are those of the real provider of 1.10."""
    measured, _ = await replay(case, ArgoVersion.V1_10)
    if case.crashes:
        assert (measured.phase, measured.value) == (Phase.ERROR, "")
        assert "crashes" in measured.message
        return
    assert {
        "phase": measured.phase,
        "value": measured.value,
        "message": measured.message,
    } == case.expected(ArgoVersion.V1_10)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.name)
        for case in CASES
        if case.expected(ArgoVersion.V1_9) != case.expected(ArgoVersion.V1_10)
    ],
)
async def test_recorded_measurement_of_1_9(case: WebCase) -> None:
    """Where 1.9 comes to another phase or value, so does the provider."""
    measured, _ = await replay(case, ArgoVersion.V1_9)
    expected = case.expected(ArgoVersion.V1_9)
    assert (measured.phase, measured.value) == (expected["phase"], expected["value"])


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name) for case in CASES if case.request]
)
async def test_recorded_request(case: WebCase) -> None:
    """The last request is the recorded one: method, path, body and every header."""
    _, server = await replay(case, ArgoVersion.V1_10)
    seen, wanted = server.seen[-1], case.request
    assert (seen.method, seen.target) == (wanted["method"], wanted["uri"])
    if case.web.get("jsonBody") is None:
        assert seen.body.decode() == wanted["body"]
    else:
        assert json.loads(seen.body) == json.loads(wanted["body"])
    assert seen.header("Host") == f"127.0.0.1:{server.port}"
    assert seen.header("Accept-Encoding") == "gzip"
    sent = {
        name: [urlsplit(value).path if name == "Referer" else value]
        for name, value in seen.headers
        if name not in {"Host", "Accept-Encoding", "Content-Length"}
    }
    expected = {
        name: [urlsplit(values[0]).path] if name == "Referer" else values
        for name, values in wanted["headers"].items()
        if name != "Content-Length"
    }
    assert sent == expected


async def test_ten_requests_are_made_before_a_loop_is_given_up() -> None:
    """As Go counts: the first request is one of the ten."""
    (case,) = [case for case in CASES if case.name == "w151"]
    _, server = await replay(case, ArgoVersion.V1_10)
    assert len(server.seen) == 10


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_redirect_turns_other_methods_into_get(method: str, status: int) -> None:
    """Every method but GET and HEAD, and the body and its Content-Type are gone."""
    async with LoopbackServer(redirecting(status)) as server:
        web = {
            "url": f"{server.url}/q",
            "method": method,
            "body": "x=1",
            "headers": [{"key": "Content-Type", "value": "text/plain"}],
        }
        assert (await Provider().measure(web)).phase is Phase.SUCCESSFUL
    assert [(seen.method, seen.body) for seen in server.seen] == [(method, b"x=1"), ("GET", b"")]
    assert server.seen[1].header("Content-Type") == ""
    assert server.seen[1].header("Content-Length") == ""


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_keeps_head(status: int) -> None:
    """HEAD stays HEAD."""
    async with LoopbackServer(redirecting(status, b"")) as server:
        await Provider().measure({"url": f"{server.url}/q", "method": "HEAD"})
    assert [seen.method for seen in server.seen] == ["HEAD", "HEAD"]


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_redirect_that_keeps_method_and_body(method: str, status: int) -> None:
    """307 and 308 repeat the request as it was."""
    async with LoopbackServer(redirecting(status)) as server:
        web = {"url": f"{server.url}/q", "method": method, "jsonBody": {"a": 1}}
        assert (await Provider().measure(web)).phase is Phase.SUCCESSFUL
    first, second = server.seen
    assert (second.method, second.body) == (method, b'{"a":1}')
    assert second.header("Content-Type") == first.header("Content-Type") == "application/json"


@pytest.mark.parametrize("status", [300, 304, 305])
async def test_other_3xx_answers_are_not_followed(status: int) -> None:
    """They are answers outside 200 to 299."""
    async with LoopbackServer(answer(status, b"", Location="/final")) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"})
    assert measured.message == f"received non 2xx response code: {status}"
    assert len(server.seen) == 1


async def test_a_redirect_without_location_is_an_answer() -> None:
    """There is nowhere to go, so the status counts."""
    async with LoopbackServer(answer(302, b"")) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"})
    assert measured.message == "received non 2xx response code: 302"


async def test_a_redirect_to_the_same_host_keeps_the_key() -> None:
    """Another port is the same host, as Go compares."""
    async with LoopbackServer(OK) as final:
        there = answer(302, b"", Location=f"{final.url}/x")
        async with LoopbackServer(there) as server:
            web = {
                "url": f"{server.url}/q",
                "headers": [{"key": "Authorization", "value": "Bearer abc"}],
            }
            await Provider().measure(web)
    assert final.seen[0].header("Authorization") == "Bearer abc"


async def test_a_redirect_elsewhere_drops_the_key() -> None:
    """Another domain gets neither Authorization nor Cookie, but other headers."""
    async with LoopbackServer(OK) as final:
        there = answer(302, b"", Location=f"http://localhost:{final.port}/x")
        async with LoopbackServer(there) as server:
            web = {
                "url": f"{server.url}/q",
                "headers": [
                    {"key": "Authorization", "value": "Bearer abc"},
                    {"key": "Cookie", "value": "a=1"},
                    {"key": "Api-Key", "value": "k"},
                ],
            }
            measured = await Provider().measure(web)
    assert measured.phase is Phase.SUCCESSFUL, measured.message
    (seen,) = final.seen
    assert (seen.header("Authorization"), seen.header("Cookie")) == ("", "")
    assert seen.header("Api-Key") == "k"


@pytest.mark.parametrize(
    ("location", "message"),
    [
        pytest.param("ftp://x/y", 'Get "ftp://x/y": unsupported protocol scheme "ftp"', id="ftp"),
        pytest.param("http:///y", 'Get "http:///y": http: no Host in request URL', id="no-host"),
        pytest.param("http://x:80b/", 'Get "<q>": Invalid URL', id="bad-port"),
    ],
)
async def test_a_redirect_to_nowhere_is_an_error(location: str, message: str) -> None:
    """A Location that cannot be followed is an Error that says why."""
    async with LoopbackServer(answer(302, b"", Location=location)) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"})
    assert measured.phase is Phase.ERROR
    assert measured.message.replace(f"{server.url}/q", "<q>").startswith(message)
    assert len(server.seen) == 1


async def test_a_relative_redirect_keeps_the_cluster_name() -> None:
    """The second request has the same Host header as the first."""
    async with LoopbackServer(redirecting(302)) as server:
        subject = Provider(names={"apm.ns.svc": Address("127.0.0.1", server.port)})
        await subject.measure({"url": "http://apm.ns.svc:8080/q"})
    assert [seen.header("Host") for seen in server.seen] == ["apm.ns.svc:8080"] * 2


async def test_silence_ends_at_the_time_out() -> None:
    """No headers within `timeoutSeconds`: Go's words, no value, and not much later."""

    async def silent(_seen: Seen, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with LoopbackServer(silent) as server:
        measured, seconds = await timed({"url": f"{server.url}/q", "timeoutSeconds": 1})
    assert measured.phase is Phase.ERROR
    assert measured.message == (
        f'Get "{server.url}/q": context deadline exceeded'
        " (Client.Timeout exceeded while awaiting headers)"
    )
    assert 0.9 < seconds < 3


async def test_a_body_that_trickles_ends_at_the_time_out() -> None:
    """Each byte comes soon, all of it never: the bound is for the whole exchange."""

    async def trickle(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with LoopbackServer(trickle) as server:
        measured, seconds = await timed({"url": f"{server.url}/q", "timeoutSeconds": 1})
    assert measured.phase is Phase.ERROR
    assert measured.message == (
        "Received no bytes in response: context deadline exceeded"
        " (Client.Timeout or context cancellation while reading body)"
    )
    assert measured.value == ""
    assert 0.9 < seconds < 3


async def test_redirects_share_one_time_out() -> None:
    """Hops that each take a while do not add up to more than `timeoutSeconds`."""

    async def slow_loop(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.3)
        writer.write(answer(302, b"", Location="/q"))

    async with LoopbackServer(slow_loop) as server:
        measured, seconds = await timed({"url": f"{server.url}/q", "timeoutSeconds": 1})
    assert "context deadline exceeded" in measured.message
    assert seconds < 2.5


async def test_an_endless_body_is_not_kept() -> None:
    """More than 64 MiB are not read, however fast they come."""
    chunk = b" " * 2**20

    async def flood(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        while True:
            writer.write(chunk)
            await writer.drain()

    async with LoopbackServer(flood) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"})
    assert measured.phase is Phase.ERROR
    assert measured.message.endswith("the answer is longer than 64 MiB")


async def test_the_body_of_a_refusal_is_not_read() -> None:
    """A 503 counts as soon as its headers are there, although its body never ends."""

    async def refuse(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000\r\n\r\n")
        await writer.drain()
        await asyncio.Event().wait()

    async with LoopbackServer(refuse) as server:
        measured, seconds = await timed({"url": f"{server.url}/q"})
    assert measured.message == "received non 2xx response code: 503"
    assert seconds < 2


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param(b"", 'Get "<q>": EOF', id="nothing"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
            "Received no bytes in response: unexpected EOF",
            id="half-a-body",
        ),
        pytest.param(
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a"',
            "Received no bytes in response: unexpected EOF",
            id="half-a-chunk",
        ),
    ],
)
async def test_a_connection_that_ends_too_early(written: bytes, message: str) -> None:
    """Half an answer is an Error, never a value."""

    async def stop(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(written)
        await writer.drain()
        writer.close()

    async with LoopbackServer(stop) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"})
    assert (measured.phase, measured.value) == (Phase.ERROR, "")
    assert measured.message.replace(f"{server.url}/q", "<q>") == message


async def test_what_is_not_http_is_an_error() -> None:
    """A server that speaks something else gives no reading."""

    async def greet(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await writer.drain()
        writer.close()

    async with LoopbackServer(greet) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"})
    assert (measured.phase, measured.value) == (Phase.ERROR, "")
    assert measured.message.startswith(f'Get "{server.url}/q": ')


async def test_a_compressed_answer_is_read() -> None:
    """As Go does without being told, since it asks for gzip by itself."""
    body = gzip.compress(b'{"a": 1}')
    async with LoopbackServer(answer(200, body, Content_Encoding="gzip")) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"}, "result.a == 1")
    assert (measured.phase, measured.value) == (Phase.SUCCESSFUL, '{"a":1}')


async def test_a_broken_compression_is_an_error() -> None:
    """What cannot be decompressed is no text to be judged."""
    async with LoopbackServer(answer(200, b"not gzip", Content_Encoding="gzip")) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"})
    assert (measured.phase, measured.value) == (Phase.ERROR, "")


async def test_a_refused_connection() -> None:
    """Nobody listens: an Error in Go's words."""
    async with LoopbackServer(OK) as server:
        pass
    measured = await Provider().measure({"url": f"{server.url}/q"})
    assert measured.phase is Phase.ERROR
    assert measured.message == (
        f'Get "{server.url}/q": dial tcp 127.0.0.1:{server.port}: connect: connection refused'
    )


async def test_a_cluster_name_goes_where_it_answers() -> None:
    """The URL's port is ignored, its path, query and Host header are kept."""
    name = "canary-analyzer.voting01-apm.svc.cluster.local"
    async with LoopbackServer(OK) as server:
        subject = Provider(names={name: Address("127.0.0.1", server.port)})
        measured = await subject.measure({"url": f"http://{name}:8081/v1/analysis?a=1&b=%20"})
    assert measured.phase is Phase.SUCCESSFUL
    (seen,) = server.seen
    assert seen.target == "/v1/analysis?a=1&b=%20"
    assert seen.header("Host") == f"{name}:8081"


async def test_a_cluster_name_that_nobody_answers() -> None:
    """The Service is known but has no listener any more."""
    async with LoopbackServer(OK) as server:
        pass
    subject = Provider(names={"apm.ns": Address("127.0.0.1", server.port)})
    measured = await subject.measure({"url": "http://apm.ns:8080/q"})
    assert measured.message.startswith('Get "http://apm.ns:8080/q": dial tcp ')
    assert measured.message.endswith("connect: connection refused")


@pytest.mark.parametrize(
    "host",
    ["nobody.ns.svc.cluster.local", "nobody.ns.svc", "nobody.ns.svc.cluster.local.", "a.b.c.svc"],
)
async def test_an_unknown_cluster_name(host: str) -> None:
    """It is not looked up anywhere else."""
    measured = await Provider().measure({"url": f"http://{host}/q"})
    assert measured.phase is Phase.ERROR
    assert measured.message == f'Get "http://{host}/q": dial tcp: lookup {host}: no such host'


async def test_other_names_are_called_as_they_are() -> None:
    """Only what the cluster knows is rewritten."""
    async with LoopbackServer(OK) as server:
        subject = Provider(names={"apm.ns": Address("127.0.0.1", 1)})
        measured = await subject.measure({"url": f"http://localhost:{server.port}/q"})
    assert measured.phase is Phase.SUCCESSFUL
    assert server.seen[0].header("Host") == f"localhost:{server.port}"


async def test_cookies_are_not_kept() -> None:
    """A server that sets one never sees it again."""
    cookie = answer(200, b"{}", Set_Cookie="affinity=canary; Path=/")
    async with LoopbackServer(cookie) as server, Provider().open() as provider:
        for _ in range(2):
            await provider.run(metric({"url": f"{server.url}/q"}), "run.m.1")
    assert [seen.header("Cookie") for seen in server.seen] == ["", ""]


async def test_connections_are_kept() -> None:
    """Two measurements share one, as those of the controller do."""
    async with LoopbackServer(OK) as server, Provider().open() as provider:
        for _ in range(2):
            await provider.run(metric({"url": f"{server.url}/q"}), "run.m.1")
    assert (len(server.seen), server.connections) == (2, 1)


async def test_credentials_in_the_url_become_basic_and_are_not_shown() -> None:
    """They go into the header; the message of an error hides the password."""
    async with LoopbackServer(OK) as server:
        secret = server.url.replace("http://", "http://user:pa55@")
        await Provider().measure({"url": f"{secret}/q"})
    assert server.seen[0].header("Authorization") == f"Basic {b64(b'user:pa55')}"
    measured = await Provider().measure({"url": f"{secret}/q"})
    assert "pa55" not in measured.message
    assert "user:***@" in measured.message


async def test_a_header_may_hold_any_text() -> None:
    """Text beyond ASCII is sent as UTF-8, as Go does."""
    async with LoopbackServer(OK) as server:
        web = {"url": f"{server.url}/q", "headers": [{"key": "X-Team", "value": "Köln"}]}
        measured = await Provider().measure(web)
    assert measured.phase is Phase.SUCCESSFUL, measured.message
    assert server.seen[0].header("X-Team").encode("latin-1").decode() == "Köln"


async def test_an_answer_that_was_not_judged_is_warned_of() -> None:
    """1.9 passes what is not JSON, conditions unseen; whoever reads the report learns of it."""
    async with LoopbackServer(answer(200, b"<html>")) as server:
        old = Provider(version=ArgoVersion.V1_9)
        measured = await old.measure({"url": f"{server.url}/q"}, "result.a == 1")
        new = Provider(version=ArgoVersion.V1_10)
        judged = await new.measure({"url": f"{server.url}/q"}, "result.a == 1")
    assert measured.phase is Phase.SUCCESSFUL
    assert len(old.warnings) == 1
    assert "without evaluating any condition" in old.warnings[0]
    assert judged.phase is Phase.ERROR
    assert new.warnings == []


@pytest.mark.parametrize("style", ["basic", "form"])
async def test_a_token_is_fetched_first(style: str) -> None:
    """Credentials are tried in a Basic header, then in the form; the token goes with the call."""

    def reply(seen: Seen) -> bytes:
        if seen.target != "/token":
            return OK if seen.header("Authorization") == "Bearer t0k" else answer(401)
        form = parse_qs(seen.body.decode())
        assert form["grant_type"] == ["client_credentials"]
        assert form["scope"] == ["read write"]
        basic = seen.header("Authorization") == f"Basic {b64(b'id%2B1:s%26+1')}"
        in_form = form.get("client_id") == ["id+1"] and form.get("client_secret") == ["s& 1"]
        assert basic != in_form
        accepted = basic if style == "basic" else in_form
        token = b'{"access_token": "t0k", "token_type": "bearer", "expires_in": 60}'
        return answer(200, token) if accepted else answer(401, b"{}")

    async with LoopbackServer(reply) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"} | oauth2(server))
    assert measured.phase is Phase.SUCCESSFUL, measured.message
    assert [seen.target for seen in server.seen].count("/token") == (1 if style == "basic" else 2)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        pytest.param(answer(401, b"s3cret"), "cannot fetch token: 401 Unauthorized", id="401"),
        pytest.param(answer(200, b"<html>"), "server response missing access_token", id="html"),
        pytest.param(answer(200, b"[]"), "server response missing access_token", id="list"),
        pytest.param(
            answer(200, b'{"access_token": null}'), "response missing access_token", id="null"
        ),
        pytest.param(
            answer(200, b'{"access_token": ""}'), "response missing access_token", id="empty"
        ),
    ],
)
async def test_without_a_token_there_is_no_call(token: bytes, message: str) -> None:
    """The endpoint is not asked, and the Error does not show what the token server said."""
    async with LoopbackServer(lambda seen: token if seen.target == "/token" else OK) as server:
        measured = await Provider().measure({"url": f"{server.url}/q"} | oauth2(server))
    assert measured.phase is Phase.ERROR
    assert measured.message.startswith(f'Get "{server.url}/q": oauth2: ')
    assert message in measured.message
    assert "s3cret" not in measured.message
    assert {seen.target for seen in server.seen} == {"/token"}


async def test_a_token_server_that_is_silent_ends_at_the_time_out() -> None:
    """The time of the token counts too."""

    async def silent(_seen: Seen, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with LoopbackServer(silent) as server:
        web = {"url": f"{server.url}/q", "timeoutSeconds": 1} | oauth2(server)
        measured, seconds = await timed(web)
    assert "context deadline exceeded" in measured.message
    assert seconds < 3


def redirecting(status: int, body: bytes = b"{}") -> Callable[[Seen], bytes]:
    """Return a server that redirects `/q` to `/final`."""

    def reply(seen: Seen) -> bytes:
        return answer(status, b"", Location="/final") if seen.target == "/q" else answer(200, body)

    return reply


def oauth2(server: LoopbackServer) -> dict[str, Any]:
    """Return the authentication block for a token endpoint on the server."""
    return {
        "authentication": {
            "oauth2": {
                "tokenUrl": f"{server.url}/token",
                "clientId": "id+1",
                "clientSecret": "s& 1",
                "scopes": ["read", "write"],
            }
        }
    }


def b64(text: bytes) -> str:
    """Return the text in base64."""
    return b64encode(text).decode()


async def timed(web: dict[str, Any]) -> tuple[Measurement, float]:
    """Measure once and return the real seconds that it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    measured = await Provider().measure(web)
    return measured, loop.time() - began
