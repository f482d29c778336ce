"""Unmodified newrelic-telemetry-sdk, which speaks HTTPS only, against a running service."""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

import asyncio
import datetime as dt
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
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

from mock_newrelic.app import create_app
from mock_newrelic.settings import Settings
from mock_newrelic_bench import KEY
from svckit.clock import SystemClock
from telemetry_traffic import Served, quantile

pytestmark = [pytest.mark.anyio, pytest.mark.e2e]

APP = "telemetry-sdk"
COUNT = 500


class Running(NamedTuple):
    """A service that answers on loopback over TLS."""

    port: int
    certificate: str

    async def get(self, path: str, **parameters: str) -> Any:
        """Return the JSON of a GET."""
        async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # noqa: S501 - loopback
            url = f"https://127.0.0.1:{self.port}{path}"
            answer = await client.get(url, params=parameters, headers=KEY)
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
        return kind(key, host="127.0.0.1", port=self.port, ca_certs=self.certificate)


def _certificate(folder: Path) -> tuple[str, str]:
    """Write a certificate for 127.0.0.1 and its key; return where."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.fromtimestamp(SystemClock().now(), dt.UTC)
    day = dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(cert_file), str(key_file)


@asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[Running]:
    certificate, key = _certificate(folder)
    app = create_app(Settings(ephemeral=True), clock=SystemClock())
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="critical", lifespan="off", ssl_certfile=certificate, ssl_keyfile=key
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield Running(listening.getsockname()[1], certificate)
    finally:
        server.should_exit = True
        await serving


@pytest.fixture(name="apm")
async def _apm(tmp_path: Path) -> AsyncIterator[Running]:
    async with _serving(tmp_path) as running:
        yield running


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
