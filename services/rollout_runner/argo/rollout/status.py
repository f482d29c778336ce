"""The status of a Rollout: all that the controller remembers from pass to pass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from rollout_runner.argo.rollout.pause import PauseCondition, PauseReason
from rollout_runner.argo.types import Phase


class RolloutPhase(StrEnum):
    """Phase of a Rollout."""

    HEALTHY = "Healthy"
    DEGRADED = "Degraded"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition; `status` is True, False or Unknown, as text."""

    type: str
    status: str
    reason: str
    message: str
    last_update_time: float
    last_transition_time: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightDestination:
    """One side of the traffic split."""

    weight: int
    pod_template_hash: str
    service_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficWeights:
    """The weights that were last set on the traffic router."""

    canary: WeightDestination
    stable: WeightDestination


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRunRef:
    """A current AnalysisRun as last seen; `phase` is None until its first pass."""

    name: str
    phase: Phase | None = None
    message: str = ""
    step_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueGreenStatus:
    """What the blue-green strategy remembers.

    `active_selector` and `preview_selector` are the hashes that the Services select;
    `scaled_up_preview` is whether the preview was scaled from its own size to the full one.
    """

    active_selector: str = ""
    preview_selector: str = ""
    scaled_up_preview: bool = False
    pre_promotion_run: AnalysisRunRef | None = None
    post_promotion_run: AnalysisRunRef | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the block under Argo's names; what is empty there is absent here."""
        document = {
            "activeSelector": self.active_selector,
            "previewSelector": self.preview_selector,
            "scaleUpPreviewCheckPoint": self.scaled_up_preview,
            "prePromotionAnalysisRunStatus": _run(self.pre_promotion_run),
            "postPromotionAnalysisRunStatus": _run(self.post_promotion_run),
        }
        return {name: value for name, value in document.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStatus:
    """A fresh status is that of a Rollout which no controller has seen yet.

    `observed_replicas` is `spec.replicas` as last acted upon; Argo keeps it on the ReplicaSets.
    """

    phase: RolloutPhase | None = None
    message: str = ""
    current_pod_hash: str = ""
    current_step_hash: str = ""
    current_step_index: int | None = None
    stable_rs: str = ""
    pause_conditions: tuple[PauseCondition, ...] = ()
    controller_pause: bool = False
    abort: bool = False
    aborted_at: float | None = None
    promote_full: bool = False
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    observed_replicas: int | None = None
    conditions: tuple[Condition, ...] = ()
    canary_weights: TrafficWeights | None = None
    current_step_analysis_run: AnalysisRunRef | None = None
    current_background_analysis_run: AnalysisRunRef | None = None
    blue_green: BlueGreenStatus = BlueGreenStatus()
    restarted_at: float | None = None

    @property
    def fully_promoted(self) -> bool:
        """Whether the wanted pod template is the stable one."""
        return self.stable_rs == self.current_pod_hash

    def having(self, **fields: Any) -> RolloutStatus:
        """Return the status with these fields set: this very object if they are so already.

        Most passes change next to nothing, and building a status is what a pass spends time on.
        """
        if all(getattr(self, name) == value for name, value in fields.items()):
            return self
        return replace(self, **fields)

    def pause_condition(self, reason: PauseReason) -> PauseCondition | None:
        """Return the pause with this reason, if it is in force."""
        for condition in self.pause_conditions:
            if condition.reason is reason:
                return condition
        return None

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of this type, if there is one."""
        for condition in self.conditions:
            if condition.type == kind:
                return condition
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the status under Argo's names; what is empty there is absent here."""
        canary = {
            "weights": None if self.canary_weights is None else _weights(self.canary_weights),
            "currentStepAnalysisRunStatus": _run(self.current_step_analysis_run),
            "currentBackgroundAnalysisRunStatus": _run(self.current_background_analysis_run),
        }
        document = {
            "phase": None if self.phase is None else str(self.phase),
            "message": self.message,
            "currentPodHash": self.current_pod_hash,
            "currentStepHash": self.current_step_hash,
            "stableRS": self.stable_rs,
            "abort": self.abort,
            "abortedAt": None if self.aborted_at is None else _time(self.aborted_at),
            "promoteFull": self.promote_full,
            "controllerPause": self.controller_pause,
            "pauseConditions": [
                {"reason": str(pause.reason), "startTime": _time(pause.start_time)}
                for pause in self.pause_conditions
            ],
            "replicas": self.replicas,
            "updatedReplicas": self.updated_replicas,
            "readyReplicas": self.ready_replicas,
            "availableReplicas": self.available_replicas,
            "HPAReplicas": self.replicas,
            "conditions": [_condition(condition) for condition in self.conditions],
            "canary": {name: value for name, value in canary.items() if value},
            "blueGreen": self.blue_green.to_json(),
            "restartedAt": None if self.restarted_at is None else _time(self.restarted_at),
        }
        shown = {name: value for name, value in document.items() if value}
        if self.current_step_index is not None:  # step 0 is a value, not an empty one
            shown["currentStepIndex"] = self.current_step_index
        return shown


def _weights(weights: TrafficWeights) -> dict[str, Any]:
    return {"canary": _destination(weights.canary), "stable": _destination(weights.stable)}


def _destination(side: WeightDestination) -> dict[str, Any]:
    document = {"weight": side.weight, "podTemplateHash": side.pod_template_hash}
    return document | ({"serviceName": side.service_name} if side.service_name else {})


def _run(run: AnalysisRunRef | None) -> dict[str, Any] | None:
    if run is None:
        return None
    document = {"name": run.name, "status": "" if run.phase is None else str(run.phase)}
    return document | ({"message": run.message} if run.message else {})


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastUpdateTime": _time(condition.last_update_time),
        "lastTransitionTime": _time(condition.last_transition_time),
    }


def _time(instant: float) -> str:
    """Write an instant as Kubernetes does: UTC, whole seconds."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
