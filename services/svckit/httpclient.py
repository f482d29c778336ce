"""The one place that builds HTTP clients: bounded in time, no retries, no cookies kept.

Retries are off because an answer that needed one is something a gate must see. Cookies are dropped
because a kept affinity cookie would pin a client to one version.
"""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

USER_AGENT = "gatelab"
_IDLE_SECONDS = 2.0
"""Idle connections go before the servers' own five seconds are over, or both ends would race."""


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
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        limits=httpx.Limits(keepalive_expiry=_IDLE_SECONDS),
    )
