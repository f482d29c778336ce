"""What the judges see: counts per sub-window and arm, drawn for many rollouts at once.

Arrivals are Poisson, the split between the arms binomial, bad requests binomial, latencies
multinomial over logarithmic bins. Rollouts are drawn in chunks of fixed size, each from its own
seed, so rollout number i is the same however many are drawn and however the work is shared.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from league.scenarios import (
    HISTORY,
    HORIZON,
    SUB_WINDOW,
    Bursts,
    ErrorScenario,
    Latency,
    LatencyScenario,
)

CHUNK = 50
GAMMA = 1.02
LOWEST_MS = 1.0
BINS = 650
"""Bin i holds (GAMMA^(i-1), GAMMA^i] ms; the first one everything up to 1 ms: up to 380 s."""
EDGES = LOWEST_MS * GAMMA ** np.arange(BINS)
LATENCY_HISTORY = 600

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorStreams:
    """Counts of shape (rollouts, windows); with several metrics `bad_*` have them as first axis.

    `arrived` marks windows that reach a judge. `history_*` are stable's sub-windows before.
    """

    window: int
    count_canary: Counts
    bad_canary: Counts
    count_stable: Counts
    bad_stable: Counts
    arrived: NDArray[np.bool_]
    weight: NDArray[np.float64]
    history_count: Counts
    history_bad: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyStreams:
    """Histograms of shape (rollouts, windows, bins); `history`: stable before, (rollouts, bins)."""

    window: int
    canary: Counts
    stable: Counts
    arrived: NDArray[np.bool_]
    weight: NDArray[np.float64]
    history: Counts


def chunk_seed(name: str, seed: int, chunk: int) -> np.random.Generator:
    """Return the generator of one chunk of one scenario."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), chunk])


def weights_at(
    steps: tuple[tuple[int, float], ...], times: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the planned weight at each time."""
    starts = np.array([start for start, _ in steps])
    shares = np.array([share for _, share in steps])
    found: NDArray[np.float64] = shares[np.searchsorted(starts, times, side="right") - 1]
    return found


def draw_errors(scenario: ErrorScenario, rng: np.random.Generator, runs: int) -> ErrorStreams:
    """Draw rollouts and merge their sub-windows into windows of one poll."""
    steps = HORIZON // SUB_WINDOW
    times = np.arange(steps) * float(SUB_WINDOW)
    weight = weights_at(scenario.weights, times)
    count = rng.poisson(scenario.rps * SUB_WINDOW, (runs, steps))
    canary = rng.binomial(count, weight * scenario.actual_weight)
    stable = count - canary
    base = scenario.rate * (1 + (scenario.drift - 1) * times / HORIZON)
    worse = base * np.where(times >= scenario.onset, scenario.ratio, 1.0)
    if scenario.warm_up is not None:
        amplitude, constant = scenario.warm_up
        worse = worse * (1 + amplitude * np.exp(-times / constant))
    factor_stable = _factors(scenario.bursts, rng, runs, steps)
    common = scenario.bursts is not None and scenario.bursts.common
    factor_canary = factor_stable if common else _factors(scenario.bursts, rng, runs, steps)
    rate_canary = np.minimum(1.0, worse * factor_canary)
    rate_stable = np.minimum(1.0, base * factor_stable)
    bad_canary = _bad(rng, canary, rate_canary, scenario.metrics)
    bad_stable = _bad(rng, stable, rate_stable, scenario.metrics)
    if scenario.retried:
        again = rng.binomial(bad_canary, scenario.retried)
        stable = stable + again
        bad_stable = bad_stable + rng.binomial(again, rate_stable)
    before = HISTORY // SUB_WINDOW
    history_count = rng.poisson(scenario.rps * SUB_WINDOW, (runs, before))
    history_rate = scenario.rate * _factors(scenario.bursts, rng, runs, before)
    history_bad = rng.binomial(history_count, np.minimum(1.0, history_rate))
    start = scenario.skip // SUB_WINDOW
    group = scenario.poll // SUB_WINDOW
    merged = [
        _merge(array[..., start:], group) for array in (canary, bad_canary, stable, bad_stable)
    ]
    arrived = rng.random(merged[0].shape) >= scenario.missing
    if scenario.missing_when_bad is not None:
        expected = merged[0] * scenario.rate
        arrived &= merged[1] <= scenario.missing_when_bad * expected
    return ErrorStreams(
        window=scenario.poll,
        count_canary=merged[0],
        bad_canary=merged[1],
        count_stable=merged[2],
        bad_stable=merged[3],
        arrived=arrived,
        weight=weight[start::group][: merged[0].shape[1]],
        history_count=history_count,
        history_bad=history_bad,
    )


def _factors(
    bursts: Bursts | None, rng: np.random.Generator, runs: int, steps: int
) -> NDArray[np.float64]:
    if bursts is None:
        return np.ones((runs, steps))
    per_block = bursts.block // SUB_WINDOW
    blocks = -(-steps // per_block)
    if bursts.law == "gamma":
        drawn = rng.gamma(bursts.kappa, 1 / bursts.kappa, (runs, blocks))
    else:
        variance = math.log1p(1 / bursts.kappa)
        noise = rng.standard_normal((runs, blocks))
        if bursts.law == "autocorrelated":
            for i in range(1, blocks):
                noise[:, i] = 0.8 * noise[:, i - 1] + 0.6 * noise[:, i]
        drawn = np.exp(math.sqrt(variance) * noise - variance / 2)
    return np.repeat(drawn, per_block, axis=1)[:, :steps]


def _bad(
    rng: np.random.Generator, count: Counts, rate: NDArray[np.float64], metrics: int
) -> Counts:
    if metrics == 1:
        return rng.binomial(count, rate)
    shared = rng.binomial(count, rate / 2)
    return np.stack([shared + rng.binomial(count - shared, rate / 2) for _ in range(metrics)])


def _merge(array: Counts, group: int) -> Counts:
    whole = array.shape[-1] // group * group
    shape = (*array.shape[:-1], whole // group, group)
    return array[..., :whole].reshape(shape).sum(axis=-1)


def draw_latencies(
    scenario: LatencyScenario, rng: np.random.Generator, runs: int
) -> LatencyStreams:
    """Draw the histograms of both arms per window; the drift is constant within a window."""
    windows = HORIZON // scenario.poll
    times = np.arange(windows) * float(scenario.poll)
    weight = weights_at(scenario.weights, times)
    count = rng.poisson(scenario.rps * scenario.poll, (runs, windows))
    in_canary = rng.binomial(count, weight)
    canary = np.empty((runs, windows, BINS), dtype=np.int64)
    stable = np.empty_like(canary)
    for i, time in enumerate(times):
        drift = 1 + (scenario.drift - 1) * time / HORIZON
        canary[:, i] = rng.multinomial(in_canary[:, i], bin_shares(scenario.canary, drift))
        stable[:, i] = rng.multinomial(
            count[:, i] - in_canary[:, i], bin_shares(scenario.stable, drift)
        )
    before = rng.poisson(scenario.rps * LATENCY_HISTORY, runs)
    arrived = np.ones((runs, windows), dtype=bool)
    if scenario.missing_when_slow is not None:
        mean = (canary @ EDGES) / np.maximum(1, canary.sum(axis=-1))
        usual = scenario.stable.median * math.exp(scenario.stable.sigma**2 / 2)
        arrived = mean <= scenario.missing_when_slow * usual
    return LatencyStreams(
        window=scenario.poll,
        canary=canary,
        stable=stable,
        arrived=arrived,
        weight=weight,
        history=rng.multinomial(before, bin_shares(scenario.stable, 1.0)),
    )


def bin_shares(latency: Latency, drift: float) -> NDArray[np.float64]:
    """Return the probability of every bin."""
    below = cdf(latency, EDGES / drift)
    below[-1] = 1.0
    shares = np.maximum(0.0, np.diff(below, prepend=0.0))
    return shares / shares.sum()


def cdf(latency: Latency, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P(latency <= x ms)."""
    share, factor = latency.slow_share
    added_share, added = latency.added
    usual = _core(latency, x / latency.scale)
    slow = _core(latency, x / (latency.scale * factor)) if share else usual
    mixed = (1 - share) * usual + share * slow
    if not added_share:
        return mixed
    later = _core(latency, np.maximum(0.0, x - added) / latency.scale)
    return (1 - added_share) * mixed + added_share * later


def _core(latency: Latency, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-normal with a stretched or a Pareto tail."""
    x = np.maximum(x, 1e-9)
    if latency.tail != 1.0:
        knee = latency.median * math.exp(latency.sigma * float(ndtri(0.9)))
        p99 = latency.median * math.exp(latency.sigma * float(ndtri(0.99)))
        power = math.log(latency.tail * p99 / knee) / math.log(p99 / knee)
        x = np.where(x > knee, knee * (x / knee) ** (1 / power), x)
    below: NDArray[np.float64] = ndtr(np.log(x / latency.median) / latency.sigma)
    if latency.pareto is not None:
        knee = latency.median * math.exp(latency.sigma * float(ndtri(0.95)))
        below = np.where(
            x > knee, 1 - 0.05 * (np.maximum(x, knee) / knee) ** -latency.pareto, below
        )
    return below
