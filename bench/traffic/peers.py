"""Command lines of everybody who can send votes: 50 connections, one POST with a cookie."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from bench.harness import Unavailable
from bench.traffic.servers import program

CONNECTIONS = 50
COOKIE = "voter_id=1234567890abcdef"
FORM = "application/x-www-form-urlencoded"

_HERE = Path(__file__).parent
_LUA = """wrk.method = "POST"
wrk.body = "vote=a"
wrk.headers["Cookie"] = "voter_id=1234567890abcdef"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
"""
_K6 = """import http from 'k6/http';
const arrival = {{
  executor: 'constant-arrival-rate', rate: {rate}, timeUnit: '1s', duration: '{seconds}s',
  preAllocatedVUs: {connections}, maxVUs: {most},
}};
const closed = {{ executor: 'constant-vus', vus: {connections}, duration: '{seconds}s' }};
export const options = {{
  scenarios: {{ votes: {rate} > 0 ? arrival : closed }},
  summaryTrendStats: ['p(90)', 'p(95)', 'p(99)', 'max'],
}};
const given = {{ headers: {{ 'Content-Type': '{form}', 'Cookie': '{cookie}' }} }};
export default function () {{ http.post('{url}', 'vote=a', given); }}
"""

Command: TypeAlias = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Somebody who sends votes.

    Attributes:
        command: from URL, seconds, rate (0: as fast as answers come) and a scratch folder to a
            command line; it may raise Unavailable.
        environment: variables, from the rate.
    """

    name: str
    command: Callable[[str, int, int, Path], Command]
    package: str = ""
    note: str = ""
    environment: Callable[[int], dict[str, str]] = field(default=lambda _rate: {})

    def variables(self, rate: int) -> dict[str, str]:
        """Return the whole environment of its process."""
        return {**os.environ, **self.environment(rate)}


def _votegen(url: str, seconds: int, rate: int, folder: Path) -> Command:
    return [
        sys.executable, "-m", "votegen", "run", "--target", url, "--rate", str(rate or "max"),
        "--duration", f"{seconds}s", "--connections", str(CONNECTIONS), "--output", "json",
        "--out", str(folder / "votegen.json"),
    ]  # fmt: skip


def _wrk(url: str, seconds: int, _rate: int, folder: Path) -> Command:
    script = folder / "vote.lua"
    script.write_text(_LUA, encoding="ascii")
    return [
        program("wrk", "Debian: wrk"), "--threads", "1", "--connections", str(CONNECTIONS),
        "--duration", f"{seconds}s", "--script", str(script), "--latency", url,
    ]  # fmt: skip


def _hey(url: str, seconds: int, rate: int, _folder: Path) -> Command:
    paced = ["-q", f"{rate / CONNECTIONS:g}"] if rate else []
    return [
        program("hey", "Debian: hey"), "-z", f"{seconds}s", "-c", str(CONNECTIONS), *paced,
        "-m", "POST", "-d", "vote=a", "-T", FORM, "-H", f"Cookie: {COOKIE}", url,
    ]  # fmt: skip


def _ab(url: str, seconds: int, _rate: int, folder: Path) -> Command:
    body = folder / "vote"
    body.write_text("vote=a", encoding="ascii")
    return [
        program("ab", "Debian: apache2-utils"), "-k", "-q", "-c", str(CONNECTIONS),
        "-t", str(seconds), "-n", "100000000", "-p", str(body), "-T", FORM, "-C", COOKIE, url,
    ]  # fmt: skip


def _k6(url: str, seconds: int, rate: int, folder: Path) -> Command:
    script = folder / "vote.js"
    script.write_text(
        _K6.format(
            rate=rate, seconds=seconds, connections=CONNECTIONS, most=1500, form=FORM,
            cookie=COOKIE, url=url,
        ),
        encoding="ascii",
    )  # fmt: skip
    own = Path(sys.executable).parent / "k6"
    path = str(own) if own.exists() else program("k6", "PyPI: k6, extra `bench`")
    return [path, "run", "--quiet", "--no-usage-report", str(script)]


def _locust(url: str, seconds: int, _rate: int, folder: Path) -> Command:
    return [
        sys.executable, "-m", "locust", "--locustfile", str(_HERE / "locust_clients.py"),
        "--headless", "--users", str(CONNECTIONS), "--spawn-rate", str(CONNECTIONS),
        "--run-time", f"{seconds}s", "--host", url.rstrip("/"), "--loglevel", "ERROR",
        "--csv", str(folder / "locust"), "--only-summary",
    ]  # fmt: skip


def _python(client: str) -> Callable[[str, int, int, Path], Command]:
    def command(url: str, _seconds: int, _rate: int, _folder: Path) -> Command:
        if client != "bare" and importlib.util.find_spec(client) is None:
            raise Unavailable(f"{client} is not installed (PyPI: {client}, extra `bench`)")
        return [sys.executable, "-m", "bench.traffic.python_clients", client, url]

    return command


def _as_user(name: str) -> Callable[[int], dict[str, str]]:
    return lambda rate: {"BENCH_USER": name, "BENCH_RATE": f"{rate / CONNECTIONS:g}"}


WRK = Peer(name="wrk", command=_wrk, note="C; no schedule, no versions, one request for all")
VOTEGEN = Peer(name="votegen", command=_votegen, package="gatelab")
BARE = Peer(
    name="bare loop",
    command=_python("bare"),
    package="uvloop",
    note="event loop and parser only: no schedule, cookies, versions or histograms",
)
HEY = Peer(name="hey", command=_hey, note="Go")
AB = Peer(name="ab -k", command=_ab, note="C; HTTP/1.0")
K6 = Peer(name="k6", command=_k6, package="k6", note="Go, scripted in JavaScript")
LOCUST_FAST = Peer(
    name="locust FastHttpUser",
    command=_locust,
    package="locust",
    environment=_as_user("FastHttpUser"),
)
LOCUST = Peer(
    name="locust HttpUser", command=_locust, package="locust", environment=_as_user("HttpUser")
)
AIOHTTP = Peer(name="aiohttp", command=_python("aiohttp"), package="aiohttp", note="on uvloop")
HTTPX = Peer(name="httpx", command=_python("httpx"), package="httpx", note="on uvloop")
