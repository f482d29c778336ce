"""Transactions in memory, seen through the rings and as raw rows, for tests of NRQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from math import floor
from typing import Any

from mock_newrelic.domain.application import Application
from mock_newrelic.domain.ingest.event_api import ProbeRule, read_batch
from mock_newrelic.domain.model import Reading, Span, Terms
from mock_newrelic.domain.nrql.execution import run
from mock_newrelic.domain.nrql.parser import parse
from mock_newrelic.domain.nrql.result import Result
from mock_newrelic.domain.records import Row

NOW = 1_770_170_400.5


def event(age: float = 0.0, *, app: str = "shop", status: int = 200, **more: Any) -> dict[str, Any]:
    """Return a transaction so many seconds before NOW."""
    return {
        "eventType": "Transaction",
        "appName": app,
        "timestamp": round((NOW - age) * 1000),
        "httpResponseCode": str(status),
        "error": status >= 500,
        **more,
    }


class Events:
    """The data of a query: `rings` False forces every query to scan the rows."""

    def __init__(self, events: list[dict[str, Any]], *, rings: bool = True) -> None:
        self._events = events
        self._rings = rings
        self._apps: dict[str, Application] = {}
        transactions = [one for one in events if one["eventType"] == "Transaction"]
        if transactions:
            batch = read_batch(json.dumps(transactions).encode(), now=NOW, probes=ProbeRule())
            for key, seconds in batch.bins.items():
                app = self._apps.setdefault(key.app, Application(key.app, max_series=1000))
                for second, one in seconds.items():
                    app.add(key.labels, second, one.counts, one.histogram, NOW)

    def apps(self) -> Iterable[str]:
        """Return the applications."""
        return sorted(self._apps)

    def answerable(self, app: str, label: str, _span: Span) -> bool:
        """Whether the label is kept."""
        known = self._apps.get(app)
        return self._rings and (known is None or bool(known.values(label)))

    def series(
        self, app: str, terms: Terms, span: Span, *, latency: bool
    ) -> Iterator[tuple[Terms, Reading]]:
        """Yield the series."""
        if app in self._apps:
            yield from self._apps[app].each(terms, span, NOW, latency=latency)

    def rows(self, apps: frozenset[str] | None, kind: str, span: Span) -> Iterator[Row]:
        """Yield the events."""
        for one in self._events:
            instant = one["timestamp"] / 1000
            wanted = apps is None or one.get("appName") in apps
            if one["eventType"] == kind and wanted and span.first <= floor(instant) < span.stop:
                yield Row(one, instant, one.get("weight", 1.0))


def ask(query: str, events: list[dict[str, Any]], *, rings: bool = True) -> Result:
    """Run a query over the events."""
    return run(parse(query), Events(events, rings=rings), NOW)


def rows(query: str, events: list[dict[str, Any]], *, rings: bool = True) -> list[dict[str, Any]]:
    """Return the rows that a query gives."""
    return ask(query, events, rings=rings).rows


def only(query: str, events: list[dict[str, Any]], *, rings: bool = True) -> Any:
    """Return the one value of the one row that a query gives."""
    (row,) = rows(query, events, rings=rings)
    (value,) = row.values()
    return value
