"""Memory of a running service under labels that never repeat."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from bench.harness import resident_bytes

from e2e.programs import get

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

BODIES, EVENTS = 250, 4000
MAX_GROWTH = 250_000_000


def _body(number: int) -> bytes:
    """Return events of which each has a host, a hash and a label of its own."""
    first = number * EVENTS
    events = [
        {
            "eventType": "Transaction",
            "appName": "bomb",
            "duration": 0.01,
            "httpResponseCode": "200",
            "host": f"host-{each}",
            "podTemplateHash": f"{each:010x}",
            "customer": f"customer-{each}",
        }
        for each in range(first, first + EVENTS)
    ]
    return gzip.compress(json.dumps(events).encode(), 1)


def test_a_million_values_of_labels(tmp_path: Path) -> None:
    """All are counted, memory stays within bounds, and selectors are refused, not wrong."""
    command = [
        sys.executable, "-m", "mock_newrelic", "serve", "--port", "0", "--log-level", "error",
        "--data-dir", str(tmp_path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = json.loads(process.stdout.readline())["url"]
            before = resident_bytes(process.pid)
            with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
                headers = {"Api-Key": "test-key", "Content-Encoding": "gzip"}
                for number in range(BODIES):
                    sent = client.post(
                        "/v1/accounts/1/events", content=_body(number), headers=headers
                    )
                    assert sent.status_code == 200, sent.text
            growth = resident_bytes(process.pid) - before
            question = {"app": "bomb", "window": "30m"}
            assert get(f"{url}/v1/metrics", metric="count", **question)["count"] == BODIES * EVENTS
            refused = httpx.get(
                f"{url}/v1/metrics",
                params={**question, "metric": "count", "host": "host-7"},
                headers={"Api-Key": "test-key"},
                trust_env=False,
            )
            assert (refused.status_code, refused.json()["error"]) == (503, "too_many_series")
        finally:
            process.terminate()
            process.wait(timeout=30)
    assert growth < MAX_GROWTH, f"{growth / 1e6:.0f} MB"
