"""Prometheus metrics: one registry per application, and what every HTTP server counts."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import structlog
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from starlette.responses import Response

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def new_registry(*, package: str, version: str) -> CollectorRegistry:
    """Return an empty registry that knows which build it belongs to."""
    registry = CollectorRegistry()
    build = Gauge(
        f"{package}_build_info", "Constant 1, labelled with the build.", ["version"],
        registry=registry,
    )  # fmt: skip
    build.labels(version).set(1)
    return registry


def install_metrics_route(app: FastAPI, registry: CollectorRegistry) -> None:
    """Serve the registry at /metrics.

    A plain route, because a mounted application would answer /metrics with a redirect.
    """

    async def metrics() -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE})

    app.add_api_route("/metrics", metrics, methods=["GET"], summary="Prometheus metrics")


_durations: WeakKeyDictionary[CollectorRegistry, Histogram] = WeakKeyDictionary()


def request_durations(registry: CollectorRegistry) -> Histogram:
    """Return the registry's histogram of request durations, made at the first call.

    Labels: method, route template, status.
    """
    known = _durations.get(registry)
    if known is None:
        known = _durations[registry] = Histogram(
            "http_server_request_duration_seconds",
            "Time to answer a request.",
            ["method", "route", "status"],
            registry=registry,
        )
    return known


class ObserveRequests:
    """ASGI middleware: request id, duration histogram by route template, one access line."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self.app = app
        self.log = structlog.get_logger()
        self.duration = request_durations(registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record how it ended."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope["request_id"] = uuid.uuid4().hex
        started = time.perf_counter()
        status = 500

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, observed_send)
        finally:
            seconds = time.perf_counter() - started
            route = _route_template(scope)
            self.duration.labels(scope["method"], route, str(status)).observe(seconds)
            self.log.debug(
                "request_served",
                method=scope["method"],
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 2),
                request_id=scope["request_id"],
            )


def _route_template(scope: Scope) -> str:
    route: Any = scope.get("route")
    return getattr(route, "path", "other")
