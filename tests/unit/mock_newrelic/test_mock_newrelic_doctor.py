"""The doctor finds what would keep an agent from reporting."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mock_newrelic.adapters.doctor import Finding, examine
from mock_newrelic.adapters.tls import ensure_certificates, server_context
from mock_newrelic.app import create_app
from mock_newrelic.settings import Settings
from svckit.clock import SystemClock
from svckit.server import serve_in_background

pytestmark = pytest.mark.anyio
STEPS = ["name", "connection", "certificate", "first call"]


class Running(NamedTuple):
    """A service with TLS."""

    port: int
    ca: Path


@pytest.fixture(name="service")
async def _service(tmp_path: Path) -> AsyncIterator[Running]:
    clock = SystemClock()
    files = ensure_certificates(tmp_path, now=clock.now())
    app = create_app(Settings(ephemeral=True), clock=clock)
    async with serve_in_background(app, context=server_context(files)) as url:
        yield Running(int(url.rpartition(":")[2]), files.ca)


async def _examine(
    host: str, port: int, ca: Path | None = None, license_key: str = "0" * 40
) -> list[Finding]:
    return await asyncio.to_thread(
        lambda: list(examine(host, port, ca=ca, license_key=license_key))
    )


async def test_all_is_well(service: Running) -> None:
    """Four steps; the last one tells where agents are sent to."""
    findings = await _examine("localhost", service.port, service.ca)
    assert [one.step for one in findings] == STEPS
    assert all(one.passed for one in findings)
    assert findings[-1].detail.endswith("sent to localhost")


async def test_a_service_that_is_not_trusted_is_found(service: Running) -> None:
    """By an agent that was not given the authority."""
    *_, last = await _examine("localhost", service.port)
    assert (last.step, last.passed) == ("certificate", False)
    assert "self-signed" in last.detail


async def test_a_certificate_for_another_name_is_found(service: Running) -> None:
    """127.0.0.2 reaches the same machine, and is not in the certificate."""
    listener = socket.create_server(("127.0.0.2", 0))
    port = listener.getsockname()[1]

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(4096):
            sink.write(data)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        forwarding.append(asyncio.current_task())
        there, back = await asyncio.open_connection("127.0.0.1", service.port)
        pipes = [
            asyncio.create_task(pipe(reader, back)),
            asyncio.create_task(pipe(there, writer)),
        ]
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        for one in pipes:
            one.cancel()
        for sink in (back, writer):
            sink.close()
        closed = [sink.wait_closed() for sink in (back, writer)]
        await asyncio.gather(*pipes, *closed, return_exceptions=True)

    forwarding: list[Any] = []
    async with await asyncio.start_server(forward, sock=listener):
        *_, last = await _examine("127.0.0.2", port, service.ca)
        await asyncio.gather(*forwarding)
    assert (last.step, last.passed) == ("certificate", False)
    assert "127.0.0.2" in last.detail


async def test_a_closed_port_and_an_unknown_name_are_found(service: Running) -> None:
    """Each at its step."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    *_, last = await _examine("127.0.0.1", port, service.ca)
    assert (last.step, last.passed) == ("connection", False)
    *_, last = await _examine("no.such.name.invalid", 443)
    assert (last.step, last.passed) == ("name", False)


async def test_a_wrong_licence_is_found(service: Running) -> None:
    """The collector's own words are shown."""
    *_, last = await _examine("localhost", service.port, service.ca, license_key="short")
    assert (last.step, last.passed) == ("first call", False)
    assert "401" in last.detail
    assert "license key" in last.detail
