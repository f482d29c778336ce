"""What a Rollout asks for, in Argo's words, with Argo's defaults in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rollout_runner.argo.analysis import Argument, MeasurementRetention, TemplateRef
from rollout_runner.argo.rollout.pause import pause_seconds

DEFAULT_REPLICAS: Final = 1
DEFAULT_REVISION_HISTORY_LIMIT: Final = 10
DEFAULT_PROGRESS_DEADLINE_SECONDS: Final = 600
DEFAULT_SCALE_DOWN_DELAY_SECONDS: Final = 30
DEFAULT_ABORT_SCALE_DOWN_DELAY_SECONDS: Final = 30
DEFAULT_MAX_TRAFFIC_WEIGHT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class IntOrPercent:
    """A number of pods, or a percentage of `spec.replicas`."""

    value: int
    percent: bool = False

    def of(self, total: int, *, round_up: bool) -> int:
        """Return the number of pods out of `total`."""
        if not self.percent:
            return self.value
        product = self.value * total
        return -(-product // 100) if round_up else product // 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause step; without a duration it lasts until somebody promotes."""

    duration: int | str | None = None
    seconds: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", pause_seconds(self.duration))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCanaryScale:
    """The canary's size apart from its weight; stays in force until the next one."""

    weight: int | None = None
    replicas: int | None = None
    match_traffic_weight: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutAnalysis:
    """Which templates an AnalysisRun is made of, and what they are given."""

    templates: tuple[TemplateRef, ...] = ()
    args: tuple[Argument, ...] = ()
    dry_run: tuple[str, ...] = ()
    measurement_retention: tuple[MeasurementRetention, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundAnalysis:
    """An analysis beside the steps, from `starting_step` (zero based) on."""

    analysis: RolloutAnalysis
    starting_step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStep:
    """One step; it may set both weight and scale. `text` is as Argo prints it."""

    text: str
    set_weight: int | None = None
    pause: Pause | None = None
    analysis: RolloutAnalysis | None = None
    set_canary_scale: SetCanaryScale | None = None

    @property
    def kind(self) -> str:
        """Name of the field that `text` speaks of: `setWeight`, `pause`, ..."""
        if self.set_weight is not None:
            return "setWeight"
        if self.pause is not None:
            return "pause"
        return "analysis" if self.analysis is not None else "setCanaryScale"


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxTrafficRouting:
    """Weights by a second ingress per stable ingress."""

    stable_ingresses: tuple[str, ...]
    annotation_prefix: str = "nginx.ingress.kubernetes.io"
    additional_ingress_annotations: Mapping[str, str] = field(default_factory=dict)
    canary_ingress_annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRouting:
    """How requests are split apart from the number of pods."""

    nginx: NginxTrafficRouting
    max_traffic_weight: int = DEFAULT_MAX_TRAFFIC_WEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaProgressThreshold:
    """How many of the wanted canary pods suffice to go on."""

    value: int
    percent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStrategy:
    """`spec.strategy.canary`. Delays are seconds; None means that the manifest does not say."""

    steps: tuple[CanaryStep, ...] = ()
    step_hash: str
    canary_service: str = ""
    stable_service: str = ""
    traffic_routing: TrafficRouting | None = None
    max_surge: IntOrPercent = IntOrPercent(value=25, percent=True)
    max_unavailable: IntOrPercent = IntOrPercent(value=25, percent=True)
    analysis: BackgroundAnalysis | None = None
    scale_down_delay_seconds: int | None = None
    scale_down_delay_revision_limit: int | None = None
    abort_scale_down_delay_seconds: int | None = None
    dynamic_stable_scale: bool = False
    min_pods_per_replica_set: int | None = None
    replica_progress_threshold: ReplicaProgressThreshold | None = None

    @property
    def max_traffic_weight(self) -> int:
        """The weight that means all traffic."""
        if self.traffic_routing is None:
            return DEFAULT_MAX_TRAFFIC_WEIGHT
        return self.traffic_routing.max_traffic_weight

    @property
    def scale_down_delay(self) -> int:
        """Seconds that the former stable pods are kept; without traffic routing none."""
        if self.traffic_routing is None:
            return 0
        if self.scale_down_delay_seconds is None:
            return DEFAULT_SCALE_DOWN_DELAY_SECONDS
        return self.scale_down_delay_seconds

    @property
    def abort_scale_down_delay(self) -> int | None:
        """Seconds that the canary is kept after an abort; None (given as 0) means for ever."""
        if self.traffic_routing is None:
            return 0
        if self.abort_scale_down_delay_seconds is None:
            return DEFAULT_ABORT_SCALE_DOWN_DELAY_SECONDS
        return self.abort_scale_down_delay_seconds or None

    @property
    def has_explicit_abort_delay(self) -> bool:
        """Whether the manifest asks for a delayed scale-down on abort (0 is none)."""
        return self.traffic_routing is not None and bool(self.abort_scale_down_delay_seconds)


NO_CANARY: Final = CanaryStrategy(step_hash="")
"""What a Rollout of another strategy says about the canary: nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueGreenStrategy:
    """`spec.strategy.blueGreen`. Delays are seconds; None means that the manifest does not say."""

    active_service: str
    preview_service: str = ""
    preview_replica_count: int | None = None
    auto_promotion_enabled: bool = True
    auto_promotion_seconds: int = 0
    max_unavailable: IntOrPercent = IntOrPercent(value=25, percent=True)
    scale_down_delay_seconds: int | None = None
    scale_down_delay_revision_limit: int | None = None
    abort_scale_down_delay_seconds: int | None = None
    pre_promotion_analysis: RolloutAnalysis | None = None
    post_promotion_analysis: RolloutAnalysis | None = None

    @property
    def scale_down_delay(self) -> int:
        """Seconds that the former active pods are kept."""
        if self.scale_down_delay_seconds is None:
            return DEFAULT_SCALE_DOWN_DELAY_SECONDS
        return self.scale_down_delay_seconds

    @property
    def abort_scale_down_delay(self) -> int | None:
        """Seconds that the new pods are kept after an abort; None (given as 0) means for ever."""
        if self.abort_scale_down_delay_seconds is None:
            return DEFAULT_ABORT_SCALE_DOWN_DELAY_SECONDS
        return self.abort_scale_down_delay_seconds or None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSpec:
    """A Rollout as the controller sees it.

    `pod_hash` stands for the pod template: two specs with one hash have one template.
    With `blue_green`, `canary` says nothing. `restart_at` is when all pods are to be new.
    `without_effect` names the fields that were read and change nothing outside a cluster.
    """

    name: str
    pod_hash: str
    canary: CanaryStrategy = NO_CANARY
    blue_green: BlueGreenStrategy | None = None
    restart_at: float | None = None
    namespace: str = ""
    replicas: int = DEFAULT_REPLICAS
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    paused: bool = False
    min_ready_seconds: int = 0
    progress_deadline_seconds: int = DEFAULT_PROGRESS_DEADLINE_SECONDS
    progress_deadline_abort: bool = False
    revision_history_limit: int = DEFAULT_REVISION_HISTORY_LIMIT
    rollback_window_revisions: int = 0
    without_effect: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the Services that the controller switches, the users' one first."""
        both = self.blue_green
        named = (
            (self.canary.stable_service, self.canary.canary_service)
            if both is None
            else (both.active_service, both.preview_service)
        )
        return tuple(filter(None, named))

    @property
    def analyses(self) -> tuple[RolloutAnalysis, ...]:
        """Every analysis that an update may come to, in the order of the manifest."""
        both = self.blue_green
        if both is not None:
            named = (both.pre_promotion_analysis, both.post_promotion_analysis)
            return tuple(analysis for analysis in named if analysis is not None)
        steps = tuple(step.analysis for step in self.canary.steps if step.analysis is not None)
        background = self.canary.analysis
        return steps if background is None else (*steps, background.analysis)
