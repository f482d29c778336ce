"""Every simulated rollout: traffic, weights, error rates, latencies, and what is wrong with them.

A scenario is data; `streams` draws from it. Names follow the list in docs/league/README.md. All
times are seconds since the canary got its first request; a rollout lasts `HORIZON` seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HORIZON = 660
SUB_WINDOW = 5
POLL = 30
HISTORY = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """Error intensity that varies by a random factor of mean 1, constant within a block.

    `gamma`: independent Gamma factors with shape kappa (variance 1/kappa). `lognormal`: log-normal
    factors of the same variance, whose tail is heavier. `autocorrelated`: log-normal factors that
    follow an AR(1) with correlation .8 from block to block.
    """

    law: Literal["gamma", "lognormal", "autocorrelated"] = "gamma"
    kappa: float = 1.0
    block: int = 5
    common: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorScenario:
    """One metric of bad requests.

    Attributes:
        null: whether the canary is no worse than stable, so that a fail is a false alarm.
        rps: requests a second of both arms together.
        weights: (from second, share of the canary) steps, as planned.
        rate: share of bad requests of stable at the start.
        drift: factor of every rate at the end, growing linearly.
        ratio: the canary's rate over stable's, from `onset` on.
        onset: second from which the canary is worse.
        bursts: how rates vary in blocks, in the rollout and in the history alike.
        warm_up: (amplitude, time constant): the canary's rate is times 1 + amplitude exp(-t/tau).
        skip: seconds at the start that nobody judges.
        actual_weight: factor of the planned weights that really applies.
        retried: share of the canary's bad requests that are sent again, to stable.
        missing: share of windows that never arrive.
        missing_when_bad: windows in which the canary is this many times worse than expected never
            arrive.
        metrics: number of metrics; half of the bad requests of each are common to all.
        margin: fail margin given to the judge, as a ratio of rates (None: the judge's own).
        at_pass_margin: the truth lies exactly at the margin of a pass, so a pass is a false one.
        poll: seconds between two judgements.
    """

    name: str
    title: str
    null: bool
    rps: float = 50.0
    weights: tuple[tuple[int, float], ...] = ((0, 0.2),)
    rate: float = 0.02
    drift: float = 1.0
    ratio: float = 1.0
    onset: int = 0
    bursts: Bursts | None = None
    warm_up: tuple[float, float] | None = None
    skip: int = 0
    actual_weight: float = 1.0
    retried: float = 0.0
    missing: float = 0.0
    missing_when_bad: float | None = None
    metrics: int = 1
    margin: float | None = None
    at_pass_margin: bool = False
    poll: int = POLL


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A log-normal latency in ms, changed in named ways; the changes apply in this order.

    Attributes:
        median: in ms.
        sigma: of the logarithm.
        scale: factor of everything.
        tail: factor of the 99th percentile, reached by stretching what lies above the 90th.
        added: (share, ms): this share of requests takes so much longer.
        slow_share: (share, factor): this share of requests (pods) is slower by the factor.
        pareto: index of a Pareto tail that replaces what lies above the 95th percentile.
    """

    median: float = 80.0
    sigma: float = 0.6
    scale: float = 1.0
    tail: float = 1.0
    added: tuple[float, float] = (0.0, 0.0)
    slow_share: tuple[float, float] = (0.0, 1.0)
    pareto: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyScenario:
    """One latency metric; `drift` scales both arms at the end, growing linearly."""

    name: str
    title: str
    null: bool
    canary: Latency = Latency()
    stable: Latency = Latency()
    rps: float = 50.0
    weights: tuple[tuple[int, float], ...] = ((0, 0.2),)
    drift: float = 1.0
    missing_when_slow: float | None = None
    poll: int = POLL


Scenario = ErrorScenario | LatencyScenario

RAMP = ((0, 0.05), (165, 0.2), (330, 0.5), (495, 0.8))


def _percent(share: float) -> str:
    return f"{100 * share:g}"


def _null() -> list[ErrorScenario]:
    return [
        ErrorScenario(
            name=f"S0-{_percent(rate)}-{rps:g}",
            title=f"no difference, {_percent(rate)} % errors, {rps:g}/s",
            null=True,
            rate=rate,
            rps=rps,
        )
        for rate in (0.0005, 0.002, 0.01, 0.02)
        for rps in (2, 10, 50, 500)
    ]


def _bursts() -> list[ErrorScenario]:
    laws = [
        *(
            (f"{kappa:g}-{block}", Bursts(kappa=kappa, block=block))
            for kappa in (5.0, 1.0, 0.3)
            for block in (5, 30)
        ),
        ("common", Bursts(kappa=0.3, block=30, common=True)),
        ("heavy", Bursts(law="lognormal", kappa=1.0, block=30)),
        ("autocorrelated", Bursts(law="autocorrelated", kappa=1.0, block=30)),
    ]
    null = [
        ErrorScenario(
            name=f"S3-{name}", title=f"bursts {name}, no difference", null=True, bursts=law
        )
        for name, law in laws
    ]
    return [
        *null,
        ErrorScenario(
            name="S3-ramp",
            title="bursts 1-30 under a ramp with drift, no difference",
            null=True,
            bursts=Bursts(kappa=1.0, block=30),
            weights=RAMP,
            drift=4.0,
            rate=0.01,
        ),
        ErrorScenario(
            name="S3-power",
            title="bursts 1-5, 2 -> 5 %",
            null=False,
            bursts=Bursts(kappa=1.0, block=5),
            ratio=2.5,
        ),
    ]


def _regressions() -> list[ErrorScenario]:
    changes = ((0.02, 0.03), (0.02, 0.05), (0.02, 0.2), (0.002, 0.01))
    return [
        ErrorScenario(
            name=f"S6-{_percent(old)}-{_percent(new)}" + ("" if poll == POLL else f"-poll{poll}"),
            title=f"{_percent(old)} -> {_percent(new)} %, judged every {poll} s",
            null=False,
            rate=old,
            ratio=new / old,
            poll=poll,
        )
        for poll in (POLL, SUB_WINDOW)
        for old, new in changes
    ]


ERRORS: tuple[ErrorScenario, ...] = (
    *_null(),
    ErrorScenario(
        name="S0-2-50-poll5", title="no difference, 2 %, 50/s, every 5 s", null=True, poll=5
    ),
    ErrorScenario(
        name="S1", title="low traffic: 2/s, 1 -> 5 %", null=False, rps=2, rate=0.01, ratio=5.0
    ),
    ErrorScenario(
        name="S2",
        title="ramp, base x4 up, no difference",
        null=True,
        weights=RAMP,
        rate=0.01,
        drift=4.0,
    ),
    ErrorScenario(
        name="S2b",
        title="ramp, base x4 up, canary x2.5",
        null=False,
        weights=RAMP,
        rate=0.01,
        drift=4.0,
        ratio=2.5,
    ),
    ErrorScenario(
        name="S2c",
        title="ramp, base x4 down, canary x2",
        null=False,
        weights=RAMP,
        rate=0.04,
        drift=0.25,
        ratio=2.0,
    ),
    *_bursts(),
    *(
        ErrorScenario(
            name=f"S4-{skip}",
            title=f"warm-up x5 decaying in 45 s, {skip} s skipped",
            null=True,
            warm_up=(4.0, 45.0),
            skip=skip,
        )
        for skip in (0, 60, 180)
    ),
    ErrorScenario(name="S5", title="2 -> 5 % after 300 s", null=False, ratio=2.5, onset=300),
    *_regressions(),
    ErrorScenario(name="S7", title="better canary: 2 -> 1 %", null=True, ratio=0.5),
    ErrorScenario(
        name="S8",
        title="truth at the margin of a pass",
        null=False,
        ratio=1.5,
        at_pass_margin=True,
    ),
    ErrorScenario(
        name="S9-null", title="fail margin x1.5, truth x1.5", null=True, ratio=1.5, margin=1.5
    ),
    ErrorScenario(
        name="S9-power", title="fail margin x1.5, truth x4", null=False, ratio=4.0, margin=1.5
    ),
    ErrorScenario(name="M1", title="10 correlated metrics, no difference", null=True, metrics=10),
    ErrorScenario(
        name="D1", title="30 % of windows missing, 2 -> 5 %", null=False, ratio=2.5, missing=0.3
    ),
    ErrorScenario(
        name="D2",
        title="windows missing when the canary is bad, 2 -> 5 %",
        null=False,
        ratio=2.5,
        missing_when_bad=1.5,
    ),
    ErrorScenario(
        name="C1",
        title="30 % of canary errors retried on stable, 2 -> 5 %",
        null=False,
        ratio=2.5,
        retried=0.3,
    ),
    ErrorScenario(
        name="W1", title="weight 12 % instead of 20 %, no difference", null=True, actual_weight=0.6
    ),
)

LATENCIES: tuple[LatencyScenario, ...] = (
    LatencyScenario(name="L0", title="no difference", null=True),
    LatencyScenario(
        name="L1-1.1", title="all 1.1 times slower", null=False, canary=Latency(scale=1.1)
    ),
    LatencyScenario(
        name="L1-1.3", title="all 1.3 times slower", null=False, canary=Latency(scale=1.3)
    ),
    LatencyScenario(name="L2", title="tail only: p99 x1.3", null=False, canary=Latency(tail=1.3)),
    LatencyScenario(
        name="L3-3", title="+400 ms on 3 %", null=False, canary=Latency(added=(0.03, 400.0))
    ),
    LatencyScenario(
        name="L3-0.5", title="+2 s on 0.5 %", null=False, canary=Latency(added=(0.005, 2000.0))
    ),
    LatencyScenario(name="L4", title="20 % faster", null=True, canary=Latency(scale=0.8)),
    LatencyScenario(
        name="L5", title="ramp, both arms drift to x1.5", null=True, weights=RAMP, drift=1.5
    ),
    LatencyScenario(
        name="L6",
        title="Pareto tail 1.5 in both arms, no difference",
        null=True,
        canary=Latency(pareto=1.5),
        stable=Latency(pareto=1.5),
    ),
    LatencyScenario(
        name="L6-1.3",
        title="Pareto tail 1.5 in both arms, canary 1.3 times slower",
        null=False,
        canary=Latency(pareto=1.5, scale=1.3),
        stable=Latency(pareto=1.5),
    ),
    LatencyScenario(
        name="L7", title="one slow pod of 5 (x2)", null=False, canary=Latency(slow_share=(0.2, 2.0))
    ),
    LatencyScenario(
        name="D2-latency",
        title="windows missing when the canary is slow, 1.3 times slower",
        null=False,
        canary=Latency(scale=1.3),
        missing_when_slow=1.15,
    ),
)

ALL: dict[str, Scenario] = {one.name: one for one in (*ERRORS, *LATENCIES)}
