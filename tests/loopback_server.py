"""A small HTTP server on loopback that answers what a test tells it to, byte by byte if need be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it came over the wire; header names are as they were written."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return the header's value, empty when it is not there."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


Answer = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """Return an HTTP answer; `_` in a header's name stands for `-`."""
    phrase = HTTPStatus(status).phrase
    lines = [f"HTTP/1.1 {status} {phrase}"]
    if status != 204:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if status == 204 else body)


class LoopbackServer:
    """Listens on a free port inside `async with`; `seen` holds every request."""

    def __init__(self, reply: bytes | Callable[[Seen], bytes] | Answer) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self._reply = reply
        self._handlers: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.port}"

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        handler = asyncio.ensure_future(self._converse(reader, writer))
        self._handlers.add(handler)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while not writer.is_closing():
                    await self._exchange(reader, writer)
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(": ") for line in lines)
        headers = tuple((name, value) for name, _, value in pairs)
        seen = Seen(method=method, target=target, headers=headers, body=b"")
        length = int(seen.header("Content-Length") or 0)
        seen = replace(seen, body=await reader.readexactly(length))
        self.seen.append(seen)
        if isinstance(self._reply, bytes):
            writer.write(self._reply)
        elif asyncio.iscoroutinefunction(self._reply):
            await self._reply(seen, writer)
        else:
            writer.write(self._reply(seen))  # type: ignore[call-arg,arg-type]
        await writer.drain()
        if seen.header("Connection") == "close":
            writer.close()
