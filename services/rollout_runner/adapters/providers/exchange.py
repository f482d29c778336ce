"""One HTTP exchange as Go's client makes it: redirects, a bound on the whole time, Go's words.

Cluster names are resolved by the bench; every other address is called as it is. Time-outs are real
time.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from rollout_runner.adapters.providers.oauth2 import TokenError, fetch_authorization
from rollout_runner.adapters.providers.web_transport import ClusterTransport
from rollout_runner.argo.web import WebProviderError, request_error
from rollout_runner.argo.web_redirect import next_request
from svckit.httpclient import create_http_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout_runner.adapters.cluster_network import Address
    from rollout_runner.argo.web import WebRequest

LONGEST_BODY = 64 * 2**20
"""Bytes of an answer; Argo has no bound, but an endless answer must not take the runner down."""
_UNBOUNDED = {"timeout": httpx.Timeout(None).as_dict()}
"""Time is bounded for the whole exchange, not for each of its parts."""


class ExchangeError(Exception):
    """There was no answer.

    Args:
        reason: in Go's words.
        told: the reason with method and URL before it, as Go's client tells it.
        reading: whether the headers had come, so that the body was being read.
    """

    def __init__(self, reason: str, *, told: str, reading: bool) -> None:
        super().__init__(told)
        self.reason = reason
        self.reading = reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The last answer, after redirects; the body is decompressed."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpExchanges:
    """Connections for a whole run, one pool per TLS setting: they are kept, as Argo keeps them."""

    def __init__(
        self,
        *,
        resolve: Callable[[str], Address | None],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clients = {
            insecure: create_http_client(
                transport=transport or ClusterTransport(resolve, verify=not insecure)
            )
            for insecure in (False, True)
        }

    async def perform(self, request: WebRequest, *, body_of_errors: bool = True) -> Reply:
        """Send the request and follow redirects.

        Args:
            request: what to send.
            body_of_errors: whether the body of an answer that is no success is read as well.

        Raises:
            ExchangeError: there was no answer.
            WebProviderError: a redirect leads nowhere.
        """
        exchange = _Exchange(
            self._clients[request.insecure], request, body_of_errors=body_of_errors
        )
        try:
            async with asyncio.timeout(request.timeout_seconds):
                return await exchange.perform()
        except (TimeoutError, httpx.TimeoutException):
            reason = "context deadline exceeded"
            state = "while reading body" if exchange.reading else "while awaiting headers"
            joint = "or context cancellation" if exchange.reading else "exceeded"
            raise exchange.failed(f"{reason} (Client.Timeout {joint} {state})") from None
        except TokenError as error:
            raise exchange.failed(str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise exchange.failed(_reason(error)) from None

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()


class _Exchange:
    """A request with its redirects; `reading` once the headers of the last answer are there."""

    def __init__(
        self, client: httpx.AsyncClient, request: WebRequest, *, body_of_errors: bool
    ) -> None:
        self.reading = False
        self._client = client
        self._first = self._current = request
        self._body_of_errors = body_of_errors
        self._authorization = ""

    async def perform(self) -> Reply:
        first = self._first
        if first.oauth2 is not None:
            self._authorization = await fetch_authorization(self._client, first.oauth2)
        for _ in range(first.max_redirects):
            response = await self._client.send(
                _outgoing(self._current, self._authorization),
                auth=httpx.Auth(),  # none: what goes into the headers is decided here
                stream=True,
            )
            try:
                location = response.headers.get("Location", "")
                following = next_request(
                    first, self._current, status=response.status_code, location=location
                )
                if following is None:
                    return Reply(
                        status=response.status_code,
                        body=await self._body(response),
                        headers=response.headers,
                    )
                self._current = following
            finally:
                await response.aclose()
        reason = f"stopped after {first.max_redirects} redirects"
        raise WebProviderError(request_error(first.method, location, reason))

    async def _body(self, response: httpx.Response) -> bytes:
        if not response.is_success and not self._body_of_errors:
            return b""
        self.reading = True
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > LONGEST_BODY:
                raise self.failed(f"the answer is longer than {LONGEST_BODY >> 20} MiB")
        return bytes(body)

    def failed(self, reason: str) -> ExchangeError:
        told = request_error(self._first.method, self._current.url, reason)
        return ExchangeError(reason, told=told, reading=self.reading)


def _outgoing(request: WebRequest, authorization: str) -> httpx.Request:
    """Return the request with nothing that the client would add of its own."""
    headers = httpx.Headers(list(request.headers), encoding="utf-8")
    url = httpx.URL(request.url)
    if authorization:
        headers["Authorization"] = authorization
    elif url.userinfo and "Authorization" not in headers:
        credentials = f"{url.username}:{url.password}".encode()
        headers["Authorization"] = f"Basic {b64encode(credentials).decode()}"
    outgoing = httpx.Request(
        request.method, url, headers=headers, content=request.body or None, extensions=_UNBOUNDED
    )
    outgoing.method = request.method  # httpx has made it upper case, Go sends it as it is
    return outgoing


def _reason(error: Exception) -> str:
    match error:
        case httpx.RemoteProtocolError() if "complete" in str(error):
            return "unexpected EOF"
        case httpx.RemoteProtocolError() if "disconnected" in str(error):
            return "EOF"
        case httpx.ReadError():
            return "read: connection reset by peer"
        case _:
            return str(error) or type(error).__name__
