"""Sliding windows equal a recount of everything, whatever came in whichever order."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

from hypothesis import given, settings
from hypothesis import strategies as st

from mock_newrelic.domain.application import Application
from mock_newrelic.domain.histogram import bucket_of
from mock_newrelic.domain.ingest.batch import Bin
from mock_newrelic.domain.model import RETENTION_SECONDS, Span, Terms
from mock_newrelic.domain.series import TIERS, latency_tier

START = 1_770_170_400.0

LABELS = st.sampled_from(
    [
        frozenset({("role", role), ("hash", pod_hash)})
        for role, pod_hash in (("canary", "c1"), ("stable", "s1"), ("stable", "s2"))
    ]
)
SELECTORS = st.sampled_from(
    [
        frozenset(),
        frozenset({("role", "canary")}),
        frozenset({("role", "stable")}),
        frozenset({("hash", "s2")}),
        frozenset({("role", "canary"), ("hash", "s1")}),
    ]
)
WIDTHS = st.sampled_from([1, 2, 10, 60, 300, 900, 901, 3600, 3 * 3600, 4 * 3600, 24 * 3600])
AGES = st.one_of(
    st.floats(0, 3),
    st.floats(0, 400),
    st.floats(800, 1100),
    st.floats(-100, 200_000),
)


@dataclass(frozen=True)
class Add:
    """Samples come in: so old, with these labels."""

    age: float
    labels: Terms
    errors: int
    good: int
    duration: float


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    seconds: float


@dataclass(frozen=True)
class Ask:
    """A window is asked for."""

    terms: Terms
    width: int


ADDS = st.builds(
    Add,
    age=AGES,
    labels=LABELS,
    errors=st.integers(0, 3),
    good=st.integers(1, 5),
    duration=st.floats(0, 100),
)
PASSES = st.builds(
    Pass,
    st.one_of(
        st.floats(0, 2),
        st.floats(0, 70),
        st.floats(500, 4000),
        st.sampled_from([30_000.0, 90_000.0]),
    ),
)
ASKS = st.builds(Ask, SELECTORS, WIDTHS)


class Recount:
    """The same questions answered by looking at every sample again."""

    def __init__(self) -> None:
        self.added: list[tuple[float, int, Add]] = []

    def counts(self, ask: Ask, now: float) -> tuple[int, int]:
        """Return samples and errors of the window."""
        first, stop = floor(now) - ask.width, floor(now) + 1
        found = [
            add
            for at, second, add in self.added
            if first <= second < stop
            and ask.terms <= add.labels
            and second >= at - RETENTION_SECONDS - 1
        ]
        return sum(one.good + one.errors for one in found), sum(one.errors for one in found)

    def histogram(self, ask: Ask, now: float) -> dict[int, int]:
        """Return the latency buckets of the window in the resolution that it is read in."""
        first, stop = floor(now) - ask.width, floor(now) + 1
        resolution, reach = TIERS[latency_tier(first, now)]
        first, stop = first // resolution * resolution, -(-stop // resolution) * resolution
        total: dict[int, int] = {}
        for at, second, add in self.added:
            if first <= second < stop and ask.terms <= add.labels and second >= at - reach - 1:
                bucket = bucket_of(add.duration)
                total[bucket] = total.get(bucket, 0) + add.good + add.errors
        return total


@settings(max_examples=400)
@given(st.lists(st.one_of(ADDS, ADDS, PASSES, ASKS), min_size=1, max_size=60), ASKS)
def test_sliding_windows_equal_a_recount(operations: list[Add | Pass | Ask], last: Ask) -> None:
    """Counts and histogram agree at every question, late and early samples included."""
    app, recount, now = Application("a", max_series=100), Recount(), START
    for operation in [*operations, last]:
        match operation:
            case Add(age, labels, errors, good, duration):
                second = floor(now - age)
                one = Bin()
                for outcome in [(1, 1, 0)] * errors + [(0, 0, 0)] * good:
                    one.add(outcome, duration)
                app.add(labels, second, one.counts, one.histogram, now)
                recount.added.append((now, second, operation))
            case Pass(seconds):
                now += seconds
                app.forget(now)
            case Ask(terms, width):
                counts, histogram = app.sliding(terms, width, now, latency=True)
                assert (counts.samples, counts.errors) == recount.counts(operation, now)
                assert counts.timed == counts.samples
                assert dict(histogram) == recount.histogram(operation, now)


@given(
    st.lists(ADDS, max_size=30),
    SELECTORS,
    st.integers(-100, 4000),
    st.integers(1, 4000),
)
def test_a_span_equals_a_recount(adds: list[Add], terms: Terms, ago: int, width: int) -> None:
    """Any span of seconds, summed anew, holds exactly the samples of those seconds."""
    app = Application("a", max_series=100)
    stop = floor(START) - ago
    expected = 0
    for add in adds:
        second = floor(START - add.age)
        one = Bin()
        for _ in range(add.good):
            one.add((0, 0, 0), None)
        app.add(add.labels, second, one.counts, one.histogram, START)
        if stop - width <= second < stop and terms <= add.labels:
            expected += add.good
    reading = app.between(terms, Span(stop - width, stop), START, latency=False)
    assert reading.counts.samples == expected


@given(st.lists(st.tuples(AGES, st.integers(0, 50)), max_size=40), WIDTHS)
def test_overflowing_series_keep_the_totals(samples: list[tuple[float, int]], width: int) -> None:
    """With room for three series the application's total is that of unlimited room."""
    small, large = Application("a", max_series=3), Application("a", max_series=1000)
    for age, host in samples:
        one = Bin()
        one.add((0, 0, 0), 0.1)
        for app in (small, large):
            labels = frozenset({("host", str(host))})
            app.add(labels, floor(START - age), one.counts, one.histogram, START)
    assert small.sliding(frozenset(), width, START, latency=True) == large.sliding(
        frozenset(), width, START, latency=True
    )
