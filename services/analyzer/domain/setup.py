"""How a run begins: what it is judged by, what was known, and where its windows come from."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.domain.config import JudgeConfig
from analyzer.domain.histogram import LatencyHistogram
from analyzer.domain.observation import StableBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is known of a run before its first window.

    Attributes:
        run: its name.
        config: what it is judged by.
        metrics: those of which windows will come.
        horizon_s, interval_s: planned length of the run and of its windows.
        weight: the canary's planned share of the traffic, where it is constant.
        latency_counted: whether latency comes as counts of slow requests.
        error_limit: in place of the configuration's.
        history: what stable did before; blocks of about a window's length.
        latency_history: latencies of stable before, in place of blocks of them.
    """

    run: str
    config: JudgeConfig
    metrics: frozenset[str]
    horizon_s: float
    interval_s: float
    weight: float | None = None
    latency_counted: bool = False
    error_limit: float | None = None
    history: tuple[StableBlock, ...] = ()
    latency_history: LatencyHistogram | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrigin:
    """Where the windows of a run come from, settled when it begins.

    Attributes:
        app, canary, stable, source: what is read, for a run that reads its windows itself; all
            empty for one whose windows are brought along.
        start: of the first window, for a run that reads them itself.
    """

    app: str = ""
    canary: str = ""
    stable: str = ""
    source: str = ""
    start: float = 0.0

    @property
    def reads(self) -> bool:
        """Whether the run reads its windows itself."""
        return bool(self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as it began; it never changes."""

    origin: RunOrigin
    setup: Setup
