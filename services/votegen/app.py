"""Wiring: settings in, application out."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from svckit.asgi import create_base_app, distribution_version
from svckit.metrics import new_registry
from votegen.adapters.http_asyncio import HttpConnector
from votegen.api.control import control_router
from votegen.api.metrics import VotegenCollector
from votegen.engine.control import Controller
from votegen.engine.openloop import Engine
from votegen.ports import Timebase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry

    from svckit.clock import Clock
    from votegen.ports import ConnectorFactory
    from votegen.settings import VotegenSettings


def create_app(
    settings: VotegenSettings,  # noqa: ARG001 - the signature that all services share
    *,
    clock: Clock,
    registry: CollectorRegistry | None = None,
    connectors: ConnectorFactory = HttpConnector,
    monotonic: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> FastAPI:
    """Return the control plane.

    Args:
        settings: where it listens.
        clock: its rate says how fast virtual time passes.
        registry: where metrics go; a new one by default.
        connectors: opens connections; replaced in tests.
        monotonic: real time.
        sleep: waits real seconds.
    """
    if registry is None:
        registry = new_registry(package="votegen", version=distribution_version())
    timebase = Timebase(clock_rate=clock.rate, monotonic=monotonic, sleep=sleep)
    controller = Controller(lambda plan: Engine(plan, connectors=connectors, timebase=timebase))

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
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
    registry.register(VotegenCollector(controller))
    return app
