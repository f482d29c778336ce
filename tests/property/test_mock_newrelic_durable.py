"""Whatever came and whenever it restarted, the durable store says what the one in memory says."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from mock_newrelic.adapters.durable import DurableStore
from mock_newrelic.adapters.memory import MemoryStore
from mock_newrelic.domain.ingest.batch import Batch, Bin, Document
from mock_newrelic.domain.model import NO_TERMS, SeriesKey, Source, Span
from mock_newrelic.domain.records import Record, Row, chunk_of
from mock_newrelic.ports import Store

START = 1_770_170_400.0
ROOM = {"max_apps": 2, "max_series": 2}


@dataclass(frozen=True)
class Write:
    """A batch comes in."""

    app: str
    label: str
    source: Source
    ages: tuple[int, ...]
    key: str


@dataclass(frozen=True)
class Reset:
    """Somebody resets one application or all."""

    app: str | None


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    seconds: float


@dataclass(frozen=True)
class Restart:
    """The process ends and another one begins."""


WRITES = st.builds(
    Write,
    app=st.sampled_from(["a", "b"]),
    label=st.sampled_from(["x", "y", "z"]),
    source=st.sampled_from([Source.EVENTS, Source.OTEL]),
    ages=st.lists(st.sampled_from([0, 1, 59, 61, 1000, 20_000, 90_000]), max_size=3).map(tuple),
    key=st.sampled_from(["k", "l"]),
)
OPERATIONS = st.one_of(
    WRITES,
    WRITES,
    WRITES,
    st.builds(Reset, st.sampled_from(["a", None])),
    st.builds(Pass, st.sampled_from([0.5, 30.0, 1000.0, 50_000.0])),
    st.builds(Restart),
)


@settings(max_examples=600, deadline=None)
@given(st.lists(OPERATIONS, max_size=30), st.integers(1, 6), st.integers(1, 3))
def test_a_restart_changes_nothing(operations: list[object], every: int, step: int) -> None:
    """Counts, latency, labels, raw events and documents are the same after every operation."""
    now = START
    memory = MemoryStore(**ROOM)
    with TemporaryDirectory() as directory:

        def opened() -> DurableStore:
            return DurableStore(Path(directory), now=now, fold_every=every, fold_step=step, **ROOM)

        durable = opened()
        for number, operation in enumerate(operations):
            match operation:
                case Write():
                    for store in (memory, durable):
                        store.write(_batch(operation, number, now), now)
                case Reset(app):
                    assert memory.reset(app) == durable.reset(app)
                case Pass(seconds):
                    now += seconds
                case Restart():
                    durable.close()
                    durable = opened()
            assert _seen(durable, now) == _seen(memory, now)
        durable.close()


def _batch(write: Write, number: int, now: float) -> Batch:
    seconds: dict[int, Bin] = {}
    for age in write.ages:
        one = seconds.setdefault(floor(now) - age, Bin())
        one.add((number % 2, 0, 0), 0.01 * (number + 1), 1 + number % 3)
    chunk = chunk_of([Record("Vote", write.app, Row({"number": number}, now))], received=now)
    assert chunk is not None
    key = SeriesKey(write.app, frozenset({("host", write.label)}), write.source)
    return Batch(
        bins={key: seconds} if seconds else {},
        apps=frozenset({write.app}),
        records=(chunk,),
        documents=(Document(kind="k", key=write.key, value=str(number).encode()),),
    )


def _seen(store: Store, now: float) -> object:
    span = Span(floor(now) - 80_000, floor(now) + 1)
    return (
        [
            (
                app.name,
                app.samples,
                [
                    (
                        app.sliding(NO_TERMS, width, now, latency=True, source=source),
                        sorted(
                            (sorted(labels), reading)
                            for labels, reading in app.each(
                                NO_TERMS, span, now, latency=False, source=source
                            )
                            if reading.counts.samples
                        ),
                    )
                    for width in (60, 3600, 80_000)
                    for source in Source
                ],
                [row.attributes for row in store.rows(app.name, "Vote", span)],
            )
            for app in store.applications()
        ],
        list(store.items("k")),
    )
