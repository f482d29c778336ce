"""The FastAPI application that every service starts from."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from svckit.health import install_health_routes
from svckit.metrics import ObserveRequests, install_metrics_route
from svckit.problem import install_problem_handlers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from prometheus_client import CollectorRegistry

DISTRIBUTION = "gatelab"


@cache
def distribution_version() -> str:
    """Return the version of the installed distribution."""
    return version(DISTRIBUTION)


def create_base_app(
    *,
    title: str,
    description: str,
    registry: CollectorRegistry,
    ready_checks: Mapping[str, Callable[[], bool]] | None = None,
    lifespan: Callable[[], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Return an application with problems, metrics, health and documentation in place.

    Args:
        title: the service's command name.
        description: one sentence for the API documentation.
        registry: where the service's metrics live.
        ready_checks: named conditions of /readyz; none means ready when started.
        lifespan: entered before the first request, left after the last one.
    """

    @asynccontextmanager
    async def run(_app: FastAPI) -> AsyncIterator[None]:
        if lifespan is None:
            yield
            return
        async with lifespan():
            yield

    app = FastAPI(
        title=title,
        description=description,
        version=distribution_version(),
        lifespan=run,
        # A path with a slash too many is unknown; a redirect would repeat a DELETE elsewhere.
        redirect_slashes=False,
    )
    install_problem_handlers(app)
    middleware: Any = ObserveRequests
    app.add_middleware(middleware, registry=registry)
    install_metrics_route(app, registry)
    install_health_routes(app, ready_checks or {})
    return app
