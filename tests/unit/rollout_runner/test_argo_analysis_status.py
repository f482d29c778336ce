"""A status in Argo's schema, with instants as the API server keeps them."""

from __future__ import annotations

from rollout_runner.argo.analysis import AnalysisRunStatus, MetricResult, RunSummary
from rollout_runner.argo.analysis.status import persisted
from rollout_runner.argo.types import Measurement, Phase


def test_new_status() -> None:
    """A status nobody has worked on has an empty phase and summary only."""
    assert AnalysisRunStatus().to_json() == {"phase": "", "runSummary": {}}


def test_full_status() -> None:
    """All fields are camelCase, instants RFC 3339; zero and empty ones are left out."""
    status = AnalysisRunStatus(
        phase=Phase.ERROR,
        message="why",
        metric_results=(
            MetricResult(
                name="m",
                phase=Phase.ERROR,
                message="boom",
                measurements=(
                    Measurement(phase=Phase.ERROR, message="boom", started_at=0.0, finished_at=1.0),
                    Measurement(
                        phase=Phase.RUNNING,
                        value="1",
                        started_at=2.0,
                        resume_at=60.0,
                        metadata={"job-name": "j"},
                    ),
                ),
                error=1,
                consecutive_error=1,
                dry_run=True,
                metadata={"ResolvedPrometheusQuery": "up"},
            ),
        ),
        started_at=0.0,
        completed_at=3600.0,
        run_summary=RunSummary(count=1, error=1),
        dry_run_summary=RunSummary(),
    )
    assert status.to_json() == {
        "phase": "Error",
        "message": "why",
        "metricResults": [
            {
                "name": "m",
                "phase": "Error",
                "message": "boom",
                "measurements": [
                    {
                        "phase": "Error",
                        "message": "boom",
                        "startedAt": "1970-01-01T00:00:00Z",
                        "finishedAt": "1970-01-01T00:00:01Z",
                    },
                    {
                        "phase": "Running",
                        "value": "1",
                        "startedAt": "1970-01-01T00:00:02Z",
                        "resumeAt": "1970-01-01T00:01:00Z",
                        "metadata": {"job-name": "j"},
                    },
                ],
                "error": 1,
                "consecutiveError": 1,
                "dryRun": True,
                "metadata": {"ResolvedPrometheusQuery": "up"},
            }
        ],
        "startedAt": "1970-01-01T00:00:00Z",
        "completedAt": "1970-01-01T01:00:00Z",
        "runSummary": {"count": 1, "error": 1},
        "dryRunSummary": {},
    }


def test_persisted_cuts() -> None:
    """The part of a second is cut, not rounded."""
    assert persisted(12.999) == 12.0
