"""AnalysisTemplate and ClusterAnalysisTemplate, field by field.

Source: Argo Rollouts' custom resource definitions (argoproj.io/v1alpha1).
"""

from __future__ import annotations

from typing import ClassVar

from rollout_runner.manifests.model import Fields, Int32, IntOrString, KubeObject, ListOf
from rollout_runner.manifests.providers import MetricProvider  # noqa: TC001 - pydantic reads it

ARGO: str = "argoproj.io/v1alpha1"


class SecretKeyRef(Fields):
    """A key of a Secret in the namespace of the run."""

    name: str
    key: str


class FieldRef(Fields):
    """A path into the Rollout."""

    field_path: str


class ArgumentSource(Fields):
    """Where a template's argument comes from when it has no value."""

    secret_key_ref: SecretKeyRef | None = None
    field_ref: FieldRef | None = None


class Argument(Fields):
    """An argument that a template declares, perhaps with a default."""

    name: str
    value: str | None = None
    value_from: ArgumentSource | None = None


class Metric(Fields):
    """What is measured, how often, and when it passes."""

    name: str
    provider: MetricProvider
    interval: str | None = None
    initial_delay: str | None = None
    count: IntOrString | None = None
    success_condition: str | None = None
    failure_condition: str | None = None
    failure_limit: IntOrString | None = None
    inconclusive_limit: IntOrString | None = None
    consecutive_error_limit: IntOrString | None = None
    consecutive_success_limit: IntOrString | None = None


class DryRun(Fields):
    """Metrics that are measured but not counted."""

    metric_name: str


class MeasurementRetention(Fields):
    """How many measurements to keep."""

    metric_name: str
    limit: Int32


class TemplateRef(Fields):
    """A reference to another template."""

    template_name: str | None = None
    cluster_scope: bool = False


class AnalysisTemplateSpec(Fields):
    """`spec` of both kinds of template."""

    metrics: ListOf[Metric]
    args: ListOf[Argument]
    dry_run: ListOf[DryRun]
    measurement_retention: ListOf[MeasurementRetention]
    templates: ListOf[TemplateRef]


class AnalysisTemplate(KubeObject):
    """A template in a namespace."""

    api_group_version: ClassVar[str] = ARGO

    spec: AnalysisTemplateSpec


class ClusterAnalysisTemplate(KubeObject):
    """A template that every namespace may use."""

    api_group_version: ClassVar[str] = ARGO

    spec: AnalysisTemplateSpec


class TtlStrategy(Fields):
    """How long a completed run is kept."""

    seconds_after_completion: Int32 | None = None
    seconds_after_failure: Int32 | None = None
    seconds_after_success: Int32 | None = None


class AnalysisRunSpec(Fields):
    """`spec` of a run: templates are flattened before it is made."""

    metrics: list[Metric]
    args: ListOf[Argument]
    dry_run: ListOf[DryRun]
    measurement_retention: ListOf[MeasurementRetention]
    terminate: bool = False
    ttl_strategy: TtlStrategy | None = None


class AnalysisRun(KubeObject):
    """A run that somebody creates by hand; a rollout makes its own."""

    api_group_version: ClassVar[str] = ARGO

    spec: AnalysisRunSpec
