"""What a run came to.

    planned = requests whose intended time came
            = sent + not_started
            = Σ targets.requests + abandoned + in_flight + backlog      (the last two 0 at the end)
    sent      were written to a connection; a request whose time-out ended before it got one,
              or that found no connection, counts as planned and as an error, not as sent
              (so sent = ok + errors, where every request found a connection and none is left)
    completed got an answer, whatever its status
    requests  = ok + Σ errors, per target

Latency counts from the *intended* time, so waiting for a connection is part of it; `service_ms`
counts from the write. Both include failed requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from votegen.domain.histogram import Histogram, HistogramRecorder, bucket_bounds
from votegen.domain.outcome import FAILURES, ErrorKind
from votegen.domain.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from votegen.domain.outcome import Outcome

LATE_SECONDS = 0.002
MAX_HASHES = 100
OTHER_HASHES = "other"


@dataclass(slots=True)
class HashCount:
    """Requests that one version answered, and how many of them failed."""

    requests: int = 0
    errors: int = 0


@dataclass(slots=True)
class TargetTally:
    """What became of the requests to one target, counted as they end."""

    requests: int = 0
    ok: int = 0
    errors: dict[ErrorKind, int] = field(default_factory=lambda: dict.fromkeys(ErrorKind, 0))
    latency: HistogramRecorder = field(default_factory=HistogramRecorder)
    service: HistogramRecorder = field(default_factory=HistogramRecorder)
    hashes: dict[str, HashCount] = field(default_factory=dict)

    def record(self, outcome: Outcome, count: int = 1) -> None:
        """Count requests that ended alike."""
        error = outcome.error
        self.requests += count
        if error is None:
            self.ok += count
        else:
            self.errors[error] += count
        self._blame(outcome.pod_hash, count, count if error in FAILURES else 0)

    def merge(self, other: TargetTally) -> None:
        """Add what another process counted."""
        self.requests += other.requests
        self.ok += other.ok
        for kind, count in other.errors.items():
            self.errors[kind] += count
        self.latency.absorb(other.latency.snapshot())
        self.service.absorb(other.service.snapshot())
        for name, by_hash in other.hashes.items():
            self._blame(name, by_hash.requests, by_hash.errors)

    def _blame(self, name: str, requests: int, errors: int) -> None:
        if name not in self.hashes and len(self.hashes) >= MAX_HASHES:
            name = OTHER_HASHES
        by_hash = self.hashes.setdefault(name, HashCount())
        by_hash.requests += requests
        by_hash.errors += errors


@dataclass(slots=True)
class Tally:
    """Everything that a run counts."""

    planned: int = 0
    sent: int = 0
    completed: int = 0
    abandoned: int = 0
    late_starts: int = 0
    lag: HistogramRecorder = field(default_factory=HistogramRecorder)
    targets: dict[str, TargetTally] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)

    def merge(self, other: Tally) -> None:
        """Add what another process counted; the sum is exact."""
        self.planned += other.planned
        self.sent += other.sent
        self.completed += other.completed
        self.abandoned += other.abandoned
        self.late_starts += other.late_starts
        self.lag.absorb(other.lag.snapshot())
        for name, target in other.targets.items():
            self.targets.setdefault(name, TargetTally()).merge(target)
        self.timeline.merge(other.timeline)

    def record_sent(self, lags_seconds: Sequence[float] | NDArray[np.float64]) -> None:
        """Count requests that were written so long after their intended times."""
        lags = np.asarray(lags_seconds, dtype=np.float64)
        self.sent += len(lags)
        self.late_starts += int(np.count_nonzero(lags > LATE_SECONDS))
        self.lag.record(lags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands; durations in seconds, virtual and real."""

    duration_seconds: float
    real_seconds: float
    in_flight: int = 0
    backlog: int = 0
    reconnects: int = 0

    def merged(self, other: Progress) -> Progress:
        """Return where a run stands that two processes share."""
        return Progress(
            duration_seconds=max(self.duration_seconds, other.duration_seconds),
            real_seconds=max(self.real_seconds, other.real_seconds),
            in_flight=self.in_flight + other.in_flight,
            backlog=self.backlog + other.backlog,
            reconnects=self.reconnects + other.reconnects,
        )


def detailed_document(tally: Tally, progress: Progress) -> dict[str, Any]:
    """Return the JSON result with what charts are drawn from: timeline and histograms."""
    document = result_document(tally, progress)
    document["timeline"] = tally.timeline.as_json()
    for name, target in tally.targets.items():
        counts = target.latency.snapshot().counts
        document["targets"][name]["histogram_ms"] = [
            [round(bucket_bounds(bucket)[1] * 1000, 6), counts[bucket]] for bucket in sorted(counts)
        ]
    return document


def result_document(tally: Tally, progress: Progress) -> dict[str, Any]:
    """Return the JSON result; a number that has no data is null."""
    requests = sum(target.requests for target in tally.targets.values())
    return {
        "planned": tally.planned,
        "sent": tally.sent,
        "not_started": tally.planned - tally.sent,
        "completed": tally.completed,
        "abandoned": tally.abandoned,
        "in_flight": progress.in_flight,
        "backlog": progress.backlog,
        "reconnects": progress.reconnects,
        "late": _late(tally),
        "duration_s": round(progress.duration_seconds, 3),
        "duration_real_s": round(progress.real_seconds, 3),
        "rate": _per_second(tally.sent, progress.duration_seconds),
        "rate_real": _per_second(tally.sent, progress.real_seconds),
        "targets": {
            name: _target(target, requests) for name, target in sorted(tally.targets.items())
        },
    }


def times_ms(histogram: Histogram) -> dict[str, float | None]:
    """Return mean, percentiles and maximum in milliseconds."""
    levels = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
    quantiles = histogram.quantiles(tuple(levels.values()))
    return {
        "mean": _ms(histogram.mean),
        **{name: _ms(value) for name, value in zip(levels, quantiles, strict=True)},
        "max": _ms(histogram.max_seconds) if histogram.counts else None,
    }


def _target(target: TargetTally, all_requests: int) -> dict[str, Any]:
    return {
        "requests": target.requests,
        "ok": target.ok,
        "errors": {kind.value: count for kind, count in target.errors.items()},
        "latency_ms": times_ms(target.latency.snapshot()),
        "service_ms": times_ms(target.service.snapshot()),
        "share": round(target.requests / all_requests, 6) if all_requests else None,
        "hashes": {
            name: {"requests": count.requests, "errors": count.errors}
            for name, count in sorted(target.hashes.items())
        },
    }


def _late(tally: Tally) -> dict[str, Any]:
    lag = tally.lag.snapshot()
    (p99,) = lag.quantiles((0.99,))
    return {
        "count": tally.late_starts,
        "threshold_ms": LATE_SECONDS * 1000,
        "mean_ms": _ms(lag.mean),
        "p99_ms": _ms(p99),
        "max_ms": _ms(lag.max_seconds) if lag.counts else None,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _per_second(count: int, seconds: float) -> float | None:
    return round(count / seconds, 3) if seconds > 0 else None
