"""The store of simulations: the same samples give the same answers as in the store in memory."""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping

import pytest

from mock_newrelic.adapters.drawn import DrawnStore
from mock_newrelic.adapters.memory import MemoryStore
from mock_newrelic.domain.histogram import merge
from mock_newrelic.domain.ingest.batch import Batch, Bin
from mock_newrelic.domain.model import Counts, SeriesKey, Span
from mock_newrelic.domain.records import RecordsLost

START = 1_770_170_400
APP = "shop"
LABELS = {"hash": "abc", "version": "v1"}
TERMS = frozenset(LABELS.items())


class Seconds:
    """Latencies of consecutive seconds as plain mappings."""

    def __init__(self, first: int, histograms: list[dict[int, int]]) -> None:
        self.first = first
        self.histograms = histograms

    def total(self, first: int, stop: int) -> Mapping[int, int]:
        """Return the sum of the seconds."""
        return merge(self.histograms[first - self.first : stop - self.first])


def second_of(rng: random.Random) -> tuple[list[int], dict[int, int]]:
    """Return counts and histogram of a second."""
    samples = rng.randrange(0, 6)
    errors = rng.randrange(0, samples + 1)
    histogram: dict[int, int] = {}
    for _ in range(samples):
        bucket = rng.randrange(-200, -150)
        histogram[bucket] = histogram.get(bucket, 0) + 1
    return [samples, errors, errors, 0, samples, samples * 20_000, 0, 0], histogram


def test_answers_are_those_of_the_store_in_memory() -> None:
    """Whatever is asked between the seconds that come in, both stores hold the same."""
    rng = random.Random(4)  # noqa: S311 - a test's stream
    plain = MemoryStore(max_apps=5, max_series=50)
    drawn = DrawnStore(catch_up=lambda: None, max_apps=5, max_series=50)
    at = START
    for _ in range(120):
        length = rng.choice((1, 1, 2, 7, 30, 95, 400))
        seconds = [second_of(rng) for _ in range(length)]
        bins = {
            at + index: Bin(counts=counts, histogram=histogram)
            for index, (counts, histogram) in enumerate(seconds)
        }
        now = float(at + length)
        plain.write(Batch(bins={SeriesKey(APP, TERMS): bins}, apps=frozenset({APP})), now)
        counts = array("q", [value for row, _ in seconds for value in row])
        drawn.take(APP, LABELS, at, counts, Seconds(at, [each for _, each in seconds]))
        at += length
        for width in (60, 300, rng.choice((1800, 3700))):
            for latency in (False, True):
                one, other = (
                    store.application(APP).sliding(TERMS, width, now, latency=latency)
                    for store in (plain, drawn)
                )
                assert one == other
        span = Span(at - rng.randrange(2, 900), at - 1)
        one, other = (
            store.application(APP).between(TERMS, span, now, latency=True)
            for store in (plain, drawn)
        )
        assert one == other


def test_the_store_is_told_to_catch_up_before_every_answer() -> None:
    """Whatever is read, what happened meanwhile is brought first."""
    calls: list[str] = []
    store = DrawnStore(catch_up=lambda: calls.append("caught up"))
    store.application(APP)
    store.version(APP)
    list(store.applications())
    list(store.rows(APP, "Transaction", Span(START, START + 1)))
    assert len(calls) == 4


def test_raw_events_of_drawn_samples_are_refused() -> None:
    """There are none, which is not the same as there being no request; a reset ends that."""
    store = DrawnStore(catch_up=lambda: None)
    counts = array("q", [0] * len(Counts._fields))
    store.take(APP, LABELS, START, counts, Seconds(START, [{}]))
    with pytest.raises(RecordsLost, match="no raw events"):
        store.rows(APP, "Transaction", Span(START, START + 1))
    assert list(store.rows(APP, "Deployment", Span(START, START + 1))) == []
    store.reset()
    assert list(store.rows(APP, "Transaction", Span(START, START + 1))) == []
