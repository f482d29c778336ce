"""HTTP/1.1 over plain asyncio: keep-alive connections, httptools for the answers.

No task, future or client library per request: a request is one write on an idle connection, an
answer is a few parser callbacks. Reading into a buffer of our own avoids asyncio's 256 KiB
allocation for every read.

    send ──► idle connection ──► write          (or: open a connection, then write)
                  ▲                │
                  └── answer ◄─────┘ ──► done(outcome)

A server may close an idle connection just when a request is written to it. Such a request (no byte
of an answer, on a connection that was idle for at least STALE_SECONDS) is repeated once on a new
connection and counted in `reconnects`. A connection that was busy a moment ago has no such excuse:
its loss is an error of the target.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import httptools

from votegen.domain.attribution import HASH_HEADER, pod_template_hash
from votegen.domain.outcome import ErrorKind, Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from votegen.domain.targets import Endpoint
    from votegen.ports import Timebase

READ_BYTES = 16 * 1024
# Enough of a page to find its host name.
KEPT_BODY_BYTES = 64 * 1024
STALE_SECONDS = 1.0
_LENGTH_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


async def open_connection(protocol: Callable[[], Connection], host: str, port: int) -> Connection:
    """Open a TCP connection; raises OSError."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(protocol, host, port)
    return connection


class HttpTransport:
    """All connections to one endpoint. How many there are is the caller's business.

    Args:
        endpoint: where to connect.
        timebase: real time.
        connect: opens a connection; replaced in tests.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timebase: Timebase,
        *,
        connect: Callable[
            [Callable[[], Connection], str, int], Awaitable[Connection]
        ] = open_connection,
    ) -> None:
        self.monotonic = timebase.monotonic
        self.reconnects = 0
        # The most recently used connection first, so that surplus ones go idle and are closed.
        self.idle: list[Connection] = []
        self._endpoint = endpoint
        self._connect = connect
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False

    def send(self, payload: bytes, done: Callable[[Outcome], None]) -> HttpExchange:
        """Write the request to an idle connection, or to a new one as soon as it is open."""
        exchange = HttpExchange(payload, done)
        while self.idle:
            connection = self.idle.pop()
            if connection.usable:
                connection.start(exchange)
                return exchange
        self.open(exchange)
        return exchange

    def open(self, exchange: HttpExchange) -> None:
        """Open a connection for this request."""
        task = asyncio.get_running_loop().create_task(self._open(exchange))
        exchange.opening = task
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def close(self) -> None:
        """Drop all connections that are idle or opening."""
        self._closed = True
        for task in self._opening:
            task.cancel()
        for connection in self.idle:
            connection.drop()
        self.idle.clear()

    def release(self, connection: Connection) -> None:
        """Take back a connection that can be used again."""
        if self._closed:
            connection.drop()
        else:
            self.idle.append(connection)

    async def _open(self, exchange: HttpExchange) -> None:
        try:
            connection = await self._connect(
                lambda: Connection(self), self._endpoint.host, self._endpoint.port
            )
        except (OSError, UnicodeError):  # the latter for host names that cannot be one
            exchange.finish(Outcome(failure=ErrorKind.CONNECT))
            return
        exchange.opening = None
        connection.start(exchange)


class HttpExchange:
    """One request on its way."""

    __slots__ = ("_done", "connection", "opening", "payload", "repeated", "sent_at")

    def __init__(self, payload: bytes, done: Callable[[Outcome], None]) -> None:
        self.payload = payload
        self.sent_at: float | None = None
        self.connection: Connection | None = None
        self.opening: asyncio.Task[None] | None = None
        self.repeated = False
        self._done: Callable[[Outcome], None] | None = done

    def cancel(self) -> None:
        """Give up: drop the connection, tell nobody."""
        self._done = None
        if self.opening is not None:
            self.opening.cancel()
        if self.connection is not None:
            self.connection.drop()

    def finish(self, outcome: Outcome) -> None:
        """Report the end, once."""
        done, self._done = self._done, None
        if done is not None:
            done(outcome)


class Connection(asyncio.BufferedProtocol):
    """One connection, at most one request at a time."""

    def __init__(self, pool: HttpTransport) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._parser = httptools.HttpResponseParser(self)
        self._exchange: HttpExchange | None = None
        self._idle_since: float | None = None
        self._idle_seconds = 0.0
        self._answered = False
        self._expect_answer()

    @property
    def usable(self) -> bool:
        """Whether a request may be written."""
        return self._transport is not None and not self._transport.is_closing()

    def start(self, exchange: HttpExchange) -> None:
        """Write a request; the connection is idle."""
        self._answered = False
        self._expect_answer()
        now = self._pool.monotonic()
        self._idle_seconds = 0.0 if self._idle_since is None else now - self._idle_since
        self._exchange = exchange
        exchange.connection = self
        exchange.sent_at = now
        if self._transport is None:
            self._lost()
        else:
            self._transport.write(exchange.payload)

    def drop(self) -> None:
        """Close at once, without a word to anybody."""
        self._exchange = None
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # uvloop's transports have the methods of asyncio.Transport, but not the type.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Leave the pool and settle the request that was under way."""
        self._transport = None
        with suppress(ValueError):
            self._pool.idle.remove(self)
        if self._exchange is not None:
            self._lost()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return where to read into."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what was read."""
        if self._exchange is None:
            # Nobody asked for anything: do not trust what comes next.
            self._pool.idle = [other for other in self._pool.idle if other is not self]
            self.drop()
            return
        self._answered = True
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except httptools.HttpParserError:
            exchange = self._exchange
            self.drop()
            exchange.finish(Outcome(failure=ErrorKind.PROTOCOL))
            return
        if self._complete:
            self._finish(keep=self._keep)

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note who answers, and whether the body's length is known."""
        name = name.lower()
        if name == HASH_HEADER:
            self._hash = value
        elif name in _LENGTH_HEADERS:
            self._has_length = True

    def on_headers_complete(self) -> None:
        """Note that an answer has begun in earnest."""
        self._has_headers = True

    def on_body(self, body: bytes) -> None:
        """Keep the page while it may be needed to find the host name."""
        if not self._hash and len(self._body) < KEPT_BODY_BYTES:
            self._body += body

    def on_message_complete(self) -> None:
        """Note the end of the answer; an interim answer (1xx) is none."""
        if self._parser.get_status_code() >= 200:
            self._complete = True
            # The parser forgets it as soon as it expects the next answer.
            self._keep = self._parser.should_keep_alive()
        else:
            self._expect_answer()

    def _expect_answer(self) -> None:
        self._has_headers = False
        self._has_length = False
        self._complete = False
        self._keep = False
        self._hash = b""
        self._body = b""

    def _finish(self, *, keep: bool) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        exchange.connection = None
        outcome = Outcome(
            status=self._parser.get_status_code(),
            pod_hash=pod_template_hash(self._hash, self._body),
        )
        if keep and self._transport is not None:
            self._idle_since = self._pool.monotonic()
            self._pool.release(self)
        else:
            self.drop()
        exchange.finish(outcome)

    def _lost(self) -> None:
        """Settle a request whose connection is gone."""
        exchange = self._exchange
        if exchange is None:
            return
        if self._has_headers and not self._has_length:
            # HTTP/1.0 style: the end of the connection is the end of the body.
            self._finish(keep=False)
            return
        self._exchange = None
        exchange.connection = None
        stale = not self._answered and self._idle_seconds >= STALE_SECONDS
        if stale and not exchange.repeated:
            exchange.repeated = True
            exchange.sent_at = None
            self._pool.reconnects += 1
            self._pool.open(exchange)
        else:
            exchange.finish(Outcome(failure=ErrorKind.RESET))
