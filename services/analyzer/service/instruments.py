"""What the analyzer counts about its own work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

if TYPE_CHECKING:
    from analyzer.domain.model import RunVerdict

_MAX_APPS = 100
_OTHER = "other"


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

    def count_verdict(self, verdict: RunVerdict, *, app: str | None = None) -> None:
        """Record a verdict, and the samples behind it when an application is named."""
        for metric in verdict.metrics:
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
