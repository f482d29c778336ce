"""Rollout, field by field; the pod template and foreign traffic routers are free form.

Source: Argo Rollouts' custom resource definitions (argoproj.io/v1alpha1).
"""

from __future__ import annotations

from typing import ClassVar

from rollout_runner.manifests.analysis import (
    ARGO,
    DryRun,
    FieldRef,
    MeasurementRetention,
    TemplateRef,
)
from rollout_runner.manifests.model import (
    Fields,
    FreeForm,
    Int32,
    IntOrString,
    KubeObject,
    ListOf,
    TextMap,
)
from rollout_runner.manifests.routing import (  # noqa: TC001 - pydantic reads them
    HeaderRoute,
    MirrorRoute,
    TrafficRouting,
)


class Metadata(Fields):
    """Labels and annotations that Argo puts on something."""

    labels: TextMap
    annotations: TextMap


class LabelRequirement(Fields):
    """One expression of a selector."""

    key: str
    operator: str
    values: ListOf[str]


class LabelSelector(Fields):
    """Which pods belong to the rollout."""

    match_labels: TextMap
    match_expressions: ListOf[LabelRequirement]


class RunArgumentSource(Fields):
    """Where an argument of a run comes from; a Secret is named by the template only."""

    pod_template_hash_value: str | None = None
    field_ref: FieldRef | None = None


class RunArgument(Fields):
    """An argument that the rollout hands to a run."""

    name: str
    value: str | None = None
    value_from: RunArgumentSource | None = None


class RolloutAnalysis(Fields):
    """An analysis: templates and arguments."""

    templates: ListOf[TemplateRef]
    args: ListOf[RunArgument]
    dry_run: ListOf[DryRun]
    measurement_retention: ListOf[MeasurementRetention]
    analysis_run_metadata: Metadata | None = None


class BackgroundAnalysis(RolloutAnalysis):
    """An analysis beside the steps, from one of them on."""

    starting_step: Int32 | None = None


class Pause(Fields):
    """A pause; without a duration it lasts until somebody promotes."""

    duration: IntOrString | None = None


class CanaryScale(Fields):
    """How many canary pods there are, apart from the weight."""

    weight: Int32 | None = None
    replicas: Int32 | None = None
    match_traffic_weight: bool | None = None


class StepPlugin(Fields):
    """A step that a plugin carries out."""

    name: str
    config: FreeForm | None = None


class ExperimentService(Fields):
    """Service of an experiment's pods."""

    name: str | None = None


class ExperimentTemplate(Fields):
    """A ReplicaSet of an experiment."""

    name: str
    spec_ref: str
    replicas: Int32 | None = None
    weight: Int32 | None = None
    metadata: Metadata | None = None
    selector: LabelSelector | None = None
    service: ExperimentService | None = None


class ExperimentAnalysis(Fields):
    """An analysis of an experiment."""

    name: str
    template_name: str
    cluster_scope: bool = False
    args: ListOf[RunArgument]
    required_for_completion: bool = False


class ExperimentStep(Fields):
    """A step that runs an experiment."""

    templates: list[ExperimentTemplate]
    analyses: ListOf[ExperimentAnalysis]
    duration: str | None = None
    scale_down_delay_seconds: Int32 | None = None
    dry_run: ListOf[DryRun]
    analysis_run_metadata: Metadata | None = None


class CanaryStep(Fields):
    """One step; exactly one field is meant to be there."""

    set_weight: Int32 | None = None
    pause: Pause | None = None
    analysis: RolloutAnalysis | None = None
    experiment: ExperimentStep | None = None
    set_canary_scale: CanaryScale | None = None
    set_header_route: HeaderRoute | None = None
    set_mirror_route: MirrorRoute | None = None
    plugin: StepPlugin | None = None


class PingPong(Fields):
    """Two services that take turns as stable and canary."""

    ping_service: str
    pong_service: str


class ReplicaProgressThreshold(Fields):
    """How many replicas are enough to go on."""

    type: str
    value: Int32


class CanaryStrategy(Fields):
    """A canary: steps, services and how traffic is split."""

    steps: ListOf[CanaryStep]
    stable_service: str | None = None
    canary_service: str | None = None
    ping_pong: PingPong | None = None
    traffic_routing: TrafficRouting | None = None
    analysis: BackgroundAnalysis | None = None
    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None
    min_pods_per_replica_set: Int32 | None = None
    replica_progress_threshold: ReplicaProgressThreshold | None = None
    dynamic_stable_scale: bool = False
    scale_down_delay_seconds: Int32 | None = None
    scale_down_delay_revision_limit: Int32 | None = None
    abort_scale_down_delay_seconds: Int32 | None = None
    canary_metadata: Metadata | None = None
    stable_metadata: Metadata | None = None
    anti_affinity: FreeForm | None = None


class BlueGreenStrategy(Fields):
    """Blue-green: two services and what must happen before and after the switch."""

    active_service: str
    preview_service: str | None = None
    auto_promotion_enabled: bool | None = None
    auto_promotion_seconds: Int32 | None = None
    pre_promotion_analysis: RolloutAnalysis | None = None
    post_promotion_analysis: RolloutAnalysis | None = None
    preview_replica_count: Int32 | None = None
    max_unavailable: IntOrString | None = None
    scale_down_delay_seconds: Int32 | None = None
    scale_down_delay_revision_limit: Int32 | None = None
    abort_scale_down_delay_seconds: Int32 | None = None
    active_metadata: Metadata | None = None
    preview_metadata: Metadata | None = None
    anti_affinity: FreeForm | None = None


class Strategy(Fields):
    """Canary or blue-green."""

    canary: CanaryStrategy | None = None
    blue_green: BlueGreenStrategy | None = None


class RunHistory(Fields):
    """How many finished runs are kept."""

    successful_run_history_limit: Int32 | None = None
    unsuccessful_run_history_limit: Int32 | None = None


class RollbackWindow(Fields):
    """Revisions that may be gone back to without steps."""

    revisions: Int32 | None = None


class WorkloadRef(Fields):
    """The object that holds the pod template instead of the rollout."""

    api_version: str | None = None
    kind: str | None = None
    name: str | None = None
    scale_down: str | None = None


class RolloutSpec(Fields):
    """`spec` of a Rollout."""

    replicas: Int32 | None = None
    selector: LabelSelector | None = None
    template: FreeForm | None = None
    workload_ref: WorkloadRef | None = None
    strategy: Strategy | None = None
    analysis: RunHistory | None = None
    revision_history_limit: Int32 | None = None
    rollback_window: RollbackWindow | None = None
    min_ready_seconds: Int32 | None = None
    progress_deadline_seconds: Int32 | None = None
    progress_deadline_abort: bool = False
    paused: bool = False
    restart_at: str | None = None


class Rollout(KubeObject):
    """A Rollout."""

    api_group_version: ClassVar[str] = ARGO

    spec: RolloutSpec

    @property
    def canary(self) -> CanaryStrategy | None:
        """The canary strategy, if that is the rollout's."""
        return self.spec.strategy.canary if self.spec.strategy else None

    @property
    def blue_green(self) -> BlueGreenStrategy | None:
        """The blue-green strategy, if that is the rollout's."""
        return self.spec.strategy.blue_green if self.spec.strategy else None

    @property
    def pod_labels(self) -> dict[str, str] | None:
        """Labels of the pod template; None where another object holds the template."""
        if self.spec.template is None:
            return None
        metadata = self.spec.template.get("metadata")
        labels = metadata.get("labels") if isinstance(metadata, dict) else None
        return labels if isinstance(labels, dict) else {}
