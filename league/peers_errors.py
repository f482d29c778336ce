"""Peers and textbook methods for bad requests, vectorised over rollouts.

All take pooled counts, as their originals do, except where the name says otherwise. A window that
did not arrive is a window without requests. alpha is the one-sided false-alarm level of a rollout.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincc, betaln, ndtri, xlog1py, xlogy
from scipy.stats import hypergeom

from analyzer.domain.contenders import asymptotic_cs
from analyzer.domain.kayenta.classifiers import classify_mann_whitney
from analyzer.domain.kayenta.model import Classification, Direction, MetricConfig
from league.outcome import Outcome, first_crossing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from league.scenarios import ErrorScenario
    from league.streams import ErrorStreams

    Peer = Callable[[ErrorStreams, ErrorScenario, float], Outcome]


def arrived_counts(streams: ErrorStreams) -> tuple[NDArray[np.float64], ...]:
    """Return requests and bad ones of canary, then of stable, in the windows that arrived."""
    return tuple(
        ((array[0] if array.ndim == 3 else array) * streams.arrived).astype(float)
        for array in (
            streams.count_canary,
            streams.bad_canary,
            streams.count_stable,
            streams.bad_stable,
        )
    )


def _pooled(streams: ErrorStreams) -> tuple[NDArray[np.float64], ...]:
    return tuple(np.cumsum(array, axis=1) for array in arrived_counts(streams))


def _outcome(crossed: NDArray[np.bool_], streams: ErrorStreams, scenario: ErrorScenario) -> Outcome:
    return Outcome(failed_at=first_crossing(crossed, streams.window, scenario.skip))


def _z(streams: ErrorStreams) -> NDArray[np.float64]:
    n_c, e_c, n_s, e_s = _pooled(streams)
    rate = (e_c + e_s) / np.maximum(1, n_c + n_s)
    variance = rate * (1 - rate) * (1 / np.maximum(1, n_c) + 1 / np.maximum(1, n_s))
    difference = e_c / np.maximum(1, n_c) - e_s / np.maximum(1, n_s)
    return np.where(variance > 0, difference / np.sqrt(np.maximum(variance, 1e-300)), 0.0)


def _fisher(streams: ErrorStreams) -> NDArray[np.float64]:
    n_c, e_c, n_s, e_s = _pooled(streams)
    p: NDArray[np.float64] = hypergeom.sf(e_c - 1, n_c + n_s, e_c + e_s, n_c)
    return np.where(n_c * n_s > 0, p, 1.0)


def _last_only(crossed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    kept = np.zeros_like(crossed)
    kept[:, -1] = crossed[:, -1]
    return kept


def z_end(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """One pooled z test at the end."""
    return _outcome(_last_only(_z(streams) >= -ndtri(alpha)), streams, scenario)


def z_naive(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """A pooled z test at every poll, each at the full level."""
    return _outcome(_z(streams) >= -ndtri(alpha), streams, scenario)


def z_bonferroni(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """A pooled z test at every poll, the level divided by their number."""
    z = _z(streams)
    return _outcome(z >= -ndtri(alpha / z.shape[1]), streams, scenario)


def fisher_end(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """One Fisher test at the end."""
    return _outcome(_last_only(_fisher(streams) <= alpha), streams, scenario)


def fisher_bonferroni(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """A Fisher test at every poll, the level divided by their number."""
    p = _fisher(streams)
    return _outcome(p <= alpha / p.shape[1], streams, scenario)


def cmh_pocock(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """A stratified (Mantel-Haenszel) z at every poll against Pocock-type spending boundaries."""
    n_c, e_c, n_s, e_s = arrived_counts(streams)
    n, bad = n_c + n_s, e_c + e_s
    expected = np.where(n > 0, n_c * bad / np.maximum(n, 1), 0.0)
    variance = n_c * n_s * bad * (n - bad) / np.maximum(1, n**2 * (n - 1))
    distance, spread = np.cumsum(e_c - expected, axis=1), np.cumsum(variance, axis=1)
    z = np.where(spread > 0, distance / np.sqrt(np.maximum(spread, 1e-300)), 0.0)
    return _outcome(z >= pocock_boundaries(alpha, z.shape[1]), streams, scenario)


@lru_cache(maxsize=16)
def pocock_boundaries(alpha: float, looks: int) -> NDArray[np.float64]:
    """Return z boundaries for equally spaced looks that spend alpha log(1 + (e-1) t/T)."""
    step = 0.02
    reach = 8 * math.sqrt(looks)
    grid = np.arange(-reach, reach + step / 2, step)
    kernel_grid = np.arange(-7, 7 + step / 2, step)
    kernel = np.exp(-(kernel_grid**2) / 2) * step / math.sqrt(2 * math.pi)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    spent, found = 0.0, []
    for look in range(1, looks + 1):
        if look > 1:
            density = np.convolve(density, kernel, mode="same")
        allowed = alpha * math.log(1 + (math.e - 1) * look / looks) - spent
        tail = np.cumsum(density[::-1])[::-1] * step
        index = int(np.searchsorted(-tail, -allowed))
        # A cell reaches half a step below its point.
        found.append((grid[index] - step / 2) / math.sqrt(look))
        spent += float(tail[index])
        density = np.where(grid < grid[index], density, 0.0)
    return np.array(found)


def asymptotic(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """Asymptotic confidence sequence of the difference (GrowthBook's form, tuned at 5000)."""
    n_c, e_c, n_s, e_s = _pooled(streams)
    p_c, p_s = e_c / np.maximum(1, n_c), e_s / np.maximum(1, n_s)
    n = n_c + n_s
    variance = n * (p_c * (1 - p_c) / np.maximum(1, n_c) + p_s * (1 - p_s) / np.maximum(1, n_s))
    rho = asymptotic_cs.tuning_rho(alpha=alpha, tuned_at=5000, one_sided=True)
    spread = np.maximum(n, 1) * rho**2
    level = np.log1p(np.sqrt(spread + 1) / (2 * alpha))
    half = np.sqrt(variance * 2 * (spread + 1) / (np.maximum(n, 1) * spread) * level)
    crossed = (p_c - p_s > half) & (e_s > 0) & (e_c > 0)
    return _outcome(crossed, streams, scenario)


def lindon_malek(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """One-sided Dirichlet(100) mixture: the canary's share of errors above its share of traffic."""
    n_c, e_c, n_s, e_s = _pooled(streams)
    share = np.clip(n_c / np.maximum(1, n_c + n_s), 1e-6, 1 - 1e-6)
    a, b = 100 * share, 100 * (1 - share)
    log_e = betaln(a + e_c, b + e_s) - betaln(a, b) - xlogy(e_c, share) - xlog1py(e_s, -share)
    posterior = np.maximum(betaincc(a + e_c, b + e_s, share), 1e-300)
    log_e += np.log(posterior / betaincc(a, b, share))
    return _outcome(log_e >= math.log(1 / alpha), streams, scenario)


def turner_grunwald(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """Stratified plug-in e-process of Turner and Gruenwald on the windows of a poll.

    Add-.18 means of the past are the alternative, their projection on equal rates is the null; no
    bet while the canary looks better.
    """
    n_c, e_c, n_s, e_s = arrived_counts(streams)
    before = [np.cumsum(array, axis=1) - array for array in (n_c, e_c, n_s, e_s)]
    p_c = (before[1] + 0.18) / (before[0] + 0.36)
    p_s = (before[3] + 0.18) / (before[2] + 0.36)
    first = before[0] + before[2] == 0
    p_c, p_s = np.where(first, 0.5, p_c), np.where(first, 0.5, p_s)
    p_0 = np.where(n_c + n_s > 0, (n_c * p_c + n_s * p_s) / np.maximum(1, n_c + n_s), 0.5)
    growth = (
        xlogy(e_c, p_c / p_0)
        + xlogy(n_c - e_c, (1 - p_c) / (1 - p_0))
        + xlogy(e_s, p_s / p_0)
        + xlogy(n_s - e_s, (1 - p_s) / (1 - p_0))
    )
    log_e = np.cumsum(np.where(p_c > p_s, growth, 0.0), axis=1)
    return _outcome(log_e >= math.log(1 / alpha), streams, scenario)


def _rolling_rate(streams: ErrorStreams, seconds: int) -> NDArray[np.float64]:
    """Error rate of the canary over the last `seconds`; NaN without requests."""
    n_c, e_c, _, _ = _pooled(streams)
    back = max(1, seconds // streams.window)
    for array in (n_c, e_c):
        array[:, back:] = array[:, back:] - array[:, :-back].copy()
    return np.where(n_c > 0, e_c / np.maximum(n_c, 1), np.nan)


def fixed_threshold(threshold: float, limit: int) -> Peer:
    """Return Argo's `errorRate < threshold` over 1m, which fails after `limit` failures."""

    def judge(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:  # noqa: ARG001
        failures = np.cumsum(_rolling_rate(streams, 60) >= threshold, axis=1)
        return _outcome(failures > limit, streams, scenario)

    return judge


def flagger(threshold: float, checks: int) -> Peer:
    """Return Flagger's success rate over 1m: rolled back at this many failed checks.

    A check without a value counts as failed, as in Flagger.
    """

    def judge(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:  # noqa: ARG001
        rate = _rolling_rate(streams, 60)
        failures = np.cumsum((rate > threshold) | np.isnan(rate), axis=1)
        return _outcome(failures >= checks, streams, scenario)

    return judge


def kayenta(*, peek: bool) -> Peer:
    """Return Kayenta's judge (the port) on error rates per poll, at the end or from 3 points on."""
    config = MetricConfig(name="errors", direction=Direction.INCREASE)

    def judge(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:  # noqa: ARG001
        n_c, e_c, n_s, e_s = arrived_counts(streams)
        runs, windows = n_c.shape
        crossed = np.zeros((runs, windows), dtype=bool)
        for run in range(runs):
            here = (n_c[run] > 0) & (n_s[run] > 0)
            experiment = np.where(here, e_c[run] / np.maximum(1, n_c[run]), np.nan)
            control = np.where(here, e_s[run] / np.maximum(1, n_s[run]), np.nan)
            for window in range(2, windows) if peek else [windows - 1]:
                points = [array[: window + 1] for array in (experiment, control)]
                points = [array[~np.isnan(array)] for array in points]
                found = classify_mann_whitney(points[0], points[1], config)
                if found.classification is Classification.HIGH:
                    crossed[run, window] = True
                    break
        return _outcome(crossed, streams, scenario)

    return judge


def sprt_path(streams: ErrorStreams, scenario: ErrorScenario) -> NDArray[np.float64]:
    """Return the log likelihood ratio of an oracle that knows both rates, at every poll.

    Against the common rate closest to them (their mean weighted by the requests of the window).
    """
    n_c, e_c, n_s, e_s = arrived_counts(streams)
    starts = scenario.skip + np.arange(n_c.shape[1]) * streams.window
    p_s = scenario.rate * (1 + (scenario.drift - 1) * starts / 660)
    p_c = np.minimum(0.999, p_s * np.where(starts >= scenario.onset, scenario.ratio, 1.0))
    p_0 = np.where(n_c + n_s > 0, (n_c * p_c + n_s * p_s) / np.maximum(1, n_c + n_s), 0.5)
    growth = (
        xlogy(e_c, p_c / p_0)
        + xlogy(n_c - e_c, (1 - p_c) / (1 - p_0))
        + xlogy(e_s, p_s / p_0)
        + xlogy(n_s - e_s, (1 - p_s) / (1 - p_0))
    )
    return np.cumsum(growth, axis=1)


def sprt_ville(streams: ErrorStreams, scenario: ErrorScenario, alpha: float) -> Outcome:
    """Oracle: knows both rates, stops at 1/alpha."""
    return _outcome(sprt_path(streams, scenario) >= math.log(1 / alpha), streams, scenario)


PEERS: dict[str, Peer] = {
    "Argo <3 % [1m], limit 0": fixed_threshold(0.03, 0),
    "Argo <3 % [1m], limit 3": fixed_threshold(0.03, 3),
    "Argo <2 % [1m], limit 0": fixed_threshold(0.02, 0),
    "Argo <2 % [1m], limit 3": fixed_threshold(0.02, 3),
    "Flagger >=98 %, 5 checks": flagger(0.02, 5),
    "Flagger >=97 %, 5 checks": flagger(0.03, 5),
    "Kayenta, end": kayenta(peek=False),
    "Kayenta, every poll": kayenta(peek=True),
    "z, end": z_end,
    "z, every poll, naive": z_naive,
    "z, Bonferroni": z_bonferroni,
    "Fisher, end": fisher_end,
    "Fisher, Bonferroni": fisher_bonferroni,
    "CMH, Pocock spending": cmh_pocock,
    "asymptotic CS": asymptotic,
    "Lindon-Malek": lindon_malek,
    "Turner-Gruenwald": turner_grunwald,
    "oracle SPRT, Ville": sprt_ville,
}
