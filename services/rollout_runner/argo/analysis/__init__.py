"""An AnalysisRun as Argo's analysis controller runs it, as pure functions over values."""

from __future__ import annotations

from rollout_runner.argo.analysis.errors import AnalysisError
from rollout_runner.argo.analysis.metric import Metric
from rollout_runner.argo.analysis.resolve import ResolvedRun, resolve_run
from rollout_runner.argo.analysis.rollout_args import build_rollout_args
from rollout_runner.argo.analysis.run import begin, finish
from rollout_runner.argo.analysis.spec import (
    AnalysisRunSpec,
    Argument,
    MeasurementRetention,
    read_args,
    read_dry_run,
    read_retention,
)
from rollout_runner.argo.analysis.status import AnalysisRunStatus, MetricResult, RunSummary
from rollout_runner.argo.analysis.tasks import MetricTask, TaskKind
from rollout_runner.argo.analysis.templates import (
    AnalysisTemplate,
    TemplateRef,
    build_run_spec,
    collect_templates,
    flatten_templates,
)
from rollout_runner.argo.analysis.validation import validate_metrics

__all__ = [
    "AnalysisError",
    "AnalysisRunSpec",
    "AnalysisRunStatus",
    "AnalysisTemplate",
    "Argument",
    "MeasurementRetention",
    "Metric",
    "MetricResult",
    "MetricTask",
    "ResolvedRun",
    "RunSummary",
    "TaskKind",
    "TemplateRef",
    "begin",
    "build_rollout_args",
    "build_run_spec",
    "collect_templates",
    "finish",
    "flatten_templates",
    "read_args",
    "read_dry_run",
    "read_retention",
    "resolve_run",
    "validate_metrics",
]
