"""uvicorn's HTTP protocol with its transport within reach, so that connections can be broken.

`svckit.server.serve(..., protocol=WireProtocol)` makes every request carry a `Wire` among its
scope's extensions. Nothing else changes.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mock_newrelic.service.wire import WIRE_EXTENSION

if TYPE_CHECKING:
    from asyncio import Transport

_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends a reset instead of what is still in the buffer."""


class WireProtocol(HttpToolsProtocol):
    """Puts the connection into the scope of its requests."""

    def on_message_begin(self) -> None:
        """Begin a request as uvicorn does, then add the connection."""
        super().on_message_begin()
        extensions: dict[str, Any] = {WIRE_EXTENSION: SocketWire(self.transport)}
        self.scope["extensions"] = extensions


class SocketWire:
    """A connection of asyncio's."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Send what is left, then close."""
        self._transport.close()

    def reset(self) -> None:
        """Close with a reset."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self._transport.abort()
