"""The votes of a simulated run: how many, to which version, how they end.

    arrivals   Poisson per second, or constant
    version    votegen's own sequence: request k goes where frac(u + k·φ) falls on the weights
    outcome    each request of a version fails with that version's probability
    latency    log-normal through the version's p50 and p99, plus what it adds

Request k has the same chance numbers whatever version it goes to, so two gates can be compared on
the same requests. Requests of one second are spread evenly over it. What a second held is told to
the APM when the second is over.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, log, log2
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rollout_runner.events import VersionTraffic
from svckit.durations import parse_duration

if TYPE_CHECKING:
    from rollout_runner.adapters.in_process import DrawnStore
    from rollout_runner.scenarios.model import Behaviour, Traffic
    from rollout_runner.simulation.randomness import RunSeed

DEFAULT_P50_SECONDS = 0.020
DEFAULT_P99_SECONDS = 0.120
_GOLDEN = 0.6180339887498949
_Z99 = 2.3263478740408408
"""The 99 % point of the normal distribution."""
_PER_OCTAVE = 32
_SHORTEST = 2.0 ** (-20 + 1 / _PER_OCTAVE)
"""Up to here durations share the APM's lowest bucket."""
_FIELDS = 8
"""The APM's counts of a second: samples, errors, 5xx, 4xx, timed, microseconds, two of no use."""
_CHUNK_SECONDS = 600
_FAILED_STATUS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """A version's behaviour as numbers.

    Attributes:
        failing: probability that a request fails.
        status: HTTP status of a failed request.
        location: base-2 logarithm of the median latency in seconds.
        spread: standard deviation of the base-2 logarithm.
        added: seconds on top of every request.
        jitter: half the width of the uniform part of that.
    """

    failing: float
    status: int
    location: float
    spread: float
    added: float
    jitter: float

    @classmethod
    def of(cls, behaviour: Behaviour) -> Conduct:
        """Return the numbers of a behaviour; latency is 20 ms (p50) and 120 ms (p99) by default."""
        p50 = behaviour.p50 or DEFAULT_P50_SECONDS
        p99 = behaviour.p99 or p50 * DEFAULT_P99_SECONDS / DEFAULT_P50_SECONDS
        everything = behaviour.status is not None and behaviour.errors is None
        added = behaviour.latency
        return cls(
            failing=1.0 if everything else behaviour.errors or 0.0,
            status=behaviour.status or _FAILED_STATUS,
            location=log2(p50),
            spread=max(0.0, log(p99 / p50)) / log(2) / _Z99,
            added=(parse_duration(added.add) if added else 0.0)
            + (parse_duration(behaviour.hang) if behaviour.hang else 0.0),
            jitter=parse_duration(added.jitter) if added else 0.0,
        )


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Requests of one version under one conduct, in order; `seconds` are those they came in."""

    conduct: Conduct
    seconds: NDArray[np.int64]
    failed: NDArray[np.bool_]
    normals: NDArray[np.float32]


@dataclass(slots=True)
class _Version:
    labels: Mapping[str, str]
    conduct: Conduct
    chunks: list[_Chunk]
    requests: int = 0
    errors: int = 0


class SimulatedTraffic:
    """The votes of one run from `start` on; time moves by calls of `advance`.

    Args:
        traffic: rate and kind of arrivals.
        seed: where the random numbers come from.
        start: the first instant.
        app: what the versions call themselves in their telemetry.
        versions: labels and behaviour by pod hash.
        telemetry: where they report to.
    """

    def __init__(
        self,
        traffic: Traffic,
        *,
        seed: RunSeed,
        start: float,
        app: str,
        versions: Mapping[str, tuple[Mapping[str, str], Behaviour]],
        telemetry: DrawnStore,
    ) -> None:
        self._rate = traffic.rate
        self._poisson = traffic.arrivals == "poisson"
        self._arrivals = seed.stream("arrivals")
        self._outcomes = seed.stream("outcomes")
        self._latencies = seed.stream("latencies")
        self._offset = float(seed.stream("split").random())
        self._app = app
        self._telemetry = telemetry
        self._versions = {
            name: _Version(labels, Conduct.of(behaviour), [])
            for name, (labels, behaviour) in versions.items()
        }
        self._weights: dict[str, int] = {}
        self._second = floor(start)
        self._count = 0
        """Requests of the second in progress."""
        self._done = 0
        """Of them, those that have come."""
        self._number = 0
        """Requests ever."""
        self._told = floor(start)
        self._left = 0.0
        self._open(self._second)

    def split(self, weights: Mapping[str, int], now: float) -> None:
        """Send each version its share from now on."""
        self.advance(now)
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}

    def behave(self, pod_hash: str, behaviour: Behaviour, now: float) -> None:
        """Let a version behave like this from now on."""
        self.advance(now)
        self._versions[pod_hash].conduct = Conduct.of(behaviour)

    def change_rate(self, rate: float, now: float) -> None:
        """Cast so many votes a second, from the next whole second on."""
        self.advance(now)
        self._rate = rate

    def totals(self, now: float) -> tuple[VersionTraffic, ...]:
        """Return what every version has served."""
        self.advance(now)
        return tuple(
            VersionTraffic(hash=name, requests=each.requests, errors=each.errors)
            for name, each in self._versions.items()
        )

    def advance(self, now: float) -> None:
        """Let happen what happens until now."""
        second = floor(now)
        while self._second < second:
            self._send(self._count)
            first, stop = self._second + 1, min(second, self._second + 1 + _CHUNK_SECONDS)
            if first < stop:
                self._send_whole(first, stop)
            self._open(stop)
        # Request j of n comes at (j + 1/2)/n of the second.
        self._send(min(self._count, round((now - second) * self._count)))

    def tell(self, now: float) -> None:
        """Report all whole seconds that are over."""
        self.advance(now)
        stop = floor(now)
        if stop <= self._told:
            return
        first, self._told = self._told, stop
        for version in self._versions.values():
            ready = [each for each in version.chunks if each.seconds[-1] < stop]
            if not ready:
                continue
            version.chunks = version.chunks[len(ready) :]
            begin, end = max(first, int(ready[0].seconds[0])), int(ready[-1].seconds[-1]) + 1
            counts, latencies = _told(ready, begin, end - begin)
            self._telemetry.take(self._app, version.labels, begin, counts, latencies)

    def _open(self, second: int) -> None:
        """Begin with a second."""
        self._second, self._done = second, 0
        self._count = int(self._draw(1)[0])

    def _draw(self, seconds: int) -> NDArray[np.int64]:
        """Return how many requests come in each of the next seconds."""
        if self._poisson:
            drawn: NDArray[np.int64] = self._arrivals.poisson(self._rate, seconds)
            return drawn
        edges = self._left + self._rate * np.arange(1, seconds + 1)
        whole: NDArray[np.int64] = np.floor(edges + 1e-9).astype(np.int64)
        self._left = float(edges[-1] - whole[-1])
        counts: NDArray[np.int64] = np.diff(whole, prepend=0)
        return counts

    def _send(self, count: int) -> None:
        """Send the requests of the second in progress up to one."""
        new = count - self._done
        if new > 0:
            self._done = count
            self._serve(np.full(new, self._second, dtype=np.int64))

    def _send_whole(self, first: int, stop: int) -> None:
        counts = self._draw(stop - first)
        seconds = np.repeat(np.arange(first, stop), counts)
        if seconds.size:
            self._serve(seconds)

    def _serve(self, seconds: NDArray[np.int64]) -> None:
        """Let requests be served by the versions that they go to."""
        size = seconds.size
        numbers = np.arange(self._number, self._number + size)
        self._number += size
        draws = self._outcomes.random(size)
        normals = self._latencies.standard_normal(size, dtype=np.float32)
        if not self._weights:
            return
        names = list(self._weights)
        if len(names) == 1:
            self._serve_one(names[0], seconds, draws, normals)
            return
        edges = np.cumsum(list(self._weights.values())) / sum(self._weights.values())
        places = np.searchsorted(
            edges[:-1], np.mod(self._offset + numbers * _GOLDEN, 1.0), side="right"
        )
        for index, name in enumerate(names):
            chosen = places == index
            self._serve_one(name, seconds[chosen], draws[chosen], normals[chosen])

    def _serve_one(
        self,
        name: str,
        seconds: NDArray[np.int64],
        draws: NDArray[np.float64],
        normals: NDArray[np.float32],
    ) -> None:
        if not seconds.size:
            return
        version = self._versions[name]
        failed = draws < version.conduct.failing
        version.requests += seconds.size
        version.errors += int(np.count_nonzero(failed)) if version.conduct.status >= 500 else 0
        version.chunks.append(_Chunk(version.conduct, seconds, failed, normals))


def _told(chunks: list[_Chunk], first: int, length: int) -> tuple[array[int], _Latencies]:
    """Return the counts of consecutive seconds, and what gives their latencies."""
    table = np.zeros((length, _FIELDS), dtype=np.int64)
    durations = []
    for chunk in chunks:
        at = chunk.seconds - first
        served = np.bincount(at, minlength=length)
        failed = np.bincount(at[chunk.failed], minlength=length)
        table[:, 0] += served
        server_fault = chunk.conduct.status >= 500
        table[:, 1] += failed if server_fault else 0
        table[:, 2] += failed if server_fault else 0
        table[:, 3] += 0 if server_fault else failed
        table[:, 4] += served
        took = _durations(chunk)
        durations.append(took)
        table[:, 5] += np.bincount(at, weights=np.rint(took * 1e6), minlength=length).astype(
            np.int64
        )
    counts = array("q", table.tobytes())
    return counts, _Latencies(chunks, durations)


def _durations(chunk: _Chunk) -> NDArray[np.float64]:
    """Return how long each request took, in seconds."""
    conduct = chunk.conduct
    took = np.exp2(conduct.location + conduct.spread * chunk.normals.astype(np.float64))
    if conduct.added or conduct.jitter:
        # The jitter's number is that of the latency, folded: it need not be independent of it.
        fold = np.mod(np.abs(chunk.normals.astype(np.float64)) * 1e4, 1.0)
        took += np.maximum(0.0, conduct.added + conduct.jitter * (2 * fold - 1))
    return took


class _Latencies:
    """Durations of requests in the order of their seconds, put in buckets when asked for."""

    def __init__(self, chunks: list[_Chunk], durations: list[NDArray[np.float64]]) -> None:
        self._chunks = chunks
        self._durations = durations
        self._seconds: NDArray[np.int64] | None = None
        self._buckets = np.empty(0, dtype=np.int64)
        self._low = 0

    def total(self, first: int, stop: int) -> dict[int, int]:
        """Return the samples of the seconds [first, stop) by bucket."""
        if self._seconds is None:
            self._seconds = np.concatenate([chunk.seconds for chunk in self._chunks])
            took = np.maximum(np.concatenate(self._durations), _SHORTEST)
            buckets = np.ceil(np.log2(took) * _PER_OCTAVE).astype(np.int64) - 1
            self._low = int(buckets.min())
            self._buckets = buckets - self._low
        begin, end = np.searchsorted(self._seconds, (first, stop))
        counts = np.bincount(self._buckets[begin:end])
        places = np.flatnonzero(counts)
        return dict(zip((places + self._low).tolist(), counts[places].tolist(), strict=True))
