"""The suite's own programs on loopback, started for a test and ended with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx


@contextmanager
def serving(module: str, *flags: str, **variables: str) -> Iterator[str]:
    """Start `python -m MODULE serve` on a free port; yields its URL from the ready line."""
    command = [sys.executable, "-m", module, "serve", "--port", "0", "--log-level", "error", *flags]
    with subprocess.Popen(
        command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()
            process.wait(timeout=15)


def votegen(*flags: str, timeout: float = 100, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run `votegen run` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "votegen", "run", *flags],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        **more,
    )


def result_of(*flags: str, **more: Any) -> dict[str, Any]:
    """Run votegen and insist on a JSON result."""
    done = votegen(*flags, "--output", "json", **more)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def get(url: str, **query: str) -> Any:
    """Return the JSON of a GET with the reading key."""
    answer = httpx.get(url, params=query, headers={"Api-Key": "test-key"}, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def reconcile(document: dict[str, Any]) -> None:
    """Insist that nothing is unaccounted for: planned = ended + abandoned, ended = ok + errors."""
    targets = document["targets"].values()
    ended = sum(target["requests"] for target in targets)
    ok = sum(target["ok"] for target in targets)
    errors = sum(sum(target["errors"].values()) for target in targets)
    left = document["in_flight"] + document["backlog"]
    assert document["planned"] == ended + document["abandoned"] + left
    assert ended == ok + errors
    assert document["planned"] == document["sent"] + document["not_started"]
    assert document["completed"] <= document["sent"] <= document["planned"]
