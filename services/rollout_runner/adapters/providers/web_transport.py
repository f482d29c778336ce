"""The network under the web provider: cluster names answer on this machine, errors read as Go's."""

from __future__ import annotations

import errno
import socket
from functools import cache
from typing import TYPE_CHECKING

import httpx

from rollout_runner.adapters.cluster_network import CLUSTER_SUFFIXES

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from rollout_runner.adapters.cluster_network import Address


class ClusterTransport(httpx.AsyncHTTPTransport):
    """Sends cluster names to where they answer on this machine, with their Host header kept."""

    def __init__(self, resolve: Callable[[str], Address | None], *, verify: bool) -> None:
        super().__init__(verify=_tls_context(verify=verify))
        self._resolve_name = resolve

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; a failed connection is an httpx.ConnectError in Go's words."""
        host = request.url.host
        address = self._resolve_name(host)
        if address is not None:
            request.url = request.url.copy_with(host=address.host, port=address.port)
        elif host.rstrip(".").endswith(CLUSTER_SUFFIXES):
            raise httpx.ConnectError(f"dial tcp: lookup {host}: no such host", request=request)
        try:
            return await super().handle_async_request(request)
        except httpx.ConnectError as error:
            raise httpx.ConnectError(_dial_error(request.url, error), request=request) from error


@cache
def _tls_context(*, verify: bool) -> ssl.SSLContext:
    """Return the one context of this kind: reading the system's roots takes a while."""
    return httpx.create_ssl_context(verify=verify, trust_env=False)


def _dial_error(url: httpx.URL, error: httpx.ConnectError) -> str:
    port = url.port or (443 if url.scheme == "https" else 80)
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return f"dial tcp: lookup {url.host}: no such host"
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return f"dial tcp {url.host}:{port}: connect: connection refused"
    return str(error) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__
