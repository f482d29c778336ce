"""Served requests as Event API transactions, in batches, off the serving path.

A batch keeps its `x-request-id` however often it is sent, so that a receiver which got it and
could not say so does not count it twice. Observations that do not fit into the queue are dropped
and counted: serving never waits for telemetry.
"""

from __future__ import annotations

import asyncio
import gzip
import uuid
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from svckit.httpclient import create_http_client
from voteapp.domain.observation import CLIENT_LEFT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    from voteapp.domain.contract import Site
    from voteapp.domain.observation import Observation

BATCH_SIZE = 500
FLUSH_SECONDS = 0.25
QUEUE_CAPACITY = 50_000
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 5.0
CLOSE_SECONDS = 1.5
_RETRYABLE = frozenset({408, 429, 500, 502, 503, 504})


class NoTelemetry:
    """Reports nothing."""

    def record(self, observation: Observation) -> None:
        """Forget the observation."""

    async def start(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    request_id: str
    size: int
    body: bytes


class EventApiTelemetry:
    """Sends observations to `POST /v1/accounts/{id}/events`.

    Args:
        base_url: where the Event API is.
        api_key: its key.
        account_id: the account in the path.
        app: appName of every event.
        site: the pod that the events speak of.
        transport: replaces the network in tests.
        sleep: waits real seconds.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        account_id: int,
        app: str,
        site: Site,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        capacity: int = QUEUE_CAPACITY,
    ) -> None:
        self._path = f"/v1/accounts/{account_id}/events"
        self._app = app
        self._site = site
        self._sleep = sleep
        self._capacity = capacity
        self._client = create_http_client(
            base_url=base_url,
            timeout_seconds=5.0,
            headers={"Api-Key": api_key},
            transport=transport,
        )
        self._queue: deque[Observation] = deque()
        self._full_batch = asyncio.Event()
        self._pending: _Batch | None = None
        self._failing = False
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()
        self.outcomes: Counter[str] = Counter(sent=0, dropped=0, rejected=0)
        self.retries = 0

    @property
    def queued(self) -> int:
        """Observations that wait, those of an unconfirmed batch included."""
        return len(self._queue) + (self._pending.size if self._pending else 0)

    def record(self, observation: Observation) -> None:
        """Queue one observation, or count it as dropped when the queue is full."""
        if len(self._queue) >= self._capacity:
            self.outcomes["dropped"] += 1
            return
        self._queue.append(observation)
        if len(self._queue) >= BATCH_SIZE:
            self._full_batch.set()

    async def start(self) -> None:
        """Report in the background until `close`."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Send what is left within CLOSE_SECONDS; count the rest as dropped."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.flush()
        except TimeoutError:
            self.outcomes["dropped"] += self.queued
            self._log.error("telemetry_dropped", events=self.queued, reason="shutdown")
            self._queue.clear()
            self._pending = None
        await self._client.aclose()

    async def flush(self) -> None:
        """Send all that is queued; returns when it was accepted or refused for good."""
        while self._pending or self._queue:
            self._pending = self._pending or self._next_batch()
            await self._deliver(self._pending)
            self._pending = None

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._full_batch.wait()
            except TimeoutError:
                pass
            self._full_batch.clear()
            await self.flush()

    def _next_batch(self) -> _Batch:
        size = min(BATCH_SIZE, len(self._queue))
        events = [self._event(self._queue.popleft()) for _ in range(size)]
        body = gzip.compress(msgspec.json.encode(events), compresslevel=1, mtime=0)
        return _Batch(request_id=str(uuid.uuid4()), size=size, body=body)

    def _event(self, observation: Observation) -> dict[str, Any]:
        return {
            "eventType": "Transaction",
            "appName": self._app,
            "timestamp": int(observation.finished_at * 1000),
            "duration": round(observation.duration_seconds, 6),
            "error": observation.error,
            "httpResponseCode": _response_code(observation.status),
            "podTemplateHash": self._site.pod_template_hash,
            "version": self._site.version,
            "host": self._site.pod_name,
            "request.uri": observation.path,
            "request.method": observation.method,
            "request.headers.userAgent": observation.user_agent,
        }

    async def _deliver(self, batch: _Batch) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            problem = await self._post(batch)
            if not problem:
                return
            if not self._failing:
                self._failing = True
                self._log.warning("telemetry_failed", problem=problem, queued=self.queued)
            self.retries += 1
            await self._sleep(backoff)
            backoff = min(LAST_BACKOFF_SECONDS, 2 * backoff)

    async def _post(self, batch: _Batch) -> str:
        """Send the batch once; return why it has to be sent again, or ""."""
        try:
            response = await self._client.post(
                self._path,
                content=batch.body,
                headers={
                    "Content-Type": "application/json",
                    "Content-Encoding": "gzip",
                    "x-request-id": batch.request_id,
                },
            )
        except Exception as error:  # noqa: BLE001 - nothing may end the reporting of errors
            return f"{type(error).__name__}: {error}"
        if response.status_code in _RETRYABLE:
            return f"HTTP {response.status_code}"
        if response.is_success:
            self.outcomes["sent"] += batch.size
            if self._failing:
                self._failing = False
                self._log.info("telemetry_recovered", queued=self.queued)
        else:
            self.outcomes["rejected"] += batch.size
            self._log.error(
                "telemetry_rejected",
                status=response.status_code,
                events=batch.size,
                answer=response.text[:200],
            )
        return ""


def _response_code(status: int) -> str:
    """Return the status as the Event API counts it: 0 means that there was no answer.

    A client that gave up waiting got none. As a 4xx it would be its own fault, and a version that
    hangs would have an error rate of zero.
    """
    return "0" if status == CLIENT_LEFT else str(status)
