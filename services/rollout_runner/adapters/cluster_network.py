"""Cluster names on one machine: `vote-canary.voting01-qa.svc.cluster.local` without a cluster.

A name resolves to a program of the bench, which has a fixed address, or to a Service whose selector
decides which pods answer. Each Service has a listener on loopback that forwards connections to the
pods it selects at that moment, as kube-proxy does, and refuses them while it selects none. A
forward proxy gives the same names to job containers, which only know `http_proxy`; a name that the
cluster does not have ends the connection there, as a failed look-up would.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from svckit.server import bind_socket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CLUSTER_SUFFIXES = (".svc.cluster.local", ".svc")
"""Names with such an end exist in the cluster or nowhere."""


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port of something that listens."""

    host: str
    port: int

    @classmethod
    def of_url(cls, url: str) -> Address:
        """Return the address that an `http://host:port` URL names."""
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or 80)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def cluster_name(host: str) -> str | None:
    """Return `service.namespace` of a cluster host name, None for any other host."""
    host = host.removesuffix(".").lower()
    for suffix in CLUSTER_SUFFIXES:
        if host.endswith(suffix) and host.count(".") == suffix.count(".") + 1:
            return host.removesuffix(suffix)
    return host if host.count(".") == 1 and not host.replace(".", "").isdigit() else None


class ClusterNetwork:
    """Names, Services and their selectors; listeners live from `open` to `close`."""

    def __init__(self) -> None:
        self._fixed: dict[str, Address] = {}
        self._listeners: dict[str, Address] = {}
        self._selected: dict[str, str] = {}
        self._pods: dict[str, Address] = {}
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._proxy: Address | None = None

    async def open(self, services: list[str]) -> None:
        """Start a listener for each `service.namespace`, and the forward proxy."""
        for name in services:
            self._listeners[name] = await self._listen(partial(self._forward, name))
        self._proxy = await self._listen(self._serve_proxy)

    async def close(self) -> None:
        """Stop listening and end what is connected."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def publish(self, service: str, address: Address) -> None:
        """Make a Service name resolve to a fixed address, in whichever namespace it is."""
        self._fixed[service] = address

    def add_pods(self, pod_hash: str, address: Address) -> None:
        """Say where the pods of a hash answer."""
        self._pods[pod_hash] = address

    def remove_pods(self, pod_hash: str) -> None:
        """Forget the pods of a hash."""
        self._pods.pop(pod_hash, None)

    def select(self, service: str, pod_hash: str) -> None:
        """Make the Service `service.namespace` select the pods of this hash."""
        self._selected[service] = pod_hash

    def resolve(self, host: str) -> Address | None:
        """Return where a cluster host name answers here; None when it is not known."""
        name = cluster_name(host)
        if name is None:
            return None
        return self._listeners.get(name) or self._fixed.get(name.split(".")[0])

    @property
    def services(self) -> dict[str, Address]:
        """Address of every Service's listener."""
        return dict(self._listeners)

    @property
    def proxy_url(self) -> str:
        """URL of the forward proxy, for `http_proxy`."""
        return f"http://{self._proxy}"

    def _endpoint(self, service: str) -> Address | None:
        return self._pods.get(self._selected.get(service, ""))

    def _proxied(self, host: str, port: int) -> Address | None:
        """Return where the proxy connects to; None for a name that a cluster does not have.

        A Job lives in the Services' namespace, so there a Service's bare name is enough.
        """
        own = {name.split(".")[0]: address for name, address in self._listeners.items()}
        address = self.resolve(host) or own.get(host)
        if address is None and host and not host.removesuffix(".").endswith(CLUSTER_SUFFIXES):
            return Address(host, port)
        return address

    async def _listen(
        self, handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
    ) -> Address:
        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            finally:
                writer.close()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = asyncio.create_task(converse(reader, writer))
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)

        listener = bind_socket("127.0.0.1", 0)
        self._servers.append(await asyncio.start_server(accept, sock=listener))
        return Address(*listener.getsockname()[:2])

    async def _forward(
        self, service: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        endpoint = self._endpoint(service)
        if endpoint is None:
            _refuse(writer)
            return
        await _pipe(endpoint, b"", reader, writer)

    async def _serve_proxy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one absolute-form request: resolve its host, pass it on, close."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, version = head.split(b"\r\n", 1)[0].split(b" ")
            parts = urlsplit(target.decode("latin-1"))
            address = self._proxied(parts.hostname or "", parts.port or 80)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            address = None
        if address is None:
            # Not an HTTP answer: a script that does not look at the status would take it for one.
            _refuse(writer)
            return
        path = parts.path or "/"
        if parts.query:
            path += f"?{parts.query}"
        first = b" ".join((method, path.encode("latin-1"), version))
        rest = head.split(b"\r\n", 1)[1]
        await _pipe(address, first + b"\r\nConnection: close\r\n" + rest, reader, writer)


def _refuse(writer: asyncio.StreamWriter) -> None:
    """Reset the connection, which is what an address without endpoints does."""
    now = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
    writer.transport.abort()


async def _pipe(
    address: Address,
    first: bytes,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Connect to the address, send `first`, then copy both ways until either side ends."""
    try:
        upstream_reader, upstream_writer = await asyncio.open_connection(address.host, address.port)
    except OSError:
        _refuse(writer)
        return
    if first:
        upstream_writer.write(first)
    copies = [
        asyncio.create_task(_copy(reader, upstream_writer)),
        asyncio.create_task(_copy(upstream_reader, writer)),
    ]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        if not copies[1].done():  # the client half-closed: the answer may still come
            await copies[1]
    finally:
        for task in copies:
            task.cancel()
        for end in (upstream_writer, writer):
            end.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
