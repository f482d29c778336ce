"""Properties of schedule, selection, ballots and histogram that hold for every seed."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import islice, pairwise
from statistics import fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svckit.randomness import stream
from votegen.domain.ballots import Voters, ballots
from votegen.domain.histogram import HistogramRecorder, bucket_bounds, bucket_of
from votegen.domain.outcome import ErrorKind, Outcome
from votegen.domain.pacer import Arrivals, Pace, due_times, unit_gaps
from votegen.domain.results import Progress, Tally, TargetTally, result_document
from votegen.domain.selection import Weights, spread

SEEDS = st.integers(min_value=0, max_value=2**32)
RATES = st.floats(min_value=0.01, max_value=10_000, allow_nan=False)
TIMES = st.floats(min_value=0, max_value=100, allow_nan=False)


@given(rate=RATES, duration=st.floats(min_value=0.001, max_value=20), seed=SEEDS)
def test_due_times_ascend_within_the_duration(rate: float, duration: float, seed: int) -> None:
    """Every due time is inside the run and none comes before its predecessor."""
    for arrivals in Arrivals:
        times = list(
            islice(
                due_times(
                    rate=rate, duration_seconds=duration, arrivals=arrivals, rng=stream(seed)
                ),
                2000,
            )
        )
        assert all(0 <= time < duration for time in times)
        assert all(one <= other for one, other in pairwise(times))


@given(
    seed=SEEDS,
    changes=st.lists(
        st.tuples(st.floats(min_value=0, max_value=2), st.floats(min_value=0, max_value=50)),
        max_size=8,
    ),
)
def test_no_change_of_rate_makes_up_or_loses_a_request(
    seed: int, changes: list[tuple[float, float]]
) -> None:
    """Whatever the rates, requests sent = gaps that fit into the rate summed over time."""
    gaps = list(islice(unit_gaps(Arrivals.POISSON, stream(seed)), 2000))
    pace, sent, now, units = Pace.starting(rate=10.0, first_gap=gaps[0]), 0, 0.0, 0.0
    for length, rate in [*changes, (2.0, 0.0)]:
        end = now + length
        while pace.due_at <= end:
            sent += 1
            pace = pace.after(gaps[sent])
        units += length * pace.rate
        pace = pace.at_rate(rate, now=end)
        now = end
    assert sum(gaps[:sent]) <= units + 1e-6
    assert sum(gaps[: sent + 1]) >= units - 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_poisson_counts_have_equal_mean_and_variance(seed: int) -> None:
    """Counts in 2,000 windows of 10 expected requests: mean and variance are 10, within 4 sigma."""
    windows = 2000
    counts = Counter(
        int(time)
        for time in due_times(
            rate=10,
            duration_seconds=windows,
            arrivals=Arrivals.POISSON,
            rng=stream(seed, "arrivals"),
        )
    )
    values = [counts[window] for window in range(windows)]
    assert abs(fmean(values) - 10) < 4 * math.sqrt(10 / windows)
    # Var of the sample variance of a Poisson variable: (mu + 2 mu^2) / n.
    assert abs(variance(values) - 10) < 4 * math.sqrt((10 + 2 * 100) / windows)


@pytest.mark.parametrize("weight", [20, 50, 100])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_canary_gets_its_weight(weight: int, seed: int) -> None:
    """20, 50 and 100 % of 2,000 requests, far within the two points that a gate tolerates."""
    weights = Weights.of({"stable": 100 - weight, "canary": weight})
    picks = Counter(weights.pick(u) for u in islice(spread(stream(seed, "targets")), 2000))
    assert abs(picks["canary"] / 2000 - weight / 100) <= 0.002


@given(
    seed=SEEDS,
    first=st.integers(min_value=0, max_value=5000),
    n=st.integers(min_value=10, max_value=1000),
    share=st.integers(min_value=0, max_value=100),
)
def test_every_stretch_of_requests_has_its_share(seed: int, first: int, n: int, share: int) -> None:
    """Any n consecutive requests split within (2 ln n + 2) requests of the weight."""
    weights = Weights.of({"canary": share, "stable": 100 - share})
    positions = islice(spread(stream(seed)), first, first + n)
    canary = sum(weights.pick(u) == "canary" for u in positions)
    assert abs(canary - n * share / 100) <= 2 * math.log(n) + 2


@given(seed=SEEDS, n=st.integers(min_value=1, max_value=200))
def test_ballots_repeat_with_the_seed(seed: int, n: int) -> None:
    """The same seed gives the same voters and votes, new or returning."""
    for voters in (Voters(), Voters(pool=7)):
        one, other = (
            list(islice(ballots(seed=seed, split_a=0.66, voters=voters), n)) for _ in range(2)
        )
        assert one == other


@given(seconds=st.floats(min_value=1e-9, max_value=1e6, allow_nan=False))
def test_a_time_is_inside_its_bucket(seconds: float) -> None:
    """Buckets are at most 0.8 % wide and hold what is put into them."""
    low, high = bucket_bounds(bucket_of(seconds))
    assert low <= seconds < high
    assert (high - low) / low <= 0.0079


@given(times=st.lists(TIMES, min_size=1, max_size=200))
def test_quantiles_are_within_a_bucket_of_the_exact_ones(times: list[float]) -> None:
    """Every quantile is within 0.8 % of the time of its rank."""
    recorder = HistogramRecorder()
    for time in times:
        recorder.record(time)
    levels = (0.01, 0.5, 0.9, 0.99, 1.0)
    exact = [sorted(times)[max(1, math.ceil(level * len(times))) - 1] for level in levels]
    found = recorder.snapshot().quantiles(levels)
    assert found == pytest.approx(exact, rel=0.008, abs=2e-9)


@given(one=st.lists(TIMES, max_size=50), other=st.lists(TIMES, max_size=50))
def test_merging_is_recording_both(one: list[float], other: list[float]) -> None:
    """The merged histogram is that of all times, in either order."""

    def of(times: list[float]) -> HistogramRecorder:
        recorder = HistogramRecorder()
        for time in times:
            recorder.record(time)
        return recorder

    a, b, both = of(one).snapshot(), of(other).snapshot(), of(one + other).snapshot()
    for merged in (a.merged(b), b.merged(a)):
        assert dict(merged.counts) == dict(both.counts)
        assert merged.total_seconds == pytest.approx(both.total_seconds)
        assert merged.max_seconds == both.max_seconds


OUTCOMES = st.one_of(
    st.builds(
        Outcome,
        status=st.integers(min_value=200, max_value=599),
        pod_hash=st.sampled_from(["7cd75c6d7c", "54bc444575", "unknown"]),
    ),
    st.builds(
        Outcome,
        failure=st.sampled_from(
            [ErrorKind.TIMEOUT, ErrorKind.CONNECT, ErrorKind.RESET, ErrorKind.PROTOCOL]
        ),
    ),
)


@given(outcomes=st.lists(OUTCOMES, max_size=100))
def test_totals_reconcile(outcomes: list[Outcome]) -> None:
    """Per target: requests = ok + errors = sum over hashes; and the result is plain JSON."""
    target = TargetTally()
    for outcome in outcomes:
        target.record(outcome, latency_seconds=0.01, service_seconds=0.01)
    document = result_document(
        Tally(planned=len(outcomes), targets={"canary": target}),
        Progress(duration_seconds=1.0, real_seconds=1.0),
    )
    json.dumps(document, allow_nan=False)
    result = document["targets"]["canary"]
    assert result["requests"] == len(outcomes)
    assert result["ok"] + sum(result["errors"].values()) == len(outcomes)
    assert sum(count["requests"] for count in result["hashes"].values()) == len(outcomes)
