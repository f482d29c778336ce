"""The open loop in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from svckit.clock import ManualClock
from svckit.errors import InvalidInput
from votegen.domain.outcome import ErrorKind, Outcome
from votegen.domain.plan import Plan
from votegen.domain.schedule import Arrivals
from votegen.domain.targets import Target
from votegen.engine.openloop import Engine
from votegen_fakes import OK, FakeTargets, drive, let_pass, timebase, turn

pytestmark = pytest.mark.anyio

STABLE = Target(name="stable", url="http://stable.test", weight=80)
CANARY = Target(name="canary", url="http://canary.test", weight=20)
ONE = Plan(targets=(Target(name="default", url="http://vote.test"),), rate=100, duration_seconds=2)


@pytest.fixture(name="clock")
def _clock() -> ManualClock:
    return ManualClock(0.0)


async def _result(engine: Engine, clock: ManualClock) -> dict[str, Any]:
    await drive(clock, engine.run())
    return engine.snapshot()


def _engine(plan: Plan, targets: FakeTargets, *, clock_rate: float = 1.0) -> Engine:
    return Engine(plan, connectors=targets, timebase=timebase(targets.clock, clock_rate=clock_rate))


def _reconciles(document: dict[str, Any]) -> bool:
    ended = sum(target["requests"] for target in document["targets"].values())
    errors = sum(sum(t["errors"].values()) for t in document["targets"].values())
    ok = sum(target["ok"] for target in document["targets"].values())
    left = document["abandoned"] + document["in_flight"] + document["backlog"]
    started = document["sent"] + document["not_started"]
    return bool(document["planned"] == ended + left == started and ended == ok + errors)


async def test_everything_planned_is_sent_and_answered(clock: ManualClock) -> None:
    """Rate times duration requests, none late, none in error."""
    document = await _result(_engine(ONE, FakeTargets(clock)), clock)
    assert (document["planned"], document["sent"], document["completed"]) == (200, 200, 200)
    assert document["targets"]["default"]["ok"] == 200
    assert document["late"]["count"] == 0
    assert document["rate"] == 100
    assert _reconciles(document)


async def test_requests_leave_at_their_intended_times(clock: ManualClock) -> None:
    """The target sees the schedule."""
    targets = FakeTargets(clock)
    await _result(_engine(ONE, targets), clock)
    times = [time for _, time, _ in targets.payloads]
    assert times == pytest.approx([k / 100 for k in range(200)])


async def test_a_stalled_target_shows_in_the_latency_of_every_request_it_held_up(
    clock: ManualClock,
) -> None:
    """1,000/s for 8 s, stopped for 1 s: the percentiles are those of arithmetic.

    A request due x seconds before the end of the stall waits x seconds: of 8,000 requests 1,000
    wait evenly from 1 s to 0, so p90 is 200 ms, p95 600 ms, p99 920 ms and the maximum 1 s. Four
    connections make no difference, since latency counts from the intended time; service time does
    not see the stall at all.
    """
    targets = FakeTargets(clock, answers_in=lambda now: max(0.0, 4.0 - now) if now >= 3 else 0.0)
    plan = replace(ONE, rate=1000, duration_seconds=8, connections=4)
    document = await _result(_engine(plan, targets), clock)
    latency = document["targets"]["default"]["latency_ms"]
    assert document["completed"] == 8000
    assert latency["p50"] == pytest.approx(0, abs=0.001)
    assert latency["p90"] == pytest.approx(200, rel=0.01)
    assert latency["p95"] == pytest.approx(600, rel=0.01)
    assert latency["p99"] == pytest.approx(920, rel=0.01)
    assert latency["max"] == pytest.approx(1000, rel=0.001)
    assert document["targets"]["default"]["service_ms"]["p99"] == pytest.approx(0, abs=0.001)
    assert targets.most_under_way == 4
    # Those that waited for a connection say so.
    assert document["late"]["count"] == pytest.approx(1000 - 4, abs=4)


async def test_a_dead_target_ends_in_time_outs_and_in_bounded_time(clock: ManualClock) -> None:
    """No answer at all: every request fails after its time-out, the run ends soon after."""
    targets = FakeTargets(clock, answers_in=lambda _now: None)
    plan = replace(ONE, rate=50, timeout_seconds=1.0, connections=3)
    document = await _result(_engine(plan, targets), clock)
    assert document["targets"]["default"]["errors"]["timeout"] == 100
    assert document["completed"] == 0
    assert document["sent"] < 100
    assert targets.most_under_way == 3
    assert 2.9 < clock.now() < 3.3
    assert document["targets"]["default"]["latency_ms"]["max"] == pytest.approx(1000, abs=150)
    assert _reconciles(document)


async def test_a_refused_connection_is_an_error_and_nothing_sent(clock: ManualClock) -> None:
    """Target down: connect errors, no request sent, and the engine knows it is unreachable."""
    refused = Outcome(failure=ErrorKind.CONNECT)
    engine = _engine(ONE, FakeTargets(clock, outcome=lambda _host, _n: refused))
    document = await _result(engine, clock)
    assert document["targets"]["default"]["errors"]["connect"] == 200
    assert (document["sent"], engine.reachable) == (0, False)
    assert _reconciles(document)


async def test_answers_are_counted_by_kind_and_version(clock: ManualClock) -> None:
    """Every fourth answer of the canary is a 503, attributed to its hash."""
    bad = Outcome(status=503, pod_hash="7cd75c6d7c")
    targets = FakeTargets(clock, outcome=lambda _host, n: bad if n % 4 == 0 else OK)
    document = await _result(_engine(ONE, targets), clock)
    target = document["targets"]["default"]
    assert (target["ok"], target["errors"]["http_5xx"]) == (150, 50)
    assert target["hashes"] == {"7cd75c6d7c": {"requests": 200, "errors": 50}}


@pytest.mark.parametrize("weight", [20, 50, 100])
async def test_traffic_splits_by_weight(clock: ManualClock, weight: int) -> None:
    """The canary's share of 2,000 requests is its weight, within two points."""
    targets = (replace(STABLE, weight=100 - weight), replace(CANARY, weight=weight))
    plan = Plan(targets=targets, rate=1000, duration_seconds=2)
    document = await _result(_engine(plan, FakeTargets(clock)), clock)
    assert document["planned"] == 2000
    assert document["targets"]["canary"]["share"] == pytest.approx(weight / 100, abs=0.02)


async def test_the_rate_counts_per_virtual_second(clock: ManualClock) -> None:
    """At ten virtual seconds a second, 50 a second for 10 s are 500 requests in one real second."""
    plan = replace(ONE, rate=50, duration_seconds=10)
    document = await _result(_engine(plan, FakeTargets(clock), clock_rate=10), clock)
    assert document["planned"] == 500
    assert (document["duration_s"], document["duration_real_s"]) == (10.0, 1.0)
    assert (document["rate"], document["rate_real"]) == (50.0, 500.0)


async def test_latency_is_real_time_whatever_the_clock(clock: ManualClock) -> None:
    """An answer after 30 ms takes 30 ms at any acceleration."""
    targets = FakeTargets(clock, answers_in=lambda _now: 0.03)
    document = await _result(_engine(ONE, targets, clock_rate=10), clock)
    assert document["targets"]["default"]["latency_ms"]["p50"] == pytest.approx(30, rel=0.01)


async def test_the_same_seed_sends_the_same_bytes_to_the_same_targets() -> None:
    """Schedule, targets, votes and voters, and so the whole result, repeat."""
    runs = []
    for seed in (3, 3, 4):
        clock = ManualClock(0.0)
        targets = FakeTargets(clock)
        plan = Plan(
            targets=(STABLE, CANARY),
            rate=100,
            duration_seconds=3,
            arrivals=Arrivals.POISSON,
            seed=seed,
        )
        document = await _result(_engine(plan, targets), clock)
        runs.append((targets.payloads, json.dumps(document)))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


async def test_new_weights_are_in_force_with_the_next_request(clock: ManualClock) -> None:
    """From the moment of the change not one request goes to a target of weight 0."""
    targets = FakeTargets(clock)
    engine = _engine(Plan(targets=(STABLE, CANARY), rate=100, duration_seconds=2), targets)
    run = asyncio.ensure_future(engine.run())
    await let_pass(clock, 1.0)
    before = len(targets.payloads)
    engine.change(engine.plan.with_weights({"stable": 0, "canary": 1}))
    await drive(clock, run)
    assert set(targets.hosts()[:before]) == {"stable.test", "canary.test"}
    assert set(targets.hosts()[before:]) == {"canary.test"}
    assert len(targets.payloads) == 200


async def test_a_new_rate_is_in_force_within_a_tick(clock: ManualClock) -> None:
    """A run that waits ten seconds for its next request follows a change at once."""
    targets = FakeTargets(clock)
    engine = _engine(replace(ONE, rate=0.1, duration_seconds=None), targets)
    run = asyncio.ensure_future(engine.run())
    await let_pass(clock, 1.0)
    engine.change(replace(engine.plan, rate=100))
    await let_pass(clock, 1.0)
    assert 85 <= len(targets.payloads) <= 101
    engine.change(replace(engine.plan, rate=0))
    sent = len(targets.payloads)
    await let_pass(clock, 5.0)
    assert len(targets.payloads) == sent
    engine.stop(drain_seconds=1)
    await drive(clock, run)


async def test_targets_come_and_go(clock: ManualClock) -> None:
    """A new target gets traffic at once; a removed one keeps its results and is closed."""
    targets = FakeTargets(clock)
    engine = _engine(Plan(targets=(STABLE,), rate=100, duration_seconds=3), targets)
    run = asyncio.ensure_future(engine.run())
    await let_pass(clock, 1.0)
    engine.change(replace(engine.plan, targets=(STABLE, CANARY)))
    await let_pass(clock, 1.0)
    engine.change(replace(engine.plan, targets=(CANARY,)))
    await drive(clock, run)
    document = engine.snapshot()
    requests = {name: target["requests"] for name, target in document["targets"].items()}
    assert requests == {"stable": pytest.approx(180, abs=3), "canary": pytest.approx(120, abs=3)}
    assert "stable.test" in targets.closed
    assert _reconciles(document)


async def test_a_target_that_moves_keeps_its_name_and_counts(clock: ManualClock) -> None:
    """The same name at another address goes on counting where it was."""
    targets = FakeTargets(clock)
    engine = _engine(Plan(targets=(STABLE,), rate=100, duration_seconds=2), targets)
    run = asyncio.ensure_future(engine.run())
    await let_pass(clock, 1.0)
    engine.change(replace(engine.plan, targets=(replace(STABLE, url="http://moved.test"),)))
    await drive(clock, run)
    assert engine.snapshot()["targets"]["stable"]["requests"] == 200
    assert Counter(targets.hosts())["moved.test"] == pytest.approx(100, abs=2)


async def test_what_needs_a_new_run_cannot_change(clock: ManualClock) -> None:
    """Another seed in the middle of a run is refused, not ignored."""
    engine = _engine(ONE, FakeTargets(clock))
    with pytest.raises(InvalidInput, match="only rate, weights and targets"):
        engine.change(replace(ONE, seed=2))


async def test_stopping_finishes_what_is_under_way(clock: ManualClock) -> None:
    """No new request; those sent get their answers; those that waited are abandoned."""
    targets = FakeTargets(clock, answers_in=lambda _now: 0.5)
    plan = replace(ONE, duration_seconds=None, connections=4)
    engine = _engine(plan, targets)
    run = asyncio.ensure_future(engine.run())
    await let_pass(clock, 0.2)
    engine.stop(drain_seconds=5)
    await drive(clock, run)
    document = engine.snapshot()
    assert document["targets"]["default"]["ok"] == document["sent"] == 4
    assert document["abandoned"] == document["planned"] - 4 > 0
    assert _reconciles(document)


async def test_stopping_does_not_wait_for_ever(clock: ManualClock) -> None:
    """What is under way when the patience ends is abandoned without blaming the target."""
    targets = FakeTargets(clock, answers_in=lambda _now: None)
    engine = _engine(replace(ONE, duration_seconds=None), targets)
    run = asyncio.ensure_future(engine.run())
    await let_pass(clock, 0.1)
    engine.stop(drain_seconds=1)
    await drive(clock, run)
    document = engine.snapshot()
    assert clock.now() < 1.5
    assert document["targets"]["default"]["requests"] == 0
    assert document["abandoned"] == document["planned"]
    assert _reconciles(document)


async def test_status_counts_what_is_under_way(clock: ManualClock) -> None:
    """In the middle of a run, planned = ended + in flight + waiting."""
    targets = FakeTargets(clock, answers_in=lambda _now: 0.25)
    engine = _engine(replace(ONE, connections=10), targets)
    run = asyncio.ensure_future(engine.run())
    await let_pass(clock, 1.0)
    document = engine.snapshot()
    assert document["in_flight"] == 10
    assert document["backlog"] > 0
    assert _reconciles(document)
    await drive(clock, run)


async def test_rate_max_keeps_every_connection_busy(clock: ManualClock) -> None:
    """Closed loop: ten connections and answers after 100 ms give 100 a second."""
    targets = FakeTargets(clock, answers_in=lambda _now: 0.1)
    document = await _result(
        _engine(replace(ONE, rate=None, connections=10, duration_seconds=2), targets), clock
    )
    assert targets.most_under_way == 10
    assert document["planned"] == document["completed"] == 200
    assert document["late"]["count"] == 0


async def test_rate_max_does_not_spin_on_a_dead_target(clock: ManualClock) -> None:
    """Refused connections are tried again at the next tick only."""
    refused = Outcome(failure=ErrorKind.CONNECT)
    targets = FakeTargets(clock, outcome=lambda _host, _n: refused)
    plan = replace(ONE, rate=None, connections=5, duration_seconds=1)
    document = await _result(_engine(plan, targets), clock)
    assert 5 <= document["planned"] <= 60
    assert _reconciles(document)


async def test_a_slow_target_does_not_hold_up_another(clock: ManualClock) -> None:
    """Each target has its own connections: the stable one keeps its latency."""
    stuck = FakeTargets(clock, answers_in=lambda _now: 5.0)
    quick = FakeTargets(clock)
    engine = Engine(
        Plan(targets=(STABLE, CANARY), rate=100, duration_seconds=2, connections=2),
        connectors=lambda endpoint: (stuck if endpoint.host == "canary.test" else quick)(endpoint),
        timebase=timebase(clock),
    )
    document = await _result(engine, clock)
    assert document["targets"]["stable"]["latency_ms"]["max"] == pytest.approx(0, abs=0.001)
    assert document["targets"]["canary"]["latency_ms"]["p50"] > 4000
    await turn()
