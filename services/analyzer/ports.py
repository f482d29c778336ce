"""What the use cases need from the outside world."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from analyzer.domain.histogram import LatencyHistogram
from analyzer.domain.model import ArmCounts, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.domain.config import JudgeConfig
    from analyzer.domain.observation import Observation
    from analyzer.domain.setup import StoredRun
    from analyzer.domain.targets import Target


class Tier(StrEnum):
    """How much a source tells about a window, best first."""

    HISTOGRAM = "histogram"
    """Counts of errors, and latencies in bins."""
    COUNTS = "counts"
    """Counts of errors alone."""
    RATES = "rates"
    """A rate and a number of requests, from which counts were rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """What is compared with what: an application and the labels of its two arms."""

    app: str
    canary: str
    stable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReading:
    """What a source said about one arm; the note tells what a reader of the verdict should know.

    An arm without requests has zero counts and a note: that the source was asked and had nothing.
    `latency` is None when the source does not deliver latencies in this form at all. `refused` are
    requests beside the bad ones that ended with an HTTP 4xx, where the source tells them apart.
    """

    counts: ArmCounts
    refused: int = 0
    latency: LatencyHistogram | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowReading:
    """Both arms over one closed window, read at the same time."""

    window: Window
    canary: ArmReading
    stable: ArmReading
    tier: Tier = Tier.HISTOGRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What stable did before the run.

    Attributes:
        blocks: (requests, bad or refused ones) of consecutive blocks, each as long as a window of
            the run, oldest first. Empty when the source cannot tell.
        latency: latencies over the whole history; None when the source cannot tell.
    """

    blocks: tuple[tuple[int, int], ...] = ()
    latency: LatencyHistogram | None = None


class Source(Protocol):
    """Where windows come from."""

    @property
    def name(self) -> str:
        """The source's name in settings and metrics."""
        ...

    async def read_window(self, arms: Arms, window: Window) -> WindowReading:
        """Return both arms over a window whose edges are whole seconds.

        Raises:
            Unavailable: the source did not answer, or what it said cannot be trusted (`code` is
                `source_failed`, `source_timeout`, `source_stale` …). Never an empty arm instead.
        """
        ...

    async def read_history(self, arms: Arms, window: Window, *, block_s: int) -> History:
        """Return what stable did in a window before the run; an empty History when unknown.

        Raises:
            Unavailable: as `read_window`.
        """
        ...


class Configs(Protocol):
    """Where named configurations are kept."""

    def get(self, name: str | None) -> JudgeConfig:
        """Return a configuration as it is now; the default one without a name.

        Raises:
            InvalidInput: there is none of that name (`unknown_config`), or it cannot be used now.
        """
        ...


class RunStore(Protocol):
    """Runs and their windows, append-only; all calls may wait for a disk or a server.

    Every method raises Unavailable (`store_failed`) when the store cannot be used.
    """

    def find(self, run: str) -> StoredRun | None:
        """Return a run, or None when there is none of that name."""
        ...

    def begin(self, stored: StoredRun) -> StoredRun:
        """Keep a run, and return it; or the one of that name that was there first."""
        ...

    def observations(self, run: str, *, skip: int) -> list[Observation]:
        """Return a run's observations in the order in which they were kept, but for the first."""
        ...

    def append(self, run: str, observations: Sequence[Observation], *, after: int) -> bool:
        """Keep observations as the next ones, all or none.

        Returns False, and keeps nothing, when there are not exactly `after` ones: somebody else
        was faster.
        """
        ...

    def close(self) -> None:
        """Let go of the store."""
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
