"""The words that all of Argo's machinery shares: phases, versions, measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ArgoVersion(StrEnum):
    """A release line of Argo Rollouts whose behaviour can be selected."""

    V1_8 = "1.8"
    V1_9 = "1.9"
    V1_10 = "1.10"

    @property
    def evaluates_plain_text(self) -> bool:
        """Whether conditions see a 2xx body that is not JSON (before 1.10 it just passes)."""
        return self is ArgoVersion.V1_10


class Phase(StrEnum):
    """Phase of a measurement, a metric or an AnalysisRun."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    ERROR = "Error"
    INCONCLUSIVE = "Inconclusive"

    @property
    def completed(self) -> bool:
        """Whether the phase is terminal."""
        return self is not Phase.PENDING and self is not Phase.RUNNING

    @property
    def badness(self) -> int:
        """Argo's order from best to worst: the worst metric decides the run."""
        return _BADNESS[self]


_BADNESS = {
    Phase.SUCCESSFUL: 0,
    Phase.RUNNING: 1,
    Phase.PENDING: 2,
    Phase.INCONCLUSIVE: 3,
    Phase.ERROR: 4,
    Phase.FAILED: 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One value taken for a metric, with the phase it was judged to.

    `value` is the text that Argo records (compact JSON for the web provider); an Error measurement
    has none. `resume_at` is set while a job is in flight.
    """

    phase: Phase
    message: str = ""
    value: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    resume_at: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
