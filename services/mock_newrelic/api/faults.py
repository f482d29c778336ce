"""The one place where payload, HTTP and transport effects act, for every surface.

A request of the data plane passes through here only while an injection of these kinds exists. On
ingest, and where the question stands in the query string, the draw comes before the surface: a
request that is refused or cut off never reaches it. For other readers (NerdGraph, Insights, REST
v2, batches) the surface answers first and says what it was asked about (`JOURNAL_KEY` in the
scope: `app`, and `terms`, `metric`, `window` where it knows them).

Whoever may not ask at all is told so before any injection.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from math import floor
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from mock_newrelic.api.callers import caller_of, header, surface_of_request
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.refusals import reason, refusal
from mock_newrelic.domain.effects.base import (
    Delivery,
    Gauge,
    HttpEffect,
    Refused,
    TransportEffect,
)
from mock_newrelic.domain.effects.payload import VALUES, Content, Payload
from mock_newrelic.domain.effects.transport import LONGEST_SECONDS
from mock_newrelic.domain.injections import Ask, Injection, winner
from mock_newrelic.domain.query import (
    parse_histogram_query,
    parse_metric_query,
    parse_series_query,
    split_query_string,
)
from mock_newrelic.domain.rendering import facade_body
from mock_newrelic.domain.surfaces import DATA_PLANE, INGEST, Surface
from mock_newrelic.service.wire import WIRE_EXTENSION, BrokenConnectionError, Wire
from svckit.errors import SuiteError
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.types import ASGIApp, Message

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.domain.injections import Strike
    from mock_newrelic.service.injections import InjectionService
    from svckit.clock import Clock

INJECTION_HEADER = "X-Mock-Injection"
SEED_HEADER = "X-Mock-Seed"
_LAYERS = (HttpEffect, Payload, TransportEffect)
_PARSERS = {
    ("GET", "/v1/metrics"): parse_metric_query,
    ("GET", "/v1/metrics/series"): parse_series_query,
    ("GET", "/v1/metrics/histogram"): parse_histogram_query,
}
_UNANSWERED = {"reset", "empty_reply", "garbage", "hang", "refuse"}
"""Breakages that leave nothing of the answer."""
_FORBIDDEN = {401, 403}
_SLICE_SECONDS = 0.05
_GARBAGE_BYTES = 64


@dataclass(slots=True)
class _Answer:
    """What a surface answered."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str:
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")


@dataclass(slots=True)
class _Exchange:
    """One request while it is being spoilt."""

    scope: Scope
    receive: Receive
    send: Send
    surface: Surface
    ask: Ask
    hits: list[Injection]


class Faults:
    """An ASGI application around the surfaces."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        injections: InjectionService,
        keys: Keys,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._injections = injections
        self._keys = keys
        self._clock = clock
        self._sleep = sleep

    @property
    def armed(self) -> bool:
        """Whether any request may have to pass through here."""
        return self._injections.armed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer wrongly."""
        surface = surface_of_request(scope) if self._injections.armed else None
        if surface is None or surface not in DATA_PLANE:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, surface, caller_of(scope, surface), [])
        answer: _Answer | None = None
        if surface not in INGEST:
            known = self._question(scope)
            if known is None or not self._admitted(scope):
                answer = await self._answered(exchange)
                facts = scope.get(JOURNAL_KEY, {})
                known = {
                    name: facts[name]
                    for name in ("app", "terms", "metric", "window")
                    if name in facts
                }
            exchange.ask = replace(exchange.ask, **known)
        if answer is not None and answer.status in _FORBIDDEN:
            await _send(send, answer)
            return
        strikes = self._injections.touching(exchange.ask, self._clock.now(), _LAYERS)
        concurrent = [self._injections.tally(one.injection) for one in strikes]
        for tally in concurrent:
            tally.in_flight += 1
        try:
            await self._spoil(exchange, strikes, answer)
        finally:
            for tally in concurrent:
                tally.in_flight -= 1

    async def _spoil(
        self, exchange: _Exchange, strikes: Sequence[Strike], answer: _Answer | None
    ) -> None:
        terms = exchange.ask.terms
        refused = self._refused(exchange, strikes)
        if refused is not None:
            answer = _refusal(exchange, refused)
        delivery = Delivery()
        slowing = winner(strikes, TransportEffect, terms)
        if slowing is not None:
            strike, transport = slowing
            delivery = transport.plan(strike.injection.random(strike.query))
            exchange.hits.append(strike.injection)
        if delivery.breakage in _UNANSWERED:
            self._record(exchange)
            await self._break_off(exchange, delivery, slowing)
            return
        if answer is None:
            answer = await self._answered(exchange)
            if answer.status in _FORBIDDEN:
                await _send(exchange.send, answer)
                return
        spoiling = winner(strikes, Payload, terms) if refused is None else None
        if spoiling is not None:
            answer = self._spoilt(exchange, spoiling, answer)
        self._mark(exchange, answer)
        self._record(exchange)
        await self._deliver(exchange, answer, delivery)

    def _refused(self, exchange: _Exchange, strikes: Sequence[Strike]) -> Refused | None:
        found = winner(strikes, HttpEffect, exchange.ask.terms)
        if found is None:
            return None
        strike, effect = found
        now = self._clock.now()
        tally = self._injections.tally(strike.injection)
        tally.recent.append(now)
        gauge = Gauge(
            since=max(0.0, now - strike.injection.starts_at),
            query=strike.query + 1,
            recent=lambda seconds: sum(one > now - seconds for one in tally.recent),
            in_flight=tally.in_flight,
            now=now,
        )
        refused = effect.replaces(gauge)
        if refused is not None:
            exchange.hits.append(strike.injection)
        return refused

    def _spoilt(
        self, exchange: _Exchange, spoiling: tuple[Strike, Payload], answer: _Answer
    ) -> _Answer:
        strike, payload = spoiling
        ask, surface = exchange.ask, exchange.surface
        body, status = answer.body, answer.status
        if status >= 400 and surface is Surface.FACADE and ask.metric and payload.kind in VALUES:
            # The tester asked for a spoilt number, so there is one, measured or not.
            status, body = 200, self._made_up(ask)
        content = Content(
            status=status,
            body=body,
            media_type=answer.header(b"content-type") or "application/json",
        )
        if status == 200 and answer.status != 200:
            content = replace(content, media_type="application/json")
        spoilt = payload.spoil(content, surface, ask.metric or "")
        if spoilt is None:
            return answer
        exchange.hits.append(strike.injection)
        dropped = {b"content-type", b"content-length", *(key.encode() for key in spoilt.headers)}
        headers = [pair for pair in answer.headers if pair[0] not in dropped]
        headers += [(key.encode(), value.encode()) for key, value in spoilt.headers.items()]
        if spoilt.status != 204:
            headers.append((b"content-type", spoilt.media_type.encode()))
            headers.append((b"content-length", str(len(spoilt.body)).encode()))
        return _Answer(spoilt.status, headers, spoilt.body)

    def _made_up(self, ask: Ask) -> bytes:
        return facade_body(
            app=ask.app,
            metric=ask.metric or "",
            window=ask.window,
            value=0.0,
            timestamp=format_timestamp(floor(self._clock.now())),
        )

    def _question(self, scope: Scope) -> dict[str, Any] | None:
        """Return what a request of the facade's family asks for, None when it does not say."""
        parse = _PARSERS.get((scope["method"], scope["path"]))
        if parse is None:
            return None
        try:
            query = parse(split_query_string(scope["query_string"]))
        except SuiteError:
            return None
        return {
            "app": query.app,
            "terms": query.terms,
            "metric": query.metric.name if query.metric else None,
            "window": query.window_text,
        }

    def _admitted(self, scope: Scope) -> bool:
        try:
            self._keys.check_reading(header(scope, b"api-key").encode("latin-1") or None)
        except SuiteError:
            return False
        return True

    async def _answered(self, exchange: _Exchange) -> _Answer:
        """Return what the surface answers, without sending it."""
        answer = _Answer(500, [], b"")
        body = bytearray()

        async def take(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(key.lower(), value) for key, value in message.get("headers", ())]
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await self._app(exchange.scope, exchange.receive, take)
        answer.body = bytes(body)
        return answer

    def _mark(self, exchange: _Exchange, answer: _Answer) -> None:
        if not exchange.hits:
            return
        name = INJECTION_HEADER.lower().encode()
        known = answer.header(name)
        names = [*([known] if known else []), *(one.id for one in exchange.hits)]
        seeds = ",".join(str(one.seed) for one in exchange.hits)
        answer.headers = [pair for pair in answer.headers if pair[0] != name]
        answer.headers.append((name, ",".join(names).encode()))
        answer.headers.append((SEED_HEADER.lower().encode(), seeds.encode()))

    def _record(self, exchange: _Exchange) -> None:
        self._injections.applied(exchange.hits, exchange.ask, self._clock.now())
        facts = exchange.scope.get(JOURNAL_KEY)
        if facts is not None:
            # Where the connection breaks there is no header to tell the journal.
            facts["injections"] = ",".join(one.id for one in exchange.hits)
            facts.setdefault("app", exchange.ask.app)

    async def _deliver(self, exchange: _Exchange, answer: _Answer, delivery: Delivery) -> None:
        if delivery.delay and not await self._wait(exchange, delivery.delay):
            return
        wire = _wire(exchange.scope)
        if delivery.breakage in {"reset_mid_body", "truncate"}:
            await self._cut(exchange, answer, delivery, wire)
        elif delivery.header_seconds:
            await self._trickle_head(exchange, answer, delivery.header_seconds, wire)
        elif delivery.bytes_per_second:
            await self._drip(exchange, answer, delivery.bytes_per_second)
        else:
            await _send(exchange.send, answer)
            if delivery.breakage == "close_keepalive" and wire is not None:
                wire.close()

    async def _break_off(
        self, exchange: _Exchange, delivery: Delivery, slowing: tuple[Strike, Any] | None
    ) -> None:
        wire = _wire(exchange.scope)
        if delivery.breakage == "hang":
            gone = not await self._wait(exchange, LONGEST_SECONDS)
            if gone and wire is not None:
                return
        if wire is None:
            raise BrokenConnectionError(delivery.breakage)
        if delivery.breakage == "garbage" and slowing is not None:
            strike = slowing[0]
            wire.write(b"\x00" + strike.injection.random(strike.query).randbytes(_GARBAGE_BYTES))
            wire.close()
        elif delivery.breakage in {"empty_reply", "hang"}:
            wire.close()
        else:
            wire.reset()
        await _disconnected(exchange.receive)

    async def _cut(
        self, exchange: _Exchange, answer: _Answer, delivery: Delivery, wire: Wire | None
    ) -> None:
        kept = answer.body[: floor(len(answer.body) * delivery.keep)]
        if wire is None:
            raise BrokenConnectionError(delivery.breakage)
        wire.write(_head(answer, length=max(len(answer.body), len(kept) + 1)) + kept)
        if delivery.breakage == "truncate":
            wire.close()
        else:
            # Without a pause the reset would overtake the head.
            await self._sleep(_SLICE_SECONDS)
            wire.reset()
        await _disconnected(exchange.receive)

    async def _trickle_head(
        self, exchange: _Exchange, answer: _Answer, seconds: float, wire: Wire | None
    ) -> None:
        if wire is None:
            if await self._wait(exchange, seconds):
                await _send(exchange.send, answer)
            return
        head = _head(answer, length=len(answer.body))
        size = max(1, floor(len(head) * _SLICE_SECONDS / seconds))
        for start in range(0, len(head), size):
            wire.write(head[start : start + size])
            if not await self._wait(exchange, seconds * size / len(head)):
                return
        wire.write(answer.body)
        wire.close()
        await _disconnected(exchange.receive)

    async def _drip(self, exchange: _Exchange, answer: _Answer, speed: float) -> None:
        await _start(exchange.send, answer)
        size = max(1, floor(speed * _SLICE_SECONDS))
        for start in range(0, len(answer.body), size):
            part = answer.body[start : start + size]
            await _body(exchange.send, part, more=True)
            if not await self._wait(exchange, len(part) / speed):
                return
        await _body(exchange.send, b"", more=False)

    async def _wait(self, exchange: _Exchange, seconds: float) -> bool:
        """Wait real seconds; return False when the client has gone meanwhile."""
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        leaving = asyncio.ensure_future(_disconnected(exchange.receive))
        try:
            await asyncio.wait({sleeping, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return sleeping.done()
        finally:
            for task in (sleeping, leaving):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(sleeping, leaving, return_exceptions=True)


class InjectedError(SuiteError):
    """The error that an injection answers with."""

    title = "Injected"

    def __init__(self, status: int) -> None:
        super().__init__(
            "an injection answers this query with an error",
            code="injected_status",
            status=status,
            hint="GET /control/injections lists it",
        )


def _refusal(exchange: _Exchange, refused: Refused) -> _Answer:
    error = InjectedError(refused.status)
    media_type, body = refusal(
        exchange.surface,
        error,
        instance=f"urn:request:{uuid.uuid4().hex}",
        sent=header(exchange.scope, b"content-type"),
    )
    headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(key.lower().encode(), value.encode()) for key, value in refused.headers]
    return _Answer(refused.status, headers, body)


def _wire(scope: Scope) -> Wire | None:
    wire: Wire | None = (scope.get("extensions") or {}).get(WIRE_EXTENSION)
    return wire


def _head(answer: _Answer, *, length: int) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {reason(answer.status)}".encode()]
    lines += [
        key + b": " + value
        for key, value in answer.headers
        if key not in {b"content-length", b"connection"}
    ]
    lines += [b"content-length: " + str(length).encode(), b"connection: close", b"", b""]
    return b"\r\n".join(lines)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Send, answer: _Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})


async def _body(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _send(send: Send, answer: _Answer) -> None:
    await _start(send, answer)
    await _body(send, answer.body, more=False)
