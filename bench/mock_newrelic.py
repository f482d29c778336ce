"""mock-newrelic beside what a Python process can do at all, and beside Prometheus.

mock-newrelic-facade   questions a server-CPU-second, over five minutes of live data
mock-newrelic-ingest   events a server-CPU-second, on file before they are acknowledged
mock-newrelic-query    one question in process, with few and with many requests in the window
mock-newrelic-series   memory that an active series takes, ten minutes long
mock-newrelic-idle     memory of the service before anything came
mock-newrelic-start    from the command to the line that says "ready"
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.apm import bodies
from bench.apm.servers import (
    Server,
    apm,
    ceiling,
    post,
    prometheus,
    requests_per_cpu_second,
    script,
    wrk,
)
from bench.harness import Comparison, Contender, Limit, Target, resident_bytes
from mock_newrelic.domain.application import Application
from mock_newrelic.domain.ingest.batch import Bin
from mock_newrelic.domain.model import NO_TERMS, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

HELLO, PROMETHEUS = "bare ASGI hello on uvicorn", "Prometheus sum(rate())/sum(rate())"
ERRORS, P95 = "errorRate over 5m", "p95 over 5m"
MEGABYTE = 1e6
_EVENTS = "/v1/accounts/1/events"
_FEED_SECONDS = 0.2
_SERIES = """
import os
from bench.harness import resident_bytes
from bench.mock_newrelic import fill
before = resident_bytes(os.getpid())
kept = fill(series=40, seconds=600, a_second=200)
print((resident_bytes(os.getpid()) - before) / 40)
"""


def comparisons() -> list[Comparison]:
    """Return what is compared."""
    return [_facade(), _ingest(), _query(), _series(), _idle(), _start()]


def _facade() -> Comparison:
    question = f"/v1/metrics?app={bodies.APP}&window=5m&metric="
    rate = "sum(rate(prometheus_http_requests_total%5B1m%5D))"
    return Comparison(
        name="mock-newrelic-facade",
        title="Questions over a window that new samples come into five times a second",
        unit="requests/server-CPU-s",
        contenders=[
            Contender(name=HELLO, prepare=_asked(lambda: ceiling("hello"), "/")),
            Contender(
                name=PROMETHEUS,
                prepare=_asked(prometheus, f"/api/v1/query?query={rate}/{rate}"),
                note="reads samples that were summed up before, from disk; ours keeps windows",
            ),
            Contender(name=ERRORS, prepare=_asked(_live, f"{question}errorRate")),
            Contender(name=P95, prepare=_asked(_live, f"{question}p95")),
        ],
        targets=[
            Target(contender=ERRORS, against=HELLO, ratio=0.8),
            Target(contender=ERRORS, against=PROMETHEUS, ratio=3),
            Target(contender=P95, against=ERRORS, ratio=0.7),
        ],
        rounds=3,
    )


def _ingest() -> Comparison:
    lean, full = bodies.rows(full=False), bodies.rows(full=True)
    ours = "Event API"
    return Comparison(
        name="mock-newrelic-ingest",
        title=f"Bodies of {bodies.EVENTS} events, one core, on file before the answer",
        unit="events/server-CPU-s",
        contenders=[
            Contender(
                name="decode and count only",
                prepare=_sent(lambda: ceiling("counting"), "/", lean),
                note="bare ASGI; checks nothing, keeps nothing",
            ),
            Contender(name=ours, prepare=_sent(apm, _EVENTS, lean)),
            Contender(
                name=f"{ours}, gzip",
                prepare=_sent(apm, _EVENTS, bodies.packed(lean), encoding="gzip"),
            ),
            Contender(name=f"{ours}, all attributes", prepare=_sent(apm, _EVENTS, full)),
            Contender(
                name=f"{ours}, in memory only",
                prepare=_sent(lambda: apm("--ephemeral"), _EVENTS, lean),
            ),
        ],
        limits=[
            Limit(contender=ours, value=0.8e6),
            Limit(contender=f"{ours}, gzip", value=0.6e6),
        ],
        rounds=3,
    )


def _query() -> Comparison:
    few, many = "10 requests a second", "1,000 requests a second"
    return Comparison(
        name="mock-newrelic-query",
        title="p95 over five minutes, each second anew, in process",
        unit="us",
        more_is_better=False,
        contenders=[
            Contender(name=few, prepare=_read(10)),
            Contender(name=many, prepare=_read(1000)),
        ],
        targets=[Target(contender=many, against=few, ratio=0.2)],
        rounds=3,
    )


def _series() -> Comparison:
    return Comparison(
        name="mock-newrelic-series",
        title="Memory of an active series: ten minutes by the second, 200 requests a second",
        unit="MB",
        more_is_better=False,
        contenders=[Contender(name="a series", prepare=lambda: _yielding(_series_megabytes))],
        limits=[Limit(contender="a series", value=1.0)],
        rounds=1,
    )


def _idle() -> Comparison:
    return Comparison(
        name="mock-newrelic-idle",
        title="Resident memory of the service, idle",
        unit="MB",
        more_is_better=False,
        contenders=[Contender(name="mock-newrelic", prepare=_idle_service)],
        limits=[Limit(contender="mock-newrelic", value=80)],
        rounds=1,
    )


def _start() -> Comparison:
    return Comparison(
        name="mock-newrelic-start",
        title="From the command to the line that says ready",
        unit="s",
        more_is_better=False,
        contenders=[Contender(name="mock-newrelic", prepare=lambda: _yielding(_start_seconds))],
        limits=[Limit(contender="mock-newrelic", value=1.0)],
        rounds=3,
    )


@contextmanager
def _live() -> Iterator[Server]:
    """Run the service with five minutes of samples, and more that come all the time."""
    with apm() as server:
        now = time.time()  # noqa: TID251 - what is told is new
        for age in range(0, 300, 2):
            post(server.url + _EVENTS, bodies.rows(full=True, now=now - age))
        ended = threading.Event()

        def feed() -> None:
            while not ended.wait(_FEED_SECONDS):
                post(server.url + _EVENTS, bodies.rows(full=True))

        feeder = threading.Thread(target=feed)
        feeder.start()
        try:
            yield server
        finally:
            ended.set()
            feeder.join()


def _asked(
    serve: Callable[[], AbstractContextManager[Server]], target: str
) -> Callable[[], AbstractContextManager[Callable[[], float]]]:
    @contextmanager
    def prepare() -> Iterator[Callable[[], float]]:
        wrk()
        with serve() as server:
            yield lambda: requests_per_cpu_second(server, target, connections=32)

    return prepare


def _sent(
    serve: Callable[[], AbstractContextManager[Server]],
    target: str,
    body: bytes,
    *,
    encoding: str = "",
) -> Callable[[], AbstractContextManager[Callable[[], float]]]:
    @contextmanager
    def prepare() -> Iterator[Callable[[], float]]:
        wrk()
        with tempfile.TemporaryDirectory() as folder, serve() as server:
            made = script(Path(folder), body, encoding=encoding)
            yield (
                lambda: (
                    bodies.EVENTS
                    * requests_per_cpu_second(server, target, connections=8, script=made)
                )
            )

    return prepare


def _read(a_second: int) -> Callable[[], AbstractContextManager[Callable[[], float]]]:
    def measure() -> float:
        seconds = 200
        app = fill(series=4, seconds=300 + seconds, a_second=a_second)
        app.sliding(NO_TERMS, 300, 300.0, latency=True)
        began = time.process_time()
        for second in range(300, 300 + seconds):
            app.sliding(NO_TERMS, 300, float(second), latency=True)
        return (time.process_time() - began) / seconds * 1e6

    return lambda: _yielding(measure)


@contextmanager
def _yielding(measure: Callable[[], float]) -> Iterator[Callable[[], float]]:
    yield measure


@contextmanager
def _idle_service() -> Iterator[Callable[[], float]]:
    with apm() as server:
        yield lambda: resident_bytes(server.pid) / MEGABYTE


def _start_seconds() -> float:
    began = time.perf_counter()
    with apm():
        return time.perf_counter() - began


def _series_megabytes() -> float:
    done = subprocess.run(
        [sys.executable, "-c", _SERIES], capture_output=True, text=True, check=True, timeout=120
    )
    return float(done.stdout) / MEGABYTE


def fill(*, series: int, seconds: int, a_second: int) -> Application:
    """Return an application with so many series, each with the samples of so many seconds."""
    import random  # noqa: PLC0415 - of no use to the other comparisons

    rng = random.Random(1)  # noqa: S311 - a benchmark
    app = Application("bench", max_series=series)
    for second in range(seconds):
        for number in range(series):
            one = Bin()
            for _ in range(a_second):
                one.add((0, 0, 0), rng.lognormvariate(-4, 0.5))
            labels = frozenset({("host", str(number))})
            app.add(labels, second, one.counts, one.histogram, float(second), Source.EVENTS)
    return app
