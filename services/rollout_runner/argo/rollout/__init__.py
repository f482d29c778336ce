"""A Rollout as Argo's controller runs it, as pure functions over values."""

from __future__ import annotations

from rollout_runner.argo.rollout.analyses import analysis_problems
from rollout_runner.argo.rollout.effects import (
    AnalysisKind,
    CreateAnalysisRun,
    CreateReplicaSet,
    DeleteReplicaSet,
    Effect,
    RecordEvent,
    ScaleReplicaSet,
    SetReplicaSetRevision,
    SetScaleDownDeadline,
    SetServiceSelector,
    SetWeight,
    TerminateAnalysisRun,
)
from rollout_runner.argo.rollout.errors import RolloutError, UnsupportedError
from rollout_runner.argo.rollout.manifest import read_rollout
from rollout_runner.argo.rollout.model import (
    CanaryStep,
    CanaryStrategy,
    RolloutAnalysis,
    RolloutSpec,
)
from rollout_runner.argo.rollout.observation import AnalysisRunState, Observation, ReplicaSet
from rollout_runner.argo.rollout.operator import abort, promote, promote_full, retry, undo
from rollout_runner.argo.rollout.pause import PauseCondition, PauseReason
from rollout_runner.argo.rollout.reconcile import next_at, reconcile
from rollout_runner.argo.rollout.status import RolloutPhase, RolloutStatus
from rollout_runner.argo.rollout.validation import spec_problems, with_invalid_spec

__all__ = [
    "AnalysisKind",
    "AnalysisRunState",
    "CanaryStep",
    "CanaryStrategy",
    "CreateAnalysisRun",
    "CreateReplicaSet",
    "DeleteReplicaSet",
    "Effect",
    "Observation",
    "PauseCondition",
    "PauseReason",
    "RecordEvent",
    "ReplicaSet",
    "RolloutAnalysis",
    "RolloutError",
    "RolloutPhase",
    "RolloutSpec",
    "RolloutStatus",
    "ScaleReplicaSet",
    "SetReplicaSetRevision",
    "SetScaleDownDeadline",
    "SetServiceSelector",
    "SetWeight",
    "TerminateAnalysisRun",
    "UnsupportedError",
    "abort",
    "analysis_problems",
    "next_at",
    "promote",
    "promote_full",
    "read_rollout",
    "reconcile",
    "retry",
    "spec_problems",
    "undo",
    "with_invalid_spec",
]
