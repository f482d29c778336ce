"""Running totals of sliding windows: moving on by a second costs one slot, not the window.

Every total remembers which slots it has summed. Moving subtracts the slots that left and adds
the ones that came; a late sample is added at once when its slot is inside.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from mock_newrelic.domain.model import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mock_newrelic.domain.model import Histogram, Terms
    from mock_newrelic.domain.timeline import Timeline

MAX_STEPS = 60
"""Further moves than this sum the window anew, so slots older than that need not be kept."""
MAX_WINDOWS = 64
"""Windows kept of one kind; the one that was not asked for longest gives way."""

Value = TypeVar("Value")


class Accumulator(Protocol[Value]):
    """A sum that values can be put into and taken out of again."""

    def add(self, value: Value) -> None:
        """Put a value in."""
        ...

    def subtract(self, value: Value) -> None:
        """Take a value out that was put in before."""
        ...

    def clear(self) -> None:
        """Start again from nothing."""
        ...

    def result(self) -> Value:
        """Return the sum; it may change with the next call, so do not keep it."""
        ...


class CountSum:
    """A sum of counts."""

    def __init__(self) -> None:
        self._sums = [0] * len(Counts._fields)

    def add(self, value: Sequence[int]) -> None:
        """Put counts in."""
        if value[0]:
            self._sums = [mine + other for mine, other in zip(self._sums, value, strict=True)]

    def subtract(self, value: Sequence[int]) -> None:
        """Take counts out."""
        if value[0]:
            self._sums = [mine - other for mine, other in zip(self._sums, value, strict=True)]

    def clear(self) -> None:
        """Start again from zero."""
        self._sums = [0] * len(self._sums)

    def result(self) -> Sequence[int]:
        """Return the sum."""
        return self._sums


class HistogramSum:
    """A sum of histograms."""

    def __init__(self) -> None:
        self._sums: dict[int, int] = {}

    def add(self, value: Histogram) -> None:
        """Put a histogram in."""
        sums = self._sums
        for bucket, count in value.items():
            sums[bucket] = sums.get(bucket, 0) + count

    def subtract(self, value: Histogram) -> None:
        """Take a histogram out; buckets that become empty disappear."""
        sums = self._sums
        for bucket, count in value.items():
            left = sums[bucket] - count
            if left:
                sums[bucket] = left
            else:
                del sums[bucket]

    def clear(self) -> None:
        """Start again from an empty histogram."""
        self._sums.clear()

    def result(self) -> Histogram:
        """Return the sum."""
        return self._sums


class RunningWindow(Generic[Value]):
    """The total over the slots [first, stop) of all watched timelines."""

    def __init__(self, total: Accumulator[Value]) -> None:
        self.total = total
        self.first = 0
        self.stop = 0
        self._timelines: list[Timeline[Value]] = []

    def watch(self, timeline: Timeline[Value]) -> None:
        """Include a timeline; its present content counts from the next move that sums anew."""
        self._timelines.append(timeline)
        timeline.watchers.append(self)

    def unwatch_all(self) -> None:
        """Let go of every timeline."""
        for timeline in self._timelines:
            timeline.watchers.remove(self)
        self._timelines.clear()

    def added(self, slot: int, value: Value) -> None:
        """Count a value that was added to a slot inside the window."""
        if self.first <= slot < self.stop:
            self.total.add(value)

    def move(self, first: int, stop: int) -> None:
        """Make the total that of [first, stop)."""
        if first == self.first and stop == self.stop:
            return
        steps_back = first < self.first or stop < self.stop
        if steps_back or first >= self.stop or stop - self.stop > MAX_STEPS:
            self._sum_anew(first, stop)
        else:
            for timeline in self._timelines:
                for slot in range(self.first, first):
                    if (value := timeline.at(slot)) is not None:
                        self.total.subtract(value)
                for slot in range(self.stop, stop):
                    if (value := timeline.at(slot)) is not None:
                        self.total.add(value)
        self.first, self.stop = first, stop

    def _sum_anew(self, first: int, stop: int) -> None:
        self.total.clear()
        for timeline in self._timelines:
            self.total.add(timeline.total(first, stop))


class WindowCache(Generic[Value]):
    """The running windows of one kind, by selector and width."""

    def __init__(self, accumulator: Callable[[], Accumulator[Value]]) -> None:
        self._accumulator = accumulator
        self._windows: OrderedDict[tuple[Terms, int], RunningWindow[Value]] = OrderedDict()

    def window(
        self, terms: Terms, width: int, timelines: Iterable[Timeline[Value]]
    ) -> RunningWindow[Value]:
        """Return the window of a selector, watching `timelines` if it is new."""
        key = (terms, width)
        window = self._windows.get(key)
        if window is not None:
            self._windows.move_to_end(key)
            return window
        window = self._windows[key] = RunningWindow(self._accumulator())
        for timeline in timelines:
            window.watch(timeline)
        if len(self._windows) > MAX_WINDOWS:
            self._windows.popitem(last=False)[1].unwatch_all()
        return window

    def include(self, labels: Terms, timeline: Timeline[Value]) -> None:
        """Let every window whose selector matches watch a new, still empty timeline."""
        for (terms, _), window in self._windows.items():
            if terms <= labels:
                window.watch(timeline)

    def clear(self) -> None:
        """Drop all windows."""
        for window in self._windows.values():
            window.unwatch_all()
        self._windows.clear()
