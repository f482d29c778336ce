"""The services inside this process: applications by import string, names instead of sockets.

The runner knows the services as it knows them in live mode, by the name of their package; it
imports none of them. What one sends to another goes through `InProcessNetwork`, which knows the
names of the cluster and answers as sockets would: a name that does not exist is not found, a
program that was stopped refuses, a Service without pods resets.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

import httpx
import structlog
from pydantic import SecretStr

from rollout_runner.adapters.cluster_network import cluster_name

if TYPE_CHECKING:
    from array import array
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from starlette.types import ASGIApp, Message, Scope

    from svckit.clock import Clock

    Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]

APM_PACKAGE = "mock_newrelic"
ANALYZER_PACKAGE = "analyzer"
WIRE = "wire"
"""Key of a request's extensions: the `Wire` that it came over, where there is one."""
_WIRE_EXTENSION = f"{APM_PACKAGE}.wire"
_READING = frozenset({"GET", "HEAD"})
_ANYBODY = ("127.0.0.1", 1)


class Latencies(Protocol):
    """Latencies of consecutive seconds, in the APM's buckets when they are asked for."""

    def total(self, first: int, stop: int) -> Mapping[int, int]:
        """Return the samples of the seconds [first, stop) by bucket."""
        ...


class DrawnStore(Protocol):
    """The APM's store, as far as a simulation knows it."""

    def take(
        self,
        app: str,
        labels: Mapping[str, str],
        first: int,
        counts: array[int],
        latencies: Latencies,
    ) -> None:
        """Take in consecutive seconds of one series."""
        ...


def hush() -> None:
    """Let the services log nothing: thousands of runs would say the same."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class Wire(Protocol):
    """A connection that an injected fault can break; `gone` is set when it was."""

    gone: asyncio.Event

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        ...

    def close(self) -> None:
        """Send what is left, then close."""
        ...

    def reset(self) -> None:
        """Drop the connection at once."""
        ...


def create_apm(
    *, clock: Clock, catch_up: Callable[[], None], api_keys: Sequence[str], admin_key: str
) -> tuple[ASGIApp, DrawnStore]:
    """Return mock-newrelic with default settings, and the store that its samples go to.

    Args:
        clock: the time.
        catch_up: called before every question, to bring what happened meanwhile.
        api_keys: keys for reading.
        admin_key: key of the control plane.
    """
    store = import_module(f"{APM_PACKAGE}.adapters.drawn").DrawnStore(catch_up=catch_up)
    settings = import_module(f"{APM_PACKAGE}.settings").Settings.model_construct(
        ephemeral=True, api_keys=SecretStr(",".join(api_keys)), admin_key=SecretStr(admin_key)
    )
    app = import_module(f"{APM_PACKAGE}.app").create_app(settings, clock=clock, store=store)
    return cast("ASGIApp", app), cast("DrawnStore", store)


@asynccontextmanager
async def running_analyzer(
    *, clock: Clock, network: httpx.AsyncBaseTransport, apm_url: str, api_key: str, allow: str
) -> AsyncIterator[ASGIApp]:
    """Run canary-analyzer with default settings, reading from the APM, its runs in memory.

    Args:
        clock: the time.
        network: for all that it sends.
        apm_url: base URL of the APM.
        api_key: key of the APM.
        allow: which `namespace/service` it may probe.
    """
    settings = import_module(f"{ANALYZER_PACKAGE}.settings").Settings.model_construct(
        ephemeral=True,
        source=(f"newrelic={apm_url}",),
        newrelic_api_key=SecretStr(api_key),
        health_allow=(allow,),
    )
    app = import_module(f"{ANALYZER_PACKAGE}.app").create_app(
        settings, clock=clock, transport=network
    )
    async with app.router.lifespan_context(app):
        yield cast("ASGIApp", app)


class InProcessNetwork(httpx.AsyncBaseTransport):
    """Host names and who answers to them: applications, and Services with pods."""

    def __init__(self) -> None:
        self._apps: dict[str, ASGIApp] = {}
        self._services: dict[str, Handler] = {}
        self._stopped: set[str] = set()
        self.runs_judged = False
        """Whether anybody has asked about a run of the analyzer, which it then remembers."""

    def publish(self, name: str, app: ASGIApp) -> None:
        """Let an application answer to a Service name, in whichever namespace it is."""
        self._apps[name] = app

    def serve(self, service: str, handler: Handler) -> None:
        """Let a handler answer to `service.namespace`."""
        self._services[service] = handler

    def stop(self, name: str) -> None:
        """Let an application refuse connections from now on."""
        self._stopped.add(name)

    def restart_all(self) -> None:
        """Let everybody answer again."""
        self._stopped.clear()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Let whoever has the name answer; failures are httpx errors in Go's words."""
        host = request.url.host
        name = cluster_name(host)
        handler = None if name is None else self._services.get(name)
        short = "" if name is None else name.partition(".")[0]
        app = self._apps.get(short)
        if handler is None and app is None:
            raise httpx.ConnectError(f"dial tcp: lookup {host}: no such host", request=request)
        if request.url.scheme != "http":
            reason = "http: server gave HTTP response to HTTPS client"
            raise httpx.ConnectError(reason, request=request)
        if handler is not None:
            return await handler(request)
        if b"run=" in request.url.query or request.method not in _READING:
            self.runs_judged = True
        if short in self._stopped:
            port = request.url.port or 80
            reason = f"dial tcp {host}:{port}: connect: connection refused"
            raise httpx.ConnectError(reason, request=request)
        return await ask(cast("ASGIApp", app), request)


async def ask(app: ASGIApp, request: httpx.Request) -> httpx.Response:
    """Return what an application answers; a connection that it breaks is an httpx error.

    A request that came over a `Wire` has it broken for real as well.
    """
    url = request.url
    wire: Wire | None = request.extensions.get(WIRE)
    body = await request.aread()
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(key.lower(), value) for key, value in request.headers.raw],
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "query_string": url.query,
        "server": (url.host, url.port),
        "client": _ANYBODY,
        "root_path": "",
    }
    if wire is not None:
        scope["extensions"] = {_WIRE_EXTENSION: wire}
    status, headers, parts, sent = 0, [], [], False

    async def receive() -> Message:
        nonlocal sent
        if sent and wire is not None:
            await wire.gone.wait()
            return {"type": "http.disconnect"}
        if sent:
            await asyncio.get_running_loop().create_future()  # the caller never leaves by itself
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except ConnectionError as error:
        return broken(getattr(error, "breakage", ""), request)
    if not status and wire is not None and wire.gone.is_set():
        raise httpx.ReadError("", request=request)
    return httpx.Response(status or 500, headers=headers, content=b"".join(parts), request=request)


def broken(breakage: str, request: httpx.Request) -> httpx.Response:
    """Show an injected end of the connection as a socket would.

    Raises:
        httpx.TransportError: unless the end comes within the body.
    """
    match breakage:
        case "refuse":
            where = f"{request.url.host}:{request.url.port or 80}"
            reason = f"dial tcp {where}: connect: connection refused"
            raise httpx.ConnectError(reason, request=request)
        case "empty_reply" | "hang":
            raise httpx.RemoteProtocolError("server disconnected", request=request)
        case "garbage":
            raise httpx.RemoteProtocolError("malformed HTTP response", request=request)
        case "truncate":
            error: httpx.TransportError = httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body", request=request
            )
            return httpx.Response(200, stream=_Severed(error), request=request)
        case "reset_mid_body":
            error = httpx.ReadError("", request=request)
            return httpx.Response(200, stream=_Severed(error), request=request)
        case _:
            raise httpx.ReadError("", request=request)


class _Severed(httpx.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, error: httpx.TransportError) -> None:
        self._error = error

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return what fails at once."""
        return self

    async def __anext__(self) -> bytes:
        """Fail."""
        raise self._error
