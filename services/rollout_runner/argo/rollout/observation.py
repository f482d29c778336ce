"""What the controller sees of the world at the start of a pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout_runner.argo.types import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSet:
    """The pods of one pod template.

    Args:
        hash: its pod template hash, which is its identity.
        revision: annotation `rollout.argoproj.io/revision`.
        created_at: when it was created; rollback windows count in this order.
        replicas: how many pods it was told to have.
        current: how many pods exist.
        ready: how many are ready.
        available: how many have been ready for `minReadySeconds`.
        scale_down_deadline: when it is to be scaled to zero, if that has been decided.
    """

    hash: str
    revision: int
    created_at: float
    replicas: int
    current: int
    ready: int
    available: int
    scale_down_deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRunState:
    """An AnalysisRun of this Rollout; `phase` is None until its first pass."""

    phase: Phase | None = None
    message: str = ""
    terminate: bool = False

    @property
    def completed(self) -> bool:
        """Whether it has come to an end."""
        return self.phase is not None and self.phase.completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The world after all effects of earlier passes.

    Args:
        replica_sets: by pod template hash.
        analysis_runs: by name, all that were ever created: names must stay unique.
        services: the hash that each Service selects, "" while it selects by its own labels only.
    """

    replica_sets: Mapping[str, ReplicaSet] = field(default_factory=dict)
    analysis_runs: Mapping[str, AnalysisRunState] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
