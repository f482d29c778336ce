"""Peers and textbook methods for latency, from the same histograms that the judge gets.

Bins are 2 % wide, which rank tests take as ties; at these sample sizes their p-values differ from
those of raw samples by about 1 % of themselves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import kolmogorov, ndtri

from analyzer.domain.contenders import asymptotic_cs, boundaries
from analyzer.domain.kayenta.classifiers import classify_mann_whitney
from analyzer.domain.kayenta.model import Classification, Direction, MetricConfig
from league.outcome import Outcome, first_crossing
from league.streams import EDGES, GAMMA

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from league.scenarios import LatencyScenario
    from league.streams import LatencyStreams

    Peer = Callable[[LatencyStreams, LatencyScenario, float], Outcome]

_MIDDLES = EDGES / math.sqrt(GAMMA)


def _arrived(streams: LatencyStreams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    mask = streams.arrived[..., None]
    return streams.canary * mask, streams.stable * mask


def _pooled(streams: LatencyStreams) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    canary, stable = _arrived(streams)
    return np.cumsum(canary, axis=1).astype(float), np.cumsum(stable, axis=1).astype(float)


def _end(crossed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    kept = np.zeros_like(crossed)
    kept[:, -1] = crossed[:, -1]
    return kept


def mann_whitney_z(canary: NDArray[np.float64], stable: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return z of Mann-Whitney from histograms (last axis), corrected for ties; > 0 is slower."""
    m, n = canary.sum(axis=-1), stable.sum(axis=-1)
    below = np.cumsum(stable, axis=-1) - stable / 2
    u = (canary * below).sum(axis=-1)
    total = m + n
    pooled = canary + stable
    ties = (pooled**3 - pooled).sum(axis=-1) / np.maximum(1, total * (total - 1))
    variance = m * n / 12 * (total + 1 - ties)
    return np.where(variance > 0, (u - m * n / 2) / np.sqrt(np.maximum(variance, 1e-300)), 0.0)


def rank_test(*, level: str) -> Peer:
    """Return Mann-Whitney at the end, at every poll, or Bonferroni-corrected."""

    def judge(streams: LatencyStreams, scenario: LatencyScenario, alpha: float) -> Outcome:  # noqa: ARG001
        z = mann_whitney_z(*_pooled(streams))
        crossed = z >= -ndtri(alpha / z.shape[1] if level == "bonferroni" else alpha)
        crossed = _end(crossed) if level == "end" else crossed
        return Outcome(failed_at=first_crossing(crossed, streams.window))

    return judge


def ks_test(*, level: str) -> Peer:
    """Return one-sided Kolmogorov-Smirnov (two-sided p halved) at the same levels."""

    def judge(streams: LatencyStreams, scenario: LatencyScenario, alpha: float) -> Outcome:  # noqa: ARG001
        canary, stable = _pooled(streams)
        m, n = canary.sum(axis=-1), stable.sum(axis=-1)
        slower = _distribution(stable) - _distribution(canary)
        distance = slower.max(axis=-1)
        size = np.sqrt(m * n / np.maximum(1, m + n))
        p = kolmogorov(size * distance) / 2
        crossed = p <= (alpha / p.shape[1] if level == "bonferroni" else alpha)
        crossed = _end(crossed) if level == "end" else crossed
        return Outcome(failed_at=first_crossing(crossed, streams.window))

    return judge


def _distribution(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.maximum(1, counts.sum(axis=-1, keepdims=True))
    below: NDArray[np.float64] = np.cumsum(counts, axis=-1) / total
    return below


def dkw_bands(streams: LatencyStreams, scenario: LatencyScenario, alpha: float) -> Outcome:  # noqa: ARG001
    """Time-uniform bands around both distribution functions; fails when they part."""
    canary, stable = _pooled(streams)
    constant = boundaries.lil_constant(alpha / 2)

    def width(count: NDArray[np.float64]) -> NDArray[np.float64]:
        t = np.maximum(count, 100)
        half = 0.85 * np.sqrt((np.log1p(np.log(t / 100)) + constant) / t)
        return np.where(count >= 100, half, np.inf)

    apart = (_distribution(stable) - _distribution(canary)).max(axis=-1)
    crossed = apart > width(canary.sum(axis=-1)) + width(stable.sum(axis=-1))
    return Outcome(failed_at=first_crossing(crossed, streams.window))


def asymptotic_mean(streams: LatencyStreams, scenario: LatencyScenario, alpha: float) -> Outcome:  # noqa: ARG001
    """Asymptotic confidence sequence of the difference of means."""
    canary, stable = _pooled(streams)
    m, n = np.maximum(1, canary.sum(axis=-1)), np.maximum(1, stable.sum(axis=-1))
    mean_c, mean_s = canary @ _MIDDLES / m, stable @ _MIDDLES / n
    var_c = canary @ _MIDDLES**2 / m - mean_c**2
    var_s = stable @ _MIDDLES**2 / n - mean_s**2
    total = m + n
    rho = asymptotic_cs.tuning_rho(alpha=alpha, tuned_at=5000, one_sided=True)
    spread = total * rho**2
    level = np.log1p(np.sqrt(spread + 1) / (2 * alpha))
    half = np.sqrt(total * (var_c / m + var_s / n) * 2 * (spread + 1) / (total * spread) * level)
    return Outcome(failed_at=first_crossing(mean_c - mean_s > half, streams.window))


def _p99(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """99th percentile per row: upper edge of its bin; NaN without requests."""
    total = counts.sum(axis=-1)
    index = (np.cumsum(counts, axis=-1) < 0.99 * total[..., None]).sum(axis=-1)
    return np.where(total > 0, EDGES[np.minimum(index, len(EDGES) - 1)], np.nan)


def fixed_p99(threshold: float, limit: int) -> Peer:
    """Return Argo's `p99[1m] < threshold`, which fails after `limit` failures."""

    def judge(streams: LatencyStreams, scenario: LatencyScenario, alpha: float) -> Outcome:  # noqa: ARG001
        canary, _ = _arrived(streams)
        minute = canary.copy()
        minute[:, 1:] += canary[:, :-1]
        failures = np.cumsum(_p99(minute) >= threshold, axis=1)
        return Outcome(failed_at=first_crossing(failures > limit, streams.window))

    return judge


def kayenta(*, peek: bool) -> Peer:
    """Return Kayenta's judge (the port) on the 99th percentile per poll."""
    config = MetricConfig(name="p99", direction=Direction.INCREASE)

    def judge(streams: LatencyStreams, scenario: LatencyScenario, alpha: float) -> Outcome:  # noqa: ARG001
        canary, stable = _arrived(streams)
        points_c, points_s = _p99(canary), _p99(stable)
        runs, windows = points_c.shape
        crossed = np.zeros((runs, windows), dtype=bool)
        for run in range(runs):
            for window in range(2, windows) if peek else [windows - 1]:
                arms = [array[run, : window + 1] for array in (points_c, points_s)]
                arms = [array[~np.isnan(array)] for array in arms]
                found = classify_mann_whitney(arms[0], arms[1], config)
                if found.classification is Classification.HIGH:
                    crossed[run, window] = True
                    break
        return Outcome(failed_at=first_crossing(crossed, streams.window))

    return judge


PEERS: dict[str, Peer] = {
    "Argo p99[1m] <400 ms, limit 0": fixed_p99(400, 0),
    "Argo p99[1m] <400 ms, limit 3": fixed_p99(400, 3),
    "Flagger p99 <500 ms, 5 checks": fixed_p99(500, 4),
    "Kayenta p99, end": kayenta(peek=False),
    "Kayenta p99, every poll": kayenta(peek=True),
    "Mann-Whitney, end": rank_test(level="end"),
    "Mann-Whitney, every poll, naive": rank_test(level="naive"),
    "Mann-Whitney, Bonferroni": rank_test(level="bonferroni"),
    "Kolmogorov-Smirnov, end": ks_test(level="end"),
    "Kolmogorov-Smirnov, every poll, naive": ks_test(level="naive"),
    "Kolmogorov-Smirnov, Bonferroni": ks_test(level="bonferroni"),
    "DKW bands": dkw_bands,
    "asymptotic CS of the mean": asymptotic_mean,
}
