"""When the traffic is looked at."""

from __future__ import annotations

import pytest

from rollout_runner.engine.traffic_observer import TrafficObserver
from rollout_runner.events import TrafficObserved
from runner_trial import Log, Roads
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_it_looks_when_ten_seconds_are_over(clock: ManualClock) -> None:
    """A look that is not due is not taken; one that somebody wants is, and counts as the last."""
    log, roads = Log(), Roads(clock)
    observer = TrafficObserver(network=roads, clock=clock, sink=log)
    await roads.split({"a": 100})
    await observer.observe_if_due()
    clock.advance(9)
    await observer.observe_if_due()
    assert len(log.events) == 1
    await observer.observe()
    clock.advance(9)
    await observer.observe_if_due()
    assert len(log.events) == 2
    assert observer.next_at == clock.now() + 1
    clock.advance(1)
    await observer.observe_if_due()
    assert [event.versions[0].requests for event in log.of(TrafficObserved)] == [0, 90, 190]


async def test_nothing_is_written_when_nobody_counts(clock: ManualClock) -> None:
    """No totals are no event, rather than zero requests; the next look comes in time."""
    log = Log()
    observer = TrafficObserver(network=Roads(clock), clock=clock, sink=log)
    await observer.observe()
    assert log.events == []
    assert observer.next_at == clock.now() + 10
