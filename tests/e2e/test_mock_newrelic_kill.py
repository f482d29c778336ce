"""`kill -9` in the middle of ingest, again and again: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Semaphore

import httpx
import pytest

pytestmark = pytest.mark.e2e

EVENTS_A_BODY = 20
SENDERS = 4
BODIES_UNTIL_KILL = (20, 120)


@dataclass
class Sent:
    """What a sender knows when its peer dies.

    Attributes:
        acknowledged: ids of the bodies that were answered 200.
        open: ids of those that were under way.
    """

    acknowledged: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)


@contextmanager
def serving(directory: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the service on a data directory; yields its URL and the process."""
    command = [
        sys.executable, "-m", "mock_newrelic", "serve", "--port", "0", "--log-level", "error",
        "--data-dir", str(directory),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"], process
        finally:
            process.kill()
            process.wait(timeout=15)


def _send(client: httpx.Client, identity: str) -> dict[str, object]:
    """Send a body to one of four applications and insist that it is acknowledged."""
    event = {
        "eventType": "Transaction",
        "appName": "app-" + str(int(identity[:8], 16) % 4),
        "duration": 0.02,
        "httpResponseCode": "200",
        "role": "canary" if int(identity[-1], 16) % 2 else "stable",
        "body": identity,
    }
    answer = client.post(
        "/v1/accounts/1/events",
        content=json.dumps([event] * EVENTS_A_BODY),
        headers={"Api-Key": "test-key", "x-request-id": identity},
    )
    assert answer.status_code == 200, answer.text
    document: dict[str, object] = answer.json()
    return document


def _send_until_the_end(url: str, acknowledged: Semaphore) -> Sent:
    """Send bodies until the peer is gone; tell of each that is acknowledged."""
    sent = Sent()
    with httpx.Client(base_url=url, trust_env=False) as client:
        while True:
            identity = str(uuid.uuid4())
            try:
                _send(client, identity)
            except httpx.TransportError:
                sent.open.append(identity)
                return sent
            sent.acknowledged.append(identity)
            acknowledged.release()


def _counted(client: httpx.Client) -> int:
    known = client.get("/v1/apps", headers={"Api-Key": "test-key"}).json()["apps"]
    total = 0
    for app in known:
        answer = client.get(
            "/v1/metrics",
            params={"app": app["app"], "metric": "count", "window": "1h"},
            headers={"Api-Key": "test-key"},
        )
        total += answer.json()["count"]
        assert app["samples"] == answer.json()["count"]
    return total


def _round(url: str, process: subprocess.Popen[str], bodies: int) -> list[Sent]:
    """Send from several threads, and kill the service in the middle of it."""
    acknowledged = Semaphore(0)
    with ThreadPoolExecutor(SENDERS) as pool:
        senders = [pool.submit(_send_until_the_end, url, acknowledged) for _ in range(SENDERS)]
        try:
            assert all(acknowledged.acquire(timeout=30) for _ in range(bodies))
        finally:
            os.kill(process.pid, signal.SIGKILL)
        return [sender.result(timeout=30) for sender in senders]


def _killed_and_asked(directory: Path, kills: int) -> int:
    """Kill the service so many times; return how many bodies were acknowledged before."""
    rng = random.Random(20)  # noqa: S311 - decides when to kill
    bodies: set[str] = set()
    before = Sent()
    acknowledged = 0
    for number in range(kills + 1):
        with serving(directory) as (url, process):
            with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
                counted = _counted(client)
                least = EVENTS_A_BODY * len(bodies)
                assert least <= counted <= least + EVENTS_A_BODY * len(before.open)
                # What was acknowledged is known by its request id, so repeating it adds nothing.
                for identity in before.acknowledged[-3:]:
                    assert _send(client, identity)["duplicate"] is True
                # What was under way counts once, whether it had been kept or not.
                for identity in before.open:
                    _send(client, identity)
                    assert _send(client, identity)["duplicate"] is True
                bodies.update(before.open)
                assert _counted(client) == EVENTS_A_BODY * len(bodies)
            if number == kills:
                return acknowledged
            parts = _round(url, process, rng.randint(*BODIES_UNTIL_KILL))
            before = Sent(
                [one for part in parts for one in part.acknowledged],
                [one for part in parts for one in part.open],
            )
            bodies.update(before.acknowledged)
            acknowledged += len(before.acknowledged)
    raise AssertionError("unreachable")


def test_one_kill_loses_nothing(tmp_path: Path) -> None:
    """After kill -9 every acknowledged body counts, once, and is known by its request id."""
    assert _killed_and_asked(tmp_path, 1) >= BODIES_UNTIL_KILL[0]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    """The same twenty times over the same directory, with the journal folded in between."""
    assert _killed_and_asked(tmp_path, 20) > 1000
