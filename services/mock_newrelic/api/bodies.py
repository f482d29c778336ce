"""Request bodies of the surfaces that are asked with one: bounded, and unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.service.ingest import MAX_BODY_BYTES, decompress, too_large

if TYPE_CHECKING:
    from fastapi import Request


async def read_body(request: Request) -> bytes:
    """Return the body, unpacked.

    Raises:
        InvalidInput: it is too long (413), its encoding is not known (415) or not what it says.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large(f"the body is longer than {MAX_BODY_BYTES} bytes")
    return decompress(bytes(body), request.headers.get("content-encoding", ""))
