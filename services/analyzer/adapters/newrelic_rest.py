"""Windows from the APM's REST interface: `GET /v1/metrics/histogram`, counts and latencies.

Anything but a complete, well-typed answer is an error of the source. The only exception is an
explicit "no data", which is an empty arm: that is a statement, and the judge knows what it means.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import msgspec

from analyzer.adapters.http_reading import Reader
from analyzer.domain.histogram import LatencyHistogram
from analyzer.domain.model import NO_REQUESTS, ArmCounts
from analyzer.ports import ArmReading, History, Tier, WindowReading
from svckit.timestamps import format_timestamp, parse_timestamp

if TYPE_CHECKING:
    from analyzer.domain.model import Window
    from analyzer.ports import Arms

_HISTOGRAM = "/v1/metrics/histogram"
_SERIES = "/v1/metrics/series"
_EMPTY_ARM_NOTES = {
    "no_data": "the source has no data in the window",
    "unknown_app": "the source does not know the application",
}
_NO_STATUSES = "no_statuses"
"""The refusal of a source whose counts do not tell HTTP statuses."""
KEY_HINT = "ANALYZER_NEWRELIC_API_KEY must hold a key that the source accepts"


class _Bucket(msgspec.Struct):
    le: float
    count: int


class _Histogram(msgspec.Struct):
    """The part of the answer that is read; the source's own key order is free."""

    count: int
    errors: int
    http4xx: int = 0
    buckets: list[_Bucket] | None = None
    windowEnd: str | None = None  # noqa: N815 - the wire word


class _Point(msgspec.Struct):
    at: str
    value: float
    sampleCount: int  # noqa: N815 - the wire word


class _Series(msgspec.Struct):
    points: list[_Point]


class _Problem(msgspec.Struct):
    error: str = ""


class NewRelicRestSource:
    """A Source over HTTP; the client carries base URL, key and transport."""

    name = "newrelic"

    def __init__(
        self, client: httpx.AsyncClient, *, timeout_seconds: float, client_errors: bool = True
    ) -> None:
        """Take a client; `client_errors` tells whether an HTTP 4xx is a refused request."""
        self._client_errors = client_errors
        self._reader = Reader(
            client, source=self.name, timeout_seconds=timeout_seconds, key_hint=KEY_HINT
        )

    async def read_window(self, arms: Arms, window: Window) -> WindowReading:
        """Return both arms over a window; see the port."""
        canary, stable = await asyncio.gather(
            self._read_arm(arms.app, arms.canary, window),
            self._read_arm(arms.app, arms.stable, window),
        )
        told = canary.latency is not None and stable.latency is not None
        return WindowReading(
            window=window,
            canary=canary,
            stable=stable,
            tier=Tier.HISTOGRAM if told else Tier.COUNTS,
        )

    async def read_history(self, arms: Arms, window: Window, *, block_s: int) -> History:
        """Return stable's blocks and latencies; see the port.

        The charts' points are rates in percent with four decimals, which is exact for the bad
        requests of blocks up to a million requests.
        """
        kinds = ("errorRate", "http4xxRate") if self._client_errors else ("errorRate",)
        arm, series = await asyncio.gather(
            self._read_arm(arms.app, arms.stable, window),
            asyncio.gather(
                *(self._read_points(arms.app, arms.stable, window, block_s, one) for one in kinds)
            ),
        )
        bad: dict[float, list[ArmCounts]] = {}
        for points in series:
            for at, counts in points:
                bad.setdefault(at, []).append(counts)
        blocks = tuple(
            (found[0].count, min(found[0].count, sum(one.bad for one in found)))
            for _, found in sorted(bad.items())
        )
        return History(blocks=blocks, latency=arm.latency)

    async def _read_arm(self, app: str, pod_hash: str, window: Window) -> ArmReading:
        status, body = await self._reader.get(_HISTOGRAM, _question(app, pod_hash, window))
        if status != httpx.codes.OK:
            return self._read_refusal(status, body)
        answer = self._reader.decode(body, _Histogram)
        try:
            self._insist_on_window(answer.windowEnd, window)
            counts = ArmCounts(count=answer.count, bad=answer.errors)
            refused = _refused(answer) if self._client_errors else 0
            return ArmReading(counts=counts, refused=refused, latency=_latency(answer))
        except (ValueError, OverflowError) as error:
            raise self._reader.unusable(error) from None

    async def _read_points(
        self, app: str, pod_hash: str, window: Window, block_s: int, metric: str
    ) -> list[tuple[float, ArmCounts]]:
        question = _question(app, pod_hash, window)
        status, body = await self._reader.get(
            _SERIES, {**question, "metric": metric, "step": f"{block_s}s"}
        )
        if status != httpx.codes.OK:
            if refusal_code(body) != _NO_STATUSES:
                self._read_refusal(status, body)
            return []
        answer = self._reader.decode(body, _Series)
        try:
            return [
                (parse_timestamp(point.at), counts)
                for point in answer.points
                if (counts := counts_of_rate(point.value, point.sampleCount)).count
            ]
        except (ValueError, OverflowError) as error:
            raise self._reader.unusable(error) from None

    def _insist_on_window(self, told: str | None, window: Window) -> None:
        """Refuse an answer about another time than the one that was asked for."""
        if told is not None and parse_timestamp(told) != window.end:
            raise ValueError(
                f"windowEnd is not the end that was asked for ({format_timestamp(window.end)})"
            )

    def _read_refusal(self, status: int, body: bytes) -> ArmReading:
        code = refusal_code(body)
        if status == httpx.codes.NOT_FOUND and code in _EMPTY_ARM_NOTES:
            return ArmReading(counts=NO_REQUESTS, note=_EMPTY_ARM_NOTES[code])
        if code == "stale_data":
            raise self._reader.failed(
                f"answered HTTP {status} ({code})",
                "does the application still report to the source?",
                code="source_stale",
            )
        raise self._reader.refused(status, code)


def refusal_code(body: bytes) -> str:
    """Return the code of a problem, or nothing when the body is none."""
    try:
        return msgspec.json.decode(body, type=_Problem).error
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""


def counts_of_rate(percent: float, count: int) -> ArmCounts:
    """Return the counts behind a rate in percent.

    Raises:
        ValueError: the rate is none, or the count is negative.
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"an error rate of {percent} %, expected 0 to 100")
    return ArmCounts(count=count, bad=round(percent * count / 100))


def _question(app: str, pod_hash: str, window: Window) -> dict[str, str]:
    return {
        "app": app,
        "hash": pod_hash,
        # Whole seconds, which is all that the window grammar of the interface knows.
        "window": f"{round(window.end - window.start)}s",
        "at": format_timestamp(window.end),
    }


def _refused(answer: _Histogram) -> int:
    """Return requests that ended with an HTTP 4xx and are no errors."""
    if not 0 <= answer.http4xx <= answer.count:
        raise ValueError(f"http4xx is {answer.http4xx} of {answer.count} requests")
    return min(answer.http4xx, answer.count - answer.errors)


def _latency(answer: _Histogram) -> LatencyHistogram | None:
    """Return the latencies; None when the source counts requests and times none of them."""
    buckets = answer.buckets or []
    timed = sum(bucket.count for bucket in buckets)
    if timed > answer.count:
        raise ValueError(f"buckets hold {timed} of {answer.count} requests")
    if answer.buckets is None or (answer.count and not timed):
        return None
    return LatencyHistogram(
        le_ms=tuple(bucket.le for bucket in buckets),
        counts=tuple(bucket.count for bucket in buckets),
    )
