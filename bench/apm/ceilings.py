"""The least that a Python process can do for a request: run by uvicorn, one worker.

hello     answers a fixed body
counting  decodes the events of a body into structs, counts errors, and keeps nothing
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
import uvicorn

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"13")]
_BODY = b'{"hello": 12}'


class _Event(msgspec.Struct, gc=False):
    event_type: str = msgspec.field(name="eventType")
    app_name: str = msgspec.field(name="appName")
    timestamp: float
    duration: float
    status: str = msgspec.field(name="httpResponseCode")


_decode = msgspec.json.Decoder(list[_Event]).decode


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer."""
    if scope["type"] != "http":
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


async def counting(scope: Scope, receive: Receive, send: Send) -> None:
    """Decode, count and answer."""
    if scope["type"] != "http":
        return
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    sum(event.status >= "500" for event in _decode(b"".join(parts)))
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    uvicorn.run(
        {"hello": hello, "counting": counting}[sys.argv[1]],
        port=int(sys.argv[2]),
        log_level="error",
        access_log=False,
        lifespan="off",
    )
