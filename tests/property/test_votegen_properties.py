"""Properties of schedule, selection, ballots and histogram that hold for every seed."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import accumulate, chain, pairwise
from statistics import fmean, variance

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svckit.randomness import stream
from votegen.domain.ballots import BallotBox, Voters
from votegen.domain.histogram import HistogramRecorder, bucket_bounds, bucket_of
from votegen.domain.outcome import ErrorKind, Outcome
from votegen.domain.profile import Profile, Sine, Stages, Steady
from votegen.domain.results import Progress, Tally, TargetTally, result_document
from votegen.domain.schedule import Arrivals, Schedule
from votegen.domain.selection import Weights, positions

SEEDS = st.integers(min_value=0, max_value=2**32)
TIMES = st.floats(min_value=0, max_value=100, allow_nan=False)


def _due(
    profile: Profile,
    duration: float,
    arrivals: Arrivals,
    seed: int,
    *,
    part: int = 0,
    parts: int = 1,
) -> list[float]:
    schedule = Schedule(profile, arrivals=arrivals, seed=seed, part=part, parts=parts)
    return schedule.take(duration, before=duration)


STAGES = st.builds(
    lambda rates, gaps: Stages(
        tuple(zip([0.0, *accumulate(gaps)], rates[: len(gaps) + 1], strict=True))
    ),
    rates=st.lists(st.floats(min_value=0.5, max_value=200), min_size=5, max_size=5),
    gaps=st.lists(st.floats(min_value=0, max_value=5), max_size=4),
)
SINES = st.builds(
    lambda mean, share, period: Sine(mean=mean, amplitude=mean * share, period=period),
    mean=st.floats(min_value=0.5, max_value=200),
    share=st.floats(min_value=0, max_value=1),
    period=st.floats(min_value=0.1, max_value=100),
)
PROFILES = st.one_of(st.builds(Steady, st.floats(min_value=0.5, max_value=500)), STAGES, SINES)


@given(profile=PROFILES, units=st.lists(st.floats(min_value=0, max_value=5000), min_size=1))
def test_a_profile_and_its_inverse_agree(profile: Profile, units: list[float]) -> None:
    """The time at which u units have passed is a time until which u units pass; both ascend."""
    units.sort()
    times = profile.times_at(np.array(units))
    assert all(one <= other for one, other in pairwise(times))
    back = [profile.units_until(float(time)) for time in times]
    assert back == pytest.approx(units, rel=1e-9, abs=1e-6)


@given(profile=PROFILES, first=TIMES, length=st.floats(min_value=0, max_value=20))
def test_no_profile_exceeds_its_peak(profile: Profile, first: float, length: float) -> None:
    """What passes in a while is at most the peak times the while."""
    passed = profile.units_until(first + length) - profile.units_until(first)
    assert -1e-6 <= passed <= profile.peak * length + 1e-6


@given(profile=PROFILES, duration=st.floats(min_value=0.001, max_value=10), seed=SEEDS)
def test_due_times_ascend_within_the_duration(profile: Profile, duration: float, seed: int) -> None:
    """Every due time is inside the run and none comes before its predecessor."""
    for arrivals in Arrivals:
        times = _due(profile, duration, arrivals, seed)
        assert all(0 <= time < duration for time in times)
        assert all(one <= other for one, other in pairwise(times))


@given(
    profile=PROFILES,
    duration=st.floats(min_value=0.001, max_value=10),
    seed=SEEDS,
    parts=st.integers(min_value=1, max_value=5),
)
def test_the_parts_of_a_schedule_are_the_whole(
    profile: Profile, duration: float, seed: int, parts: int
) -> None:
    """However many processes share a plan, together they send exactly its schedule."""
    for arrivals in Arrivals:
        shares = [
            _due(profile, duration, arrivals, seed, part=part, parts=parts) for part in range(parts)
        ]
        assert sorted(chain.from_iterable(shares)) == _due(profile, duration, arrivals, seed)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


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
    # At a rate of one the due times are the sums of the gaps.
    sums = _due(Steady(1.0), 2000, Arrivals.POISSON, seed)
    schedule = Schedule(Steady(10.0), arrivals=Arrivals.POISSON, seed=seed)
    sent, now, units, before = 0, 0.0, 0.0, 10.0
    for length, rate in [*changes, (2.0, 0.0)]:
        now += length
        sent += len(schedule.take(now))
        units += length * before
        before = rate
        schedule.change(Steady(rate), now=now)
    assert not sent or sums[sent - 1] <= units + 1e-6
    assert sums[sent] >= units - 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_poisson_counts_have_equal_mean_and_variance(seed: int) -> None:
    """Counts in 2,000 windows of 10 expected requests: mean and variance are 10, within 4 sigma."""
    windows = 2000
    counts = Counter(int(time) for time in _due(Steady(10), windows, Arrivals.POISSON, seed))
    values = [counts[window] for window in range(windows)]
    assert abs(fmean(values) - 10) < 4 * math.sqrt(10 / windows)
    # Var of the sample variance of a Poisson variable: (mu + 2 mu^2) / n.
    assert abs(variance(values) - 10) < 4 * math.sqrt((10 + 2 * 100) / windows)


def _picks(weights: Weights, seed: int, first: int, count: int) -> Counter[str]:
    start = stream(seed, "targets").random()
    return Counter(map(weights.pick, positions(start, np.arange(first, first + count))))


@pytest.mark.parametrize("weight", [20, 50, 100])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_canary_gets_its_weight(weight: int, seed: int) -> None:
    """20, 50 and 100 % of 2,000 requests, far within the two points that a gate tolerates."""
    picks = _picks(Weights.of({"stable": 100 - weight, "canary": weight}), seed, 0, 2000)
    assert abs(picks["canary"] / 2000 - weight / 100) <= 0.002


@given(
    seed=SEEDS,
    first=st.integers(min_value=0, max_value=10**9),
    n=st.integers(min_value=10, max_value=1000),
    share=st.integers(min_value=0, max_value=100),
)
def test_every_stretch_of_requests_has_its_share(seed: int, first: int, n: int, share: int) -> None:
    """Any n consecutive requests split within (2 ln n + 2) requests of the weight."""
    picks = _picks(Weights.of({"canary": share, "stable": 100 - share}), seed, first, n)
    assert abs(picks["canary"] - n * share / 100) <= 2 * math.log(n) + 2


@given(seed=SEEDS, sizes=st.lists(st.integers(min_value=1, max_value=100), min_size=1, max_size=4))
def test_ballots_repeat_with_the_seed(seed: int, sizes: list[int]) -> None:
    """The same seed gives the same voters and votes, new or returning, in whatever portions."""
    for voters in (Voters(), Voters(pool=7)):
        whole, portions = (
            BallotBox(seed=seed, split_a=0.66, gets=0.1, voters=voters) for _ in range(2)
        )
        taken = [portions.take(size) for size in sizes]
        all_of_them = whole.take(sum(sizes))
        assert list(chain.from_iterable(one.voter_ids for one in taken)) == all_of_them.voter_ids
        assert list(chain.from_iterable(one.votes for one in taken)) == all_of_them.votes


@given(seed=SEEDS, parts=st.integers(min_value=2, max_value=5), pool=st.sampled_from([None, 7]))
def test_the_parts_of_a_run_share_its_ballots(seed: int, parts: int, pool: int | None) -> None:
    """What several processes cast is, woven together, what one casts: nobody votes twice."""
    common = {"seed": seed, "split_a": 0.66, "gets": 0.1, "voters": Voters(pool=pool)}
    whole = BallotBox(**common).take(20 * parts)
    shares = [BallotBox(**common, part=part, parts=parts).take(20) for part in range(parts)]
    for name in ("voter_ids", "votes"):
        woven = zip(*(getattr(share, name) for share in shares), strict=True)
        assert list(chain.from_iterable(woven)) == getattr(whole, name)


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
    recorder.record(times)
    levels = (0.01, 0.5, 0.9, 0.99, 1.0)
    exact = [sorted(times)[max(1, math.ceil(level * len(times))) - 1] for level in levels]
    found = recorder.snapshot().quantiles(levels)
    assert found == pytest.approx(exact, rel=0.008, abs=2e-9)


@given(one=st.lists(TIMES, max_size=50), other=st.lists(TIMES, max_size=50))
def test_merging_is_recording_both(one: list[float], other: list[float]) -> None:
    """The merged histogram is that of all times, in either order."""

    def of(times: list[float]) -> HistogramRecorder:
        recorder = HistogramRecorder()
        recorder.record(times)
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
        target.record(outcome)
    document = result_document(
        Tally(planned=len(outcomes), targets={"canary": target}),
        Progress(duration_seconds=1.0, real_seconds=1.0),
    )
    json.dumps(document, allow_nan=False)
    result = document["targets"]["canary"]
    assert result["requests"] == len(outcomes)
    assert result["ok"] + sum(result["errors"].values()) == len(outcomes)
    assert sum(count["requests"] for count in result["hashes"].values()) == len(outcomes)
