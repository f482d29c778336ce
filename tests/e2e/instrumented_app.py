"""A FastAPI application under uvicorn with OpenTelemetry's own instrumentation and exporters.

Run as a program by the tests: `instrumented_app.py OTLP_URL MODE`. It prints its port, serves
`GET /wait?ms=…&status=…` and `GET /raise`, and flushes when it is told to stop. What its requests
really took, measured around all instrumentation, it tells under `/durations`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from starlette.types import ASGIApp, Receive, Scope, Send

KEY = {"api-key": "test-key"}
EXPORT_EVERY_MS = 300


class Stopwatch:
    """Measures what is around the instrumentation too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.seconds: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note how long it took."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] == "/durations":
            await PlainTextResponse(json.dumps(self.seconds))(scope, receive, send)
            return
        started = perf_counter()
        try:
            await self.app(scope, receive, send)
        finally:
            self.seconds.append(perf_counter() - started)


def application(*providers: MeterProvider | TracerProvider) -> FastAPI:
    """Return the application, which flushes its telemetry before it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        # Not after serving: uvicorn then ends the process by the signal that stopped it.
        for provider in providers:
            await asyncio.to_thread(provider.shutdown)

    app = FastAPI(lifespan=lifespan)

    @app.get("/wait")
    async def wait(ms: float, status: int = 200) -> PlainTextResponse:
        await asyncio.sleep(ms / 1000)
        return PlainTextResponse("done", status_code=status)

    @app.get("/raise")
    async def fail() -> None:
        raise RuntimeError("as a broken version does")

    return app


def exporters(url: str, mode: str) -> tuple[MeterProvider, TracerProvider]:
    """Return providers that export to `url`, with deltas and powers of two or by default."""
    resource = Resource.create({"service.name": "instrumented", "service.version": mode})
    delta, exponential = "delta" in mode, "exponential" in mode
    chosen: dict[str, Any] = {
        "endpoint": f"{url}/v1/metrics",
        "headers": KEY,
        "compression": Compression.Gzip if delta else Compression.NoCompression,
        "preferred_temporality": {
            Histogram: AggregationTemporality.DELTA if delta else AggregationTemporality.CUMULATIVE
        },
        "preferred_aggregation": {
            Histogram: ExponentialBucketHistogramAggregation()
            if exponential
            else ExplicitBucketHistogramAggregation()
        },
    }
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(**chosen), export_interval_millis=EXPORT_EVERY_MS
    )
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url}/v1/traces", headers=KEY))
    )
    return MeterProvider(metric_readers=[reader], resource=resource), tracing


def main() -> None:
    """Serve until stopped, then flush."""
    url, mode = sys.argv[1:3]
    metering, tracing = exporters(url, mode)
    app = application(metering, tracing)
    FastAPIInstrumentor.instrument_app(
        app, meter_provider=metering, tracer_provider=tracing, exclude_spans=["send", "receive"]
    )
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    server = uvicorn.Server(uvicorn.Config(Stopwatch(app), log_level="critical"))
    asyncio.run(server.serve(sockets=[listening]))


if __name__ == "__main__":
    main()
