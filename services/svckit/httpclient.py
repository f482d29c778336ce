"""The one place that builds HTTP clients: bounded in time, no retries, named in User-Agent.

Retries are off because an answer that needed one is something a gate must see.
"""

from __future__ import annotations

import httpx

USER_AGENT = "gatelab"


def create_http_client(
    *,
    base_url: str = "",
    timeout_seconds: float = 10.0,
    headers: dict[str, str] | None = None,
    verify: bool = True,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Return a client; environment proxies are ignored so that loopback stays loopback."""
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=timeout_seconds,
        headers={"User-Agent": USER_AGENT, **(headers or {})},
        verify=verify,
        transport=transport,
        trust_env=False,
        follow_redirects=False,
    )
