"""Tells an APM what the client saw: every ended request as a transaction of an application.

The versions report what they served; this is the other side of the same requests, under a name of
its own so that nothing counts twice. A request without an answer is an error here, while the
version may never have known of it. A run never waits for its reports: what does not fit, or is not
taken after TRIES attempts, is counted as dropped.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import httpx
import msgspec

from svckit.errors import InvalidInput
from svckit.httpclient import create_http_client

if TYPE_CHECKING:
    from svckit.clock import Clock
    from votegen.engine.lane import End

PATH = "/v1/accounts/1/events"
MAX_WAITING = 200_000
BATCH = 500
INTERVAL_SECONDS = 0.25
TRIES = 3
CLOSE_SECONDS = 5.0


def check_url(url: str) -> None:
    """Raise InvalidInput unless the APM can be at this URL."""
    if not url.startswith(("http://", "https://")):
        raise InvalidInput(f"--report-to {url}: expected http://HOST:PORT")


class Observer:
    """Sends what ended to `POST /v1/accounts/1/events`.

    Args:
        url: base URL of the APM.
        app: application name of the events.
        key: Api-Key.
        clock: whose time the events carry.
        transport: replaces the network in tests.

    Raises:
        InvalidInput: the URL is none.
    """

    def __init__(
        self,
        url: str,
        app: str,
        key: str,
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        check_url(url)
        self._app = app
        self._clock = clock
        self._client = create_http_client(
            base_url=url, timeout_seconds=2.0, headers={"Api-Key": key}, transport=transport
        )
        self._waiting: deque[dict[str, Any]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._taken = 0
        self._dropped = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None  # noqa: S101 - set on entering
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._waiting:
                    await self._send()
        self._dropped += len(self._waiting)
        self._waiting.clear()
        await self._client.aclose()

    def take(self, target: str, ends: list[End], latencies: list[float]) -> None:
        """Queue ended requests; what does not fit is dropped."""
        room = MAX_WAITING - len(self._waiting)
        self._dropped += max(0, len(ends) - room)
        instant = int(self._clock.now() * 1000)
        for (status, pod_hash, failure), seconds in zip(ends[:room], latencies, strict=False):
            event = {
                "eventType": "Transaction",
                "appName": self._app,
                "timestamp": instant,
                "duration": max(0.0, seconds),
                "httpResponseCode": str(status),
                "error": failure is not None or status >= 500,
                "podTemplateHash": pod_hash,
                "host": "votegen",
                "target": target,
            }
            self._waiting.append(event)

    def counts(self) -> dict[str, int]:
        """Return how many requests were reported and how many were not."""
        return {"sent": self._taken, "dropped": self._dropped}

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            while self._waiting:
                await self._send()

    async def _send(self) -> None:
        """Send one batch; its request id lets the receiver count it once however often it comes."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        body = msgspec.json.encode(batch)
        headers = {"Content-Type": "application/json", "x-request-id": str(uuid.uuid4())}
        for attempt in range(TRIES):
            try:
                answer = await self._client.post(PATH, content=body, headers=headers)
            except httpx.HTTPError:
                await asyncio.sleep(INTERVAL_SECONDS * attempt)
                continue
            if answer.is_success:
                self._taken += len(batch)
                return
            if answer.status_code not in {429, 500, 502, 503, 504}:
                break
        self._dropped += len(batch)
