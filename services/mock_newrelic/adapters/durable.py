"""The store that survives the death of its process.

Everything is read from memory, as in the ephemeral store. A write goes to the database first and
is applied to memory only once it is committed, so what was acknowledged is on file:

    journal    the counts of every batch, by series and second
    block      a minute of a series, counts and latency, as it was after batch number `upto`
    app        its labels, and what else is known of it after batch number `upto`
    chunk      raw events
    document   everything that other areas keep

The journal is folded into blocks bit by bit, a few of them with every write, and then cut off. At
start, blocks are loaded and those batches of the journal applied that they do not contain yet, so
each counts exactly once however the process ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import zstandard

from mock_newrelic.adapters.database import Database
from mock_newrelic.adapters.memory import MemoryStore
from mock_newrelic.domain.ingest.batch import Covered
from mock_newrelic.domain.model import RETENTION_SECONDS, Source, Span
from mock_newrelic.domain.records import Chunk
from mock_newrelic.domain.series import TIERS, Series
from mock_newrelic.domain.timeline import BLOCK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from sqlite3 import Connection

    from mock_newrelic.adapters.memory import Placed
    from mock_newrelic.domain.application import Application
    from mock_newrelic.domain.ingest.batch import Batch
    from mock_newrelic.domain.records import Row

FOLD_EVERY = 1000
"""Batches after which a round of folding begins."""
FOLD_STEP = 16
"""Blocks that are written together with one batch while a round lasts."""

Minute: TypeAlias = tuple[Series, int]
_encode = msgspec.msgpack.Encoder().encode
_decode_chunk = msgspec.msgpack.Decoder(Chunk).decode


class _Seconds(msgspec.Struct, array_like=True, gc=False):
    """The counts of one series in one batch."""

    series: int
    seconds: list[tuple[int, list[int], dict[int, int]]]


class _Entry(msgspec.Struct, array_like=True, gc=False):
    """What one batch told of one application."""

    app: int
    samples: int
    series: list[_Seconds]
    covered: list[Covered]


class _Block(msgspec.Struct, array_like=True, gc=False):
    """A minute of a series: counts as the timeline gives them, and the slots of every tier."""

    counts: bytes
    latency: list[dict[int, dict[int, int]]]


class _State(msgspec.Struct, array_like=True, gc=False):
    """What is known of an application beside its series."""

    samples: int
    runs: list[tuple[str, list[tuple[str, str]], list[Span], bool]]


_LabelState: TypeAlias = tuple[dict[str, list[str]], list[str], bool]
_decode_journal = msgspec.msgpack.Decoder(list[_Entry]).decode
_decode_block = msgspec.msgpack.Decoder(_Block).decode
_decode_state = msgspec.msgpack.Decoder(_State).decode


class DurableStore:
    """Keeps everything in memory and in a database.

    Args:
        directory: where the database lies; created when it is not there.
        max_apps: most applications.
        max_series: most series of an application.
        now: the present instant, to leave out what is too old.
        fold_every: batches after which a round of folding begins.
        fold_step: blocks that are written together with one batch while a round lasts.

    Raises:
        InvalidInput: the directory cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_apps: int,
        max_series: int,
        now: float,
        fold_every: int = FOLD_EVERY,
        fold_step: int = FOLD_STEP,
    ) -> None:
        self._memory = MemoryStore(max_apps=max_apps, max_series=max_series)
        self._database = Database(directory)
        self._fold_every = fold_every
        self._fold_step = fold_step
        self._last = 0
        self._folded = 0
        self._mark = 0
        self._pending: list[Minute] = []
        self._dirty: dict[Minute, None] = {}
        self._chunks: dict[int, int] = {}
        self._doomed: list[tuple[int, str, str, Chunk]] = []
        self._labels_saved: dict[int, int] = {}
        self._packer = zstandard.ZstdCompressor(level=1)
        self._load(now)

    def write(self, batch: Batch, now: float) -> None:
        """Keep a batch: on file first, then in memory.

        Raises:
            SuiteError: there is no room for its applications, or it cannot be written.
        """
        placed = self._memory.place(batch, now)
        entered: list[Application | Series] = []
        chunks: list[int] = []
        step = self._next_step()
        doomed = len(self._doomed)
        try:
            with self._database.changes() as db:
                self._enter(db, placed, batch.session, entered)
                db.execute(
                    "INSERT INTO journal VALUES (?, ?)",
                    (self._last + 1, _encode(_entries(placed, batch))),
                )
                for chunk in batch.records:
                    row = db.execute(
                        "INSERT INTO chunk (session, data) VALUES (?, ?)",
                        (batch.session, _encode(chunk)),
                    )
                    chunks.append(row.lastrowid or 0)
                self._change_documents(db, batch)
                self._delete_chunks(db, self._doomed[:doomed])
                self._fold(db, step, now)
        except BaseException:
            for one in entered:
                one.number = 0
            self._memory.take_back(placed, batch.session)
            raise
        self._last += 1
        self._folded_step(step)
        del self._doomed[:doomed]
        for app in placed.apps.values():
            self._labels_saved[app.number] = app.labels.changes
        for series, kept in placed.series:
            for second, _ in kept:
                self._dirty[series, second // BLOCK_SECONDS] = None
        self._chunks.update(zip(map(id, batch.records), chunks, strict=True))
        self._give_way(self._memory.apply(placed, batch, now), batch.session)

    def application(self, name: str, session: str = "") -> Application | None:
        """Return what is known of an application."""
        return self._memory.application(name, session)

    def applications(self, session: str = "") -> Iterator[Application]:
        """Yield all applications of a session by name."""
        return self._memory.applications(session)

    def version(self, name: str, session: str = "") -> int:
        """Return the number of the application's last change."""
        return self._memory.version(name, session)

    def reset(self, name: str | None = None, session: str = "") -> int:
        """Forget one application of a session, or all."""
        names = self._memory.covered_by(name, session)
        owners = names if name is not None else [*names, ""]
        chunks = [chunk for owner in owners for chunk in self._memory.records(owner, session)]
        doomed = [one for one in self._doomed if one[1] == session and one[2] in owners]
        with self._database.changes() as db:
            for one in names:
                app = self._memory.application(one, session)
                if app is not None:
                    self._delete_app(db, app.number)
            for owner in owners:
                db.execute("DELETE FROM lost WHERE session = ? AND app = ?", (session, owner))
            db.executemany(
                "DELETE FROM chunk WHERE number = ?",
                [(self._chunks[id(chunk)],) for chunk in chunks]
                + [(number,) for number, *_ in doomed],
            )
        self._forget_series(names, session)
        self._doomed = [one for one in self._doomed if one not in doomed]
        for chunk in chunks:
            del self._chunks[id(chunk)]
        return self._memory.reset(name, session)

    def rows(self, app: str, kind: str, span: Span, session: str = "") -> Iterator[Row]:
        """Yield the events of one type of an application."""
        return self._memory.rows(app, kind, span, session)

    def put(self, kind: str, key: str, value: bytes, session: str = "") -> None:
        """Keep a document."""
        with self._database.changes() as db:
            _put(db, session, kind, key, value)
        self._memory.put(kind, key, value, session)

    def get(self, kind: str, key: str, session: str = "") -> bytes | None:
        """Return a document, or None."""
        return self._memory.get(kind, key, session)

    def items(self, kind: str, session: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield the documents of a kind by key."""
        return self._memory.items(kind, session)

    def remove(self, kind: str, key: str, session: str = "") -> None:
        """Forget a document."""
        with self._database.changes() as db:
            _remove(db, session, kind, key)
        self._memory.remove(kind, key, session)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    @property
    def healthy(self) -> bool:
        """Whether the last write took hold."""
        return self._database.healthy

    def _enter(
        self,
        db: Connection,
        placed: Placed,
        session: str,
        entered: list[Application | Series],
    ) -> None:
        """Give numbers to what has none yet, and write down labels that have changed."""
        for name, app in placed.apps.items():
            if not app.number:
                row = db.execute(
                    "INSERT INTO app (session, name, labels, state, upto) VALUES (?, ?, ?, ?, ?)",
                    (session, name, _encode(app.labels.state()), _state(app), self._last),
                )
                app.number = row.lastrowid or 0
                entered.append(app)
            elif app.labels.changes != self._labels_saved.get(app.number, 0):
                db.execute(
                    "UPDATE app SET labels = ? WHERE number = ?",
                    (_encode(app.labels.state()), app.number),
                )
        for app, series, _ in placed.of_apps():
            if not series.number:
                row = db.execute(
                    "INSERT INTO series (app, source, labels, overflow) VALUES (?, ?, ?, ?)",
                    (app.number, series.source, _encode(sorted(series.labels)), series.is_overflow),
                )
                series.number = row.lastrowid or 0
                entered.append(series)

    def _change_documents(self, db: Connection, batch: Batch) -> None:
        for one in batch.documents:
            session = batch.session if one.session is None else one.session
            if one.value is None:
                _remove(db, session, one.kind, one.key)
            else:
                _put(db, session, one.kind, one.key, one.value)

    def _next_step(self) -> list[Minute]:
        """Return the blocks to write with the next batch; begin a round when it is time."""
        if not self._mark and self._last - self._folded >= self._fold_every:
            self._mark = self._last
            self._pending = list(self._dirty)
            self._dirty.clear()
        return self._pending[-self._fold_step :] if self._mark else []

    def _fold(self, db: Connection, step: list[Minute], now: float) -> None:
        """Write blocks as they are before this batch; cut the journal when the last are done."""
        if not self._mark:
            return
        for series, minute in step:
            data = self._packed(series, minute)
            if data is not None and series.number:
                db.execute(
                    "INSERT OR REPLACE INTO block VALUES (?, ?, ?, ?)",
                    (series.number, minute, self._last, data),
                )
        if len(step) == len(self._pending):
            places = self._memory.places()
            db.executemany(
                "UPDATE app SET state = ?, upto = ? WHERE number = ?",
                [(_state(app), self._last, app.number) for _, app in places],
            )
            db.execute("DELETE FROM journal WHERE number <= ?", (self._mark,))
            self._delete_old(db, places, now)

    def _folded_step(self, step: list[Minute]) -> None:
        if self._mark:
            del self._pending[len(self._pending) - len(step) :]
            if not self._pending:
                self._folded, self._mark = self._mark, 0

    def _packed(self, series: Series, minute: int) -> bytes | None:
        counts = series.counts.block(minute)
        if counts is None:
            return None
        second = minute * BLOCK_SECONDS
        latency = [
            timeline.slots(second // resolution, (second + BLOCK_SECONDS) // resolution)
            for (resolution, _), timeline in zip(TIERS, series.latency, strict=True)
        ]
        return self._packer.compress(_encode([counts, latency]))

    def _delete_old(
        self, db: Connection, places: list[tuple[str, Application]], now: float
    ) -> None:
        """Delete what memory has forgotten."""
        oldest = int(now - RETENTION_SECONDS) // BLOCK_SECONDS - 3
        db.execute("DELETE FROM block WHERE minute < ?", (oldest,))
        living = {app.number for _, app in places}
        for (number,) in db.execute("SELECT number FROM app").fetchall():
            if number not in living:
                self._delete_app(db, number)
        kept = {series.number for _, app in places for series in app.all_series()}
        gone = [
            (number,)
            for (number,) in db.execute("SELECT number FROM series").fetchall()
            if number not in kept
        ]
        db.executemany("DELETE FROM block WHERE series = ?", gone)
        db.executemany("DELETE FROM series WHERE number = ?", gone)

    def _delete_app(self, db: Connection, number: int) -> None:
        db.execute(
            "DELETE FROM block WHERE series IN (SELECT number FROM series WHERE app = ?)", (number,)
        )
        db.execute("DELETE FROM series WHERE app = ?", (number,))
        db.execute("DELETE FROM app WHERE number = ?", (number,))

    def _forget_series(self, names: Iterable[str], session: str) -> None:
        apps = [self._memory.application(name, session) for name in names]
        gone = {series for app in apps if app is not None for series in app.all_series()}
        self._dirty = {minute: None for minute in self._dirty if minute[0] not in gone}
        self._pending = [minute for minute in self._pending if minute[0] not in gone]

    def _give_way(self, gone: list[Chunk], session: str) -> None:
        """Remember which raw events memory has let go of, to be deleted with the next batch."""
        for chunk in gone:
            owner = self._memory.owner(chunk, session)
            self._doomed.append((self._chunks.pop(id(chunk), 0), session, owner, chunk))

    def _delete_chunks(self, db: Connection, doomed: list[tuple[int, str, str, Chunk]]) -> None:
        for number, session, owner, chunk in doomed:
            db.execute("DELETE FROM chunk WHERE number = ?", (number,))
            for kind in chunk.kinds:
                db.execute(
                    "INSERT INTO lost VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
                    "SET before = max(before, excluded.before)",
                    (session, owner, kind, chunk.span.stop),
                )

    def _load(self, now: float) -> None:
        db = self._database.reader
        self._load_documents(db)
        apps = self._load_apps(db)
        series = self._load_series(db, {number: app for number, (app, _) in apps.items()})
        told = self._load_blocks(db, series)
        self._replay(db, apps, series, told, now)
        for _, app in self._memory.places():
            app.forget(now)
        self._load_chunks(db, now)

    def _load_documents(self, db: Connection) -> None:
        for session, kind, key, value in db.execute("SELECT * FROM document"):
            self._memory.put(kind, key, value, session)

    def _load_apps(self, db: Connection) -> dict[int, tuple[Application, int]]:
        apps = {}
        for number, session, name, labels, state, upto in db.execute("SELECT * FROM app"):
            app = self._memory.open(name, session)
            app.number = number
            known: _LabelState = msgspec.msgpack.decode(labels, type=_LabelState)
            app.labels.restore(known[0], known[1], full=known[2])
            self._labels_saved[number] = app.labels.changes
            kept = _decode_state(state)
            app.samples = kept.samples
            for run, run_labels, spans, ended in kept.runs:
                app.coverage.restore(run, run_labels, spans, ended=ended)
            apps[number] = (app, upto)
        return apps

    def _load_series(self, db: Connection, apps: dict[int, Application]) -> dict[int, Series]:
        found = {}
        for number, app, source, labels, overflow in db.execute("SELECT * FROM series"):
            if app not in apps:
                continue
            stream = apps[app].stream(Source(source))
            if overflow:
                series = stream.open_overflow()
            else:
                pairs = msgspec.msgpack.decode(labels, type=list[tuple[str, str]])
                series = stream.open(frozenset(pairs))
            series.number = number
            found[number] = series
        return found

    def _load_blocks(self, db: Connection, series: dict[int, Series]) -> dict[tuple[int, int], int]:
        """Load the blocks and return up to which batch each contains all."""
        unpack = zstandard.ZstdDecompressor().decompress
        told = {}
        for number, minute, upto, data in db.execute("SELECT * FROM block"):
            if (one := series.get(number)) is None:
                continue
            block = _decode_block(unpack(data))
            one.counts.restore(minute, block.counts)
            for timeline, slots in zip(one.latency, block.latency, strict=True):
                for slot, histogram in slots.items():
                    timeline.restore(slot, histogram)
            told[number, minute] = upto
        return told

    def _replay(
        self,
        db: Connection,
        apps: dict[int, tuple[Application, int]],
        series: dict[int, Series],
        told: dict[tuple[int, int], int],
        now: float,
    ) -> None:
        """Apply what no block contains yet."""
        for number, data in db.execute("SELECT * FROM journal ORDER BY number"):
            self._last = number
            for entry in _decode_journal(data):
                app, upto = apps.get(entry.app, (None, 0))
                if app is not None and number > upto:
                    app.samples += entry.samples
                    for covered in entry.covered:
                        app.coverage.add(covered)
                for counted in entry.series:
                    if (one := series.get(counted.series)) is None:
                        continue
                    for second, counts, histogram in counted.seconds:
                        minute = second // BLOCK_SECONDS
                        if number > told.get((counted.series, minute), 0):
                            one.add(second, counts, histogram, now)
                            self._dirty[one, minute] = None
        # The journal may be empty, and numbers that a block contains must not be given again.
        self._last = max([self._last, *told.values(), *(upto for _, upto in apps.values())])
        [first] = db.execute("SELECT min(number) FROM journal").fetchone()
        self._folded = (first or self._last + 1) - 1

    def _load_chunks(self, db: Connection, now: float) -> None:
        for session, app, kind, before in db.execute("SELECT * FROM lost"):
            self._memory.records(app, session).lose(kind, before)
        for number, session, data in db.execute("SELECT * FROM chunk ORDER BY number"):
            chunk = _decode_chunk(data)
            self._chunks[id(chunk)] = number
            self._give_way(self._memory.keep(chunk, session, now), session)


def _entries(placed: Placed, batch: Batch) -> list[_Entry]:
    entries = {name: _Entry(app.number, 0, [], []) for name, app in placed.apps.items()}
    for key, seconds in batch.bins.items():
        entries[key.app].samples += sum(one.counts[0] for one in seconds.values())
    for app, series, kept in placed.of_apps():
        seconds_kept = [(second, one.counts, one.histogram) for second, one in kept]
        entries[app.name].series.append(_Seconds(series.number, seconds_kept))
    for covered in batch.covered:
        entries[covered.app].covered.append(covered)
    return list(entries.values())


def _state(app: Application) -> bytes:
    return _encode([app.samples, app.coverage.told()])


def _put(db: Connection, session: str, kind: str, key: str, value: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?)", (session, kind, key, value))


def _remove(db: Connection, session: str, kind: str, key: str) -> None:
    parameters: tuple[Any, ...] = (session, kind, key)
    db.execute("DELETE FROM document WHERE session = ? AND kind = ? AND key = ?", parameters)
