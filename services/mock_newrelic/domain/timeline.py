"""What one series remembers, slot by slot.

    CountTimeline       counts, one slot a second, for the whole retention
    HistogramTimeline   latency buckets, one slot for as many seconds as its user chooses
    CoarseTimeline      the same in wider slots, for what the finer one has forgotten

Neither asks for the time; `forget` is told what may go.
"""

from __future__ import annotations

from array import array
from collections import deque
from operator import add
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from mock_newrelic.domain.histogram import merge
from mock_newrelic.domain.model import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mock_newrelic.domain.model import Histogram

_COLUMNS = len(Counts._fields)
LARGEST = 2**63 - 1
"""What a second can hold of anything; senders who say more are taken to have said this."""
BLOCK_SECONDS = 60
OPEN_SLOTS = 8
"""Slots of a timeline that are ready for more samples; older ones are kept in less room."""

Value = TypeVar("Value")
Told_contra = TypeVar("Told_contra", contravariant=True)


class Watcher(Protocol[Told_contra]):
    """Someone who wants to hear of every addition; those in [first, stop) matter now."""

    first: int
    stop: int

    def added(self, slot: int, value: Told_contra) -> None:
        """Take notice of a value that was added to a slot."""
        ...


class Timeline(Protocol[Value]):
    """Values by slot that can be added to, read one by one and read as a sum."""

    watchers: list[Watcher[Value]]

    def at(self, slot: int) -> Value | None:
        """Return the value of one slot, or None when it is empty."""
        ...

    def total(self, first: int, stop: int) -> Value:
        """Return the sum of the slots [first, stop)."""
        ...


class _Watched(Generic[Value]):
    def __init__(self) -> None:
        self.watchers: list[Watcher[Value]] = []

    def _tell(self, slot: int, value: Value) -> None:
        for watcher in self.watchers:
            watcher.added(slot, value)


class CountTimeline(_Watched["Sequence[int]"]):
    """Counts by second, in blocks of a minute that exist only where samples are (3.8 kB each)."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: dict[int, array[int]] = {}

    def add(self, second: int, counts: Sequence[int]) -> None:
        """Add counts to a second."""
        number, offset = divmod(second, BLOCK_SECONDS)
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = array("q", bytes(8 * _COLUMNS * BLOCK_SECONDS))
        base = offset * _COLUMNS
        held = block[base : base + _COLUMNS]
        try:
            for column, value in enumerate(counts, base):
                block[column] += value
        except OverflowError:
            counts = [min(value, LARGEST - have) for value, have in zip(counts, held, strict=True)]
            block[base : base + _COLUMNS] = array("q", map(add, counts, held))
        self._tell(second, counts)

    def extend(self, first: int, counts: array[int]) -> int:
        """Add the counts of consecutive seconds of which nothing was known; return the samples.

        Args:
            first: the first second.
            counts: the fields of `Counts`, second by second.
        """
        seconds = len(counts) // _COLUMNS
        done = 0
        while done < seconds:
            number, offset = divmod(first + done, BLOCK_SECONDS)
            block = self._blocks.get(number)
            if block is None:
                block = self._blocks[number] = array("q", bytes(8 * _COLUMNS * BLOCK_SECONDS))
            part = min(seconds - done, BLOCK_SECONDS - offset)
            rows = counts[done * _COLUMNS : (done + part) * _COLUMNS]
            block[offset * _COLUMNS : (offset + part) * _COLUMNS] = rows
            done += part
        for watcher in self.watchers:
            for second in range(max(first, watcher.first), min(first + seconds, watcher.stop)):
                base = (second - first) * _COLUMNS
                watcher.added(second, counts[base : base + _COLUMNS])
        return sum(counts[::_COLUMNS])

    def at(self, slot: int) -> Sequence[int] | None:
        """Return the counts of one second, or None when nothing is known of it."""
        block = self._blocks.get(slot // BLOCK_SECONDS)
        if block is None:
            return None
        base = slot % BLOCK_SECONDS * _COLUMNS
        return block[base : base + _COLUMNS]

    def total(self, first: int, stop: int) -> Counts:
        """Return the sum of the seconds [first, stop)."""
        sums = [0] * _COLUMNS
        for number in range(first // BLOCK_SECONDS, (stop - 1) // BLOCK_SECONDS + 1):
            block = self._blocks.get(number)
            if block is None:
                continue
            start = number * BLOCK_SECONDS
            low, high = max(first - start, 0), min(stop - start, BLOCK_SECONDS)
            part = block[low * _COLUMNS : high * _COLUMNS]
            for column in range(_COLUMNS):
                sums[column] += sum(part[column::_COLUMNS])
        return Counts(*sums)

    def last_second(self, stop: int) -> int | None:
        """Return the latest second before `stop` that holds a sample."""
        for number in sorted(self._blocks, reverse=True):
            start = number * BLOCK_SECONDS
            counts = self._blocks[number][::_COLUMNS]
            for offset in range(min(stop - start, BLOCK_SECONDS) - 1, -1, -1):
                if counts[offset]:
                    return start + offset
        return None

    def forget(self, before: int) -> None:
        """Drop what lies wholly before a second."""
        limit = before // BLOCK_SECONDS
        for number in [number for number in self._blocks if number < limit]:
            del self._blocks[number]

    def block(self, number: int) -> bytes | None:
        """Return the counts of a minute as bytes of this machine; None when it is not kept."""
        block = self._blocks.get(number)
        return None if block is None else block.tobytes()

    def restore(self, number: int, block: bytes) -> None:
        """Take in a minute that `block` gave."""
        counts = self._blocks[number] = array("q")
        counts.frombytes(block)

    @property
    def empty(self) -> bool:
        """Whether nothing is remembered at all."""
        return not self._blocks


class Drawn(Protocol):
    """Latencies of consecutive seconds that are put in their buckets when they are asked for."""

    def total(self, first: int, stop: int) -> Histogram:
        """Return the sum of the seconds [first, stop)."""
        ...


class _Small(NamedTuple):
    """A histogram in a tenth of the room that a dictionary of it takes."""

    buckets: array[int]
    counts: array[int]


def _small(histogram: Histogram) -> _Small | dict[int, int]:
    highest = max(histogram.values(), default=0)
    if highest > LARGEST:
        return dict(histogram)
    code = "H" if highest < 2**16 else "q"
    return _Small(array("h", histogram), array(code, histogram.values()))


def _whole(held: _Small | dict[int, int]) -> dict[int, int]:
    return held if isinstance(held, dict) else dict(zip(held.buckets, held.counts, strict=True))


class HistogramTimeline(_Watched["Histogram"]):
    """Latency histograms by slot."""

    def __init__(self) -> None:
        super().__init__()
        self._slots: dict[int, _Small | dict[int, int]] = {}
        self._open: deque[int] = deque()
        self._drawn: list[tuple[int, int, Drawn]] = []

    def add(self, slot: int, histogram: Histogram) -> None:
        """Add samples to a slot."""
        held = self._slots.get(slot)
        if not isinstance(held, dict):
            held = self._slots[slot] = {} if held is None else _whole(held)
            self._open.append(slot)
            if len(self._open) > OPEN_SLOTS:
                self._close(self._open.popleft())
        for bucket, count in histogram.items():
            held[bucket] = held.get(bucket, 0) + count
        self._tell(slot, histogram)

    def extend(self, first: int, stop: int, drawn: Drawn) -> None:
        """Add the samples of the slots [first, stop), of which nothing was known."""
        self._drawn.append((first, stop, drawn))
        for watcher in self.watchers:
            for slot in range(max(first, watcher.first), min(stop, watcher.stop)):
                if histogram := drawn.total(slot, slot + 1):
                    watcher.added(slot, histogram)

    def at(self, slot: int) -> Histogram | None:
        """Return the histogram of one slot, or None when it has none."""
        if self._drawn:
            return self.total(slot, slot + 1) or None
        held = self._slots.get(slot)
        return None if held is None else _whole(held)

    def total(self, first: int, stop: int) -> Histogram:
        """Return the sum of the slots [first, stop)."""
        if self._drawn:
            overlapping = [
                drawn.total(max(first, begin), min(stop, end))
                for begin, end, drawn in self._drawn
                if begin < stop and first < end
            ]
            return merge((*overlapping, *(part for _, part in self._kept(first, stop))))
        return merge(histogram for _, histogram in self.parts(first, stop))

    def parts(self, first: int, stop: int) -> Iterator[tuple[int, Histogram]]:
        """Yield slot and histogram of everything in [first, stop); a slot may come in parts."""
        for begin, end, drawn in self._drawn:
            for slot in range(max(first, begin), min(stop, end)):
                if histogram := drawn.total(slot, slot + 1):
                    yield slot, histogram
        yield from self._kept(first, stop)

    def _kept(self, first: int, stop: int) -> Iterator[tuple[int, Histogram]]:
        if stop - first < len(self._slots):
            for slot in range(first, stop):
                if (held := self._slots.get(slot)) is not None:
                    yield slot, _whole(held)
        else:
            for slot, held in self._slots.items():
                if first <= slot < stop:
                    yield slot, _whole(held)

    def slots(self, first: int, stop: int) -> dict[int, Histogram]:
        """Return the slots [first, stop) that hold anything."""
        return {
            slot: _whole(held)
            for slot in range(first, stop)
            if (held := self._slots.get(slot)) is not None
        }

    def restore(self, slot: int, histogram: Histogram) -> None:
        """Take in a slot that `slots` gave."""
        self._slots[slot] = _small(histogram)

    def forget(self, before: int) -> None:
        """Drop the slots before one."""
        for slot in [known for known in self._slots if known < before]:
            del self._slots[slot]
        self._drawn = [
            (max(begin, before), end, drawn) for begin, end, drawn in self._drawn if end > before
        ]

    def before(self, slot: int) -> list[int]:
        """Return the slots before one that `forget` would drop."""
        kept = [known for known in self._slots if known < slot]
        for begin, end, _ in self._drawn:
            kept += range(begin, min(end, slot))
        return kept

    def _close(self, slot: int) -> None:
        held = self._slots.get(slot)
        if isinstance(held, dict):
            self._slots[slot] = _small(held)


class CoarseTimeline(HistogramTimeline):
    """Wider slots over a finer timeline: their own only once the finer one is about to forget.

    Until then a slot is the sum of the finer ones in it, so that recent samples are kept once.
    """

    def __init__(self, finer: HistogramTimeline, factor: int) -> None:
        super().__init__()
        self._finer = finer
        self._factor = factor

    def add(self, slot: int, histogram: Histogram) -> None:
        """Add samples that are too old for the finer timeline."""
        self.settle([slot])
        super().add(slot, histogram)

    def follow(self, slot: int, histogram: Histogram) -> None:
        """Take notice of samples that were added to the finer timeline."""
        if slot in self._slots:
            super().add(slot, histogram)
        else:
            self._tell(slot, histogram)

    @property
    def attended(self) -> bool:
        """Whether it must hear of samples that were added to the finer timeline."""
        return bool(self._slots or self.watchers)

    def at(self, slot: int) -> Histogram | None:
        """Return the histogram of one slot, or None when it has none."""
        own = super().at(slot)
        return own if own is not None else self.total(slot, slot + 1) or None

    def parts(self, first: int, stop: int) -> Iterator[tuple[int, Histogram]]:
        """Yield own slots, and what the finer timeline has for the others."""
        yield from super().parts(first, stop)
        factor, own = self._factor, self._slots
        for finer, histogram in self._finer.parts(first * factor, stop * factor):
            if finer // factor not in own:
                yield finer // factor, histogram

    def settle(self, slots: Iterable[int]) -> None:
        """Make slots own that are none yet."""
        for slot in slots:
            if slot not in self._slots and (histogram := self.total(slot, slot + 1)):
                self.restore(slot, histogram)

    def settle_finer(self, before: int) -> None:
        """Make those slots own of which the finer timeline is about to forget a part."""
        self.settle({slot // self._factor for slot in self._finer.before(before)})
