"""The base application: problems, health, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from svckit.asgi import create_base_app
from svckit.errors import Conflict, SuiteError
from svckit.metrics import new_registry


class Shed(BaseModel):
    """Something to send."""

    colour: str


def build(ready: list[bool]) -> FastAPI:
    """Return an application with one route of each kind of failure."""
    app = create_base_app(
        title="imaginary",
        description="For tests.",
        registry=new_registry(package="imaginary", version="1"),
        ready_checks={"store": lambda: ready[0]},
    )

    @app.get("/conflict")
    async def conflict() -> None:
        raise Conflict("the shed is locked", code="shed_locked", hint="unlock it")

    @app.get("/bug")
    async def bug() -> None:
        message = "secret detail"
        raise RuntimeError(message)

    @app.post("/sheds")
    async def sheds(shed: Shed) -> str:
        return shed.colour

    return app


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client that talks to the application without a socket."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.anyio
async def test_an_expected_failure_is_a_problem() -> None:
    """Code, sentence and hint arrive; the media type is problem+json."""
    async with client_of(build([True])) as client:
        response = await client.get("/conflict")
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body.pop("instance").startswith("urn:request:")
    assert body == {
        "type": "urn:gatelab:problem:shed_locked",
        "title": "Conflict",
        "status": 409,
        "detail": "the shed is locked",
        "error": "shed_locked",
        "hint": "unlock it",
    }


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        pytest.param("POST", "/sheds", b'{"colour": 1}', 422, "invalid_request", id="wrong-type"),
        pytest.param("POST", "/sheds", b"{", 400, "invalid_request", id="not-json"),
        pytest.param("GET", "/nowhere", b"", 404, "not_found", id="no-such-path"),
        pytest.param("DELETE", "/sheds", b"", 405, "method_not_allowed", id="wrong-method"),
    ],
)
async def test_every_refusal_is_a_problem(
    method: str, path: str, body: bytes, status: int, code: str
) -> None:
    """Framework errors have the same shape as ours."""
    async with client_of(build([True])) as client:
        response = await client.request(
            method, path, content=body, headers={"content-type": "application/json"}
        )
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["error"] == code


@pytest.mark.anyio
async def test_a_bug_is_a_problem_without_its_details() -> None:
    """The caller learns that it was a bug, not what the exception said."""
    async with client_of(build([True])) as client:
        response = await client.get("/bug")
    assert response.status_code == 500
    assert response.json()["error"] == SuiteError.default_code
    assert "secret detail" not in response.text


@pytest.mark.anyio
async def test_readiness_follows_its_checks() -> None:
    """Not ready is 503 with the name of the check; alive stays 200."""
    ready = [False]
    async with client_of(build(ready)) as client:
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["checks"]) == (503, {"store": False})
        assert (await client.get("/livez")).status_code == 200
        ready[0] = True
        assert (await client.get("/healthz")).status_code == 200


@pytest.mark.anyio
async def test_metrics_count_by_route_template() -> None:
    """/metrics answers itself, without a redirect, and names routes rather than paths."""
    async with client_of(build([True])) as client:
        await client.get("/conflict")
        response = await client.get("/metrics")
    assert response.status_code == 200
    line = 'http_server_request_duration_seconds_count{method="GET",route="/conflict",status="409"}'
    assert f"{line} 1.0" in response.text
    assert 'imaginary_build_info{version="1"} 1.0' in response.text
