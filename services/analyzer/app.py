"""Wiring: settings in, application out."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import Depends

from analyzer.adapters.config_files import ConfigFiles
from analyzer.adapters.nerdgraph import NerdGraphSource
from analyzer.adapters.newrelic_rest import NewRelicRestSource
from analyzer.adapters.probe import HttpProbe
from analyzer.adapters.prometheus import PrometheusNames, PrometheusSource
from analyzer.adapters.store import SqlRunStore
from analyzer.api.analysis import analysis_router
from analyzer.api.auth import require_key
from analyzer.api.health_check import health_check_router
from analyzer.api.kayenta import kayenta_router
from analyzer.service.analysis import AnalysisService
from analyzer.service.health import HealthService
from analyzer.service.instruments import Instruments
from analyzer.service.sources import Sources
from svckit.asgi import create_base_app, distribution_version
from svckit.httpclient import create_http_client
from svckit.metrics import new_registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx
    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry

    from analyzer.ports import Source
    from analyzer.service.runs import RunService
    from analyzer.settings import Settings
    from svckit.clock import Clock


def create_app(
    settings: Settings,
    *,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """Return the service.

    Raises:
        InvalidInput: a configuration file cannot be used.

    Args:
        settings: what the operator said.
        clock: where windows end.
        registry: for metrics; a new one by default.
        transport: for all outgoing requests; the network by default.
    """
    registry = registry or new_registry(package="analyzer", version=distribution_version())
    key = settings.newrelic_api_key.get_secret_value()
    clients = {
        name: create_http_client(
            base_url=url,
            timeout_seconds=settings.source_timeout_seconds,
            headers={"Api-Key": key} if key and name != PrometheusSource.name else {},
            transport=transport,
        )
        for name, url in settings.source_urls.items()
    }
    probe_client = create_http_client(
        timeout_seconds=settings.health_timeout_seconds, transport=transport
    )

    instruments = Instruments(registry)
    sources = Sources(
        {name: _source(name, client, settings) for name, client in clients.items()}, instruments
    )
    configs = ConfigFiles(settings.config_dir, default=settings.default_config)
    configs.check()
    store = SqlRunStore(
        directory=None if settings.ephemeral else settings.state_dir,
        url="" if settings.ephemeral else settings.database_url,
    )

    def make_runs() -> RunService:
        # The judge of runs needs scipy, whose import would more than double the time to start.
        from analyzer.service.runs import RunService  # noqa: PLC0415

        return RunService(
            sources=sources,
            configs=configs,
            store=store,
            clock=clock,
            instruments=instruments,
            lag_seconds=settings.ingestion_lag_seconds,
        )

    made: list[RunService] = []
    making = asyncio.Lock()

    async def runs() -> RunService:
        if not made:
            async with making:
                if not made:
                    made.append(await to_thread.run_sync(make_runs))
        return made[0]

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        try:
            yield
        finally:
            store.close()
            for client in (*clients.values(), probe_client):
                await client.aclose()

    app = create_base_app(
        title="canary-analyzer",
        description="Compares a canary with stable and answers pass, fail or inconclusive.",
        registry=registry,
        lifespan=lifespan,
    )
    once = AnalysisService(sources=sources, configs=configs, clock=clock, instruments=instruments)
    health = HealthService(
        rules=settings.target_rules,
        probe=HttpProbe(probe_client, timeout_seconds=settings.health_timeout_seconds),
    )
    checked = [Depends(require_key(tuple(item.get_secret_value() for item in settings.api_keys)))]
    app.include_router(analysis_router(once, runs, instruments), dependencies=checked)
    app.include_router(health_check_router(health), dependencies=checked)
    app.include_router(kayenta_router())
    return app


def _source(name: str, client: httpx.AsyncClient, settings: Settings) -> Source:
    seconds = settings.source_timeout_seconds
    if name == NerdGraphSource.name:
        return NerdGraphSource(
            client,
            timeout_seconds=seconds,
            account=settings.newrelic_account,
            bad=settings.newrelic_bad,
        )
    if name == PrometheusSource.name:
        names = PrometheusNames(
            requests=settings.prometheus_requests,
            latency=settings.prometheus_latency,
            app=settings.prometheus_app_label,
            arm=settings.prometheus_hash_label,
            status=settings.prometheus_status_label,
            bad=settings.prometheus_bad_status,
        )
        return PrometheusSource(client, timeout_seconds=seconds, names=names)
    return NewRelicRestSource(
        client, timeout_seconds=seconds, client_errors=settings.newrelic_client_errors
    )
