"""The generator of the judge league draws what its scenarios say, and the same for one seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from league.scenarios import ALL, RAMP, ErrorScenario, Latency, LatencyScenario
from league.streams import (
    EDGES,
    ErrorStreams,
    bin_shares,
    cdf,
    chunk_seed,
    draw_errors,
    draw_latencies,
    weights_at,
)


def errors(name: str, runs: int = 400) -> ErrorStreams:
    """Errors."""
    scenario = ALL[name]
    assert isinstance(scenario, ErrorScenario)
    return draw_errors(scenario, chunk_seed(name, 1, 0), runs)


def test_one_seed_gives_one_stream() -> None:
    """One seed gives one stream."""
    first, second = errors("S3-1-5", 20), errors("S3-1-5", 20)
    assert np.array_equal(first.bad_canary, second.bad_canary)
    assert np.array_equal(first.history_bad, second.history_bad)
    other = draw_errors(ALL["S3-1-5"], chunk_seed("S3-1-5", 2, 0), 20)
    assert not np.array_equal(first.bad_canary, other.bad_canary)


def test_traffic_weight_and_rates_are_the_scenarios() -> None:
    """Traffic weight and rates are the scenarios."""
    streams = errors("S6-2-5")
    assert streams.count_canary.shape == (400, 22)
    canary, stable = streams.count_canary.sum(), streams.count_stable.sum()
    assert (canary + stable) / (400 * 660) == pytest.approx(50, rel=0.01)
    assert canary / (canary + stable) == pytest.approx(0.2, rel=0.01)
    assert streams.bad_canary.sum() / canary == pytest.approx(0.05, rel=0.02)
    assert streams.bad_stable.sum() / stable == pytest.approx(0.02, rel=0.02)


def test_a_ramp_moves_the_weight_while_the_base_drifts() -> None:
    """A ramp moves the weight while the base drifts."""
    streams = errors("S2")
    share = streams.count_canary.sum(0) / (streams.count_canary + streams.count_stable).sum(0)
    assert share[0] == pytest.approx(0.05, abs=0.01)
    assert share[-1] == pytest.approx(0.8, abs=0.01)
    rate = streams.bad_stable.sum(0) / streams.count_stable.sum(0)
    assert rate[-1] / rate[0] == pytest.approx(3.9, rel=0.15)


def test_weights_change_at_their_second() -> None:
    """Weights change at their second."""
    assert weights_at(RAMP, np.array([0.0, 164.0, 165.0, 600.0])).tolist() == [0.05, 0.05, 0.2, 0.8]


@pytest.mark.parametrize(("name", "variance"), [("S3-5-30", 0.2), ("S3-0.3-30", 1 / 0.3)])
def test_bursts_add_the_variance_of_their_law(name: str, variance: float) -> None:
    """Var(e) of a 30 s window is m + m^2/kappa when a block is the window."""
    bad = errors(name, 2000).bad_stable[:, :].astype(float)
    mean = bad.mean()
    assert (bad.var() - mean) / mean**2 == pytest.approx(variance, rel=0.15)


def test_common_bursts_hit_both_arms_alike() -> None:
    """Common bursts hit both arms alike."""
    apart, common = errors("S3-0.3-30"), errors("S3-common")
    for streams, low, high in ((apart, -0.1, 0.1), (common, 0.8, 1.0)):
        together = np.corrcoef(streams.bad_canary.ravel(), streams.bad_stable.ravel())[0, 1]
        assert low < together < high


def test_skipping_leaves_the_first_windows_out() -> None:
    """Skipping leaves the first windows out."""
    assert errors("S4-180", 10).count_canary.shape[1] == (660 - 180) // 30


def test_ten_metrics_share_half_of_their_errors() -> None:
    """Ten metrics share half of their errors."""
    streams = errors("M1")
    assert streams.bad_canary.shape == (10, 400, 22)
    assert streams.bad_stable.mean() == pytest.approx(0.02 * streams.count_stable.mean(), rel=0.03)
    together = np.corrcoef(streams.bad_stable[0].ravel(), streams.bad_stable[1].ravel())[0, 1]
    assert together == pytest.approx(0.5, abs=0.1)


def test_windows_go_missing_when_the_canary_is_bad() -> None:
    """Windows go missing when the canary is bad."""
    streams = errors("D2")
    rate = streams.bad_canary / np.maximum(1, streams.count_canary)
    assert rate[streams.arrived].max() <= 0.03
    assert 0.0 < streams.arrived.mean() < 0.3


class TestLatency:
    """Latency."""

    def test_bins_of_the_usual_case_have_its_quantiles(self) -> None:
        """Bins of the usual case have its quantiles."""
        below = np.cumsum(bin_shares(Latency(), 1.0))
        for share, ms in ((0.5, 80.0), (0.99, 323.0)):
            assert EDGES[np.searchsorted(below, share)] == pytest.approx(ms, rel=0.02)

    def test_a_tail_is_stretched_above_the_90th_percentile_only(self) -> None:
        """A tail is stretched above the 90th percentile only."""
        usual, tail = Latency(), Latency(tail=1.3)
        x = np.array([80.0, 170.0, 323.0 * 1.3])
        assert cdf(tail, x)[:2] == pytest.approx(cdf(usual, x)[:2])
        assert cdf(tail, x)[2] == pytest.approx(0.99, abs=1e-4)

    def test_added_time_and_slow_pods_are_mixtures(self) -> None:
        """Added time and slow pods are mixtures."""
        later = Latency(added=(0.03, 400.0))
        assert 1 - cdf(later, np.array([400.0]))[0] == pytest.approx(0.03, abs=0.005)
        pods = Latency(slow_share=(0.2, 2.0))
        usual = cdf(Latency(), np.array([160.0, 80.0]))
        assert cdf(pods, np.array([160.0]))[0] == pytest.approx(0.8 * usual[0] + 0.2 * usual[1])

    def test_a_pareto_tail_has_its_index(self) -> None:
        """A pareto tail has its index."""
        heavy = Latency(pareto=1.5)
        above = 1 - cdf(heavy, np.array([1000.0, 2000.0]))
        assert above[0] / above[1] == pytest.approx(2**1.5)

    def test_every_request_is_in_one_bin(self) -> None:
        """Every request is in one bin."""
        scenario = ALL["L5"]
        assert isinstance(scenario, LatencyScenario)
        streams = draw_latencies(replace(scenario, rps=20), chunk_seed("L5", 1, 0), 50)
        per_window = (streams.canary + streams.stable).sum(axis=-1).mean()
        assert per_window == pytest.approx(20 * 30, rel=0.02)
