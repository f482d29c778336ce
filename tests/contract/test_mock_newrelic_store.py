"""What every store promises, asked of each of them; the durable one also after a restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from mock_newrelic.adapters.database import FILE_NAME
from mock_newrelic.adapters.durable import DurableStore
from mock_newrelic.adapters.memory import MemoryStore
from mock_newrelic.domain.ingest.batch import Batch, Bin, Covered, Document
from mock_newrelic.domain.ingest.event_api import ProbeRule, read_batch
from mock_newrelic.domain.model import NO_TERMS, Reading, SeriesKey, Source, Span
from mock_newrelic.domain.records import MAX_ROWS, Record, RecordsLost, Row, chunk_of
from mock_newrelic.ports import Store
from svckit.errors import InvalidInput, SuiteError, Unavailable

NOW = 1_770_170_400.0
CANARY = frozenset({("role", "canary")})
STABLE = frozenset({("role", "stable")})
Again: TypeAlias = Callable[[Store], Store]
"""Returns the store as it is after a restart; the memory store has none and returns itself."""


def _durable(directory: Path, now: float = NOW) -> DurableStore:
    return DurableStore(directory, max_apps=3, max_series=4, now=now, fold_every=5, fold_step=1)


@pytest.fixture(name="again", params=["memory", "durable", "durable-restarted"])
def _again(request: pytest.FixtureRequest) -> Again:
    if request.param == "durable-restarted":

        def reopen(store: Store) -> Store:
            store.close()
            return _durable(request.getfixturevalue("tmp_path"))

        return reopen
    return lambda store: store


@pytest.fixture(name="store")
def _store(
    again: Again,  # noqa: ARG001 - decides which store it is
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Iterator[Store]:
    if request.node.callspec.params["again"] == "memory":
        yield MemoryStore(max_apps=3, max_series=4)
        return
    yield _durable(tmp_path)


def batch(
    samples: int = 1,
    *,
    app: str = "a",
    age: float = 0,
    labels: frozenset[tuple[str, str]] = CANARY,
    source: Source = Source.EVENTS,
    **more: Any,
) -> Batch:
    """Return a batch of good samples of 20 ms in one second."""
    one = Bin()
    one.add((0, 0, 0), 0.02, samples)
    key = SeriesKey(app, labels, source)
    return Batch(bins={key: {int(NOW - age): one}}, apps=frozenset({app}), samples=samples, **more)


def read(store: Store, app: str = "a", terms: frozenset[tuple[str, str]] = NO_TERMS) -> Reading:
    """Return what the last hour holds."""
    known = store.application(app)
    assert known is not None
    return known.sliding(terms, 3600, NOW, latency=True)


def test_what_was_written_is_read(store: Store, again: Again) -> None:
    """Counts and latency of every series, many batches long."""
    for age in range(40):
        store.write(batch(2, age=age), NOW)
        store.write(batch(3, age=10 * age, labels=STABLE), NOW)
    store = again(store)
    whole, canary = read(store), read(store, terms=CANARY)
    assert (whole.counts.samples, canary.counts.samples) == (200, 80)
    assert sum(whole.histogram.values()) == 200
    assert whole.counts.microseconds == 200 * 20_000
    app = store.application("a")
    assert app is not None
    assert app.samples == 200
    assert app.between(STABLE, Span(int(NOW) - 20, int(NOW) - 9), NOW, latency=False).counts[0] == 6


def test_sources_stay_apart(store: Store, again: Again) -> None:
    """Each source has its own counts, and the best one answers."""
    store.write(batch(5), NOW)
    store.write(batch(7, source=Source.OTEL), NOW)
    app = again(store).application("a")
    assert app is not None
    by_source = {
        source: app.sliding(NO_TERMS, 60, NOW, latency=False, source=source).counts.samples
        for source in app.sources
    }
    assert by_source == {Source.OTEL: 7, Source.EVENTS: 5}
    assert app.sliding(NO_TERMS, 60, NOW, latency=False).counts.samples == 7


def test_sessions_see_nothing_of_each_other(store: Store, again: Again) -> None:
    """Applications and documents belong to one session."""
    store.write(batch(5, session="s"), NOW)
    store.put("k", "one", b"1", "s")
    store = again(store)
    assert store.application("a") is None
    assert store.get("k", "one") is None
    assert [app.name for app in store.applications("s")] == ["a"]
    assert list(store.items("k", "s")) == [("one", b"1")]


def test_documents_are_replaced_and_removed(store: Store, again: Again) -> None:
    """The last word counts, alone or together with a batch."""
    for value in (b"1", b"2"):
        store.put("k", "b", value)
    store.put("k", "a", b"0")
    store.put("k", "gone", b"0")
    store.remove("k", "gone")
    store.remove("k", "never was")
    change = (
        Document(kind="k", key="c", value=b"3", session=""),
        Document(kind="k", key="a", value=None),
    )
    store.write(batch(documents=change), NOW)
    assert list(again(store).items("k")) == [("b", b"2"), ("c", b"3")]


def test_a_reset_forgets_one_application(store: Store, again: Again) -> None:
    """Its samples and raw events are gone, even when it comes back; the others stay."""
    for name in ("a", "b"):
        for _ in range(8):
            store.write(batch(4, app=name, records=_row(name)), NOW)
    assert store.reset("a") == 1
    store = again(store)
    assert store.application("a") is None
    store.write(batch(1), NOW)
    store = again(store)
    assert (read(store).counts.samples, read(store, "b").counts.samples) == (1, 32)
    span = Span(int(NOW) - 10, int(NOW) + 10)
    assert len(list(store.rows("a", "Vote", span))) == 0
    assert len(list(store.rows("b", "Vote", span))) == 8


def test_a_reset_of_all_forgets_all_of_a_session(store: Store, again: Again) -> None:
    """Other sessions keep theirs."""
    store.write(batch(4, records=_row("")), NOW)
    store.write(batch(4, session="s"), NOW)
    assert store.reset() == 1
    store = again(store)
    assert list(store.applications()) == []
    assert len(list(store.applications("s"))) == 1
    assert list(store.rows("", "Vote", Span(0, 2**40))) == []


def test_too_many_applications_are_refused(store: Store, again: Again) -> None:
    """The refused batch leaves nothing behind, the others stay."""
    for name in ("a", "b", "c"):
        store.write(batch(app=name), NOW)
    with pytest.raises(SuiteError, match="more applications") as caught:
        store.write(batch(app="d", documents=(Document(kind="k", key="d", value=b""),)), NOW)
    assert caught.value.status == 507
    store = again(store)
    assert [app.name for app in store.applications()] == ["a", "b", "c"]
    assert store.get("k", "d") is None


def test_the_version_changes_with_every_batch(store: Store) -> None:
    """An answer that was kept for an application is not given after the next batch."""
    versions = set()
    for _ in range(3):
        store.write(batch(), NOW)
        versions.add(store.version("a"))
    assert len(versions) == 3


def test_series_without_room_share_one(store: Store, again: Again) -> None:
    """The total stays exact, and it is told that a selector would miss some."""
    for host in range(9):
        store.write(batch(labels=frozenset({("host", f"h{host}")})), NOW)
    store = again(store)
    app = store.application("a")
    assert app is not None
    assert (read(store).counts.samples, app.series_count) == (9, 5)
    assert app.has_unlabelled(Span(int(NOW), int(NOW) + 1))
    store.write(batch(labels=frozenset({("host", "h8")})), NOW)
    assert (read(store).counts.samples, app.series_count) == (10, 5)


def test_a_label_that_was_given_up_stays_so(store: Store, again: Again) -> None:
    """A label with too many values answers no selector, not even after a restart."""
    for value in range(70):
        store.write(batch(labels=frozenset({("user", f"u{value}")})), NOW)
    app = again(store).application("a")
    assert app is not None
    assert app.unanswerable(frozenset({("user", "u1")})) == "user"


def test_coverage_is_kept(store: Store, again: Again) -> None:
    """What an agent's exact counts cover is known after a restart."""
    span = Span(int(NOW) - 60, int(NOW))
    told = Covered(app="a", labels=CANARY, run="r1", span=span)
    store.write(batch(covered=(told,)), NOW)
    for _ in range(12):
        store.write(batch(), NOW)
    app = again(store).application("a")
    assert app is not None
    assert app.coverage.covers(CANARY, span, NOW)
    assert not app.coverage.covers(CANARY, Span(span.first, span.stop + 1), NOW)


def test_raw_events_are_read_by_type_and_time(store: Store, again: Again) -> None:
    """They come with all their attributes, those of the Event API as they were sent."""
    events = [
        {"eventType": "Transaction", "appName": "a", "timestamp": (NOW - 5) * 1000, "x": {"y": 1}},
        {"eventType": "Vote", "appName": "a", "timestamp": NOW - 3, "choice": "b"},
        {"eventType": "Vote", "choice": "a"},
    ]
    store.write(read_batch(json.dumps(events).encode(), NOW, probes=ProbeRule()), NOW)
    store.write(batch(records=_row("a", weight=7)), NOW)
    store = again(store)
    span = Span(int(NOW) - 4, int(NOW) + 1)
    [sent, own] = store.rows("a", "Vote", span)
    assert sent.attributes["choice"] == "b"
    assert (sent.timestamp, sent.weight, own.weight) == (NOW - 3, 1, 7)
    [nobody] = store.rows("", "Vote", span)
    assert (nobody.attributes["choice"], nobody.timestamp) == ("a", NOW)
    [first] = store.rows("a", "Transaction", Span(int(NOW) - 10, int(NOW)))
    assert first.attributes["x"] == {"y": 1}


def test_raw_events_give_way_and_it_is_told(store: Store, again: Again) -> None:
    """A question that reaches back to events that are gone is refused, a later one answered."""
    many = chunk_of(
        [Record("Vote", "a", Row({}, NOW - 100 + at / MAX_ROWS)) for at in range(MAX_ROWS)],
        received=NOW,
    )
    assert many is not None
    store.write(batch(records=(many,)), NOW)
    store.write(batch(records=_row("a")), NOW)
    store.write(batch(), NOW)
    store = again(store)
    with pytest.raises(RecordsLost):
        list(store.rows("a", "Vote", Span(int(NOW) - 100, int(NOW) + 1)))
    assert len(list(store.rows("a", "Vote", Span(int(NOW) - 50, int(NOW) + 1)))) == 1
    assert list(store.rows("a", "Other", Span(int(NOW) - 100, int(NOW) + 1))) == []


def _row(app: str, weight: float = 1) -> Any:
    return (chunk_of([Record("Vote", app, Row({"choice": "a"}, NOW, weight))], received=NOW),)


def test_a_data_dir_belongs_to_one_process(tmp_path: Path) -> None:
    """A second store on the same directory is refused with what to do."""
    first = _durable(tmp_path)
    with pytest.raises(InvalidInput, match="in use") as caught:
        _durable(tmp_path)
    assert caught.value.hint
    first.close()
    _durable(tmp_path).close()


def test_a_damaged_file_is_no_empty_store(tmp_path: Path) -> None:
    """A service that would answer from half of its data does not start."""
    (tmp_path / FILE_NAME).write_bytes(b"this is no database" * 1000)
    with pytest.raises(InvalidInput, match="damaged") as caught:
        _durable(tmp_path)
    assert "move it away" in caught.value.hint


def test_what_cannot_be_written_is_refused_and_not_counted(tmp_path: Path) -> None:
    """When the file cannot be written, memory does not count what a restart would not know."""
    store = _durable(tmp_path)
    store.write(batch(5), NOW)
    store._database.reader.execute("PRAGMA query_only = ON")
    with pytest.raises(Unavailable) as caught:
        store.write(batch(7, app="b"), NOW)
    with pytest.raises(Unavailable):
        store.write(batch(7, labels=STABLE, documents=_DOCUMENT), NOW)
    with pytest.raises(Unavailable):
        store.put("k", "a", b"1")
    assert (caught.value.status, caught.value.code) == (503, "store_failed")
    assert not store.healthy
    assert store.application("b") is None
    assert read(store).counts.samples == 5
    assert store.get("k", "a") is None
    store._database.reader.execute("PRAGMA query_only = OFF")
    store.write(batch(1, labels=STABLE), NOW)
    assert store.healthy
    store.close()
    assert read(_durable(tmp_path)).counts.samples == 6


_DOCUMENT = (Document(kind="k", key="a", value=b"1"),)
