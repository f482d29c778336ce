"""Wiring: settings in, application out."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from svckit.asgi import create_base_app, distribution_version
from svckit.metrics import new_registry
from svckit.randomness import stream
from voteapp.adapters.event_api import EventApi
from voteapp.adapters.store import MemoryVoteStore
from voteapp.adapters.telemetry import BatchTelemetry, NoTelemetry
from voteapp.api.control import control_router
from voteapp.api.metrics import VoteappCollector
from voteapp.api.vote import VoteRoutes
from voteapp.domain.contract import Site
from voteapp.domain.identity import pod_name
from voteapp.service import VoteService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    import httpx
    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry

    from svckit.clock import Clock
    from voteapp.adapters.telemetry import Dialect
    from voteapp.ports import VoteStore
    from voteapp.settings import VoteappSettings


def site_of(settings: VoteappSettings) -> Site:
    """Return who answers; without a pod name one is made up from the hash and the seed."""
    name = settings.pod_name or pod_name(settings.hash, stream(settings.seed, "pod", settings.hash))
    return Site(
        version=settings.version,
        pod_template_hash=settings.hash,
        pod_name=name,
        option_a=settings.option_a,
        option_b=settings.option_b,
    )


def _store(settings: VoteappSettings) -> VoteStore:
    if not settings.redis:
        return MemoryVoteStore(capacity=settings.votes_kept)
    from voteapp.adapters.redis_store import RedisVoteStore  # noqa: PLC0415 - slow to import

    return RedisVoteStore(settings.redis)


def _dialect(settings: VoteappSettings, site: Site) -> Dialect:
    if settings.telemetry == "otlp":
        from voteapp.adapters.otlp import OtlpSpans  # noqa: PLC0415 - slow to import

        return OtlpSpans(app=settings.app, site=site)
    return EventApi(account_id=settings.account_id, app=settings.app, site=site)


def create_app(
    settings: VoteappSettings,
    *,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    telemetry_transport: httpx.AsyncBaseTransport | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> FastAPI:
    """Return the application.

    Args:
        settings: which version it plays and where it reports.
        clock: stamps what is reported.
        registry: where metrics go; a new one by default.
        telemetry_transport: replaces the network of the telemetry in tests.
        sleep: waits real seconds, for faults and retries.
    """
    if registry is None:
        registry = new_registry(package="voteapp", version=distribution_version())
    site = site_of(settings)
    telemetry: BatchTelemetry | NoTelemetry = NoTelemetry()
    events: Mapping[str, int] = {}
    if settings.reports:
        telemetry = BatchTelemetry(
            base_url=settings.report_to,
            api_key=settings.api_key.get_secret_value(),
            dialect=_dialect(settings, site),
            transport=telemetry_transport,
            sleep=sleep,
        )
        events = telemetry.outcomes
    store = _store(settings)
    service = VoteService(
        site=site,
        store=store,
        telemetry=telemetry,
        clock=clock,
        seed=settings.seed,
        sleep=sleep,
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        await telemetry.start()
        try:
            yield
        finally:
            await telemetry.close()
            await store.close()

    app = create_base_app(
        title="voteapp",
        description="Stand-in of the voting front end, with faults on request.",
        registry=registry,
        lifespan=lifespan,
    )
    app.include_router(control_router(service))
    registry.register(VoteappCollector(service, telemetry_events=events))
    middleware: Any = VoteRoutes
    app.add_middleware(middleware, service=service)
    return app
