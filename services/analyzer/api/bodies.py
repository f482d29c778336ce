"""Request bodies, bounded in size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from fastapi import Request

MAX_BODY_BYTES = 8 * 1024 * 1024


async def read_body(request: Request) -> bytes:
    """Return a request's body.

    Raises:
        InvalidInput: it is too large (status 413).
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidInput(
                f"body: more than {MAX_BODY_BYTES} bytes", code="too_large", status=413
            )
    return bytes(body)
