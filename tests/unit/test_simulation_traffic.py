"""Simulated votes: their number, their split, their outcome, and what is told of them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from rollout_runner.adapters.in_process import Latencies
from rollout_runner.scenarios.model import AddedLatency, Behaviour, Traffic
from rollout_runner.simulation.randomness import RunSeed
from rollout_runner.simulation.traffic import Conduct, SimulatedTraffic
from svckit.virtual_time import EPOCH

FIELDS = 8
SEED = RunSeed(3, 0)


class Told:
    """A telemetry that keeps what it is told, second by second."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, list[int]]] = {}
        self.histograms: dict[str, dict[int, Mapping[int, int]]] = {}

    def take(
        self,
        app: str,
        labels: Mapping[str, str],
        first: int,
        counts: array[int],
        latencies: Latencies,
    ) -> None:
        """Keep consecutive seconds."""
        assert app == "shop"
        rows = np.array(counts).reshape(-1, FIELDS).tolist()
        for second, row in enumerate(rows, first):
            histogram = latencies.total(second, second + 1)
            assert second not in self.rows.get(labels["hash"], {}), "told twice"
            self.rows.setdefault(labels["hash"], {})[second] = row
            self.histograms.setdefault(labels["hash"], {})[second] = histogram

    def sums(self, pod_hash: str) -> list[int]:
        """Return the sum of all seconds of a version."""
        return np.sum(list(self.rows.get(pod_hash, {0: [0] * FIELDS}).values()), axis=0).tolist()


def votes(
    told: Told,
    *,
    seed: RunSeed = SEED,
    canary: Behaviour | None = None,
    stable: Behaviour | None = None,
    **traffic: Any,
) -> SimulatedTraffic:
    """Return traffic to two versions."""
    return SimulatedTraffic(
        Traffic(**{"rate": 50.0, **traffic}),
        seed=seed,
        start=EPOCH,
        app="shop",
        versions={
            "old": ({"hash": "old"}, stable or Behaviour()),
            "new": ({"hash": "new"}, canary or Behaviour()),
        },
        telemetry=told,
    )


def test_constant_arrivals_are_exact() -> None:
    """7.5 votes a second for a hundred seconds are 750, whatever the cuts in between."""
    told = Told()
    traffic = votes(told, rate=7.5, arrivals="constant")
    traffic.split({"old": 100}, EPOCH)
    for second in (0.3, 1.7, 30.0, 99.99):
        traffic.advance(EPOCH + second)
    traffic.tell(EPOCH + 100)
    assert told.sums("old")[0] == 750


def test_the_split_follows_the_weights() -> None:
    """As votegen's sequence does, the shares stay within a few votes of the weights."""
    told = Told()
    traffic = votes(told, arrivals="constant")
    traffic.split({"old": 80, "new": 20}, EPOCH)
    traffic.tell(EPOCH + 200)
    assert told.sums("old")[0] + told.sums("new")[0] == 10_000
    assert abs(told.sums("new")[0] - 2000) <= 10


def test_when_it_is_asked_does_not_change_what_happens() -> None:
    """A run that is looked at often serves the same votes as one that is looked at once."""
    often, once = Told(), Told()
    for told, looks in ((often, [second / 3 for second in range(1, 300)]), (once, [])):
        traffic = votes(told, canary=Behaviour(errors="10%"), stable=Behaviour(errors="1%"))
        traffic.split({"old": 60, "new": 40}, EPOCH)
        for look in looks:
            traffic.tell(EPOCH + look)
        traffic.tell(EPOCH + 100)
    assert often.rows == once.rows
    assert often.histograms == once.histograms


def test_a_version_fails_its_share_and_no_more() -> None:
    """5.2 % of the canary's votes fail, within four standard deviations; stable's never do."""
    told = Told()
    traffic = votes(told, canary=Behaviour(errors="5.2%"))
    traffic.split({"old": 50, "new": 50}, EPOCH)
    traffic.tell(EPOCH + 1000)
    samples, errors, server_errors, *_ = told.sums("new")
    deviation = (samples * 0.052 * 0.948) ** 0.5
    assert abs(errors - samples * 0.052) < 4 * deviation
    assert server_errors == errors
    assert told.sums("old")[1] == 0


def test_a_client_error_is_no_error() -> None:
    """A version that answers 404 to everything has 4xx and no errors."""
    told = Told()
    traffic = votes(told, canary=Behaviour(status=404))
    traffic.split({"new": 100}, EPOCH)
    traffic.tell(EPOCH + 10)
    samples, errors, server_errors, client_errors, *_ = told.sums("new")
    assert (errors, server_errors, client_errors) == (0, 0, samples)
    assert traffic.totals(EPOCH + 10)[1].errors == 0


def test_latencies_have_the_wanted_quantiles() -> None:
    """Of 50,000 votes half are faster than p50 and 1 % slower than p99, to a bucket's width."""
    told = Told()
    traffic = votes(told, stable=Behaviour(p50="20ms", p99="120ms"))
    traffic.split({"old": 100}, EPOCH)
    traffic.tell(EPOCH + 1000)
    buckets: dict[int, int] = {}
    for histogram in told.histograms["old"].values():
        for bucket, count in histogram.items():
            buckets[bucket] = buckets.get(bucket, 0) + count
    total = sum(buckets.values())
    assert total == told.sums("old")[0]
    below = {
        seconds: sum(count for bucket, count in buckets.items() if 2 ** (bucket / 32) < seconds)
        for seconds in (0.020, 0.120)
    }
    assert below[0.020] / total == pytest.approx(0.50, abs=0.03)
    assert below[0.120] / total == pytest.approx(0.99, abs=0.002)


def test_added_latency_is_on_top_of_every_vote() -> None:
    """With 300 ms ± 50 ms added nobody is faster than 250 ms."""
    told = Told()
    slow = Behaviour(latency=AddedLatency(add="300ms", jitter="50ms"))
    traffic = votes(told, stable=slow)
    traffic.split({"old": 100}, EPOCH)
    traffic.tell(EPOCH + 20)
    lowest = min(min(histogram) for histogram in told.histograms["old"].values() if histogram)
    assert 2 ** ((lowest + 1) / 32) >= 0.250


def test_a_change_takes_effect_at_its_instant() -> None:
    """Votes before a change of behaviour in the middle of a second are not touched by it."""
    told = Told()
    traffic = votes(told, arrivals="constant", rate=100.0)
    traffic.split({"new": 100}, EPOCH)
    traffic.behave("new", Behaviour(errors="100%"), EPOCH + 4.25)
    traffic.tell(EPOCH + 10)
    assert told.rows["new"][int(EPOCH) + 4][1] == 75
    assert told.sums("new")[1] == 575


def test_nothing_is_told_of_a_second_that_is_not_over() -> None:
    """Telemetry of a second comes when it is over."""
    told = Told()
    traffic = votes(told)
    traffic.split({"old": 100}, EPOCH)
    traffic.tell(EPOCH + 5.9)
    assert max(told.rows["old"]) == int(EPOCH) + 4


def test_two_runs_of_one_number_meet_the_same_votes() -> None:
    """Seed and number decide, and another number gives other votes."""
    rows = []
    for seed in (RunSeed(3, 1), RunSeed(3, 1), RunSeed(3, 2)):
        told = Told()
        traffic = votes(told, seed=seed, canary=Behaviour(errors="5%"))
        traffic.split({"new": 100}, EPOCH)
        traffic.tell(EPOCH + 60)
        rows.append(told.rows)
    assert rows[0] == rows[1]
    assert rows[0] != rows[2]


def test_a_behaviour_without_latency_is_the_default_one() -> None:
    """20 ms and 120 ms unless said otherwise; another p50 alone keeps the shape."""
    plain, slower = Conduct.of(Behaviour()), Conduct.of(Behaviour(p50="40ms"))
    assert 2**plain.location == pytest.approx(0.020)
    assert slower.location - plain.location == pytest.approx(1)
    assert slower.spread == pytest.approx(plain.spread)
