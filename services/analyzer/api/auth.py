"""Keys of callers: when the operator lists some, every /v1 route needs one."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from fastapi import Request  # noqa: TC002 - FastAPI reads the annotation

from svckit.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def require_key(keys: tuple[str, ...]) -> Callable[[Request], Awaitable[None]]:
    """Return the dependency that checks the Api-Key header; no keys, no check.

    A coroutine, though it awaits nothing: a plain function would cost a thread for every request.
    """
    accepted = [key.encode() for key in keys]

    async def check(request: Request) -> None:
        if not accepted:
            return
        given = request.headers.get("api-key", "").encode()
        if not any(hmac.compare_digest(given, key) for key in accepted):
            raise Unauthorized(
                "missing or wrong Api-Key", hint="send one of ANALYZER_API_KEYS as Api-Key"
            )

    return check
