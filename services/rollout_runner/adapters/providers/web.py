"""The web provider: one HTTP call, judged by the pure rules of `argo.web`.

Cluster names are resolved by the bench; every other address is called as it is. Time-outs are real
time. Whatever goes wrong on the way is a measurement in phase Error with Go's wording.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING

import httpx

from rollout_runner.adapters.providers.oauth2 import TokenError, fetch_authorization
from rollout_runner.adapters.providers.web_transport import ClusterTransport
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.argo.web import (
    WebProviderError,
    WebReading,
    WebRequest,
    build_request,
    measure,
    request_error,
)
from rollout_runner.argo.web_redirect import next_request
from svckit.httpclient import create_http_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout_runner.adapters.cluster_network import Address
    from rollout_runner.argo.analysis import Metric
    from svckit.clock import Clock

LONGEST_BODY = 64 * 2**20
"""Bytes of an answer; Argo has no bound, but an endless answer must not take the runner down."""
_UNBOUNDED = {"timeout": httpx.Timeout(None).as_dict()}
"""Time is bounded for the whole exchange, not for each of its parts."""


class WebProvider:
    """Measures metrics whose provider is `web`."""

    def __init__(
        self,
        *,
        clock: Clock,
        resolve: Callable[[str], Address | None],
        version: ArgoVersion,
        warn: Callable[[str], None],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._version = version
        self._warn = warn
        # One per TLS setting for the whole run: connections are kept, as Argo keeps them.
        self._clients = {
            insecure: create_http_client(
                transport=transport or ClusterTransport(resolve, verify=not insecure)
            )
            for insecure in (False, True)
        }

    async def run(self, metric: Metric, measurement_name: str) -> Measurement:  # noqa: ARG002
        """Call the endpoint once; the measurement is complete when this returns."""
        web = metric.provider["web"]
        try:
            request = build_request(web)
            status, body = await self._exchange(request)
            reading = measure(
                status,
                body,
                json_path=web.get("jsonPath") or "",
                success_condition=metric.success_condition,
                failure_condition=metric.failure_condition,
                version=self._version,
                now=self._clock.now(),
            )
        except WebProviderError as error:
            return Measurement(phase=Phase.ERROR, message=str(error))
        self._warn_if_unevaluated(metric, reading)
        return Measurement(phase=reading.phase, value=reading.value, message=reading.message)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()

    async def resume(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: a web measurement is never in flight."""
        return measurement

    async def terminate(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: a web measurement is never in flight."""
        return measurement

    def _warn_if_unevaluated(self, metric: Metric, reading: WebReading) -> None:
        if reading.unevaluated:
            self._warn(
                f"metric {metric.name!r}: the answer was not JSON and Argo Rollouts"
                f" {self._version} passes such an answer without evaluating any condition"
            )

    async def _exchange(self, request: WebRequest) -> tuple[int, bytes]:
        """Send the request, follow redirects as Go does, return status and body.

        Raises:
            WebProviderError: there was no answer.
        """
        exchange = _Exchange(self._clients[request.insecure], request)
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


class _Exchange:
    """A request with its redirects; `reading` once the headers of the last answer are there."""

    def __init__(self, client: httpx.AsyncClient, request: WebRequest) -> None:
        self.reading = False
        self._client = client
        self._first = self._current = request
        self._authorization = ""

    async def perform(self) -> tuple[int, bytes]:
        """Return status and body of the last answer; an answer that is no success has no body."""
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
                    return response.status_code, await self._body(response)
                self._current = following
            finally:
                await response.aclose()
        reason = f"stopped after {first.max_redirects} redirects"
        raise WebProviderError(request_error(first.method, location, reason))

    async def _body(self, response: httpx.Response) -> bytes:
        if not response.is_success:
            return b""
        self.reading = True
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > LONGEST_BODY:
                raise self.failed(f"the answer is longer than {LONGEST_BODY >> 20} MiB")
        return bytes(body)

    def failed(self, reason: str) -> WebProviderError:
        """Return the error as Argo words it."""
        if self.reading:
            return WebProviderError(f"Received no bytes in response: {reason}")
        return WebProviderError(request_error(self._first.method, self._current.url, reason))


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
