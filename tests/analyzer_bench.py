"""Builders and a bench for tests of the analyzer: fakes outside, the real application inside."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from analyzer.app import create_app
from analyzer.domain.model import ArmCounts, MetricPair, Window
from analyzer.settings import Settings
from svckit.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from prometheus_client import CollectorRegistry

START = 1_770_170_400.0  # 2026-02-04T02:00:00Z


def an_arm(bad: int, count: int) -> ArmCounts:
    """Return `bad` of `count` requests."""
    return ArmCounts(count=count, bad=bad)


def a_pair(canary: tuple[int, int], stable: tuple[int, int]) -> MetricPair:
    """Return both arms, each as (bad, count), over five minutes."""
    return MetricPair(
        window=Window(start=START - 300, end=START), canary=an_arm(*canary), stable=an_arm(*stable)
    )


def histogram_answer(bad: int, count: int) -> httpx.Response:
    """Answer as the APM does."""
    buckets = [{"le": 20.0, "count": count}]
    return httpx.Response(200, json={"scale": 5, "buckets": buckets, "count": count, "errors": bad})


def source_of(**arms: tuple[int, int]) -> Callable[[httpx.Request], httpx.Response]:
    """Return a source that knows the given hashes, each as (bad, count)."""

    def answer(request: httpx.Request) -> httpx.Response:
        pod_hash = request.url.params["hash"]
        if pod_hash not in arms:
            return httpx.Response(404, json={"error": "no_data", "status": 404})
        return histogram_answer(*arms[pod_hash])

    return answer


@asynccontextmanager
async def analyzer_client(
    handler: Callable[[httpx.Request], httpx.Response] | Any,
    *,
    clock: ManualClock | None = None,
    registry: CollectorRegistry | None = None,
    headers: dict[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the application in memory; `handler` answers everything that it sends out."""
    app = create_app(
        Settings(**{"source": "newrelic=http://apm.test", "ephemeral": True, **settings}),
        clock=clock or ManualClock(START),
        registry=registry,
        transport=httpx.MockTransport(handler),
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://analyzer.test", headers=headers
        ) as client,
    ):
        yield client
