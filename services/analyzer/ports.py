"""What the use cases need from the outside world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from analyzer.domain.model import ArmCounts

if TYPE_CHECKING:
    from analyzer.domain.model import Window
    from analyzer.domain.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReading:
    """What a source said about one arm; the note tells what a reader of the verdict should know."""

    counts: ArmCounts
    note: str = ""


class MetricSource(Protocol):
    """Where the counts of an arm come from."""

    @property
    def name(self) -> str:
        """The source's name in settings and metrics."""
        ...

    async def read_errors(self, *, app: str, pod_hash: str, window: Window) -> ArmReading:
        """Return requests and errors of the arm; an arm without data has zero requests.

        Raises:
            Unavailable: the source did not answer, or what it said cannot be trusted.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """How a target answered: an HTTP code, or None and why there is none."""

    http_code: int | None
    latency_ms: float
    failure: str = ""


class HealthProbe(Protocol):
    """Sends one GET to a target."""

    async def probe(self, target: Target, *, base_url: str) -> ProbeResult:
        """Return how the target answered; failing to answer is a result, not an error."""
        ...
