"""Wiring: settings in, application out."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from svckit.asgi import create_base_app, distribution_version
from svckit.metrics import new_registry
from votegen.adapters.http_asyncio import HttpConnector
from votegen.adapters.observer import Observer
from votegen.api.control import control_router
from votegen.api.metrics import VotegenCollector
from votegen.engine.control import Controller
from votegen.engine.openloop import Engine
from votegen.ports import Timebase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx
    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry

    from svckit.clock import Clock
    from votegen.ports import ConnectorFactory
    from votegen.settings import VotegenSettings


def create_app(
    settings: VotegenSettings,
    *,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    connectors: ConnectorFactory = HttpConnector,
    monotonic: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    report_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """Return the control plane.

    Args:
        settings: where it listens, and who is told what it saw.
        clock: its rate says how fast virtual time passes.
        registry: where metrics go; a new one by default.
        connectors: opens connections; replaced in tests.
        monotonic: real time.
        sleep: waits real seconds.
        report_transport: replaces the network of the reports in tests.
    """
    if registry is None:
        registry = new_registry(package="votegen", version=distribution_version())
    timebase = Timebase(clock_rate=clock.rate, monotonic=monotonic, sleep=sleep)
    observer = None
    if settings.report_to:
        observer = Observer(
            settings.report_to,
            settings.report_app,
            settings.report_key.get_secret_value(),
            clock=clock,
            transport=report_transport,
        )
    observe = None if observer is None else observer.take
    reports = None if observer is None else observer.counts
    controller = Controller(
        lambda plan: Engine(plan, connectors=connectors, timebase=timebase, observe=observe)
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with observer or nullcontext():
            try:
                yield
            finally:
                await controller.stop()

    app = create_base_app(
        title="votegen",
        description="Open-loop vote traffic over weighted targets.",
        registry=registry,
        ready_checks={"targets": lambda: controller.reachable},
        lifespan=lifespan,
    )
    app.include_router(control_router(controller))
    registry.register(VotegenCollector(controller, reports=reports))
    return app
