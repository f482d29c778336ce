"""`GET /v1/health-check`: verdicts about targets, and refusals before anything is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from analyzer_bench import analyzer_client

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio

CANARY = "/v1/health-check?service=vote-canary&namespace=voting01-qa"
ALLOW = "voting01-qa/vote-*"


def _status(code: int) -> Callable[[httpx.Request], httpx.Response]:
    def target(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(code, headers={"location": "http://169.254.169.254/latest"})

    return target


@pytest.mark.parametrize("code", [200, 201, 204, 301, 302, 307, 401, 404, 429, 500, 503])
async def test_healthy_is_exactly_200(code: int) -> None:
    """Every other code, redirects included, is unhealthy, and the answer is HTTP 200."""
    async with analyzer_client(_status(code), health_allow=ALLOW) as client:
        response = await client.get(CANARY)
    document = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert document["status"] == ("healthy" if code == 200 else "unhealthy")
    assert (document["httpCode"], document["reason"]) == (code, f"HTTP {code}")
    assert document["latencyMs"] >= 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(httpx.ConnectError, "connection failed", id="refused"),
        pytest.param(httpx.ConnectTimeout, "no answer within 10 s", id="connect-timeout"),
        pytest.param(httpx.ReadTimeout, "no answer within 10 s", id="read-timeout"),
        pytest.param(httpx.ReadError, "no HTTP answer (ReadError)", id="reset"),
        pytest.param(
            httpx.RemoteProtocolError, "no HTTP answer (RemoteProtocolError)", id="garbage"
        ),
    ],
)
async def test_no_answer_is_unhealthy(error: type[httpx.TransportError], reason: str) -> None:
    """A target that does not answer is a finding about the target."""

    def target(request: httpx.Request) -> httpx.Response:
        raise error("failed", request=request)

    async with analyzer_client(target, health_allow=ALLOW) as client:
        response = await client.get(CANARY)
    document = response.json()
    assert response.status_code == 200
    assert (document["status"], document["httpCode"]) == ("unhealthy", None)
    assert document["reason"] == reason


async def test_a_hanging_target_is_unhealthy() -> None:
    """The wait ends by itself."""

    async def target(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with analyzer_client(target, health_allow=ALLOW, health_timeout_seconds=0.02) as client:
        document = (await client.get(CANARY)).json()
    assert (document["status"], document["httpCode"]) == ("unhealthy", None)


async def test_a_redirect_is_not_followed() -> None:
    """One request goes out, to the target."""
    seen: list[httpx.Request] = []

    def target(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return _status(302)(request)

    async with analyzer_client(target, health_allow=ALLOW) as client:
        await client.get(f"{CANARY}&path=/health")
    assert [str(request.url) for request in seen] == [
        "http://vote-canary.voting01-qa.svc.cluster.local/health"
    ]


async def test_a_resolved_target_keeps_its_name() -> None:
    """A local run asks the given address for the cluster's host name, as a probe."""
    seen: list[httpx.Request] = []

    def target(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    async with analyzer_client(
        target, health_allow=ALLOW, health_resolve="vote-canary.voting01-qa=127.0.0.1:9001"
    ) as client:
        document = (await client.get(CANARY)).json()
    assert document["status"] == "healthy"
    assert str(seen[0].url) == "http://127.0.0.1:9001/"
    assert seen[0].headers["host"] == "vote-canary.voting01-qa.svc.cluster.local"
    assert seen[0].headers["user-agent"].startswith("kube-probe")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param("service=127.0.0.1&namespace=voting01-qa", 422, id="loopback"),
        pytest.param("service=169.254.169.254&namespace=voting01-qa", 422, id="metadata"),
        pytest.param("service=2130706433&namespace=voting01-qa", 422, id="decimal"),
        pytest.param("service=%5B::1%5D&namespace=voting01-qa", 422, id="ipv6"),
        pytest.param("service=localhost&namespace=voting01-qa", 403, id="localhost"),
        pytest.param("service=vote-x:22&namespace=voting01-qa", 422, id="port"),
        pytest.param("service=u%40vote-x&namespace=voting01-qa", 422, id="user"),
        pytest.param("service=vote-x%23&namespace=voting01-qa", 422, id="fragment"),
        pytest.param("service=vote-x&namespace=voting01-qa.evil.example", 422, id="domain"),
        pytest.param("service=vote-x&namespace=voting01-qa&path=//evil", 422, id="path"),
        pytest.param("service=vote-x&namespace=voting01-qa&path=@evil", 422, id="authority"),
        pytest.param("service=vote-x&namespace=voting01-qa%0d%0aX:y", 422, id="newline"),
        pytest.param("service=vote-x&namespace=kube-system", 403, id="other-namespace"),
        pytest.param("service=redis&namespace=voting01-qa", 403, id="other-service"),
        pytest.param("service=vote-x&service=redis&namespace=voting01-qa", 422, id="doubled"),
        pytest.param("service=&namespace=voting01-qa", 422, id="empty"),
        pytest.param("namespace=voting01-qa", 422, id="missing"),
        pytest.param("service=vote-x&namespace=voting01-qa&url=http://e", 422, id="url"),
    ],
)
async def test_a_refused_target_gets_no_request(query: str, status: int) -> None:
    """The refusal comes first, and says nothing about the target's health."""
    seen: list[httpx.Request] = []

    def target(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    async with analyzer_client(target, health_allow=ALLOW) as client:
        response = await client.get(f"/v1/health-check?{query}")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json().get("status") == status
    assert seen == []


async def test_by_default_nothing_is_allowed() -> None:
    """Without a list the answer tells the setting."""
    async with analyzer_client(_status(200)) as client:
        response = await client.get(CANARY)
    assert (response.status_code, response.json()["error"]) == (403, "target_not_allowed")
    assert "ANALYZER_HEALTH_ALLOW" in response.json()["hint"]
