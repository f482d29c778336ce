"""What was observed of one metric in one closed window: counts of errors, or latencies."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.domain.histogram import LatencyHistogram
from analyzer.domain.model import ArmCounts, Window

ERRORS = "errors"
LATENCY = "latency"
METRICS = (ERRORS, LATENCY)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountArms:
    """Requests of both arms, and bad ones among them."""

    canary: ArmCounts
    stable: ArmCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyArms:
    """Latencies of both arms, in bins of one grid."""

    canary: LatencyHistogram
    stable: LatencyHistogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Both arms over one window.

    Attributes:
        window: closed.
        metric: `errors`, whose arms are counts, or `latency`, whose arms are latencies, or counts
            of requests that somebody else found too slow.
        arms: what was observed.
        weight: the canary's planned share of the traffic, where it is known.
    """

    window: Window
    metric: str
    arms: CountArms | LatencyArms
    weight: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StableBlock:
    """What stable did in one block of time before the run."""

    window: Window
    metric: str
    stable: ArmCounts | LatencyHistogram
