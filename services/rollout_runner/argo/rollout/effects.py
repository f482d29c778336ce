"""What a pass wants done, in order. Nothing here does anything."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from rollout_runner.argo.rollout.model import RolloutAnalysis


class AnalysisKind(StrEnum):
    """What an AnalysisRun is for; the value of the label `rollout-type`."""

    STEP = "Step"
    BACKGROUND = "Background"
    PRE_PROMOTION = "PrePromotion"
    POST_PROMOTION = "PostPromotion"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateReplicaSet:
    """Create the ReplicaSet of the wanted pod template, with no pods."""

    hash: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReplicaSetRevision:
    """Give an old ReplicaSet that is wanted again the newest revision."""

    hash: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleReplicaSet:
    """Tell a ReplicaSet to have so many pods."""

    hash: str
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetScaleDownDeadline:
    """Note when a ReplicaSet is to be scaled to zero; None takes the note away."""

    hash: str
    deadline: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteReplicaSet:
    """Delete an empty ReplicaSet that is older than the revision history."""

    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetServiceSelector:
    """Make a Service select the pods of this hash."""

    service: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetWeight:
    """Split the traffic; both weights together are `maxTrafficWeight`."""

    canary: int
    stable: int
    canary_hash: str
    stable_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateAnalysisRun:
    """Create an AnalysisRun; its arguments are still as the Rollout writes them."""

    name: str
    kind: AnalysisKind
    step_index: int | None
    analysis: RolloutAnalysis
    pod_hash: str
    stable_hash: str
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateAnalysisRun:
    """Set `spec.terminate` of an AnalysisRun."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEvent:
    """Record a Kubernetes event with Argo's reason and text."""

    reason: str
    message: str
    warning: bool = False


Effect: TypeAlias = (
    CreateReplicaSet
    | SetReplicaSetRevision
    | ScaleReplicaSet
    | SetScaleDownDeadline
    | DeleteReplicaSet
    | SetServiceSelector
    | SetWeight
    | CreateAnalysisRun
    | TerminateAnalysisRun
    | RecordEvent
)
