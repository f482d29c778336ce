"""HTTP/1.1 over plain asyncio: keep-alive connections, httptools for the answers.

No task, future, timer or client library per request: a request is one write on an idle connection,
an answer is one read and one parser callback. Two things keep that path short:

    reading    in small pieces: asyncio's own protocol would allocate 256 KiB for every read
    version    the line with the pod-template hash is looked for in the bytes as they came, where
               the endpoint's last answer had it

A server may close an idle connection just when a request is written to it. Such a request (no byte
of an answer, on a connection that was idle for at least STALE_SECONDS) is sent once more on a new
connection. A connection that was busy a moment ago has no such excuse: its loss is an error of the
target.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING, cast

import httptools

from votegen.domain.attribution import HASH_HEADER, pod_template_hash
from votegen.domain.outcome import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from votegen.domain.targets import Endpoint
    from votegen.ports import Owner

READ_BYTES = 16 * 1024
# Enough of a page to find its host name.
KEPT_BYTES = 64 * 1024
STALE_SECONDS = 1.0
MAX_SPELLINGS = 100

_HEAD_END = b"\r\n\r\n"
_INTERIM = (b"HTTP/1.1 1", b"HTTP/1.0 1")
_LENGTH = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)


def connect_with(
    context: ssl.SSLContext | None,
) -> Callable[[Callable[[], HttpConnection], Endpoint], Awaitable[HttpConnection]]:
    """Return a function that opens a connection, with TLS where the endpoint says so.

    Args:
        context: how certificates are verified; None trusts the system's authorities.
    """

    async def connect(protocol: Callable[[], HttpConnection], to: Endpoint) -> HttpConnection:
        tls = (context or ssl.create_default_context()) if to.tls else None
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            protocol, to.host, to.port, ssl=tls, server_hostname=to.host if tls else None
        )
        return connection

    return connect


class HttpConnector:
    """Opens connections to one endpoint.

    Args:
        endpoint: where to connect.
        connect: opens one connection, or raises OSError.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        connect: Callable[[Callable[[], HttpConnection], Endpoint], Awaitable[HttpConnection]]
        | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._connect = connect or connect_with(None)
        self._opening: set[asyncio.Task[None]] = set()
        # How this endpoint spelled the header last, and the whole line and its place and meaning.
        self._header = b"\r\nX-Pod-Template-Hash:"
        self._line, self._line_at, self._line_hash = b"\0", 0, ""
        self._hashes: dict[bytes, str] = {}

    def open(self, owner: Owner, *, timeout_seconds: float) -> None:
        """Begin to open a connection."""
        task = asyncio.get_running_loop().create_task(self._open(owner, timeout_seconds))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def close(self) -> None:
        """Give up on those that are being opened."""
        for task in self._opening:
            task.cancel()

    async def _open(self, owner: Owner, timeout_seconds: float) -> None:
        try:
            # The kernel alone would try for minutes, and a TLS handshake may never end.
            async with asyncio.timeout(timeout_seconds):
                connection = await self._connect(
                    lambda: HttpConnection(self, owner), self._endpoint
                )
        except (OSError, UnicodeError):  # the latter for host names that cannot be one
            owner.refused()
            return
        owner.opened(connection)

    def pod_hash(self, answer: bytes) -> str:
        """Return the hash of the pod that sent this answer.

        Mostly it is where it was in the last answer. (Only a body that holds this very line at
        this very place, under a head without it, would be taken for a head.)
        """
        if answer.startswith(self._line, self._line_at):
            return self._line_hash
        return self._search(answer)

    def _search(self, answer: bytes) -> str:
        """Look for the header in any spelling, then for a host name on the page."""
        start, head_end = _head(answer)
        at = answer.find(self._header, start, head_end)
        if at < 0:
            head = answer[start:head_end].lower()
            at = head.find(b"\r\n" + HASH_HEADER + b":")
            if at < 0:
                body = answer[head_end + len(_HEAD_END) :]
                if b"\r\ntransfer-encoding:" in head:
                    body = _Body(answer).content
                return pod_template_hash(b"", body)
            at += start
            self._header = answer[at : at + len(self._header)]
        value_at = at + len(self._header)
        line_end = answer.find(b"\r\n", value_at)
        value = answer[value_at:line_end]
        known = self._hashes.get(value)
        if known is None:
            if len(self._hashes) >= MAX_SPELLINGS:
                self._hashes.clear()
            known = self._hashes[value] = pod_template_hash(value.strip(), b"")
        self._line, self._line_at, self._line_hash = answer[at : line_end + 2], at, known
        return known


class HttpConnection(asyncio.Protocol):
    """One connection, at most one request at a time."""

    def __init__(self, connector: HttpConnector, owner: Owner) -> None:
        self.intended = 0.0
        self.sent_at = 0.0
        self.idle_since: float | None = None
        self.repeated = False
        self._connector = connector
        self._owner: Owner | None = owner
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._payload: bytes | None = None
        self._received = b""
        self._complete = False
        self._keep = False
        self._status = 0

    def write(self, payload: bytes) -> None:
        """Send a request; the connection is idle."""
        self._payload = payload
        if self._transport is None:
            # Closed in this very turn of the event loop.
            asyncio.get_running_loop().call_soon(self._lost)
        else:
            self._transport.write(payload)

    def drop(self) -> None:
        """Close at once, without a word to anybody."""
        self._owner = None
        self._payload = None
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # uvloop's transports have the methods of asyncio.Transport, but not the type.
        self._transport = cast("asyncio.Transport", transport)
        # asyncio allocates this much for every read, and takes 256 KiB of its own accord.
        if hasattr(transport, "max_size"):
            transport.max_size = READ_BYTES

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Settle the request that was under way."""
        self._transport = None
        if self._payload is not None:
            self._lost()
        elif self._owner is not None:
            self._owner.closed(self)

    def eof_received(self) -> bool:
        """Leave the pool as soon as the server says goodbye, not when the socket is closed."""
        if self._payload is None and self._owner is not None:
            self._owner.closed(self)
            self.drop()
        return False

    def data_received(self, data: bytes) -> None:
        """Parse what was read."""
        if self._payload is None:
            # Nobody asked for anything: do not trust what comes next.
            if self._owner is not None:
                self._owner.closed(self)
            self.drop()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._complete:
                self._fail(ErrorKind.PROTOCOL)
                return
            self._keep = False
        if self._received:
            if len(self._received) < KEPT_BYTES:
                self._received += data
            data = self._received
        if self._complete:
            self._answered(data, keep=self._keep)
        else:
            self._received = data

    # What httptools calls.

    def on_message_begin(self) -> None:
        """Note the beginning of an answer; a second one is nobody's, and ends the connection."""
        if self._complete:
            self._keep = False

    def on_message_complete(self) -> None:
        """Note the end of the answer; an interim answer (1xx) is none."""
        if self._complete:
            return
        self._status = self._parser.get_status_code()
        if self._status // 100 != 1:
            self._complete = True
            # The parser forgets it as soon as it expects the next answer.
            self._keep = self._parser.should_keep_alive()

    def _answered(self, answer: bytes, *, keep: bool) -> None:
        self._payload = None
        self._complete = False
        self._received = b""
        owner = self._owner
        if owner is None:
            return
        if not keep or self._transport is None:
            self.drop()
            keep = False
        owner.answered(self, self._status, self._connector.pod_hash(answer), keep=keep)

    def _fail(self, kind: ErrorKind) -> None:
        owner = self._owner
        self.drop()
        if owner is not None:
            owner.failed(self, kind)

    def _lost(self) -> None:
        """Settle a request whose connection is gone."""
        payload, owner = self._payload, self._owner
        if payload is None or owner is None:
            return
        start, end = _head(self._received)
        if end >= 0 and not _LENGTH.search(self._received, start, end):
            # HTTP/1.0 style: the end of the connection is the end of the body.
            self._status = self._parser.get_status_code()
            self._answered(self._received, keep=False)
            return
        idle = 0.0 if self.idle_since is None else self.sent_at - self.idle_since
        if not self._received and not self.repeated and idle >= STALE_SECONDS:
            self.drop()
            owner.stale(self, payload)
        else:
            self._fail(ErrorKind.RESET)


def _head(answer: bytes) -> tuple[int, int]:
    """Return where the head of the answer begins behind interim ones, and its end (-1: none)."""
    start, end = 0, answer.find(_HEAD_END)
    while end >= 0 and answer.startswith(_INTERIM, start):
        start = end + len(_HEAD_END)
        end = answer.find(_HEAD_END, start)
    return start, end


class _Body:
    """The body of an answer without its chunks, for the few pages that are looked into."""

    def __init__(self, answer: bytes) -> None:
        self.content = b""
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(answer)

    def on_body(self, body: bytes) -> None:
        """Put the pieces together."""
        self.content += body
