"""Reports of served requests, in batches, off the serving path.

In what form they are told is a dialect's: the Event API's or OTLP's.

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
from typing import TYPE_CHECKING, Protocol

import structlog

from svckit.httpclient import create_http_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

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


class Dialect(Protocol):
    """How observations are told.

    Attributes:
        path: where they are posted.
        content_type: of the body.
    """

    path: str
    content_type: str

    def encode(self, observations: list[Observation]) -> bytes:
        """Return the body of one batch."""
        ...

    def rejected(self, answer: bytes) -> int:
        """Return how many of a batch an answer of success says were not taken."""
        ...


class BatchTelemetry:
    """Sends observations to an APM.

    Args:
        base_url: where the APM is.
        api_key: its key.
        dialect: how it is told.
        transport: replaces the network in tests.
        sleep: waits real seconds.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        dialect: Dialect,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        capacity: int = QUEUE_CAPACITY,
    ) -> None:
        self._dialect = dialect
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
        observations = [self._queue.popleft() for _ in range(size)]
        body = gzip.compress(self._dialect.encode(observations), compresslevel=1, mtime=0)
        return _Batch(request_id=str(uuid.uuid4()), size=size, body=body)

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
                self._dialect.path,
                content=batch.body,
                headers={
                    "Content-Type": self._dialect.content_type,
                    "Content-Encoding": "gzip",
                    "x-request-id": batch.request_id,
                },
            )
        except Exception as error:  # noqa: BLE001 - nothing may end the reporting of errors
            return f"{type(error).__name__}: {error}"
        if response.status_code in _RETRYABLE:
            return f"HTTP {response.status_code}"
        if response.is_success:
            rejected = self._dialect.rejected(response.content)
            self.outcomes["sent"] += batch.size - rejected
            self.outcomes["rejected"] += rejected
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
