"""A judge's configuration: every number that a run's verdict depends on besides its windows."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.domain.burn_rate import BurnRule
from analyzer.domain.latency import QUANTILES


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRules:
    """What harm and harmlessness of one metric take; see `sequential.Rules`.

    `weight` is the metric's part of the false-alarm level, relative to the other metrics judged.
    """

    weight: float = 1.0
    fail_odds: float = 1.0
    fail_difference: float = 0.0005
    pass_odds: float = 1.5
    pass_difference: float = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRules(MetricRules):
    """What a latency metric takes besides.

    Attributes:
        quantiles: of stable, where the thresholds lie.
        pass_quantiles: those that a pass waits for; the others can only fail.
        floor_ms: nobody waits for less than this: no threshold lies below it.
        ranks: whether all latencies are compared by rank besides.
    """

    quantiles: tuple[float, ...] = QUANTILES
    pass_quantiles: tuple[float, ...] = (0.5, 0.9, 0.99)
    floor_ms: float = 10.0
    ranks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeConfig:
    """A named configuration.

    Attributes:
        name: as callers name it.
        content, digest: what it says as JSON with every field, and a hash of that; a run keeps
            what it began with.
        horizon_s, interval_s: planned length of a run, and of a window, unless the caller says.
        history_s: how far back stable's history is read.
        alpha_fail: chance that a harmless canary ever fails, over the run and all its metrics.
        alpha_pass: chance that a canary at the pass margin of a metric ever passes it.
        errors: rules of the error rate.
        latency: rules of latency; None does not judge it.
        error_limit: largest share of failed requests whatever stable does; None for none.
        burn: burn rate of failed requests at which nothing passes; None for none.
        The others are those of `run.RunPlan`.
    """

    name: str = "balanced"
    digest: str = ""
    content: str = "{}"
    horizon_s: float = 660.0
    interval_s: float = 30.0
    history_s: float = 3600.0
    warmup_s: float = 0.0
    minimum_windows: int = 2
    minimum_requests: int = 100
    minimum_duration_s: float = 0.0
    stale_after: int = 3
    no_data_fail_after_s: float | None = None
    alpha_fail: float = 0.01
    alpha_pass: float = 0.05
    errors: MetricRules = field(default_factory=lambda: MetricRules(weight=2.0))
    latency: LatencyRules | None = field(default_factory=LatencyRules)
    error_limit: float | None = None
    burn: BurnRule | None = None
