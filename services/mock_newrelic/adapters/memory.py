"""The store that keeps everything in memory and loses it with the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.application import Application
from mock_newrelic.domain.ingest.codecs import CODECS
from mock_newrelic.domain.records import Records, rows_in
from svckit.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mock_newrelic.domain.ingest.batch import Batch, Document
    from mock_newrelic.domain.model import Span
    from mock_newrelic.domain.records import Chunk, Row


class MemoryStore:
    """Applications by name, bounded in number and in series each."""

    def __init__(self, *, max_apps: int, max_series: int) -> None:
        self._max_apps = max_apps
        self._max_series = max_series
        self._apps: dict[tuple[str, str], Application] = {}
        self._versions: dict[tuple[str, str], int] = {}
        self._changes = 0
        self._records: dict[tuple[str, str], Records] = {}
        self._documents: dict[tuple[str, str], dict[str, bytes]] = {}

    def write(self, batch: Batch, now: float) -> None:
        """Keep a batch.

        Raises:
            SuiteError: it names more applications than there is room for.
        """
        self._make_room(batch, now)
        self._changes += 1
        for name in sorted(batch.apps):
            place = (batch.session, name)
            self._versions[place] = self._changes
            if place not in self._apps:
                self._apps[place] = Application(name, max_series=self._max_series)
            self._apps[place].forget(now)
        for told in batch.covered:
            self._apps[batch.session, told.app].coverage.add(told)
        for chunk in batch.records:
            self._keep_chunk(chunk, batch, now)
        for document in batch.documents:
            self._change(document, batch.session)
        for key, seconds in batch.bins.items():
            app = self._apps[batch.session, key.app]
            for second, one in seconds.items():
                app.add(key.labels, second, one.counts, one.histogram, now, key.source)

    def application(self, name: str, session: str = "") -> Application | None:
        """Return what is known of an application."""
        return self._apps.get((session, name))

    def applications(self, session: str = "") -> Iterator[Application]:
        """Yield all applications of a session by name."""
        return (app for (where, _), app in sorted(self._apps.items()) if where == session)

    def version(self, name: str, session: str = "") -> int:
        """Return the number of the application's last change."""
        return self._versions.get((session, name), 0)

    def reset(self, name: str | None = None, session: str = "") -> int:
        """Forget one application of a session, or all."""
        gone = [place for place in self._apps if place[0] == session and name in {None, place[1]}]
        for place in gone:
            self._drop(place)
        if name is None:
            self._records.pop((session, ""), None)
        return len(gone)

    def rows(self, app: str, kind: str, span: Span, session: str = "") -> Iterator[Row]:
        """Yield the events of one type of an application."""
        records = self._records.get((session, app))
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

    def _keep_chunk(self, chunk: Chunk, batch: Batch, now: float) -> None:
        """Give a chunk to every application that it speaks of, all others share one place."""
        for name in {name if name in batch.apps else "" for name in chunk.apps}:
            records = self._records.setdefault((batch.session, name), Records())
            records.forget(now)
            records.add(chunk)

    def _change(self, one: Document, session: str) -> None:
        where = session if one.session is None else one.session
        if one.value is None:
            self.remove(one.kind, one.key, where)
        else:
            self.put(one.kind, one.key, one.value, where)

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
