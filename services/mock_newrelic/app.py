"""Puts the parts together."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mock_newrelic.adapters.durable import DurableStore
from mock_newrelic.adapters.memory import MemoryStore
from mock_newrelic.api.collector import collector_router
from mock_newrelic.api.control import control_router
from mock_newrelic.api.edge import Edge
from mock_newrelic.api.facade import Facade
from mock_newrelic.api.faults import Faults
from mock_newrelic.api.ingest import EventDoor, ingest_router
from mock_newrelic.api.injections import injections_router
from mock_newrelic.api.insights import insights_router
from mock_newrelic.api.keys import Keys
from mock_newrelic.api.metrics import metrics_router
from mock_newrelic.api.nerdgraph import nerdgraph_router
from mock_newrelic.api.otlp import otlp_router
from mock_newrelic.api.page import page_router
from mock_newrelic.api.rest_v2 import rest_v2_router
from mock_newrelic.api.sessions import sessions_router
from mock_newrelic.api.snapshots import snapshots_router
from mock_newrelic.api.telemetry import telemetry_router
from mock_newrelic.domain.ingest.event_api import ProbeRule
from mock_newrelic.service.agents import CollectorService
from mock_newrelic.service.audit import Audit
from mock_newrelic.service.control import ControlService
from mock_newrelic.service.deployments import DeploymentService
from mock_newrelic.service.entities import EntityService
from mock_newrelic.service.ingest import IngestService
from mock_newrelic.service.injections import InjectionService
from mock_newrelic.service.instruments import Instruments
from mock_newrelic.service.journal import Journal
from mock_newrelic.service.measure import Measure
from mock_newrelic.service.nrql import NrqlService
from mock_newrelic.service.otlp import OtlpService
from mock_newrelic.service.page import PageService
from mock_newrelic.service.queries import QueryService
from mock_newrelic.service.reader import Reader
from mock_newrelic.service.rest_v2 import RestV2Service
from mock_newrelic.service.sessions import SessionService
from mock_newrelic.service.snapshots import SnapshotService
from mock_newrelic.settings import split_list
from svckit.asgi import create_base_app, distribution_version
from svckit.metrics import new_registry
from svckit.timestamps import format_timestamp_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from prometheus_client import CollectorRegistry
    from starlette.types import ASGIApp

    from mock_newrelic.ports import Store
    from mock_newrelic.settings import Settings
    from svckit.clock import Clock


def create_app(
    settings: Settings,
    *,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    store: Store | None = None,
) -> ASGIApp:
    """Return the ASGI application.

    Args:
        settings: keys, limits, probes.
        clock: whose time windows, injections and answers live in.
        registry: where the metrics go; a new one unless given.
        sleep: waits real seconds, for transport faults.
        store: where samples are kept; what the settings say unless given.
    """
    if registry is None:
        registry = new_registry(package="mock_newrelic", version=distribution_version())
    instruments, journal = Instruments(registry), Journal()
    store = store or _open_store(settings, clock)
    instruments.series.set_function(lambda: sum(app.series_count for app in store.applications()))
    audit, measure = Audit(store), Measure(store)
    injections = InjectionService(
        store=store, clock=clock, audit=audit, instruments=instruments, measure=measure
    )
    reader = Reader(store=store, injections=injections)
    queries = QueryService(
        store=store, reader=reader, measure=measure, stale_after=settings.stale_after_seconds
    )
    ingest = IngestService(store=store, clock=clock, instruments=instruments)
    probes = ProbeRule(
        user_agents=split_list(settings.probe_user_agents),
        paths=frozenset(split_list(settings.probe_paths)),
    )
    control = ControlService(
        store=store,
        injections=injections,
        ingest=ingest,
        journal=journal,
        audit=audit,
        measure=measure,
        clock=clock,
    )
    sessions = SessionService(store=store, clock=clock, end=control.end_session)
    keys = Keys(
        reading=settings.keys,
        admin=settings.admin_key.get_secret_value(),
        open_reading=settings.auth == "open",
    )
    deployments, entities = (
        DeploymentService(store, created=injections.deployed),
        EntityService(store),
    )
    nrql = NrqlService(
        store=store, reader=reader, deployments=deployments, audit=audit, clock=clock
    )
    facade = Facade(
        store=store,
        queries=queries,
        injections=injections,
        keys=keys,
        clock=clock,
        instruments=instruments,
        nrql=nrql,
    )
    app = create_base_app(
        title="mock-newrelic",
        description="Stand-in for the New Relic metric API, with injections.",
        registry=registry,
        ready_checks={"store": lambda: store.healthy},
        lifespan=lambda: _closing(store),
    )
    app.include_router(
        metrics_router(facade=facade, queries=queries, store=store, keys=keys, clock=clock)
    )
    door = EventDoor(ingest=ingest, keys=keys, probes=probes)
    app.include_router(ingest_router(door=door, keys=keys))
    app.include_router(
        telemetry_router(ingest=ingest, keys=keys, probes=probes, signals=settings.golden_signals)
    )
    otlp = OtlpService(ingest=ingest, store=store, probes=probes, clock=clock)
    app.include_router(otlp_router(otlp=otlp, keys=keys, empty_answers=settings.otlp_nr_empty_body))
    app.include_router(injections_router(control=control, keys=keys))
    app.include_router(control_router(control=control, keys=keys))
    snapshots = SnapshotService(store=store, journal=journal, may_create=not settings.ci)

    def info() -> dict[str, Any]:
        return {
            "service": "mock-newrelic",
            "version": distribution_version(),
            "now": format_timestamp_ms(clock.now()),
            "clockRate": clock.rate,
            "settings": settings.model_dump(mode="json"),
            "apps": sum(1 for _ in store.applications()),
            "injections": len(injections.listed()),
            "sessions": len(sessions.listed()),
        }

    app.include_router(snapshots_router(snapshots=snapshots, keys=keys, info=info))
    app.include_router(sessions_router(sessions=sessions, keys=keys))
    app.include_router(
        nerdgraph_router(
            nrql=nrql, entities=entities, deployments=deployments, keys=keys, clock=clock
        )
    )
    app.include_router(insights_router(nrql=nrql, keys=keys))
    app.include_router(
        rest_v2_router(
            rest=RestV2Service(queries=queries, reader=reader),
            entities=entities,
            deployments=deployments,
            keys=keys,
            clock=clock,
        )
    )
    collector = CollectorService(
        ingest=ingest,
        store=store,
        injections=injections,
        probes=probes,
        clock=clock,
        licenses=split_list(settings.license_keys.get_secret_value()),
        also=settings.keys,
        open_ingest=settings.auth == "open",
        require_session=sessions.require,
        public_host=settings.public_host,
        public_port=settings.public_port,
    )
    app.include_router(collector_router(collector=collector))
    page = PageService(store=store, injections=injections, deployments=deployments, clock=clock)
    app.include_router(page_router(page=page, control=control, keys=keys))
    faults = Faults(app, injections=injections, keys=keys, clock=clock, sleep=sleep)
    return Edge(
        app,
        faults=faults,
        facade=facade,
        door=door,
        journal=journal,
        sessions=sessions,
        clock=clock,
        registry=registry,
    )


def _open_store(settings: Settings, clock: Clock) -> Store:
    if settings.ephemeral:
        return MemoryStore(max_apps=settings.max_apps, max_series=settings.max_series)
    return DurableStore(
        Path(settings.data_dir),
        max_apps=settings.max_apps,
        max_series=settings.max_series,
        now=clock.now(),
    )


@asynccontextmanager
async def _closing(store: Store) -> AsyncIterator[None]:
    yield
    store.close()
