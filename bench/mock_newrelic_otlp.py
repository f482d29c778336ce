"""What a second of mock-newrelic's CPU takes in over OTLP: on disk before it is acknowledged.

The same 10,000 requests are told as server spans (500 a body), as exponential histograms (every 10
seconds, per status) and as events of the Event API (500 a body). The figure is requests told per
second of server CPU, everything included: HTTP, decoding, counting, writing.
"""

from __future__ import annotations

import gzip
import http.client
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.harness import Comparison, Contender, Limit, cpu_seconds, pinned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER_CORE = 0
COUNT = 10_000
BODY = 500
WINDOW_SECONDS = 2.0
"""Server CPU that one figure is taken over."""
_APP = "otlp-bench"


def comparisons() -> list[Comparison]:
    """Return what is compared."""
    return [
        Comparison(
            name="mock-newrelic-otlp",
            title="Requests taken in over OTLP and the Event API, acknowledged = on disk",
            unit="requests/server-CPU-s",
            contenders=[
                Contender(name="Event API", prepare=lambda: _taking_in("events")),
                Contender(name="OTLP spans", prepare=lambda: _taking_in("spans")),
                Contender(
                    name="OTLP spans, gzip", prepare=lambda: _taking_in("spans", packed=True)
                ),
                Contender(
                    name="OTLP exponential histograms",
                    prepare=lambda: _taking_in("metrics"),
                    note="one data point tells many requests",
                ),
            ],
            limits=[Limit(contender="OTLP spans", value=250_000)],
        )
    ]


@contextmanager
def _taking_in(protocol: str, *, packed: bool = False) -> Iterator[Callable[[], float]]:
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder)) as (pid, url):
        path, content_type, bodies = _bodies(protocol)
        headers = {"Api-Key": "test-key", "Content-Type": content_type}
        if packed:
            headers["Content-Encoding"] = "gzip"
            bodies = [gzip.compress(body, 6) for body in bodies]

        def measure() -> float:
            # A connection that has to wait for its turn would be closed meanwhile.
            connection = http.client.HTTPConnection(urlsplit(url).netloc)
            told, before = 0, cpu_seconds(pid)
            while cpu_seconds(pid) - before < WINDOW_SECONDS:
                for body in bodies:
                    connection.request("POST", path, body, headers)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status != 200:
                        raise RuntimeError(f"{path} answered {answer.status}")
                told += COUNT
            connection.close()
            return told / (cpu_seconds(pid) - before)

        yield measure


@contextmanager
def _service(folder: Path) -> Iterator[tuple[int, str]]:
    command = [
        sys.executable, "-m", "mock_newrelic", "serve", "--port", "0", "--log-level", "error",
        "--data-dir", str(folder),
    ]  # fmt: skip
    with subprocess.Popen(
        pinned(SERVER_CORE, command), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            yield process.pid, json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
            process.wait(timeout=15)


def _bodies(protocol: str) -> tuple[str, str, list[bytes]]:
    """Return path, content type and bodies that tell all requests once."""
    from tests.telemetry_traffic import as_events, as_metrics, as_spans, traffic  # noqa: PLC0415

    served = traffic(float(int(time.time())), count=COUNT)  # noqa: TID251 - what is told is new
    parts = [served[start : start + BODY] for start in range(0, COUNT, BODY)]
    if protocol == "events":
        path = "/v1/accounts/1/events"
        return path, "application/json", [json.dumps(as_events(p, _APP)).encode() for p in parts]
    if protocol == "spans":
        requests = [as_spans(part, _APP).SerializeToString() for part in parts]
        return "/v1/traces", "application/x-protobuf", requests
    requests = [one.SerializeToString() for one in as_metrics(served, _APP)]
    return "/v1/metrics", "application/x-protobuf", requests
