"""Unmodified OpenTelemetry: a FastAPI application under uvicorn, exporting over OTLP/HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from e2e.programs import get, serving
from telemetry_traffic import Served, quantile

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

PROGRAM = Path(__file__).with_name("instrumented_app.py")
APP = "instrumented"
BOUNDS_MS = (0, 5, 10, 25, 50, 75, 100, 250, 500)
"""Explicit bounds of the SDK's default histogram, as far as they matter here."""


@contextmanager
def _instrumented(url: str, mode: str) -> Iterator[str]:
    """Start the application with its telemetry pointed at `url`; flushed when the block ends."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("OTEL_")},
        "OTEL_SEMCONV_STABILITY_OPT_IN": "" if "old" in mode else "http",
    }
    command = [sys.executable, str(PROGRAM), url, mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
            process.wait(timeout=15)


async def _use(base: str) -> tuple[Counter[int], list[float]]:
    """Send 150 requests, 12 of which fail; return statuses and what each really took."""
    wanted = [f"/wait?ms={20 + 2 * number}" for number in range(130)]
    wanted += [f"/wait?ms={30 + number}&status=404" for number in range(8)]
    wanted += [f"/wait?ms={40 + number}&status=500" for number in range(7)]
    wanted += ["/raise"] * 5
    room = asyncio.Semaphore(25)
    statuses: Counter[int] = Counter()
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:

        async def one(path: str) -> None:
            async with room:
                statuses[(await client.get(path)).status_code] += 1

        await asyncio.gather(*map(one, wanted))
        durations: list[float] = json.loads((await client.get("/durations")).text)
    return statuses, durations


@pytest.mark.parametrize(
    ("mode", "exact"),
    [
        ("delta-exponential", True),
        pytest.param("cumulative-explicit", False, marks=pytest.mark.slow),
        pytest.param("cumulative-exponential-old", False, marks=pytest.mark.slow),
    ],
)
async def test_the_facade_tells_what_the_application_did(mode: str, *, exact: bool) -> None:
    """Counts and rates are exact; p95 is within 2 %, or inside the bucket that holds it."""
    with serving("mock_newrelic", "--ephemeral") as apm:
        with _instrumented(apm, mode) as base:
            statuses, durations = await _use(base)
        assert statuses == {200: 130, 404: 8, 500: 12}
        p95 = 1000 * quantile([Served(0, one, 200) for one in durations], 0.95)
        for source in ("otel", "spans"):
            answer = _ask(apm, "errorRate", source=source)
            assert (answer["sampleCount"], answer["errorCount"]) == (150, 12), source
            assert answer["errorRate"] == 8.0
            assert _ask(apm, "http4xxRate", source=source)["http4xxRate"] == round(800 / 150, 4)
            assert _ask(apm, "count", source=source, version=mode)["count"] == 150
            mean = 1000 * sum(durations) / len(durations)
            answered = _ask(apm, "responseTime", source=source)["responseTime"]
            assert answered == pytest.approx(mean, rel=0.02)
        assert _ask(apm, "p95", source="spans")["p95"] == pytest.approx(p95, rel=0.02)
        answer = _ask(apm, "p95")
        # The SDK has 160 buckets; where durations spread far, it takes wider ones.
        widened = max(durations) > 16 * min(durations)
        assert answer["source"] == "otel"
        assert answer["approximate"] != exact or widened
        if "exponential" in mode:
            # In milliseconds a bucket of the SDK lies across two of ours: 2.2 % more at most.
            close = 0.02 if exact and not answer["approximate"] else 0.033
            assert answer["p95"] == pytest.approx(p95, rel=close)
        else:
            low, high = next((low, high) for low, high in pairwise(BOUNDS_MS) if low < p95 <= high)
            assert low < answer["p95"] <= high * 1.011


def _ask(apm: str, metric: str, **more: str) -> Any:
    return get(f"{apm}/v1/metrics", app=APP, metric=metric, window="5m", detail="full", **more)


def test_an_exporter_tries_again_after_an_injected_503() -> None:
    """The SDK's own exporter waits as it was told to; nothing is lost and nothing counts twice."""
    with serving("mock_newrelic", "--ephemeral") as apm:
        injection = {
            "app": "*",
            "surface": "otlp",
            "effect": {"status": {"code": 503, "retry_after": 1}},
            "maxHits": 1,
        }
        created = httpx.post(
            f"{apm}/control/injections",
            json=injection,
            headers={"Api-Key": "admin-key"},
            trust_env=False,
        )
        assert created.status_code == 201, created.text
        exporter = OTLPMetricExporter(
            endpoint=f"{apm}/v1/metrics",
            headers={"api-key": "test-key"},
            preferred_temporality={Histogram: AggregationTemporality.DELTA},
        )
        provider = MeterProvider(
            metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=3.6e6)],
            resource=Resource({"service.name": APP}),
        )
        histogram = provider.get_meter("m").create_histogram("http.server.request.duration", "s")
        for _ in range(7):
            histogram.record(0.02, {"http.response.status_code": 200})
        provider.shutdown()
        assert _ask(apm, "count")["count"] == 7
        journal = httpx.get(
            f"{apm}/control/requests?surface=otlp",
            headers={"Api-Key": "admin-key"},
            trust_env=False,
        )
        assert [one["status"] for one in journal.json()["requests"]] == [503, 200]
