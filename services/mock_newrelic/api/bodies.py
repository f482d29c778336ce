"""Request bodies: bounded, and unpacked where a surface wants them so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.service.ingest import MAX_BODY_BYTES, decompress, too_large

if TYPE_CHECKING:
    from fastapi import Request


async def raw_body(request: Request) -> bytes:
    """Return the body as it came.

    Raises:
        InvalidInput: it is too long (413).
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise too_large(f"the body is longer than {MAX_BODY_BYTES} bytes")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large(f"the body is longer than {MAX_BODY_BYTES} bytes")
    return bytes(body)


async def read_body(request: Request) -> bytes:
    """Return the body, unpacked.

    Raises:
        InvalidInput: it is too long (413), its encoding is not known (415) or not what it says.
    """
    return decompress(await raw_body(request), request.headers.get("content-encoding", ""))
