"""Counts of one arm from the APM's REST interface: `GET /v1/metrics/histogram`.

Anything but a complete, well-typed answer is an error of the source. The only exception is an
explicit "no data", which is an empty arm: that is a statement, and the judge knows what it means.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import httpx
import msgspec

from analyzer.domain.model import NO_REQUESTS, ArmCounts
from analyzer.ports import ArmReading
from svckit.errors import Unavailable
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from analyzer.domain.model import Window

_PATH = "/v1/metrics/histogram"
_MAX_BODY_BYTES = 8 * 1024 * 1024
_EMPTY_ARM_NOTES = {
    "no_data": "the source has no data in the window",
    "unknown_app": "the source does not know the application",
}
_UNREACHABLE_HINT = "is the source running, and does --source name its address?"


class _Histogram(msgspec.Struct):
    """The part of the answer that an errors metric needs; the source's own key order is free."""

    count: int
    errors: int


class _Problem(msgspec.Struct):
    error: str = ""


class NewRelicRestSource:
    """A MetricSource over HTTP; the client carries base URL, key and transport."""

    name = "newrelic"

    def __init__(self, client: httpx.AsyncClient, *, timeout_seconds: float) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds

    async def read_errors(self, *, app: str, pod_hash: str, window: Window) -> ArmReading:
        """Return requests and errors of one hash; see the port."""
        parameters = {
            "app": app,
            "hash": pod_hash,
            # Whole seconds, which is all that the window grammar of the interface knows.
            "window": f"{round(window.end - window.start)}s",
            "at": format_timestamp(window.end),
        }
        try:
            # The client bounds single reads; a source that drips bytes is bounded here.
            async with asyncio.timeout(self._timeout_seconds):
                status, body = await self._get(parameters)
        except (TimeoutError, httpx.TimeoutException):
            raise Unavailable(
                f"source {self.name} did not answer within {self._timeout_seconds:g} s",
                code="source_timeout",
                status=504,
                hint=_UNREACHABLE_HINT,
            ) from None
        except httpx.HTTPError as error:
            raise self._failed(
                f"could not be read ({type(error).__name__})", _UNREACHABLE_HINT
            ) from None
        return self._read(status, body)

    async def _get(self, parameters: dict[str, str]) -> tuple[int, bytes]:
        async with self._client.stream("GET", _PATH, params=parameters) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BODY_BYTES:
                    raise self._failed(f"sent more than {_MAX_BODY_BYTES} bytes")
        return response.status_code, bytes(body)

    def _read(self, status: int, body: bytes) -> ArmReading:
        if status != httpx.codes.OK:
            return self._read_refusal(status, body)
        try:
            # Decoded as text first: the typed decoder skips over unread members unchecked.
            answer = msgspec.json.decode(body.decode(), type=_Histogram)
            return ArmReading(counts=ArmCounts(count=answer.count, bad=answer.errors))
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self._failed(f"answered 200 with an unusable body: {error}") from None

    def _read_refusal(self, status: int, body: bytes) -> ArmReading:
        try:
            code = msgspec.json.decode(body, type=_Problem).error
        except (msgspec.DecodeError, ValueError, RecursionError):
            code = ""
        if status == httpx.codes.NOT_FOUND and code in _EMPTY_ARM_NOTES:
            return ArmReading(counts=NO_REQUESTS, note=_EMPTY_ARM_NOTES[code])
        # A foreign body is quoted only when it is one of the plain codes that problems carry.
        said = f" ({code})" if re.fullmatch(r"[a-z_]{1,40}", code) else ""
        hint = ""
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            hint = "ANALYZER_NEWRELIC_API_KEY must hold a key that the source accepts"
        raise self._failed(f"answered HTTP {status}{said}", hint)

    def _failed(self, what: str, hint: str = "") -> Unavailable:
        return Unavailable(f"source {self.name} {what}", code="source_failed", hint=hint)
