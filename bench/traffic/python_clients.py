"""Closed loops with Python's HTTP clients: `python_clients.py aiohttp|httpx|bare URL`.

50 connections, the same POST again and again, until it is ended. `bare` is what the event loop and
the parser cost without a schedule, cookies, versions and histograms: votegen's own floor.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, cast
from urllib.parse import urlsplit

import uvloop

CONNECTIONS = 50
BODY = b"vote=a"
HEADERS = {
    "Cookie": "voter_id=1234567890abcdef",
    "Content-Type": "application/x-www-form-urlencoded",
}


async def with_aiohttp(url: str) -> None:
    """Vote with aiohttp."""
    import aiohttp  # noqa: PLC0415 - only this peer needs it

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

        async def vote() -> None:
            while True:
                async with session.post(url, data=BODY) as answer:
                    await answer.read()

        await asyncio.gather(*(vote() for _ in range(CONNECTIONS)))


async def with_httpx(url: str) -> None:
    """Vote with httpx."""
    import httpx  # noqa: PLC0415 - only this peer needs it

    limits = httpx.Limits(max_connections=CONNECTIONS)
    async with httpx.AsyncClient(headers=HEADERS, limits=limits, trust_env=False) as client:

        async def vote() -> None:
            while True:
                await client.post(url, content=BODY)

        await asyncio.gather(*(vote() for _ in range(CONNECTIONS)))


class Bare(asyncio.Protocol):
    """One connection that sends its next request when an answer is complete."""

    def __init__(self, request: bytes) -> None:
        import httptools  # noqa: PLC0415 - only this client needs it

        self._request = request
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport: Any = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Parse."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Send the next request."""
        self._parser.get_status_code()
        self._transport.write(self._request)


async def with_nothing(url: str) -> None:
    """Vote with an event loop and a parser only."""
    parts = urlsplit(url)
    lines = [f"POST / HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(BODY)}"]
    lines += [f"{name}: {value}" for name, value in HEADERS.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode() + BODY
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Bare(request), parts.hostname or "", parts.port or 80)
    await asyncio.Event().wait()


if __name__ == "__main__":
    clients = {"aiohttp": with_aiohttp, "httpx": with_httpx, "bare": with_nothing}
    uvloop.run(clients[sys.argv[1]](sys.argv[2]))
