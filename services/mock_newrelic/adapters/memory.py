"""The store that keeps everything in memory and loses it with the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mock_newrelic.domain.application import Application
from mock_newrelic.domain.ingest.batch import Bin
from mock_newrelic.domain.ingest.codecs import CODECS
from mock_newrelic.domain.records import Records, rows_in
from mock_newrelic.domain.series import Series
from mock_newrelic.domain.window import is_kept
from svckit.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mock_newrelic.domain.ingest.batch import Batch
    from mock_newrelic.domain.model import Span
    from mock_newrelic.domain.records import Chunk, Row


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the counts of a batch belong.

    Attributes:
        apps: the applications that it speaks of, by name.
        new: the names of those that were not known before.
        series: every series with its counts by second.
        owners: the names of their applications, in the same order.
    """

    apps: dict[str, Application]
    new: tuple[str, ...]
    series: list[tuple[Series, list[tuple[int, Bin]]]]
    owners: list[str]

    def of_apps(self) -> Iterator[tuple[Application, Series, list[tuple[int, Bin]]]]:
        """Yield application, series and its counts by second."""
        for owner, (series, kept) in zip(self.owners, self.series, strict=True):
            yield self.apps[owner], series, kept


class MemoryStore:
    """Applications by session and name, bounded in number and in series each."""

    def __init__(self, *, max_apps: int, max_series: int) -> None:
        self._max_apps = max_apps
        self._max_series = max_series
        self._apps: dict[tuple[str, str], Application] = {}
        self._versions: dict[tuple[str, str], int] = {}
        self._changes = 0
        self._documents: dict[tuple[str, str], dict[str, bytes]] = {}
        self._records: dict[tuple[str, str], Records] = {}

    def write(self, batch: Batch, now: float) -> None:
        """Keep a batch.

        Raises:
            SuiteError: it names more applications than there is room for.
        """
        self.apply(self.place(batch, now), batch, now)

    def place(self, batch: Batch, now: float) -> Placed:
        """Make room for a batch and find the series of its counts; nothing is counted yet.

        Raises:
            SuiteError: it names more applications than there is room for.
        """
        self._make_room(batch, now)
        new = tuple(name for name in batch.apps if (batch.session, name) not in self._apps)
        for name in new:
            self.open(name, batch.session)
        apps = {name: self._apps[batch.session, name] for name in batch.apps}
        for app in apps.values():
            app.forget(now)
        series, owners = [], []
        for key, seconds in batch.bins.items():
            kept = [(second, one) for second, one in seconds.items() if is_kept(second, now)]
            if kept:
                series.append((apps[key.app].series(key.labels, key.source), kept))
                owners.append(key.app)
        return Placed(apps, new, series, owners)

    def take_back(self, placed: Placed, session: str) -> None:
        """Forget the applications that a batch would have been the first to speak of."""
        for name in placed.new:
            self._drop((session, name))

    def apply(self, placed: Placed, batch: Batch, now: float) -> list[Chunk]:
        """Count a batch and return the raw events that had to give way to its own."""
        self._changes += 1
        for name in batch.apps:
            self._versions[batch.session, name] = self._changes
        for key, seconds in batch.bins.items():
            placed.apps[key.app].samples += sum(one.counts[0] for one in seconds.values())
        for series, kept in placed.series:
            for second, one in kept:
                series.add(second, one.counts, one.histogram, now)
        for told in batch.covered:
            placed.apps[told.app].coverage.add(told)
        for document in batch.documents:
            where = batch.session if document.session is None else document.session
            if document.value is None:
                self.remove(document.kind, document.key, where)
            else:
                self.put(document.kind, document.key, document.value, where)
        gone = []
        for chunk in batch.records:
            gone += self.keep(chunk, batch.session, now)
        return gone

    def open(self, name: str, session: str = "") -> Application:
        """Begin with an application."""
        app = self._apps[session, name] = Application(name, max_series=self._max_series)
        self._versions[session, name] = self._changes
        return app

    def keep(self, chunk: Chunk, session: str, now: float) -> list[Chunk]:
        """Keep raw events, and return those that had to give way."""
        records = self.records(self.owner(chunk, session), session)
        gone = records.forget(now)
        return gone + records.add(chunk)

    def records(self, app: str, session: str = "") -> Records:
        """Return the raw events of an application, or those of all others for an empty name."""
        return self._records.setdefault((session, app), Records())

    def application(self, name: str, session: str = "") -> Application | None:
        """Return what is known of an application."""
        return self._apps.get((session, name))

    def applications(self, session: str = "") -> Iterator[Application]:
        """Yield all applications of a session by name."""
        return (app for (where, _), app in sorted(self._apps.items()) if where == session)

    def places(self) -> list[tuple[str, Application]]:
        """Return all applications with their sessions."""
        return [(session, app) for (session, _), app in self._apps.items()]

    def version(self, name: str, session: str = "") -> int:
        """Return the number of the application's last change."""
        return self._versions.get((session, name), 0)

    def reset(self, name: str | None = None, session: str = "") -> int:
        """Forget one application of a session, or all."""
        gone = self.covered_by(name, session)
        for app in gone:
            self._drop((session, app))
        if name is None:
            self._records.pop((session, ""), None)
        return len(gone)

    def covered_by(self, name: str | None, session: str) -> list[str]:
        """Return the names of the applications that a reset forgets."""
        return [app for where, app in self._apps if where == session and name in {None, app}]

    def rows(self, app: str, kind: str, span: Span, session: str = "") -> Iterator[Row]:
        """Yield the events of one type of an application."""
        for owner in {app, ""}:
            records = self._records.get((session, owner))
            if records is not None:
                chunks = records.chunks(kind, span)
                yield from rows_in(chunks, CODECS, app=app, kind=kind, span=span)

    def put(self, kind: str, key: str, value: bytes, session: str = "") -> None:
        """Keep a document."""
        self._documents.setdefault((session, kind), {})[key] = value

    def get(self, kind: str, key: str, session: str = "") -> bytes | None:
        """Return a document, or None."""
        return self._documents.get((session, kind), {}).get(key)

    def items(self, kind: str, session: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield the documents of a kind by key."""
        yield from sorted(self._documents.get((session, kind), {}).items())

    def remove(self, kind: str, key: str, session: str = "") -> None:
        """Forget a document."""
        self._documents.get((session, kind), {}).pop(key, None)

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    @property
    def healthy(self) -> bool:
        """Whether what is written is kept."""
        return True

    def owner(self, chunk: Chunk, session: str) -> str:
        """Return the application that a chunk counts against; empty when it has several."""
        if len(chunk.apps) == 1:
            [name] = chunk.apps
            if (session, name) in self._apps:
                return name
        return ""

    def _drop(self, place: tuple[str, str]) -> None:
        del self._apps[place]
        del self._versions[place]
        self._records.pop(place, None)

    def _make_room(self, batch: Batch, now: float) -> None:
        new = sum((batch.session, name) not in self._apps for name in batch.apps)
        if len(self._apps) + new <= self._max_apps:
            return
        for place, app in list(self._apps.items()):
            app.forget(now)
            if app.empty:
                self._drop(place)
        if len(self._apps) + new > self._max_apps:
            raise SuiteError(
                "the batch names more applications than there is room for",
                code="too_many_apps",
                status=507,
                hint=f"at most {self._max_apps}; POST /control/reset?app=<name> forgets one",
            )
