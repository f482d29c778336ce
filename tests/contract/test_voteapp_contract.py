"""The voting front end's HTTP contract, as clients and Kubernetes see it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from svckit.clock import ManualClock
from voteapp.app import create_app
from voteapp.settings import VoteappSettings

pytestmark = pytest.mark.anyio

POD = "vote-7cd75c6d7c-7hqnx"


@pytest.fixture(name="client")
async def _client(clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    async def no_sleep(_seconds: float) -> None: ...

    app = create_app(VoteappSettings(pod_name=POD), clock=clock, sleep=no_sleep)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://vote.test") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/", 200, id="page"),
        pytest.param("HEAD", "/", 200, id="head"),
        pytest.param("OPTIONS", "/", 200, id="options"),
        pytest.param("PUT", "/", 405, id="put"),
        pytest.param("DELETE", "/", 405, id="delete"),
        pytest.param("PATCH", "/", 405, id="patch"),
        pytest.param("GET", "/static/stylesheets/style.css", 200, id="style"),
        pytest.param("HEAD", "/static/stylesheets/style.css", 200, id="style-head"),
        pytest.param("POST", "/static/stylesheets/style.css", 405, id="style-post"),
        pytest.param("GET", "/static/other.css", 404, id="other-style"),
        pytest.param("GET", "/health", 200, id="health"),
        pytest.param("POST", "/health", 405, id="health-post"),
        pytest.param("GET", "/api/error-sim", 200, id="error-sim"),
        pytest.param("GET", "/vote", 404, id="unknown"),
        pytest.param("POST", "/vote", 404, id="unknown-post"),
        pytest.param("GET", "/livez", 200, id="livez"),
        pytest.param("GET", "/readyz", 200, id="readyz"),
        pytest.param("GET", "/healthz", 200, id="healthz"),
        pytest.param("GET", "/metrics", 200, id="metrics"),
        pytest.param("GET", "/openapi.json", 200, id="openapi"),
        pytest.param("GET", "/docs", 200, id="docs"),
    ],
)
async def test_status_of_every_route(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """Each method and path answers as the application does."""
    assert (await client.request(method, path)).status_code == status


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param({"data": {"vote": "a"}}, 200, id="form"),
        pytest.param({"data": {"vote": "c"}}, 200, id="any-value"),
        pytest.param({"data": {"vote": ""}}, 200, id="empty-value"),
        pytest.param({"files": {"vote": (None, "b")}}, 200, id="multipart"),
        pytest.param({"data": {"choice": "a"}}, 400, id="missing-field"),
        pytest.param({}, 400, id="no-body"),
        pytest.param({"json": {"vote": "a"}}, 400, id="json"),
        pytest.param({"params": {"vote": "a"}}, 400, id="query"),
        pytest.param({"data": {"vote": "a" * 70_000}}, 413, id="too-large"),
    ],
)
async def test_which_posts_are_votes(
    client: httpx.AsyncClient, arguments: dict[str, object], status: int
) -> None:
    """A form with the field votes; nothing else does, and only votes are recorded."""
    response = await client.post("/", **arguments)  # type: ignore[arg-type]
    recorded = (await client.get("/control/votes")).json()["recorded"]
    assert (response.status_code, recorded) == (status, int(status == 200))


async def test_a_vote_answers_the_page_without_redirect(client: httpx.AsyncClient) -> None:
    """POST gives 200 and HTML, with the chosen button marked."""
    response = await client.post("/", data={"vote": "b"})
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert 'value="b" aria-pressed="true"' in response.text


async def test_the_page_says_which_pod_and_version_answered(client: httpx.AsyncClient) -> None:
    """Host name and version are printed; the hash is in a header."""
    response = await client.get("/")
    assert f"Pod: {POD} " in response.text
    assert "Version: v17" in response.text
    assert response.headers["x-pod-template-hash"] == "7cd75c6d7c"


async def test_a_new_voter_gets_an_id(client: httpx.AsyncClient) -> None:
    """At most fifteen hexadecimal digits, for the whole site, different each time."""
    cookies = []
    for _ in range(20):
        client.cookies.clear()
        cookies.append((await client.get("/")).headers["set-cookie"])
    assert all(re.fullmatch(r"voter_id=[0-9a-f]{1,15}; Path=/", cookie) for cookie in cookies)
    assert len(set(cookies)) == 20


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_a_known_voter_keeps_the_id(client: httpx.AsyncClient, method: str) -> None:
    """The cookie that was sent comes back."""
    response = await client.request(
        method, "/", data={"vote": "a"}, headers={"Cookie": "a=b; voter_id=c0ffee"}
    )
    assert response.headers["set-cookie"] == "voter_id=c0ffee; Path=/"


async def test_head_announces_the_pages_length_without_a_body(client: httpx.AsyncClient) -> None:
    """HEAD has the headers of GET and no body."""
    page, head = await client.get("/"), await client.head("/")
    assert head.headers["content-length"] == str(len(page.content))
    assert head.content == b""


async def test_refused_methods_name_the_allowed_ones(client: httpx.AsyncClient) -> None:
    """405 carries Allow."""
    assert (await client.put("/")).headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_health_names_the_host(client: httpx.AsyncClient) -> None:
    """/health is the fork's document."""
    assert (await client.get("/health")).json() == {"status": "healthy", "hostname": POD}


async def test_caller_text_is_never_printed(client: httpx.AsyncClient) -> None:
    """A vote full of markup does not reach the page."""
    response = await client.post("/", data={"vote": "<script>alert(1)</script>"})
    assert "<script" not in response.text


async def test_faults_are_set_shown_and_cleared(client: httpx.AsyncClient) -> None:
    """PUT replaces, GET shows what is on, DELETE switches off."""
    body = {
        "error_ratio": 0.05,
        "latency": {"add": "200ms", "jitter": "50ms"},
        "status": 503,
        "hang": "1m0s",
        "scope": "POST",
    }
    assert (await client.put("/control/faults", json=body)).json() == body
    assert (await client.get("/control/faults")).json() == body
    assert (await client.put("/control/faults", json={"status": 503})).json() == {
        "status": 503,
        "scope": "all",
    }
    assert (await client.delete("/control/faults")).json() == {}
    assert (await client.get("/control/faults")).json() == {}


async def test_a_503_pod_is_unhealthy_to_probes(client: httpx.AsyncClient) -> None:
    """The kubelet sees the status too, on every path of the application."""
    await client.put("/control/faults", json={"status": 503})
    probe = {"User-Agent": "kube-probe/1.33"}
    assert [(await client.get(path, headers=probe)).status_code for path in ("/", "/health")] == [
        503,
        503,
    ]


async def test_the_control_plane_survives_its_own_faults(client: httpx.AsyncClient) -> None:
    """Faults never reach the suite's own routes, or they could not be cleared."""
    await client.put("/control/faults", json={"status": 503})
    assert (await client.get("/livez")).status_code == 200
    assert (await client.delete("/control/faults")).status_code == 200
    assert (await client.get("/")).status_code == 200


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param({"error_ratio": 5.2}, "error_ratio", id="percent-for-ratio"),
        pytest.param({"error_ratio": "0.05"}, "error_ratio", id="text-for-number"),
        pytest.param({"error_rate": 0.05}, "error_rate", id="unknown-switch"),
        pytest.param({"latency": {"add": "200"}}, "latency.add", id="no-unit"),
        pytest.param({"latency": {"add": "-1s"}}, "latency.add", id="negative"),
        pytest.param({"status": 200}, "status", id="not-an-error-status"),
        pytest.param({"hang": "1d"}, "hang", id="days"),
        pytest.param({"error_ratio": 0.1, "scope": "PUT"}, "scope", id="unknown-scope"),
        pytest.param({}, "body", id="nothing"),
        pytest.param({"scope": "POST"}, "body", id="scope-alone"),
    ],
)
async def test_wrong_faults_are_refused_and_change_nothing(
    client: httpx.AsyncClient, body: dict[str, object], place: str
) -> None:
    """The problem names the field; the switches that were on stay on."""
    await client.put("/control/faults", json={"status": 503})
    response = await client.put("/control/faults", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert place in response.json()["detail"]
    assert (await client.get("/control/faults")).json() == {"status": 503, "scope": "all"}


async def test_requests_are_counted_by_status(client: httpx.AsyncClient) -> None:
    """/metrics counts the front end's requests and shows the switches."""
    await client.get("/")
    await client.get("/nope")
    await client.put("/control/faults", json={"status": 503})
    await client.post("/", data={"vote": "a"})
    text = (await client.get("/metrics")).text
    for line in (
        'voteapp_requests_total{code="200"} 1.0',
        'voteapp_requests_total{code="404"} 1.0',
        'voteapp_requests_total{code="503"} 1.0',
        'voteapp_active_faults{kind="status"} 1.0',
        'voteapp_active_faults{kind="hang"} 0.0',
        "voteapp_votes_total 0.0",
    ):
        assert line in text
