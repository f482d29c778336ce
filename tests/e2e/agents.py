"""Applications with New Relic's own agents, and a service with TLS that they report to."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from e2e.programs import get

LICENSE = "0123456789abcdef0123456789abcdef01234567"
HERE = Path(__file__).parent
KEY, ADMIN = {"Api-Key": "test-key"}, {"Api-Key": "admin-key"}
PATIENCE_SECONDS = 40
_CLOUDS = ("AWS", "AZURE", "AZUREFUNCTION", "GCP", "PCF", "DOCKER", "KUBERNETES", "ECS")


@dataclass(frozen=True, slots=True)
class Apm:
    """A running service: its URL, its port for TLS, and what clients trust."""

    url: str
    tls_port: int
    ca: Path
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """Stop it, as a deployment would."""
        self.process.terminate()
        self.process.wait(timeout=15)

    def inject(self, effect: Any, **more: Any) -> str:
        """Make it lie to agents; return the id of the injection."""
        answer = httpx.post(
            f"{self.url}/control/injections",
            json={"app": "*", "surface": "agent", "effect": effect, **more},
            headers=ADMIN,
            trust_env=False,
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def clear(self) -> None:
        """End all injections."""
        httpx.delete(f"{self.url}/control/injections", headers=ADMIN, trust_env=False)

    def calls(self) -> list[tuple[str, int]]:
        """Return method and status of all calls of agents, the first one first."""
        answer = httpx.get(
            f"{self.url}/control/requests",
            params={"surface": "agent", "limit": 1000},
            headers=ADMIN,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        return [(one["call"], one["status"]) for one in answer.json()["requests"]]

    def ask(self, app: str, metric: str, **more: str) -> dict[str, Any]:
        """Return the facade's answer over five minutes."""
        question = {"app": app, "metric": metric, "window": "5m", "detail": "full", **more}
        document: dict[str, Any] = get(f"{self.url}/v1/metrics", **question)
        return document

    def count(self, app: str) -> int:
        """Return how many requests of an application it knows of."""
        answer = httpx.get(
            f"{self.url}/v1/metrics",
            params={"app": app, "metric": "count", "window": "5m", "source": "agent"},
            headers=KEY,
            trust_env=False,
        )
        return int(answer.json().get("count", 0))


@contextmanager
def apm(
    directory: Path, flags: tuple[str, ...] = ("--ephemeral",), *, tls_port: int = 0
) -> Iterator[Apm]:
    """Start a service with TLS; its files are in `directory`."""
    command = [
        sys.executable, "-m", "mock_newrelic", "serve", "--port", "0", "--log-level", "error",
        "--tls-port", str(tls_port), "--tls-dir", str(directory / "tls"), *flags,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            port = int(ready["tlsUrl"].rpartition(":")[2])
            yield Apm(ready["url"], port, directory / "tls" / "ca.pem", process)
        finally:
            process.terminate()
            process.wait(timeout=15)


@contextmanager
def python_agent(service: Apm, app: str, *, stop: int = signal.SIGINT) -> Iterator[str]:
    """Run the FastAPI application under newrelic-admin; yields its URL."""
    command = [
        str(Path(sys.executable).with_name("newrelic-admin")), "run-program",
        sys.executable, str(HERE / "agent_app.py"),
    ]  # fmt: skip
    settings = {
        "NEW_RELIC_HOST": "localhost",
        "NEW_RELIC_PORT": str(service.tls_port),
        "NEW_RELIC_CA_BUNDLE_PATH": str(service.ca),
        "NEW_RELIC_STARTUP_TIMEOUT": "10",
    }
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write("[newrelic]\n")
        file.writelines(f"utilization.detect_{one.lower()} = false\n" for one in _CLOUDS)
        file.flush()
        with _running(command, {**settings, "NEW_RELIC_CONFIG_FILE": file.name}, app, stop) as url:
            yield url


@contextmanager
def node_agent(service: Apm, app: str, folder: Path) -> Iterator[str]:
    """Run the Express application with its agent from the installed packages of `folder`."""
    settings = {
        "NEW_RELIC_HOST": "localhost",
        "NEW_RELIC_PORT": str(service.tls_port),
        "NODE_EXTRA_CA_CERTS": str(service.ca),
        "NEW_RELIC_NO_CONFIG_FILE": "true",
        "NEW_RELIC_LOG_ENABLED": "false",
        **{f"NEW_RELIC_UTILIZATION_DETECT_{one}": "false" for one in _CLOUDS},
    }
    command = ["node", "-r", "newrelic", str(folder / "app.js")]
    with _running(command, settings, app, signal.SIGTERM, folder) as url:
        yield url


def installed(folder: Path) -> Path:
    """Install the packages of the lock file into a folder, unless they are there already."""
    source = HERE / "node_agent"
    lock = (source / "package-lock.json").read_bytes()
    done = folder / "node_modules" / ".gatelab-lock"
    if not (done.exists() and done.read_bytes() == lock):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, folder / name)
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=300,
        )
        done.write_bytes(lock)
    shutil.copy(source / "app.js", folder / "app.js")
    return folder


async def use(base: str, wanted: list[str]) -> tuple[Counter[int], list[float]]:
    """Send requests, a few at a time; return statuses and what the waiting really took."""
    room = asyncio.Semaphore(10)
    statuses: Counter[int] = Counter()
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=30) as client:

        async def one(path: str) -> None:
            async with room:
                statuses[(await client.get(path)).status_code] += 1

        await asyncio.gather(*map(one, wanted))
        durations: list[float] = (await client.get("/durations")).json()
    return statuses, durations


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something holds; agents report by their own clock."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


@contextmanager
def _running(
    command: list[str], settings: dict[str, str], app: str, stop: int, folder: Path | None = None
) -> Iterator[str]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("NEW_RELIC")},
        "NEW_RELIC_APP_NAME": app,
        "NEW_RELIC_LICENSE_KEY": LICENSE,
        "NEW_RELIC_LABELS": "role:canary;version:v2",
        **settings,
    }
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=folder,
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.send_signal(stop)
            process.wait(timeout=20)
