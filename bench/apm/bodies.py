"""Bodies of 500 events as a sender makes them: one second of two versions of an application."""

from __future__ import annotations

import gzip
import json
import random
import time
from typing import Any

EVENTS = 500
APP = "voting01-vote-qa"
HASHES = ("7cd75c6d7c", "79bd65fcc9")


def rows(*, full: bool, now: float | None = None) -> bytes:
    """Return events of the Event API: all that the suite's senders tell, or the least of it."""
    rng = random.Random(1)  # noqa: S311 - a benchmark
    end = time.time() if now is None else now  # noqa: TID251 - what is told is new
    found = []
    for _ in range(EVENTS):
        pod_hash, failed = rng.choice(HASHES), rng.random() < 0.01
        event: dict[str, Any] = {
            "eventType": "Transaction",
            "appName": APP,
            "timestamp": int((end - rng.random()) * 1000),
            "duration": round(rng.lognormvariate(-4, 0.5), 6),
            "httpResponseCode": "500" if failed else "200",
        }
        if full:
            event |= {
                "error": failed,
                "podTemplateHash": pod_hash,
                "role": "canary" if pod_hash == HASHES[0] else "stable",
                "host": f"vote-{pod_hash}-7hqnx",
                "request.uri": "/",
                "request.method": "POST",
            }
        found.append(event)
    return json.dumps(found, separators=(",", ":")).encode()


def packed(body: bytes) -> bytes:
    """Return a body as a client with gzip sends it."""
    return gzip.compress(body, 6)
