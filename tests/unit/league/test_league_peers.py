"""Peers of the league behave as published, and agree with the functions that vectors prove."""

from __future__ import annotations

import numpy as np
import pytest
from league import peers_errors, peers_latency
from league.outcome import first_crossing
from league.scenarios import ALL, ErrorScenario, LatencyScenario
from league.streams import ErrorStreams, chunk_seed, draw_errors, draw_latencies
from scipy import stats

from analyzer.domain.contenders import proportions

ALPHA = 0.01


def draw(name: str, runs: int) -> tuple[ErrorScenario, ErrorStreams]:
    """Draw."""
    scenario = ALL[name]
    assert isinstance(scenario, ErrorScenario)
    return scenario, draw_errors(scenario, chunk_seed(name, 1, 0), runs)


def share(peer: str, name: str, runs: int = 1000) -> float:
    """Share."""
    scenario, streams = draw(name, runs)
    outcome = peers_errors.PEERS[peer](streams, scenario, ALPHA)
    return float(np.isfinite(outcome.failed_at).mean())


def test_crossings_are_told_at_the_end_of_their_window() -> None:
    """Crossings are told at the end of their window."""
    crossed = np.array([[False, True, True], [False, False, False]])
    assert first_crossing(crossed, 30, 60).tolist() == [120.0, np.inf]


@pytest.mark.parametrize(
    ("peer", "scenario", "low", "high"),
    [
        ("z, every poll, naive", "S0-2-50", 0.05, 0.11),
        ("z, end", "S0-2-50", 0.003, 0.025),
        ("z, Bonferroni", "S0-2-50", 0.0, 0.02),
        ("Fisher, Bonferroni", "S0-2-50", 0.0, 0.01),
        ("CMH, Pocock spending", "S0-2-50", 0.004, 0.025),
        ("oracle SPRT, Ville", "S0-2-50", 0.0, 0.01),
        ("Argo <3 % [1m], limit 0", "S0-2-50", 0.5, 0.7),
        ("Flagger >=98 %, 5 checks", "S0-2-50", 0.6, 1.0),
        ("z, Bonferroni", "S2", 0.98, 1.0),
        ("asymptotic CS", "S2", 0.95, 1.0),
        ("CMH, Pocock spending", "S2", 0.005, 0.04),
        ("z, Bonferroni", "S6-2-5", 0.99, 1.0),
    ],
)
def test_shares_that_fail_are_the_published_ones(
    peer: str, scenario: str, low: float, high: float
) -> None:
    """Shares that fail are the published ones."""
    assert low <= share(peer, scenario) <= high


def test_vectorised_tests_are_the_proven_ones() -> None:
    """Vectorised tests are the proven ones."""
    _, streams = draw("S6-2-5", 5)
    n_c, e_c, n_s, e_s = (np.cumsum(one, axis=1) for one in peers_errors.arrived_counts(streams))
    z = peers_errors._z(streams)
    p = peers_errors._fisher(streams)
    for run in range(5):
        cells = (int(one[run, 3]) for one in (e_c, n_c, e_s, n_s))
        table = proportions.Table(*cells)
        assert z[run, 3] == pytest.approx(proportions.pooled_z(table), rel=1e-12)
        assert p[run, 3] == pytest.approx(proportions.fisher_greater(table), rel=1e-8)
    assert peers_errors.pocock_boundaries(0.05, 2)[0] == pytest.approx(
        stats.norm.isf(0.05 * np.log(1 + (np.e - 1) / 2)), abs=0.011
    )


def test_rank_and_distance_tests_on_histograms_follow_scipy() -> None:
    """Rank and distance tests on histograms follow scipy."""
    scenario = ALL["L1-1.3"]
    assert isinstance(scenario, LatencyScenario)
    streams = draw_latencies(scenario, chunk_seed("L1-1.3", 1, 0), 1)
    canary, stable = streams.canary[0, 0], streams.stable[0, 0]
    z = float(peers_latency.mann_whitney_z(canary[None] * 1.0, stable[None] * 1.0)[0])
    bins = np.arange(len(canary))
    samples = np.repeat(bins, canary), np.repeat(bins, stable)
    wanted = stats.mannwhitneyu(
        *samples, alternative="greater", method="asymptotic", use_continuity=False
    )
    assert stats.norm.sf(z) == pytest.approx(wanted.pvalue, rel=1e-9)
