"""Two analyzers over one PostgreSQL, as components/scale-out runs them: either may be asked."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from deploy_manifests import DEPLOY, documents, only

pytestmark = [pytest.mark.external, pytest.mark.slow]

SECRET = only(
    documents(DEPLOY / "components" / "scale-out" / "replicas.yaml"),
    "Secret",
    "canary-analyzer-state",
)
STATE_URL = SECRET["stringData"]["ANALYZER_STATE_URL"]
HOST = "canary-analyzer-db"
PATHS = ("/usr/bin", "/usr/local/bin", *(map(str, Path("/usr/lib/postgresql").glob("*/bin"))))


def _tool(name: str) -> list[str]:
    """Return the command of one of PostgreSQL's programs, which refuse to run as root."""
    found = shutil.which(name, path=os.pathsep.join([*PATHS, os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"PostgreSQL's {name} is not installed")
    if os.geteuid() != 0:
        return [found]
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", found]


class Database:
    """A PostgreSQL on loopback with the user, password and database of the component's Secret."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = STATE_URL.replace(f"@{HOST}/", f"@127.0.0.1:{self.port}/")
        assert self.url != STATE_URL

    def create(self) -> None:
        """Make it, start it, and add the analyzer's user and database."""
        options = [f"--pgdata={self.folder}", "--auth=trust", "--username=postgres", "--no-sync"]
        self._run("initdb", *options)
        self.start()
        make = ["psql", "--host=127.0.0.1", f"--port={self.port}", "--username=postgres"]
        for statement in (
            "CREATE ROLE analyzer LOGIN PASSWORD 'analyzer'",
            "CREATE DATABASE analyzer OWNER analyzer",
        ):
            self._run(*make, "--dbname=postgres", f"--command={statement}")

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c fsync=off"
        options += f" -c unix_socket_directories={self.folder}"
        flags = ["--wait", f"--pgdata={self.folder}", f"--log={self.folder / 'log'}"]
        self._run("pg_ctl", "start", *flags, f"--options={options}")

    def stop(self) -> None:
        """Stop it at once."""
        self._run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={self.folder}")

    @staticmethod
    def _run(name: str, *arguments: str) -> None:
        # Its server would keep a pipe open for ever.
        done = subprocess.run(
            [*_tool(name), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, (name, arguments)


@pytest.fixture(name="database", scope="module")
def _database() -> Iterator[Database]:
    # pytest's own folder is closed to the user that PostgreSQL runs as.
    with TemporaryDirectory(prefix="gatelab-postgres-") as name:
        if os.geteuid() == 0:
            _tool("initdb")
            shutil.chown(name, "postgres", "postgres")
        database = Database(Path(name))
        database.create()
        yield database
        database.stop()


@pytest.fixture(name="replicas", scope="module")
def _replicas(database: Database) -> Iterator[list[str]]:
    """Return the URLs of two analyzers."""
    command = [sys.executable, "-m", "analyzer", "serve", "--port=0", "--log-level=error"]
    environment = {**os.environ, "ANALYZER_STATE_URL": database.url}
    with ExitStack() as stack:
        urls = []
        for _ in range(2):
            process = stack.enter_context(
                subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            )
            stack.callback(process.terminate)
            assert process.stdout is not None
            urls.append(json.loads(process.stdout.readline())["url"])
        yield urls


def body(run: str, minute: int) -> dict[str, Any]:
    """Return one window of a run: 300 requests an arm, no errors."""
    arm = {"count": 300, "bad": 0}
    return {
        "run": run,
        "horizon": "11m",
        "interval": "1m",
        "weight": 50,
        "windows": [
            {
                "start": f"2026-02-04T02:{minute:02}:00Z",
                "end": f"2026-02-04T02:{minute + 1:02}:00Z",
                "metric": "errors",
                "canary": arm,
                "stable": arm,
            }
        ],
    }


def judge(url: str, run: str, minute: int) -> httpx.Response:
    """Give an analyzer one window."""
    return httpx.post(f"{url}/v1/judge", json=body(run, minute), timeout=60)


def counted(answer: httpx.Response) -> int:
    """Return how many requests of the canary a verdict rests on."""
    assert answer.status_code == 200, answer.text
    (errors,) = (each for each in answer.json()["metrics"] if each["name"] == "errors")
    return int(errors["canary"]["count"])


def test_evidence_adds_up_over_replicas(replicas: list[str]) -> None:
    """Each window goes to the other analyzer; both count all of them, and tell one history."""
    totals = [counted(judge(replicas[minute % 2], "turns", minute)) for minute in range(4)]
    assert totals == [300, 600, 900, 1200]
    one, other = (httpx.get(f"{url}/v1/analysis/turns").json() for url in replicas)
    assert one == other


def test_a_window_counts_once(replicas: list[str]) -> None:
    """Two replicas that are given the same window at the same time keep it once."""
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda url: judge(url, "twice", 0), replicas))
    assert 200 in {each.status_code for each in answers}
    assert counted(judge(replicas[0], "twice", 1)) == 600


def test_without_the_database_there_is_no_verdict(database: Database, replicas: list[str]) -> None:
    """A lost database is an error, never a pass; when it is back, so is the evidence."""
    assert counted(judge(replicas[0], "lost", 0)) == 300
    database.stop()
    refused = judge(replicas[1], "lost", 1)
    assert refused.status_code == 503
    assert "verdict" not in refused.json()
    database.start()
    assert counted(judge(replicas[1], "lost", 1)) == 600
