"""Running totals of windows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

from mock_newrelic.domain.model import Counts
from mock_newrelic.domain.running import (
    MAX_STEPS,
    MAX_WINDOWS,
    CountSum,
    RunningWindow,
    WindowCache,
)
from mock_newrelic.domain.timeline import OPEN_SLOTS, CountTimeline, HistogramTimeline


def _one(samples: int = 1) -> Counts:
    return Counts(samples=samples)


class _CountedReads(CountTimeline):
    def __init__(self) -> None:
        super().__init__()
        self.slots_read = 0

    def at(self, slot: int) -> Sequence[int] | None:
        self.slots_read += 1
        return super().at(slot)


def test_moving_by_a_second_reads_two_slots() -> None:
    """The cost of moving on does not depend on the width."""
    timeline = _CountedReads()
    window = RunningWindow(CountSum())
    window.watch(timeline)
    window.move(1000, 4600)
    timeline.slots_read = 0
    window.move(1001, 4601)
    assert timeline.slots_read == 2
    window.move(1001, 4601)
    assert timeline.slots_read == 2


def test_a_long_pause_sums_anew() -> None:
    """After more than MAX_STEPS the slots that left may be forgotten already."""
    timeline = CountTimeline()
    window = RunningWindow(CountSum())
    window.watch(timeline)
    timeline.add(1000, _one())
    window.move(900, 1100)
    timeline.forget(2000)
    window.move(900 + MAX_STEPS + 60, 1100 + MAX_STEPS + 60)
    assert window.total.result()[0] == 0


def test_the_clock_may_step_back() -> None:
    """A window that moves back sums anew."""
    timeline = CountTimeline()
    window = RunningWindow(CountSum())
    window.watch(timeline)
    for second in (10, 20, 30):
        timeline.add(second, _one())
    window.move(15, 35)
    window.move(5, 25)
    assert window.total.result()[0] == 2


def test_samples_outside_the_window_wait_in_the_timeline() -> None:
    """A sample ahead of the window counts when the window reaches it."""
    timeline = CountTimeline()
    window = RunningWindow(CountSum())
    window.watch(timeline)
    window.move(0, 10)
    timeline.add(10, _one())
    assert window.total.result()[0] == 0
    window.move(1, 11)
    assert window.total.result()[0] == 1


def test_the_window_that_was_not_asked_for_longest_gives_way() -> None:
    """The cache is bounded, and a dropped window watches nothing any more."""
    timeline = CountTimeline()
    cache = WindowCache(CountSum)
    for width in range(1, MAX_WINDOWS + 1):
        cache.window(frozenset(), width, [timeline])
    kept = cache.window(frozenset(), 1, [timeline])
    cache.window(frozenset(), 10_000, [timeline])
    assert len(timeline.watchers) == MAX_WINDOWS
    assert cache.window(frozenset(), 1, [timeline]) is kept


def test_a_timeline_tells_its_last_second() -> None:
    """The latest second with a sample before a bound, over empty minutes too."""
    timeline = CountTimeline()
    assert timeline.last_second(100) is None
    timeline.add(65, _one())
    timeline.add(300, _one())
    assert timeline.last_second(301) == 300
    assert timeline.last_second(300) == 65
    assert timeline.last_second(65) is None


def test_forgetting_drops_whole_minutes_and_slots() -> None:
    """What lies wholly before the bound goes, the rest stays."""
    counts, latency = CountTimeline(), HistogramTimeline()
    for second in (59, 60, 61):
        counts.add(second, _one())
        latency.add(second, {0: 1})
    counts.forget(61)
    latency.forget(61)
    assert counts.total(0, 100).samples == 2
    assert latency.total(0, 100) == {0: 1}
    counts.forget(200)
    assert counts.empty


def test_added_histograms_are_copied() -> None:
    """A caller may go on changing what it has added."""
    timeline = HistogramTimeline()
    given = {0: 1}
    timeline.add(5, given)
    timeline.add(5, given)
    assert given == {0: 1}
    assert timeline.at(5) == {0: 2}


def test_old_slots_take_little_room_and_stay_the_same() -> None:
    """What left the open slots is read as it was told, and takes more samples later."""
    timeline = HistogramTimeline()
    told = {bucket: bucket + 700 for bucket in range(-640, 500, 7)}
    for slot in range(600):
        timeline.add(slot, told)
    tracemalloc.start()
    other = HistogramTimeline()
    for slot in range(600):
        other.add(slot, told)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 600 * 1500
    assert timeline.at(0) == told
    timeline.add(0, {-640: 1, 3: 2**40})
    assert timeline.at(0) == told | {-640: told[-640] + 1, 3: 2**40}
    for slot in range(600, 600 + OPEN_SLOTS):
        timeline.add(slot, told)
    assert timeline.at(0) == told | {-640: told[-640] + 1, 3: 2**40}
