"""The alarm: an instant or news, whichever comes first."""

from __future__ import annotations

import asyncio

import pytest

from rollout_runner.engine.alarm import Alarm
from runner_trial import settle
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_it_rings_at_the_instant(clock: ManualClock) -> None:
    """The wait ends when the clock reaches it, not before."""
    wait = asyncio.ensure_future(Alarm(clock).wait_until(clock.now() + 30))
    await settle()
    clock.advance(29.9)
    await settle()
    assert not wait.done()
    clock.advance(0.1)
    await wait


async def test_news_ends_the_wait(clock: ManualClock) -> None:
    """Somebody rings long before the instant."""
    alarm = Alarm(clock)
    wait = asyncio.ensure_future(alarm.wait_until(clock.now() + 3600))
    await settle()
    alarm.ring()
    await wait


async def test_news_from_before_the_wait_is_not_lost(clock: ManualClock) -> None:
    """What happened while nobody waited ends the next wait, and only that one."""
    alarm = Alarm(clock)
    alarm.ring()
    alarm.ring()
    await alarm.wait_until(None)
    again = asyncio.ensure_future(alarm.wait_until(None))
    await settle()
    assert not again.done()
    alarm.ring()
    await again


async def test_an_instant_in_the_past_is_now(clock: ManualClock) -> None:
    """It returns without anybody moving the clock."""
    await Alarm(clock).wait_until(clock.now() - 1)


async def test_without_an_instant_only_news_counts(clock: ManualClock) -> None:
    """However much time passes."""
    alarm = Alarm(clock)
    wait = asyncio.ensure_future(alarm.wait_until(None))
    await settle()
    clock.advance(10**6)
    await settle()
    assert not wait.done()
    alarm.ring()
    await wait


async def test_a_cancelled_wait_leaves_nothing_behind(clock: ManualClock) -> None:
    """No task goes on waiting in its place."""
    before = asyncio.all_tasks()
    wait = asyncio.ensure_future(Alarm(clock).wait_until(clock.now() + 5))
    await settle()
    wait.cancel()
    await asyncio.gather(wait, return_exceptions=True)
    assert asyncio.all_tasks() == before
