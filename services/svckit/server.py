"""Serving an ASGI application the way the suite promises: ready line, signals, exit code.

When the socket listens and the application has started, one line goes to stdout:
`{"event":"ready","service":"…","url":"http://127.0.0.1:PORT"}`, with `tlsUrl` where the service
speaks TLS on a second port. SIGTERM and SIGINT stop accepting, finish what is in flight and end
with exit code 0 within ten seconds.
"""

from __future__ import annotations

import asyncio
import errno
import json
import signal
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import structlog
import uvicorn

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator, Mapping

    from starlette.types import ASGIApp

GRACE_SECONDS = 8


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket, or raise InvalidInput when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise InvalidInput(
                f"port {port} on {host} is already in use",
                code="port_in_use",
                hint="stop the other process, or choose another port (--port 0 picks a free one)",
            ) from None
        raise InvalidInput(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            code="cannot_listen",
            hint="--host takes an address of this machine, such as 127.0.0.1 or 0.0.0.0",
        ) from None
    return listener


def listener_url(listener: socket.socket, scheme: str = "http") -> str:
    """Return the base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - comparison only
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Tls(NamedTuple):
    """A second port, on which the same application is served over TLS.

    Attributes:
        port: port to listen on, 0 for any.
        context: certificate and key.
    """

    port: int
    context: ssl.SSLContext


def serve(
    app: ASGIApp,
    *,
    service: str,
    host: str,
    port: int,
    ready_extra: Mapping[str, str] | None = None,
    protocol: type[asyncio.Protocol] | None = None,
    tls: Tls | None = None,
) -> None:
    """Serve until a signal comes; returns after a clean shutdown.

    Args:
        app: the application; its lifespan runs.
        service: name in the ready line.
        host: address to listen on.
        port: port to listen on, 0 for any.
        ready_extra: more members of the ready line.
        protocol: speaks HTTP on each connection; uvicorn's own unless given.
        tls: served beside the plain port, when given.

    Raises:
        InvalidInput: an address cannot be had.
    """
    listener = bind_socket(host, port)
    secured = None
    if tls is not None:
        try:
            secured = SecuredSocket(bind_socket(host, tls.port), tls.context)
        except InvalidInput:
            listener.close()
            raise
    config = uvicorn.Config(
        app,
        http=protocol or "auto",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        lifespan="on",
    )
    identity = {"service": service, "url": listener_url(listener)}
    if secured is not None:
        identity["tlsUrl"] = listener_url(secured.listener, "https")
    server = _Server(config, {**identity, **(ready_extra or {})}, secured)
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        if secured is not None:
            secured.listener.close()
    if not server.started:
        raise SystemExit(1)


@asynccontextmanager
async def serve_in_background(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    protocol: type[asyncio.Protocol] | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[str]:
    """Serve on a free port beside the caller's own work; yields the base URL.

    Signals stay with the caller. With a `context` it is served over TLS, and over that alone.
    """
    listener = bind_socket(host, 0)
    secured = None if context is None else SecuredSocket(listener, context)
    config = uvicorn.Config(
        app,
        http=protocol or "auto",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = _BackgroundServer(config, secured)
    serving = asyncio.create_task(server.serve(sockets=[] if secured else [listener]))
    try:
        yield listener_url(listener, "https" if secured else "http")
    finally:
        server.should_exit = True
        await serving
        listener.close()


class SecuredSocket(NamedTuple):
    """A listening socket whose connections speak TLS."""

    listener: socket.socket
    context: ssl.SSLContext


class _TwoPortServer(uvicorn.Server):
    """uvicorn's server, with a second port for TLS."""

    def __init__(self, config: uvicorn.Config, secured: SecuredSocket | None) -> None:
        super().__init__(config)
        self._secured = secured

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, then listen on the second port."""
        await super().startup(sockets=sockets)
        if self._secured is None or not self.started:
            return
        listener, context = self._secured
        protocol = self.config.http_protocol_class

        def speak() -> asyncio.Protocol:
            # As uvicorn makes those of its own listeners.
            return protocol(  # type: ignore[call-arg]
                config=self.config,
                server_state=self.server_state,
                app_state=self.lifespan.state,
            )

        loop = asyncio.get_running_loop()
        self.servers.append(await loop.create_server(speak, sock=listener, ssl=context))


class _BackgroundServer(_TwoPortServer):
    """The server without signal handlers."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Server(_TwoPortServer):
    """The server that announces itself and treats a signal as a wish, not a crash."""

    def __init__(
        self, config: uvicorn.Config, identity: Mapping[str, str], secured: SecuredSocket | None
    ) -> None:
        super().__init__(config, secured)
        self._ready_line = json.dumps({"event": "ready", **identity})

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the ready line."""
        await super().startup(sockets=sockets)
        if self.started:
            print(self._ready_line, flush=True)  # noqa: T201 - the contract's line on stdout

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGTERM and SIGINT without raising them again after the shutdown."""
        loop = asyncio.get_running_loop()

        def stop(name: str) -> None:
            structlog.get_logger().info("shutdown_requested", signal=name)
            self.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, number.name)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
