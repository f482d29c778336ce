"""The store that keeps everything in memory and loses it with the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.application import Application
from svckit.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mock_newrelic.domain.ingest.batch import Batch


class MemoryStore:
    """Applications by name, bounded in number and in series each."""

    def __init__(self, *, max_apps: int, max_series: int) -> None:
        self._max_apps = max_apps
        self._max_series = max_series
        self._apps: dict[str, Application] = {}
        self._versions: dict[str, int] = {}
        self._changes = 0
        self._documents: dict[tuple[str, str], dict[str, bytes]] = {}

    def write(self, batch: Batch, now: float) -> None:
        """Keep a batch.

        Raises:
            SuiteError: it names more applications than there is room for.
        """
        self._make_room(batch, now)
        self._changes += 1
        for name in sorted(batch.apps):
            self._versions[name] = self._changes
            if name not in self._apps:
                self._apps[name] = Application(name, max_series=self._max_series)
            self._apps[name].forget(now)
        for key, seconds in batch.bins.items():
            app = self._apps[key.app]
            for second, one in seconds.items():
                app.add(key.labels, second, one.counts, one.histogram, now)

    def application(self, name: str) -> Application | None:
        """Return what is known of an application."""
        return self._apps.get(name)

    def applications(self) -> Iterator[Application]:
        """Yield all applications by name."""
        return (app for _, app in sorted(self._apps.items()))

    def version(self, name: str) -> int:
        """Return the number of the application's last change."""
        return self._versions.get(name, 0)

    def reset(self, name: str | None = None) -> int:
        """Forget one application or all."""
        names = [name] if name in self._apps else [] if name else list(self._apps)
        for known in names:
            del self._apps[known]
            del self._versions[known]
        return len(names)

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

    def _make_room(self, batch: Batch, now: float) -> None:
        new = sum(name not in self._apps for name in batch.apps)
        if len(self._apps) + new <= self._max_apps:
            return
        for name, app in list(self._apps.items()):
            app.forget(now)
            if app.empty:
                del self._apps[name]
                del self._versions[name]
        if len(self._apps) + new > self._max_apps:
            raise SuiteError(
                "the batch names more applications than there is room for",
                code="too_many_apps",
                status=507,
                hint=f"at most {self._max_apps}; POST /control/reset?app=<name> forgets one",
            )
