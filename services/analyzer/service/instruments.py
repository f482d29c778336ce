"""What the analyzer counts about its own work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analyzer.domain.model import ArmCounts
    from analyzer.domain.verdict import ReasonCode, Verdict

_MAX_APPS = 100
_OTHER = "other"


class Judged(Protocol):
    """What is counted of a metric's verdict."""

    @property
    def name(self) -> str:
        """The metric."""

    @property
    def verdict(self) -> Verdict:
        """What it came to."""

    @property
    def reason_code(self) -> ReasonCode:
        """Why."""

    @property
    def canary(self) -> ArmCounts:
        """Requests of the canary."""

    @property
    def stable(self) -> ArmCounts:
        """Requests of stable."""


class Instruments:
    """Prometheus metrics; application names are callers' text, so their number is capped."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._apps: set[str] = set()
        self._verdicts = Counter(
            "analyzer_verdicts",
            "Verdicts given, by metric.",
            ["verdict", "metric", "reason_code"],
            registry=registry,
        )
        self._samples = Gauge(
            "analyzer_samples",
            "Requests in the window that was judged last.",
            ["app", "metric", "arm"],
            registry=registry,
        )
        self._source_duration = Histogram(
            "analyzer_source_request_duration_seconds",
            "Time a source took to answer for one arm.",
            ["source", "outcome"],
            registry=registry,
        )

    def count_verdict(self, metrics: Iterable[Judged], *, app: str | None = None) -> None:
        """Record verdicts, and the samples behind them when an application is named."""
        for metric in metrics:
            self._verdicts.labels(metric.verdict, metric.name, metric.reason_code).inc()
            if app is not None:
                label = self._app_label(app)
                for arm, counts in (("canary", metric.canary), ("stable", metric.stable)):
                    self._samples.labels(label, metric.name, arm).set(counts.count)

    def observe_source(self, source: str, outcome: str, seconds: float) -> None:
        """Record how long a source took, and how it ended (`ok` or an error code)."""
        self._source_duration.labels(source, outcome).observe(seconds)

    def _app_label(self, app: str) -> str:
        if app not in self._apps and len(self._apps) >= _MAX_APPS:
            return _OTHER
        self._apps.add(app)
        return app
