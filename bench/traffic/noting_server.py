"""A server that answers at once and notes when each request came: `noting_server.py PORT`.

On SIGTERM it writes the instants of the monotonic clock to stdout, 8 bytes each, and ends.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from array import array
from typing import cast

import uvloop

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n"
    b"X-Pod-Template-Hash: 7c9f8b6d5\r\n\r\nthanks for the vote"
)
INSTANTS = array("d")


class Vote(asyncio.Protocol):
    """One connection; a request fits into one read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Note the instant and answer; some clients send head and body apart."""
        data = self._rest + data
        head, end, body = data.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            self._rest = data
            return
        INSTANTS.append(time.monotonic())
        self._rest = b""
        self._transport.write(ANSWER)


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return 0 if at < 0 else int(head[at + 15 :].split(b"\r\n", 1)[0])


async def main(port: int) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, done.set)
    async with await loop.create_server(Vote, "127.0.0.1", port, backlog=1024):
        await done.wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
    sys.stdout.buffer.write(INSTANTS.tobytes())
