"""The vote routes as a small ASGI layer in front of the rest of the application.

Every path is the voting front end's, except the suite's own; those go on to FastAPI. A route of
FastAPI's would cost several times the request itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voteapp.domain.contract import MAX_BODY_BYTES, Request

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from voteapp.domain.contract import Reply
    from voteapp.service import VoteService

_OWN_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/metrics", "/openapi.json", "/redoc"})
_OWN_PREFIXES = ("/control/", "/docs")


class VoteRoutes:
    """ASGI middleware that answers the voting front end's requests itself."""

    def __init__(self, app: ASGIApp, *, service: VoteService) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        if scope["type"] != "http" or _is_own(scope["path"]):
            await self.app(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            return
        reply = await self.service.handle(
            _request(scope, body), client_left=lambda: _client_left(receive)
        )
        if reply is not None:
            await _send_reply(reply, send)


def _is_own(path: str) -> bool:
    return path in _OWN_PATHS or path.startswith(_OWN_PREFIXES)


def _request(scope: Scope, body: bytes) -> Request:
    cookie = content_type = user_agent = ""
    for name, value in scope["headers"]:
        if name == b"cookie":
            cookie = value.decode("latin-1")
        elif name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"user-agent":
            user_agent = value.decode("latin-1")
    return Request(
        method=scope["method"],
        path=scope["path"],
        cookie=cookie,
        content_type=content_type,
        user_agent=user_agent,
        body=body,
    )


async def _read_body(receive: Receive) -> bytes | None:
    """Return the body, or None when the client left before sending all of it.

    Reading stops as soon as the body is known to be too large, which the contract answers.
    """
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part: bytes = message.get("body", b"")
        body += part
        if not message.get("more_body") or len(body) > MAX_BODY_BYTES:
            return body


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_reply(reply: Reply, send: Send) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": reply.body})
