"""The web provider: one HTTP call, judged by the pure rules of `argo.web`.

Cluster names are resolved by the bench; every other address is called as it is. Time-outs are real
time. Whatever goes wrong on the way is a measurement in phase Error with Go's wording.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.argo.web import (
    MAX_REDIRECTS,
    OAuth2,
    WebProviderError,
    WebReading,
    WebRequest,
    build_request,
    measure,
    request_error,
)
from svckit.httpclient import create_http_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout_runner.adapters.cluster_network import Address
    from rollout_runner.argo.analysis import Metric
    from svckit.clock import Clock


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
                transport=transport or _ClusterTransport(resolve, verify=not insecure)
            )
            for insecure in (False, True)
        }
        for client in self._clients.values():
            client.follow_redirects = True
            client.max_redirects = MAX_REDIRECTS

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
        except (WebProviderError, _ExchangeError) as error:
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
        """Send the request, follow redirects as Go does, return status and body."""
        client = self._clients[request.insecure]
        try:
            async with asyncio.timeout(request.timeout_seconds):
                headers = httpx.Headers(request.headers)
                if request.oauth2 is not None:
                    headers["Authorization"] = await _bearer(client, request.oauth2)
                response = await client.request(
                    request.method,
                    request.url,
                    headers=headers,
                    content=request.body or None,
                    timeout=request.timeout_seconds,
                )
                return response.status_code, response.content
        except (TimeoutError, httpx.TimeoutException):
            reason = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        except httpx.TooManyRedirects:
            reason = f"stopped after {request.max_redirects} redirects"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            reason = str(error) or type(error).__name__
        raise _ExchangeError(request_error(request.method, request.url, reason))


class _ExchangeError(Exception):
    """The call ended without an answer."""


async def _bearer(client: httpx.AsyncClient, oauth2: OAuth2) -> str:
    """Fetch a token by client credentials: Basic first, then in the form, as Go's oauth2 does."""
    form = {"grant_type": "client_credentials"}
    if oauth2.scopes:
        form["scope"] = " ".join(oauth2.scopes)
    credentials = (oauth2.client_id, oauth2.client_secret)
    response = await client.post(oauth2.token_url, data=form, auth=credentials)
    if not response.is_success:
        form |= {"client_id": oauth2.client_id, "client_secret": oauth2.client_secret}
        response = await client.post(oauth2.token_url, data=form)
    try:
        token = response.raise_for_status().json()["access_token"]
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError):
        raise _ExchangeError(
            f"oauth2: cannot fetch token: {response.status_code} {response.reason_phrase}"
        ) from None
    return f"Bearer {token}"


class _ClusterTransport(httpx.AsyncHTTPTransport):
    """Sends cluster names to where they answer on this machine, with their Host header kept."""

    def __init__(self, resolve: Callable[[str], Address | None], *, verify: bool) -> None:
        super().__init__(verify=verify)
        self._resolve_name = resolve

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        address = self._resolve_name(request.url.host)
        if address is None:
            if request.url.host.endswith(".cluster.local"):
                raise httpx.ConnectError(
                    f"dial tcp: lookup {request.url.host}: no such host", request=request
                )
            return await super().handle_async_request(request)
        request.url = request.url.copy_with(host=address.host, port=address.port)
        try:
            return await super().handle_async_request(request)
        except httpx.ConnectError:
            raise httpx.ConnectError(
                f"dial tcp {address}: connect: connection refused", request=request
            ) from None
