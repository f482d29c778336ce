"""votegen beside the tools that people use instead.

votegen-closed-loop      requests a client-CPU-second, as fast as answers come
votegen-open-loop        requests a CPU-second of the whole process at 10,000/s, start included
votegen-schedule-*       how far arrivals at the server are from the grid they should be on
votegen-stall-*          what a tool says of a server that stood still for a second
"""

from __future__ import annotations

import csv
import json
import re
import resource
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.harness import Comparison, Contender, Limit, Target, Unavailable, cpu_seconds, pinned
from bench.traffic.peers import (
    AB,
    AIOHTTP,
    BARE,
    HEY,
    HTTPX,
    K6,
    LOCUST,
    LOCUST_FAST,
    VOTEGEN,
    WRK,
    Peer,
)
from bench.traffic.servers import CLIENT_CORE, arrivals, nginx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

START_SECONDS, SETTLE_SECONDS = 30, 1.0
WINDOW_SECONDS = 2.5
OPEN_SECONDS = 5
OPEN_RATE = 10_000
STALL_RATE, STALL_SECONDS, STALL_AT, STALL_FOR = 1_000, 8, 3.5, 1.0


def comparisons() -> list[Comparison]:
    """Return what is compared."""
    return [
        _closed_loop(),
        _open_loop(),
        *(_schedule(rate, share) for rate in (1_000, 5_000, 10_000) for share in (50, 99)),
        *(_stall(figure) for figure in ("p99", "max")),
    ]


def _closed_loop() -> Comparison:
    peers = (WRK, VOTEGEN, BARE, AB, HEY, K6, LOCUST_FAST, LOCUST, AIOHTTP, HTTPX)
    return Comparison(
        name="votegen-closed-loop",
        title="Votes over 50 connections as fast as answers come, nginx on another core",
        unit="requests/client-CPU-s",
        contenders=[_contender(peer, _in_steady_state) for peer in peers],
        targets=[
            _at_least(0.8, "wrk"),
            _at_least(0.75, "bare loop"),
            _at_least(3, "hey"),
            _at_least(10, "k6"),
            _at_least(20, "locust FastHttpUser"),
            _at_least(12, "aiohttp"),
        ],
    )


def _open_loop() -> Comparison:
    return Comparison(
        name="votegen-open-loop",
        title=f"{OPEN_RATE}/s for {OPEN_SECONDS} s: cost of the whole process, start included",
        unit="requests/CPU-s",
        contenders=[_contender(peer, _whole_process) for peer in (HEY, VOTEGEN, K6)],
        targets=[_at_least(1.5, "hey"), _at_least(5, "k6")],
    )


def _schedule(rate: int, share: int) -> Comparison:
    peers = [VOTEGEN, HEY, K6] if rate > 1_000 else [VOTEGEN, HEY, K6, LOCUST_FAST]
    return Comparison(
        name=f"votegen-schedule-{rate}-p{share}",
        title=f"Distance of arrivals from the grid at {rate}/s, p{share} (constant delay removed)",
        unit="ms",
        more_is_better=False,
        contenders=[_contender(peer, _off_schedule(rate, share)) for peer in peers],
        limits=[Limit(contender="votegen", value=0.15 if share == 50 else 1.0)],
        rounds=3,
    )


def _stall(figure: str) -> Comparison:
    return Comparison(
        name=f"votegen-stall-{figure}",
        title=f"{STALL_RATE}/s for {STALL_SECONDS} s, server frozen for {STALL_FOR:g} s:"
        f" distance of the reported {figure} from the true one",
        unit="% off",
        more_is_better=False,
        contenders=[
            _contender(peer, _said_of_a_stall(figure))
            for peer in (VOTEGEN, WRK, HEY, K6, LOCUST_FAST)
        ],
        limits=[Limit(contender="votegen", value=2.0)],
        rounds=2,
    )


def _at_least(ratio: float, against: str) -> Target:
    return Target(contender="votegen", against=against, ratio=ratio)


def _contender(peer: Peer, measure: Callable[[Peer, Path], float]) -> Contender:
    @contextmanager
    def prepare() -> Iterator[Callable[[], float]]:
        with tempfile.TemporaryDirectory() as folder:
            # Says at once when a program is missing.
            peer.command("http://127.0.0.1:1/", 1, 1, Path(folder))
            yield lambda: measure(peer, Path(folder))

    made: Callable[[], AbstractContextManager[Callable[[], float]]] = prepare
    return Contender(name=peer.name, prepare=made, package=peer.package, note=peer.note)


@contextmanager
def _running(
    peer: Peer, url: str, seconds: int, rate: int, folder: Path
) -> Iterator[subprocess.Popen[str]]:
    command = pinned(CLIENT_CORE, peer.command(url, seconds, rate, folder))
    with subprocess.Popen(
        command,
        env=peer.variables(rate),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)


def _in_steady_state(peer: Peer, folder: Path) -> float:
    """Return requests by CPU time of the client, both taken over the same seconds."""
    seconds = START_SECONDS + int(SETTLE_SECONDS + WINDOW_SECONDS) + 4
    with nginx() as server, _running(peer, server.url, seconds, 0, folder) as process:
        give_up = time.monotonic() + START_SECONDS
        asked = 1
        while server.requests() == asked and time.monotonic() < give_up:
            asked += 1
            time.sleep(0.1)
        time.sleep(SETTLE_SECONDS)
        before, used = server.requests(), cpu_seconds(process.pid)
        time.sleep(WINDOW_SECONDS)
        count = server.requests() - before - 1
        used = cpu_seconds(process.pid) - used
        if process.poll() is not None or count <= 0 or not used:
            raise Unavailable("sent nothing while it was measured")
    return count / used


def _whole_process(peer: Peer, folder: Path) -> float:
    """Return requests by CPU time of the process from its start to its end."""
    with nginx() as server:
        before = server.requests()
        used = _children()
        with _running(peer, server.url, OPEN_SECONDS, OPEN_RATE, folder) as process:
            process.communicate(timeout=60)
        used = _children() - used
        return (server.requests() - before - 1) / used


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _off_schedule(rate: int, share: int) -> Callable[[Peer, Path], float]:
    def measure(peer: Peer, folder: Path) -> float:
        with (
            arrivals() as server,
            _running(peer, server.url, OPEN_SECONDS, rate, folder) as process,
        ):
            process.communicate(timeout=60)
            times = np.sort(np.asarray(server.finish()))
        off = times - np.arange(len(times)) / rate
        return float(np.percentile(np.abs(off - np.median(off)), share) * 1e3)

    return measure


def _said_of_a_stall(figure: str) -> Callable[[Peer, Path], float]:
    def measure(peer: Peer, folder: Path) -> float:
        with (
            arrivals() as server,
            _running(peer, server.url, STALL_SECONDS, STALL_RATE, folder) as process,
        ):
            time.sleep(STALL_AT)
            server.stop()
            stopped = time.monotonic()
            time.sleep(STALL_FOR)
            server.go_on()
            stood = time.monotonic() - stopped
            said, _ = process.communicate(timeout=60)
        # Requests of the stall wait for evenly spread times up to its length.
        beyond = {"p99": 0.01, "max": 0.0}[figure]
        true = 1e3 * (stood - beyond * STALL_SECONDS)
        return abs(_latency_ms(peer, figure, said, folder) / true - 1) * 100

    return measure


def _latency_ms(peer: Peer, figure: str, said: str, folder: Path) -> float:
    """Read the p99 or the maximum out of a tool's own report."""
    if peer is VOTEGEN:
        document = json.loads((folder / "votegen.json").read_text(encoding="utf-8"))
        (target,) = document["targets"].values()
        return float(target["latency_ms"][figure])
    if peer is LOCUST_FAST:
        with (folder / "locust_stats.csv").open(encoding="utf-8") as lines:
            *_, total = csv.DictReader(lines)
        return float(total[{"p99": "99%", "max": "Max Response Time"}[figure]])
    p99, maximum = {
        WRK.name: (r"99%\s+([\d.]+)(us|ms|s)\b", r"Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)\b"),
        HEY.name: (r"99%+ in ([\d.]+) (secs)", r"Slowest:\s+([\d.]+) (secs)"),
        K6.name: (
            r"http_req_duration[^\n]*p\(99\)=([\d.]+)(µs|ms|s)",
            r"http_req_duration[^\n]*max=([\d.]+)(µs|ms|s)",
        ),
    }[peer.name]
    match = re.search({"p99": p99, "max": maximum}[figure], said)
    assert match is not None, said  # noqa: S101 - a report of another form is a bug here
    return float(match[1]) * {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "secs": 1e3}[match[2]]
