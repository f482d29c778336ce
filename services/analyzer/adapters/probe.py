"""One GET to a target; redirects are answers like any other and are not followed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from analyzer.ports import ProbeResult

if TYPE_CHECKING:
    from analyzer.domain.targets import Target

# An APM leaves probes out of its rates by this prefix, so checking does not dilute what is checked.
PROBE_USER_AGENT = "kube-probe/gatelab"


class HttpProbe:
    """A HealthProbe over HTTP."""

    def __init__(self, client: httpx.AsyncClient, *, timeout_seconds: float) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds

    async def probe(self, target: Target, *, base_url: str) -> ProbeResult:
        """Return the status of the answer; the body is not read."""
        # The loop's time, so that latencies are virtual where waiting is.
        started = asyncio.get_running_loop().time()
        code, failure = None, ""
        # A kept connection would not show that the target still accepts new ones.
        headers = {
            "Host": target.host,
            "User-Agent": PROBE_USER_AGENT,
            "Connection": "close",
        }
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._client.stream("GET", base_url + target.path, headers=headers) as response,
            ):
                code = response.status_code
        except (TimeoutError, httpx.TimeoutException):
            failure = f"no answer within {self._timeout_seconds:g} s"
        except httpx.ConnectError:
            failure = "connection failed"
        except httpx.HTTPError as error:
            failure = f"no HTTP answer ({type(error).__name__})"
        latency_ms = (asyncio.get_running_loop().time() - started) * 1000
        return ProbeResult(
            http_code=None if failure else code, latency_ms=latency_ms, failure=failure
        )
