"""Request bodies: bounded, and unpacked where a surface wants them so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.service.ingest import MAX_BODY_BYTES, decompress, too_large
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import Receive, Scope


async def whole_body(scope: Scope, receive: Receive) -> bytes:
    """Return the body as it came.

    Raises:
        InvalidInput: it is too long (413), or the sender went away in the middle of it (400).
    """
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_large(f"the body is longer than {MAX_BODY_BYTES} bytes")
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidInput("the sender went away", code="disconnected", status=400)
        part = message.get("body", b"")
        length += len(part)
        if length > MAX_BODY_BYTES:
            raise too_large(f"the body is longer than {MAX_BODY_BYTES} bytes")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


async def raw_body(request: Request) -> bytes:
    """Return the body of a request as it came; errors are those of `whole_body`."""
    return await whole_body(request.scope, request.receive)


async def read_body(request: Request) -> bytes:
    """Return the body, unpacked.

    Raises:
        InvalidInput: it is too long (413), its encoding is not known (415) or not what it says.
    """
    return decompress(await raw_body(request), request.headers.get("content-encoding", ""))
