"""TCP without sockets: votegen's own HTTP client talks to the server's own HTTP parser in memory.

Bytes written at one end arrive at the other in the event loop's next turn, in order. Nothing takes
time, so a run under a manual clock is exact.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from svckit.clock import ManualClock
from votegen.adapters.http_asyncio import HttpConnection, HttpConnector
from votegen.app import create_app
from votegen.domain.targets import Endpoint
from votegen.settings import VotegenSettings
from votegen_fakes import let_pass


class _End(asyncio.Transport):
    """One end of a connection."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.peer: _End | None = None
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing and self.peer is not None:
            asyncio.get_running_loop().call_soon(self.peer.deliver, bytes(data))

    def deliver(self, data: bytes) -> None:
        if self._closing:
            return
        if not isinstance(self.protocol, asyncio.BufferedProtocol):
            assert isinstance(self.protocol, asyncio.Protocol)
            self.protocol.data_received(data)
            return
        while data and not self._closing:
            buffer = memoryview(self.protocol.get_buffer(len(data)))
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            self.protocol.buffer_updated(size)
            data = data[size:]

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        loop = asyncio.get_running_loop()
        loop.call_soon(self.protocol.connection_lost, None)
        if self.peer is not None:
            loop.call_soon(self.peer.close)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        """Do nothing: what the tests send is small."""

    def resume_reading(self) -> None:
        """Do nothing, as nothing was paused."""


class Wire:
    """Connections to applications by host name; `opened` counts them."""

    def __init__(self, hosts: Mapping[str, ASGIApp]) -> None:
        self.hosts = dict(hosts)
        self.opened = 0
        self._configs: dict[str, uvicorn.Config] = {}

    def __call__(self, endpoint: Endpoint) -> HttpConnector:
        """Return votegen's connector to one endpoint."""
        return HttpConnector(endpoint, connect=self.connect)

    async def connect(
        self, protocol: Callable[[], HttpConnection], endpoint: Endpoint
    ) -> HttpConnection:
        """Open a connection; a host that is not there refuses it."""
        host = endpoint.host
        app: Any = self.hosts.get(host)
        if app is None:
            raise ConnectionRefusedError(host)
        config = self._configs.setdefault(
            host, uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        )
        connection = protocol()
        client = _End(connection)
        server = _End(HttpToolsProtocol(config, ServerState(), {}))
        client.peer, server.peer = server, client
        for end in (server, client):
            end.protocol.connection_made(end)
        self.opened += 1
        return connection


class Generator:
    """A votegen in this process whose connections are a wire to the versions."""

    def __init__(self, clock: ManualClock, wire: Wire) -> None:
        self.clock = clock
        self.app = create_app(
            VotegenSettings(),
            clock=clock,
            connectors=wire,
            monotonic=clock.now,
            sleep=clock.sleep,
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://votegen.test"
        )

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control plane and insist on an answer."""
        response = await self.http.request(method, path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    async def start(self, plan: dict[str, Any]) -> None:
        """Start a plan."""
        await self.call("PUT", "/control/plan", plan)
        await self.call("POST", "/control/start")

    async def run(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Run a plan to its end and return the result."""
        await self.start(plan)
        while (status := await self.call("GET", "/v1/status"))["state"] == "running":
            await let_pass(self.clock, 1)
        assert status["state"] == "finished"
        result: dict[str, Any] = status["result"]
        return result
