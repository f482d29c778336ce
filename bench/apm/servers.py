"""Programs under load: started on a core of their own, loaded by wrk from another."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness import cpu_seconds, pinned
from bench.traffic.servers import CLIENT_CORE, SERVER_CORE, free_port, program

if TYPE_CHECKING:
    from collections.abc import Iterator

LOAD_SECONDS = 3
_READY_SECONDS = 20.0
_LUA = """local file = io.open("{body}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["Api-Key"] = "test-key"
wrk.headers["Content-Type"] = "application/json"
{more}
"""


class Server:
    """A running program that answers HTTP."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid


@contextmanager
def apm(*flags: str) -> Iterator[Server]:
    """Run mock-newrelic with its durable store, or with the given flags instead."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "mock_newrelic", "serve", "--port", "0", "--log-level", "error",
            *(flags or ("--data-dir", folder)),
        ]  # fmt: skip
        # Modules are compiled once and kept, whatever the environment says.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        with subprocess.Popen(
            pinned(SERVER_CORE, command), stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None  # noqa: S101 - opened as a pipe
            try:
                yield Server(json.loads(process.stdout.readline())["url"], process.pid)
            finally:
                process.terminate()
                process.wait(timeout=20)


@contextmanager
def ceiling(name: str) -> Iterator[Server]:
    """Run one of `bench.apm.ceilings`."""
    port = free_port()
    command = [sys.executable, "-m", "bench.apm.ceilings", name, str(port)]
    with _running(command, f"http://127.0.0.1:{port}", "/") as server:
        yield server


@contextmanager
def prometheus() -> Iterator[Server]:
    """Run Prometheus, scraping itself once a second."""
    path = program("prometheus", "Debian: prometheus")
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        config = Path(folder, "prometheus.yml")
        config.write_text(
            "scrape_configs: [{job_name: self, scrape_interval: 1s,"
            f" static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n",
            encoding="ascii",
        )
        command = [
            path, f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
        ]  # fmt: skip
        with _running(command, f"http://127.0.0.1:{port}", "/-/ready") as server:
            time.sleep(8)  # enough scrapes for a rate
            yield server


@contextmanager
def _running(command: list[str], url: str, ready: str) -> Iterator[Server]:
    with subprocess.Popen(pinned(SERVER_CORE, command), stderr=subprocess.DEVNULL) as process:
        try:
            until = time.monotonic() + _READY_SECONDS
            while True:
                try:
                    urllib.request.urlopen(url + ready, timeout=2).close()  # noqa: S310 - loopback
                    break
                except urllib.error.HTTPError:
                    break  # it answers, only not to this
                except OSError:
                    if time.monotonic() > until or process.poll() is not None:
                        raise
                    time.sleep(0.1)
            yield Server(url, process.pid)
        finally:
            process.terminate()
            process.wait(timeout=20)


def post(url: str, body: bytes, **headers: str) -> None:
    """Send one body and insist that it is taken."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        url, body, {"Api-Key": "test-key", "Content-Type": "application/json", **headers}
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - loopback


def wrk() -> str:
    """Return the path of wrk.

    Raises:
        Unavailable: it is not installed.
    """
    return program("wrk", "Debian: wrk")


def requests_per_cpu_second(
    server: Server, target: str, *, connections: int, script: Path | None = None
) -> float:
    """Return how many requests the server answers in a second of its own CPU time.

    Raises:
        RuntimeError: an answer was no success.
    """
    command = [
        wrk(), "-t1", f"-c{connections}", f"-d{LOAD_SECONDS}s",
        "-H", "Api-Key: test-key", *(["-s", str(script)] if script else []), server.url + target,
    ]  # fmt: skip
    before = cpu_seconds(server.pid)
    done = subprocess.run(
        pinned(CLIENT_CORE, command), capture_output=True, text=True, check=True, timeout=60
    )
    used = cpu_seconds(server.pid) - before
    if "Non-2xx" in done.stdout:
        raise RuntimeError(f"{target}: not every answer was a success\n{done.stdout}")
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found is not None  # noqa: S101 - wrk's own format
    return int(found[1]) / used


def script(folder: Path, body: bytes, *, encoding: str = "") -> Path:
    """Write what makes wrk send a body, and return where it lies."""
    held = folder / "body"
    held.write_bytes(body)
    more = f'wrk.headers["Content-Encoding"] = "{encoding}"' if encoding else ""
    path = folder / "post.lua"
    path.write_text(_LUA.format(body=held, more=more), encoding="ascii")
    return path
