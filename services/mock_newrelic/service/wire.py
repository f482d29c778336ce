"""What a transport fault needs of the connection that a request came over."""

from __future__ import annotations

from typing import Protocol

WIRE_EXTENSION = "mock_newrelic.wire"
"""Name of the ASGI scope's extension that holds the `Wire`."""


class Wire(Protocol):
    """One connection, below HTTP."""

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        ...

    def close(self) -> None:
        """Send what is left, then close in an orderly way."""
        ...

    def reset(self) -> None:
        """Drop the connection at once; the peer sees a reset."""
        ...


class BrokenConnectionError(ConnectionError):
    """The injected end of a connection, where there is no connection to break.

    In-process callers (httpx.ASGITransport and its like) get it raised out of the request instead
    of what a socket would have shown; `breakage` is the name of the fault.
    """

    def __init__(self, breakage: str) -> None:
        super().__init__(f"injected: {breakage}")
        self.breakage = breakage
