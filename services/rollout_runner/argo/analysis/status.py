"""The status of an AnalysisRun: phases, counters, measurements, summaries.

    AnalysisRunStatus
     ├── metric_results: MetricResult per metric that was measured
     │    └── measurements: the newest ones
     └── run_summary, dry_run_summary: how many metrics ended how

Every instant in a status is a persisted one: the API server keeps whole seconds, so an interval
that is counted from a measurement's end can be up to a second shorter than written. `persisted`
is the one place that cuts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, overload

from rollout_runner.argo.types import Measurement, Phase
from svckit.timestamps import format_timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """How many metrics there are, and how many of the completed ones ended how."""

    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0

    def to_json(self) -> dict[str, int]:
        """Render Argo's schema; zero counters are left out."""
        counters = {
            "count": self.count,
            "successful": self.successful,
            "failed": self.failed,
            "inconclusive": self.inconclusive,
            "error": self.error,
        }
        return {name: number for name, number in counters.items() if number}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """What one metric has measured so far.

    `count` is the number of measurements that were not errors. Counters cover the whole life of
    the metric; `measurements` holds the newest only. `phase` is None before the first assessment.
    """

    name: str
    phase: Phase | None = None
    message: str = ""
    measurements: tuple[Measurement, ...] = ()
    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    consecutive_success: int = 0
    dry_run: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def completed(self) -> bool:
        """Whether the metric has its final phase."""
        return self.phase is not None and self.phase.completed

    @property
    def last_measurement(self) -> Measurement | None:
        """The newest measurement, perhaps still in flight."""
        return self.measurements[-1] if self.measurements else None

    def to_json(self) -> dict[str, Any]:
        """Render Argo's schema; empty fields are left out."""
        optional = {
            "measurements": [measurement_to_json(each) for each in self.measurements],
            "message": self.message,
            "count": self.count,
            "successful": self.successful,
            "failed": self.failed,
            "inconclusive": self.inconclusive,
            "error": self.error,
            "consecutiveError": self.consecutive_error,
            "dryRun": self.dry_run,
            "metadata": dict(self.metadata),
            "consecutiveSuccess": self.consecutive_success,
        }
        return {"name": self.name, "phase": self.phase or "", **_filled(optional)}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRunStatus:
    """Status of a run; the default is a run that nobody has looked at yet (phase None).

    `dry_run_summary` is None until the first assessment, and stays so when the spec is invalid.
    """

    phase: Phase | None = None
    message: str = ""
    metric_results: tuple[MetricResult, ...] = ()
    started_at: float | None = None
    completed_at: float | None = None
    run_summary: RunSummary = RunSummary()
    dry_run_summary: RunSummary | None = None

    @property
    def completed(self) -> bool:
        """Whether the run has its final phase."""
        return self.phase is not None and self.phase.completed

    def result(self, name: str) -> MetricResult | None:
        """Return the result of a metric, or None when it was never measured."""
        return next((each for each in self.metric_results if each.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Render Argo's schema: camelCase, RFC 3339 whole seconds; empty fields are left out."""
        optional = {
            "message": self.message,
            "metricResults": [each.to_json() for each in self.metric_results],
            "startedAt": _timestamp(self.started_at),
            "completedAt": _timestamp(self.completed_at),
        }
        document = {
            "phase": self.phase or "",
            **_filled(optional),
            "runSummary": self.run_summary.to_json(),
        }
        if self.dry_run_summary is not None:
            document["dryRunSummary"] = self.dry_run_summary.to_json()
        return document


@overload
def persisted(instant: float) -> float: ...
@overload
def persisted(instant: None) -> None: ...
def persisted(instant: float | None) -> float | None:
    """Return the instant as the API server keeps it: without its part of a second."""
    return None if instant is None else float(math.floor(instant))


def measurement_to_json(measurement: Measurement) -> dict[str, Any]:
    """Render one measurement in Argo's schema; empty fields are left out."""
    optional = {
        "message": measurement.message,
        "startedAt": _timestamp(measurement.started_at),
        "finishedAt": _timestamp(measurement.finished_at),
        "value": measurement.value,
        "metadata": dict(measurement.metadata),
        "resumeAt": _timestamp(measurement.resume_at),
    }
    return {"phase": measurement.phase, **_filled(optional)}


def _timestamp(instant: float | None) -> str:
    return "" if instant is None else format_timestamp(instant)


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
