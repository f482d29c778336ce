"""The judge beside scipy's tests, and what runs cost the service that judges them.

analyzer-raw        one judgement of a million latencies of each arm, from raw numbers
analyzer-window     one more window of a run: errors and eight latency thresholds
analyzer-looks      GET /v1/analysis of a hundred live runs: nothing new, and a window each
analyzer-memory     memory of a live run after 22 windows
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np

from analyzer.app import create_app
from analyzer.domain import progress as runs
from analyzer.domain import run as judge
from analyzer.domain.histogram import from_samples
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.observation import ERRORS, LATENCY, CountArms, LatencyArms, Observation
from analyzer.domain.setup import Setup
from analyzer.schemas.config_file import preset
from analyzer.settings import Settings
from bench.harness import Comparison, Contender, Limit, Target, Unavailable, plain
from svckit.clock import ManualClock
from svckit.logging import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RAW = 1_000_000
LIVE_RUNS = 100
WINDOWS = 22
_START = 1_770_170_400.0


def comparisons() -> list[Comparison]:
    """Return what is compared."""
    return [
        Comparison(
            name="analyzer-raw",
            title="One judgement of 1,000,000 + 1,000,000 raw latencies",
            unit="ms",
            more_is_better=False,
            contenders=[
                Contender(name="gatelab", prepare=_raw(_judge_raw)),
                Contender(
                    name="scipy mannwhitneyu",
                    prepare=_raw(_mann_whitney),
                    package="scipy",
                    note="blind to tails, one look",
                ),
                Contender(
                    name="scipy ks_2samp",
                    prepare=_raw(_kolmogorov_smirnov),
                    package="scipy",
                    note="one look",
                ),
            ],
            targets=[
                Target(contender="gatelab", against="scipy mannwhitneyu", ratio=20),
                Target(contender="gatelab", against="scipy ks_2samp", ratio=20),
            ],
        ),
        Comparison(
            name="analyzer-window",
            title="One more window of a run at 50/s: errors and eight latency thresholds",
            unit="ms",
            more_is_better=False,
            contenders=[
                Contender(name="errors", prepare=plain(lambda: _window(frozenset({ERRORS})))),
                Contender(
                    name="errors and latency",
                    prepare=plain(lambda: _window(frozenset({ERRORS, LATENCY}))),
                ),
            ],
            limits=[Limit(contender="errors and latency", value=5.0)],
        ),
        Comparison(
            name="analyzer-looks",
            title=f"GET /v1/analysis of {LIVE_RUNS} live runs in turn, source and HTTP client free",
            unit="answers/CPU-s",
            contenders=[
                Contender(name="nothing new", prepare=_looks(advance=0.0)),
                Contender(
                    name="a window each",
                    prepare=_looks(advance=30.0),
                    note="read, kept, judged",
                ),
                Contender(name="one look", prepare=_looks(advance=0.0, run=False)),
            ],
            limits=[Limit(contender="nothing new", value=300.0)],
            rounds=3,
        ),
        Comparison(
            name="analyzer-memory",
            title=f"Memory of a live run after {WINDOWS} windows of errors and latency at 50/s",
            unit="kB",
            more_is_better=False,
            contenders=[Contender(name="gatelab", prepare=plain(_memory))],
            limits=[Limit(contender="gatelab", value=64.0)],
            rounds=2,
        ),
    ]


def _raw(
    measure: Callable[[Any, Any], object],
) -> Callable[[], Any]:
    @contextmanager
    def prepare() -> Iterator[Callable[[], float]]:
        rng = np.random.default_rng(1)
        arms = [80 * np.exp(0.6 * rng.standard_normal(RAW)) for _ in range(2)]
        measure(arms[0][:1000], arms[1][:1000])

        def once() -> float:
            started = time.process_time()
            measure(arms[0], arms[1])
            return 1000 * (time.process_time() - started)

        yield once

    return prepare


def _judge_raw(canary: Any, stable: Any) -> object:
    arms = LatencyArms(canary=from_samples(canary), stable=from_samples(stable))
    seen = Observation(window=Window(start=0, end=30), metric=LATENCY, arms=arms)
    setup = _setup(frozenset({LATENCY}), horizon_s=30)
    return judge.judge(runs.replay(setup, [seen]).state)


def _mann_whitney(canary: Any, stable: Any) -> object:
    return _stats().mannwhitneyu(canary, stable, alternative="greater", method="asymptotic")


def _kolmogorov_smirnov(canary: Any, stable: Any) -> object:
    return _stats().ks_2samp(canary, stable, alternative="less", method="asymp")


def _stats() -> Any:
    try:
        from scipy import stats  # noqa: PLC0415 - costs seconds, and only peers need it
    except ImportError:
        raise Unavailable("scipy is not installed") from None
    return stats


def _window(metrics: frozenset[str]) -> float:
    observed = _observations(metrics)
    state = runs.begin(_setup(metrics))
    half = len(observed) // 2
    state = runs.advance(state, observed[:half])
    started = time.process_time()
    runs.advance(state, observed[half:])
    return 1000 * (time.process_time() - started) / ((len(observed) - half) / len(metrics))


def _memory() -> float:
    metrics = frozenset({ERRORS, LATENCY})
    observed = _observations(metrics)
    runs.replay(_setup(metrics), observed)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    kept = [runs.replay(_setup(metrics), observed) for _ in range(8)]
    gc.collect()
    grown = tracemalloc.take_snapshot().compare_to(before, "filename")
    tracemalloc.stop()
    return sum(one.size_diff for one in grown) / len(kept) / 1024


def _setup(metrics: frozenset[str], *, horizon_s: float = 660) -> Setup:
    return Setup(
        run="bench",
        config=preset("balanced"),
        metrics=metrics,
        horizon_s=horizon_s,
        interval_s=30,
    )


def _observations(metrics: frozenset[str]) -> list[Observation]:
    rng = np.random.default_rng(2)
    found = []
    for index in range(WINDOWS):
        window = Window(start=30.0 * index, end=30.0 * (index + 1))
        counts = [int(rng.poisson(mean)) for mean in (300, 1200)]
        if ERRORS in metrics:
            arms = [ArmCounts(count=one, bad=int(rng.binomial(one, 0.02))) for one in counts]
            pair = CountArms(canary=arms[0], stable=arms[1])
            found.append(Observation(window=window, metric=ERRORS, arms=pair))
        if LATENCY in metrics:
            binned = [
                from_samples(80 * np.exp(0.6 * rng.standard_normal(count))) for count in counts
            ]
            both = LatencyArms(canary=binned[0], stable=binned[1])
            found.append(Observation(window=window, metric=LATENCY, arms=both))
    return found


def _looks(*, advance: float, run: bool = True) -> Callable[[], Any]:
    @contextmanager
    def prepare() -> Iterator[Callable[[], float]]:
        configure_logging(level="error", log_format="json", service="bench")
        clock = ManualClock(_START)
        app = create_app(
            Settings(source=("newrelic=http://apm.test",), ephemeral=True),
            clock=clock,
            transport=httpx.MockTransport(_apm),
        )
        with asyncio.Runner() as runner:
            paths = [
                f"app=a&canary=b&stable=c{f'&run=r{number}' if run else ''}".encode()
                for number in range(LIVE_RUNS)
            ]
            for path in paths:
                runner.run(_ask(app, path))

            def once() -> float:
                clock.advance(advance)
                started = time.process_time()
                for path in paths:
                    runner.run(_ask(app, path))
                return len(paths) / (time.process_time() - started)

            yield once

    return prepare


async def _ask(app: Any, query: bytes) -> None:
    """Ask without an HTTP client, which would cost more than the answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/v1/analysis",
        "raw_path": b"/v1/analysis",
        "query_string": query,
        "root_path": "",
        "headers": [],
        "server": ("analyzer.test", 80),
        "client": ("127.0.0.1", 1),
    }
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    if statuses != [httpx.codes.OK]:
        raise RuntimeError(f"answered {statuses}")


def _apm(request: httpx.Request) -> httpx.Response:
    if request.url.path.endswith("series"):
        return httpx.Response(200, json={"points": []})
    count = 300 if request.url.params["hash"] == "b" else 1200
    buckets = [{"le": 20.0 * 1.1**index, "count": count // 30} for index in range(30)]
    return httpx.Response(200, json={"buckets": buckets, "count": count, "errors": count // 50})
