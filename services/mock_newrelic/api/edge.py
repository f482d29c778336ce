"""The outermost layer: answers the hot path itself and keeps the journal of the data plane.

Everything else, its validation, documentation and errors, is the framework's.
"""

from __future__ import annotations

import re
import uuid
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mock_newrelic.api.bodies import whole_body
from mock_newrelic.api.callers import caller_of, digest_of, header, surface_of_request
from mock_newrelic.api.refusals import refusal
from mock_newrelic.api.session import SESSION_KEY, take_session
from mock_newrelic.domain.surfaces import DATA_PLANE, Surface
from mock_newrelic.service.journal import MAX_BODY_BYTES, Entry
from svckit.errors import SuiteError
from svckit.metrics import request_durations

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mock_newrelic.api.facade import Facade
    from mock_newrelic.api.faults import Faults
    from mock_newrelic.api.ingest import EventDoor
    from mock_newrelic.service.journal import Journal
    from mock_newrelic.service.sessions import SessionService
    from svckit.clock import Clock

HOT_PATH = "/v1/metrics"
JOURNAL_KEY = "mock_newrelic.journal"
"""Where in the ASGI scope a route leaves what journal and faults should know: app, query, samples,
and on reading surfaces terms, metric and window of the question."""

_EVENTS_PATH = re.compile(r"/v1/accounts/(?:[0-9]{1,18}/)?events", re.ASCII)
_EVENTS_ROUTE = "/v1/accounts/{account}/events"
_INJECTION = b"x-mock-injection"
_KEYS = re.compile(r"((?:license_key|api[-_]key)=)([^&]*)", re.IGNORECASE)


class Edge:
    """An ASGI application around the faults, which are around the framework's one."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        faults: Faults,
        facade: Facade,
        door: EventDoor,
        journal: Journal,
        sessions: SessionService,
        clock: Clock,
        registry: CollectorRegistry,
    ) -> None:
        self._app = app
        self._faults = faults
        self._facade = facade
        self._door = door
        self._journal = journal
        self._sessions = sessions
        self._clock = clock
        self._durations = request_durations(registry)
        self._observers: dict[tuple[str, int], Callable[[float], None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hot = scope["path"] == HOT_PATH and scope["method"] == "GET"
        surface = Surface.FACADE if hot else surface_of_request(scope)
        if surface is None or surface is Surface.PAGE:
            await self._app(scope, receive, send)
            return
        try:
            session = scope[SESSION_KEY] = self._sessions.require(take_session(scope))
        except SuiteError as error:
            await self._refuse(scope, send, surface, error)
            return
        if surface not in DATA_PLANE:
            await self._app(scope, receive, send)
        elif self._faults.armed:
            await self._observe(scope, receive, send, surface)
        elif hot:
            await self._answer(scope, send, session)
        elif surface is Surface.EVENT_API and _EVENTS_PATH.fullmatch(scope["path"]):
            await self._take_in(scope, receive, send, session)
        else:
            await self._observe(scope, receive, send, surface)

    async def _answer(self, scope: Scope, send: Send, session: str) -> None:
        started = perf_counter()
        reply = self._facade.reply(scope)
        key = client = b""
        for name, value in scope["headers"]:
            if name == b"user-agent":
                client = value
            elif name == b"api-key":
                key = value
        self._journal.add(
            Entry(
                self._clock.now(),
                "facade",
                "GET",
                HOT_PATH,
                reply.query.app if reply.query else "",
                reply.status,
                scope["query_string"].decode("latin-1") if reply.query else "",
                0,
                session,
                client.decode("latin-1"),
                digest_of(key) if key else "",
                reply.injected,
            )
        )
        await send(
            {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
        )
        await send({"type": "http.response.body", "body": reply.body})
        self._count("GET", HOT_PATH, reply.status, perf_counter() - started)

    async def _take_in(self, scope: Scope, receive: Receive, send: Send, session: str) -> None:
        started = perf_counter()
        body = b""
        apps: tuple[str, ...] = ()
        samples = 0
        try:
            body = await whole_body(scope, receive)
            answer, receipt = await self._door.take(body, scope)
            status, media_type = 200, "application/json"
            apps, samples = receipt.apps, receipt.samples
        except SuiteError as error:
            status = error.status
            media_type, answer = refusal(
                Surface.EVENT_API, error, instance=f"urn:request:{uuid.uuid4().hex}"
            )
        caller = caller_of(scope, Surface.EVENT_API)
        self._journal.add(
            Entry(
                at=self._clock.now(),
                surface=Surface.EVENT_API,
                method="POST",
                path=scope["path"][:200],
                app=",".join(apps),
                status=status,
                query=_without_keys(scope, Surface.EVENT_API),
                samples=samples,
                session=session,
                client=caller.client,
                key=caller.key,
                body_bytes=len(body),
                body=body[:MAX_BODY_BYTES],
                encoding=header(scope, b"content-encoding"),
            )
        )
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(answer)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        self._count("POST", _EVENTS_ROUTE, status, perf_counter() - started)

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        observe = self._observers.get((route, status))
        if observe is None:
            child = self._durations.labels(method, route, str(status))
            observe = self._observers[route, status] = child.observe
        observe(seconds)

    async def _observe(self, scope: Scope, receive: Receive, send: Send, surface: Surface) -> None:
        status = 0
        injected = ""
        facts: dict[str, Any] = {}
        scope[JOURNAL_KEY] = facts
        body, length = bytearray(), 0

        async def observed_receive() -> Message:
            nonlocal length
            message = await receive()
            if message["type"] == "http.request" and (part := message.get("body", b"")):
                length += len(part)
                body.extend(part[: max(0, MAX_BODY_BYTES - len(body))])
            return message

        async def observed_send(message: Message) -> None:
            nonlocal status, injected
            if message["type"] == "http.response.start":
                status = message["status"]
                injected = next(
                    (
                        value.decode("latin-1")
                        for name, value in message.get("headers", ())
                        if name == _INJECTION
                    ),
                    "",
                )
            await send(message)

        try:
            await self._faults(scope, observed_receive, observed_send)
        finally:
            caller = caller_of(scope, surface)
            self._journal.add(
                Entry(
                    at=self._clock.now(),
                    surface=surface,
                    method=scope["method"],
                    path=scope["path"][:200],
                    app=facts.get("app", ""),
                    status=status,
                    query=facts.get("query", "") or _without_keys(scope, surface),
                    samples=facts.get("samples", 0),
                    session=caller.session,
                    client=caller.client,
                    key=caller.key,
                    injections=injected or facts.get("injections", ""),
                    call=caller.method if surface is Surface.AGENT else "",
                    body_bytes=length,
                    body=bytes(body),
                    encoding=header(scope, b"content-encoding"),
                )
            )

    async def _refuse(self, scope: Scope, send: Send, surface: Surface, error: SuiteError) -> None:
        media_type, body = refusal(surface, error, sent=header(scope, b"content-type"))
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        if surface in DATA_PLANE:
            self._journal.add(
                Entry(
                    self._clock.now(), surface, scope["method"], scope["path"][:200], "",
                    error.status,
                )
            )  # fmt: skip
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _without_keys(scope: Scope, surface: Surface) -> str:
    """Return the query string with digests for keys; the facade's only once it was understood."""
    if surface in {Surface.FACADE, Surface.SERIES, Surface.HISTOGRAM}:
        return ""
    text = scope["query_string"].decode("latin-1")[:4096]
    return _KEYS.sub(lambda match: match[1] + digest_of(match[2].encode()), text)
