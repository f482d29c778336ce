"""Unmodified newrelic-telemetry-sdk, which speaks HTTPS only, against a running service."""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
from newrelic_telemetry_sdk import (
    CountMetric,
    Event,
    EventClient,
    GaugeMetric,
    Log,
    LogClient,
    MetricClient,
    Span,
    SpanClient,
    SummaryMetric,
)

from mock_newrelic_bench import KEY
from svckit.clock import SystemClock
from telemetry_traffic import Served, quantile

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

APP = "telemetry-sdk"
COUNT = 500


class Running(NamedTuple):
    """A service on loopback: its port for TLS, its URL without, and its certificate authority."""

    port: int
    url: str
    authority: str

    async def get(self, path: str, **parameters: str) -> Any:
        """Return the JSON of a GET."""
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{self.url}{path}", params=parameters, headers=KEY)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def metric(self, name: str, source: str) -> float:
        """Ask the facade."""
        answer = await self.get("/v1/metrics", app=APP, metric=name, window="5m", source=source)
        value: float = answer[name]
        return value

    async def nrql(self, query: str) -> Any:
        """Ask by NRQL."""
        return (await self.get("/v1/accounts/1/query", nrql=query))["results"]

    def client(self, kind: Any, key: str = "test-key") -> Any:
        """Return a client of the SDK."""
        return kind(key, host="127.0.0.1", port=self.port, ca_certs=self.authority)


@pytest.fixture(name="apm")
def _apm(tmp_path: Path) -> Iterator[Running]:
    command = [
        sys.executable, "-m", "mock_newrelic", "serve", "--ephemeral", "--log-level", "error",
        "--port", "0", "--tls-port", "0", "--tls-dir", str(tmp_path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            port = urlsplit(ready["tlsUrl"]).port
            assert port is not None
            yield Running(port, ready["url"], str(tmp_path / "ca.pem"))
        finally:
            process.terminate()
            process.wait(timeout=15)


def _served(now: float) -> list[Served]:
    rng = random.Random(11)  # noqa: S311 - simulated traffic, no secret
    return [
        Served(
            now - 20 + number / 50, rng.lognormvariate(-3, 0.5), 500 if number % 25 == 0 else 200
        )
        for number in range(COUNT)
    ]


async def test_all_four_clients(apm: Running) -> None:
    """Metrics, events, spans and logs arrive, gzip-compressed, as the SDK sends them."""
    served = _served(SystemClock().now())
    errors = sum(one.status == 500 for one in served)

    def send() -> list[Any]:
        tags = {"service.name": APP, "role": "canary"}
        seconds = [one.seconds for one in served]
        end = int(served[-1].at * 1000)
        metrics = [
            CountMetric("http.requests", COUNT, 10_000, tags, end),
            CountMetric("http.errors", errors, 10_000, tags, end),
            SummaryMetric(
                "http.duration", COUNT, sum(seconds), min(seconds), max(seconds), 10_000, tags, end
            ),
            GaugeMetric("temperature", 21.5, tags),
        ]
        events = [
            Event(
                "Transaction",
                {
                    "appName": APP,
                    "duration": one.seconds,
                    "error": one.status == 500,
                    "httpResponseCode": str(one.status),
                },
                timestamp_ms=int(one.at * 1000),
            )
            for one in served
        ]
        spans = []
        for one in served:
            span = Span(
                "GET /",
                {"service.name": APP, "http.response.status_code": one.status},
                start_time_ms=int(one.at * 1000),
            )
            # The constructor would cut the duration to whole milliseconds.
            span["attributes"]["duration.ms"] = one.seconds * 1000
            spans.append(span)
        logs = [Log(text, None, **{"service.name": APP}) for text in ("vote counted", "again")]
        return [
            apm.client(MetricClient).send_batch(metrics),
            apm.client(EventClient).send_batch(events),
            apm.client(SpanClient).send_batch(spans, common={"service.name": APP}),
            apm.client(LogClient).send_batch(logs),
        ]

    answers = await asyncio.to_thread(send)
    assert [answer.status for answer in answers] == [202, 200, 202, 202]
    assert all(answer.ok for answer in answers)
    assert "requestId" in answers[0].json()
    for source in ("api", "events", "spans"):
        assert await apm.metric("count", source) == COUNT, source
        assert await apm.metric("errorRate", source) == pytest.approx(100 * errors / COUNT)
        mean = 1000 * sum(one.seconds for one in served) / COUNT
        assert await apm.metric("responseTime", source) == pytest.approx(mean, rel=1e-3)
    p95 = 1000 * quantile(served, 0.95)
    for source in ("events", "spans"):
        assert await apm.metric("p95", source) == pytest.approx(p95, rel=0.02), source
    assert await apm.nrql("SELECT latest(temperature) FROM Metric") == [{"latest": 21.5}]
    assert await apm.nrql(f"SELECT count(*) FROM Span WHERE appName = '{APP}'") == [
        {"count": COUNT}
    ]
    assert await apm.nrql("SELECT count(*) FROM Log WHERE message LIKE '%counted'") == [
        {"count": 1}
    ]


async def test_a_wrong_key_is_what_the_sdk_expects(apm: Running) -> None:
    """403, upon which it drops the data, and nothing is counted."""
    answer = await asyncio.to_thread(
        lambda: apm.client(MetricClient, "wrong").send(CountMetric("http.requests", 1, 1000))
    )
    assert (answer.status, answer.ok) == (403, False)
    assert (await apm.get("/v1/apps"))["apps"] == []
