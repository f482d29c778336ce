"""The last requests to the data plane, and waiting for more of them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from mock_newrelic.domain.ingest.otlp_wire import Signal, as_document
from mock_newrelic.domain.surfaces import Surface, surfaces_named
from mock_newrelic.service.ingest import decompress
from svckit.errors import SuiteError
from svckit.timestamps import format_timestamp_ms

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_ENTRIES = 10_000
MAX_BODY_BYTES = 64 * 1024
"""Of a longer body only the beginning is kept."""
MAX_BODIES_BYTES = 32 * 1024 * 1024
_POLL_SECONDS = 0.2


class Entry(NamedTuple):
    """One request to the data plane.

    Attributes:
        at: when it was answered.
        surface: name of the door.
        method: HTTP method.
        path: without the query string.
        app: application; names separated by commas after an ingest.
        status: of the answer; 0 when the connection was broken instead.
        query: query string without keys.
        samples: how many samples were counted.
        session: token of the session.
        client: User-Agent.
        key: first hex digits of the SHA-256 of the key.
        injections: ids of the injections that struck it, comma-separated.
        call: the collector's method of an agent.
        body_bytes: length of the body.
        body: its beginning.
        encoding: its Content-Encoding.
    """

    at: float
    surface: str
    method: str
    path: str
    app: str
    status: int
    query: str = ""
    samples: int = 0
    session: str = ""
    client: str = ""
    key: str = ""
    injections: str = ""
    call: str = ""
    body_bytes: int = 0
    body: bytes = b""
    encoding: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the entry as the control plane shows it."""
        document = {**self._asdict(), "at": format_timestamp_ms(self.at)}
        length = document.pop("body_bytes")
        for name in ("body", "encoding"):
            del document[name]
        if length:
            document["body"] = {
                "bytes": length,
                "encoding": self.encoding,
                "base64": base64.b64encode(self.body).decode(),
                "decoded": self._decoded() if length == len(self.body) else None,
            }
        return document

    def _decoded(self) -> Any:
        """Return the body as JSON, or as text, or None when it is neither."""
        try:
            body = decompress(self.body, self.encoding)
            if self.surface == Surface.OTLP and not body.lstrip().startswith(b"{"):
                return as_document(Signal(self.path.rpartition("/")[2]), body)
            text = body.decode()
        except (SuiteError, ValueError):
            return None
        try:
            return json.loads(text)
        except ValueError:
            return text


class Journal:
    """A bounded ring of requests, oldest first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._with_body: deque[int] = deque()
        self._bytes = 0
        self._number = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def add(self, entry: Entry) -> None:
        """Record a request and wake those who wait for one."""
        self._number += 1
        self._entries[self._number] = entry
        if len(self._entries) > MAX_ENTRIES:
            self._bytes -= len(self._entries.popitem(last=False)[1].body)
        if entry.body:
            self._bytes += len(entry.body)
            self._with_body.append(self._number)
            self._shorten()
        if self._waiting:
            for future in self._waiting:
                if not future.done():
                    future.set_result(None)

    def clear(self, session: str | None = None) -> None:
        """Forget the requests of a session, or all."""
        gone = [
            number
            for number, entry in self._entries.items()
            if session is None or entry.session == session
        ]
        for number in gone:
            self._bytes -= len(self._entries.pop(number).body)

    def find(
        self,
        *,
        surface: str = "",
        app: str = "",
        session: str = "",
        method: str = "",
        status: str = "",
        limit: int = 0,
    ) -> list[Entry]:
        """Return the entries that match, the last `limit` of them when it is not zero.

        Args:
            surface: name of a surface, or `query` or `ingest` for several.
            app: application name.
            session: token; the default session when empty.
            method: HTTP method, or the collector's method of an agent.
            status: a status, or a class such as `4xx`.
            limit: how many at most; 0 for all.
        """
        surfaces = surfaces_named(surface)
        found = [
            entry
            for entry in self._entries.values()
            if entry.session == session
            and (not surface or entry.surface in surfaces)
            and (not app or app in entry.app.split(","))
            and (not method or method in {entry.method, entry.call})
            and (not status or _has_status(entry.status, status))
        ]
        return found[-limit:] if limit else found

    def count(
        self, *, surface: str = "", app: str = "", session: str = "", method: str = ""
    ) -> int:
        """Return how many of the kept entries match."""
        return len(self.find(surface=surface, app=app, session=session, method=method))

    async def wait(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Wait until `reached()` holds or real seconds have passed; return whether it does.

        It is asked after every request, and now and then, because windows slide by themselves.
        """
        try:
            async with asyncio.timeout(seconds):
                while not reached():
                    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.add(future)
                    try:
                        await asyncio.wait({future}, timeout=_POLL_SECONDS)
                    finally:
                        self._waiting.discard(future)
        except TimeoutError:
            pass
        return reached()

    def _shorten(self) -> None:
        """Forget the oldest bodies when all of them together are too much."""
        while self._bytes > MAX_BODIES_BYTES and self._with_body:
            number = self._with_body.popleft()
            entry = self._entries.get(number)
            if entry is not None:
                self._bytes -= len(entry.body)
                self._entries[number] = entry._replace(body=b"")


def _has_status(status: int, wanted: str) -> bool:
    return str(status) == wanted or f"{status // 100}xx" == wanted
