"""The outermost layer: answers the hot path itself and keeps the journal of the data plane.

Everything else, its validation, documentation and errors, is the framework's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mock_newrelic.service.journal import INGEST, QUERY, Entry

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mock_newrelic.api.facade import Facade
    from mock_newrelic.service.journal import Journal
    from svckit.clock import Clock

HOT_PATH = "/v1/metrics"
_DATA_PLANE = "/v1/"
JOURNAL_KEY = "mock_newrelic.journal"
"""Where in the ASGI scope a route leaves what the journal should know: app, query, samples."""


class Edge:
    """An ASGI application around the framework's one."""

    def __init__(self, app: ASGIApp, *, facade: Facade, journal: Journal, clock: Clock) -> None:
        self._app = app
        self._facade = facade
        self._journal = journal
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        if scope["type"] != "http" or not scope["path"].startswith(_DATA_PLANE):
            await self._app(scope, receive, send)
        elif scope["path"] == HOT_PATH and scope["method"] == "GET":
            await self._answer(scope, send)
        else:
            await self._observe(scope, receive, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        query_string = scope["query_string"]
        reply = self._facade.reply(query_string, scope["headers"])
        self._journal.add(
            Entry(
                self._clock.now(),
                QUERY,
                "GET",
                HOT_PATH,
                reply.query.app if reply.query else "",
                reply.status,
                query_string.decode("latin-1") if reply.query else "",
            )
        )
        await send(
            {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
        )
        await send({"type": "http.response.body", "body": reply.body})

    async def _observe(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500
        facts: dict[str, Any] = {}
        scope[JOURNAL_KEY] = facts

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        finally:
            path = scope["path"]
            self._journal.add(
                Entry(
                    self._clock.now(),
                    INGEST if path.endswith("/events") else QUERY,
                    scope["method"],
                    path[:200],
                    facts.get("app", ""),
                    status,
                    facts.get("query", ""),
                    facts.get("samples", 0),
                )
            )
