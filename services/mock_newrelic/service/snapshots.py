"""Snapshots: what a client sent, compared with what it sent when the snapshot was taken.

A snapshot holds the requests of a session in a form that is the same from run to run: surface,
method, path, parameters and decoded body, without what is told to be ignored. It is created by the
first comparison, unless the service runs in CI, where a snapshot that is missing is an error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from svckit.errors import Conflict, InvalidInput, NotFound, SuiteError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mock_newrelic.ports import Store
    from mock_newrelic.service.journal import Entry, Journal

ALWAYS_IGNORED = frozenset({"timestamp", "license_key", "mock_session"})
MAX_SNAPSHOTS = 1000
MAX_DIFFERENCES = 20
_KIND = "snapshot"


class SnapshotService:
    """Creates, compares, shows and forgets snapshots; they outlive a restart."""

    def __init__(self, *, store: Store, journal: Journal, may_create: bool) -> None:
        self._store = store
        self._journal = journal
        self._may_create = may_create

    def compare(
        self, name: str, *, surface: str, ignore: Iterable[str], session: str
    ) -> dict[str, Any]:
        """Compare the session's requests with a snapshot; create it when there is none.

        Raises:
            NotFound: there is none, and none may be created here.
            Conflict: the requests differ; `errors` says where.
        """
        ignored = ALWAYS_IGNORED | set(ignore)
        entries = self._journal.find(surface=surface, session=session)
        seen = [_request(entry, ignored) for entry in entries]
        known = self._store.get(_KIND, name)
        if known is None:
            if not self._may_create:
                raise NotFound(
                    "there is no such snapshot, and none may be created here",
                    code="snapshot_missing",
                    hint="create it without MOCK_NEWRELIC_CI, and PUT it into this service",
                )
            self.replace(name, seen)
            return {"snapshot": name, "created": True, "requests": len(seen)}
        differences = list(
            _differences([_without(one, ignored) for one in json.loads(known)], seen)
        )
        if differences:
            raise Conflict(
                f"the requests differ from the snapshot in {len(differences)} places",
                code="snapshot_differs",
                errors=tuple(differences[:MAX_DIFFERENCES]),
            )
        return {"snapshot": name, "created": False, "requests": len(seen)}

    def get(self, name: str) -> list[Any]:
        """Return the requests of a snapshot, or raise NotFound."""
        known = self._store.get(_KIND, name)
        if known is None:
            raise NotFound("there is no such snapshot", hint="GET /control/snapshots lists them")
        requests: list[Any] = json.loads(known)
        return requests

    def names(self) -> list[str]:
        """Return the names of all snapshots."""
        return [key for key, _ in self._store.items(_KIND)]

    def replace(self, name: str, requests: list[Any]) -> None:
        """Keep a snapshot under a name, in the place of one that is there.

        Raises:
            SuiteError: there are too many already.
        """
        if self._store.get(_KIND, name) is None and len(self.names()) >= MAX_SNAPSHOTS:
            raise SuiteError(
                f"there are {MAX_SNAPSHOTS} snapshots already",
                code="too_many_snapshots",
                status=409,
                hint="DELETE /control/snapshots/<name>",
            )
        for at, one in enumerate(requests):
            if not isinstance(one, dict):
                raise InvalidInput(f"request {at} of the snapshot is no object")
        self._store.put(_KIND, name, json.dumps(requests).encode())

    def delete(self, name: str) -> None:
        """Forget a snapshot, or raise NotFound."""
        self.get(name)
        self._store.remove(_KIND, name)


def _request(entry: Entry, ignored: frozenset[str] | set[str]) -> dict[str, Any]:
    document = entry.as_json()
    body = document.get("body") or {}
    return {
        "surface": entry.surface,
        "method": entry.method,
        "path": entry.path,
        "query": _without(dict(parse_qsl(entry.query)), ignored),
        "body": _without(body.get("decoded", body.get("base64")), ignored),
    }


def _without(value: Any, ignored: frozenset[str] | set[str]) -> Any:
    if isinstance(value, dict):
        return {
            name: _without(part, ignored) for name, part in value.items() if name not in ignored
        }
    return [_without(part, ignored) for part in value] if isinstance(value, list) else value


def _differences(expected: Any, seen: Any, where: str = "") -> Iterable[dict[str, str]]:
    """Yield the places where two documents differ."""
    if isinstance(expected, dict) and isinstance(seen, dict):
        for name in sorted({*expected, *seen}):
            inner = f"{where}.{name}" if where else name
            if name not in seen or name not in expected:
                yield {"loc": inner, "msg": "missing" if name not in seen else "new"}
            else:
                yield from _differences(expected[name], seen[name], inner)
    elif isinstance(expected, list) and isinstance(seen, list):
        if len(expected) != len(seen):
            yield {"loc": where, "msg": f"{len(seen)} items, expected {len(expected)}"}
        for at, (one, other) in enumerate(zip(expected, seen, strict=False)):
            yield from _differences(one, other, f"{where}[{at}]")
    elif expected != seen:
        yield {"loc": where, "msg": f"{_short(seen)}, expected {_short(expected)}"}


def _short(value: Any) -> str:
    return json.dumps(value)[:80]
