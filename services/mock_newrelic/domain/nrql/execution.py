"""Runs a query: subqueries first, then the rings where they can answer, else the raw rows.

A query is answered from one of the two as a whole, and the answer says which. When the raw rows do
not reach back to the beginning of the window the query fails: a part is never shown as the whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.aggregation import Aggregation
from mock_newrelic.domain.nrql.columns import column_name, require_distinct
from mock_newrelic.domain.nrql.context import Context
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.expressions import condition_of, parts, value_of
from mock_newrelic.domain.nrql.lowering import is_aggregate
from mock_newrelic.domain.nrql.result import WHOLE, Result
from mock_newrelic.domain.nrql.rewriting import bind, replace_subqueries
from mock_newrelic.domain.nrql.rings import required_apps
from mock_newrelic.domain.nrql.timing import Range, range_of, require_kept
from mock_newrelic.domain.nrql.values import sort_key
from mock_newrelic.domain.records import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mock_newrelic.domain.nrql.ast import Expr, Query
    from mock_newrelic.domain.nrql.data import Data

DEFAULT_ROWS = 100


def run(query: Query, data: Data, now: float, *, window: Range | None = None) -> Result:
    """Answer a query.

    Args:
        query: what is asked.
        data: what there is.
        now: the instant for which it is answered.
        window: the range of the query around this one, used unless it has its own.

    Raises:
        NrqlError: the query cannot be answered, or not in full.
    """
    return _Run(Context(data, now)).run(query, window)


class _Run:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._now = context.now

    def run(self, query: Query, around: Range | None = None) -> Result:
        own = around is None or query.since is not None or query.until is not None
        window = range_of(query, self._now) if own or around is None else around
        query = bind(query)
        query = replace_subqueries(query, lambda inner: self._values(inner, window))
        if query.compare is None:
            return self._once(query, window)
        seconds = range_of(replace(query, since=query.compare, until=None), self._now).seconds
        current = self._once(query, window)
        previous = self._once(query, window.earlier(seconds))
        for rows, name in ((current.rows, "current"), (previous.rows, "previous")):
            for row in rows:
                row["comparison"] = name
        return replace(
            current, rows=current.rows + previous.rows, previous=previous.rows,
            messages=list(dict.fromkeys(current.messages + previous.messages)),
        )  # fmt: skip

    def _once(self, query: Query, window: Range) -> Result:
        aggregated = [isinstance(i.value, ast.Star) or is_aggregate(i.value) for i in query.select]
        stars = any(isinstance(item.value, ast.Star) for item in query.select)
        if stars or not any(aggregated):
            return self._events(query, window)
        if not all(aggregated):
            for item in query.select:
                if not isinstance(item.value, ast.Star) and not is_aggregate(item.value):
                    _refuse_mixture(item.value)
        return Aggregation(self._context, query, window, self._rows).run()

    def _rows(self, query: Query, window: Range) -> Iterator[Row]:
        """Yield the rows of the query's source that satisfy its condition."""
        holds = condition_of(query.where) if query.where is not None else None
        for row in self._source(query, window):
            if holds is None or holds(row.attributes):
                yield row

    def _source(self, query: Query, window: Range) -> Iterator[Row]:
        if isinstance(query.source, ast.Subquery):
            yield from self._nested(query.source.query, window)
            return
        apps = required_apps(query.where)
        self._context.note(query.source, apps or ())
        require_kept(window, self._now)
        for kind in query.source:
            yield from self._context.data.rows(apps, kind, window.span)
        self._context.say(
            f"computed from raw {', '.join(query.source)} events, weighted as sampled"
        )

    def _nested(self, query: Query, window: Range) -> Iterator[Row]:
        self._context.count_subquery()
        result = self.run(query, window)
        for row in result.rows:
            seconds = row.get("beginTimeSeconds", row.get("timestamp", window.begin * 1000) / 1000)
            yield Row(row, seconds)

    def _values(self, query: Query, window: Range) -> list[Any]:
        """Return the values of a subquery: of its only column, in all rows."""
        self._context.count_subquery()
        if query.timeseries is not None or query.compare is not None or len(query.select) != 1:
            raise NrqlError(
                "a subquery in a condition selects one value, without TIMESERIES and COMPARE WITH"
            )
        query = query if query.limit else replace(query, limit=5000)
        result = self.run(query, window)
        values: list[Any] = []
        for row in result.rows:
            value = row.get(result.columns[0])
            values.extend(value if isinstance(value, list) else [value])
        return values

    # Rows as they are

    def _events(self, query: Query, window: Range) -> Result:
        if query.facets or query.cases or query.timeseries:
            raise NrqlError(
                "FACET and TIMESERIES need a function of many rows", hint="SELECT count(*) …"
            )
        found = list(self._rows(query, window))
        if query.order is not None:
            by = value_of(query.order.by)
            found.sort(key=lambda row: sort_key(by(row.attributes)), reverse=query.order.descending)
        else:
            found.sort(key=lambda row: row.timestamp, reverse=True)
        limit = query.limit or DEFAULT_ROWS
        shown = found[query.offset : query.offset + limit]
        columns = [
            column_name(item) for item in query.select if not isinstance(item.value, ast.Star)
        ]
        require_distinct(columns)
        values = [value_of(i.value) for i in query.select if not isinstance(i.value, ast.Star)]
        whole = len(values) < len(query.select)
        rows = []
        for row in shown:
            document: dict[str, Any] = {}
            if whole:
                document |= {**row.attributes}
            if not isinstance(query.source, ast.Subquery):
                document.setdefault("timestamp", round(row.timestamp * 1000))
            document |= {
                name: value(row.attributes) for name, value in zip(columns, values, strict=True)
            }
            rows.append(document)
        return Result(
            query=query,
            window=window,
            rows=rows,
            columns=columns,
            messages=self._context.messages,
            inspected={WHOLE: float(len(found))},
            apps=frozenset(self._context.apps),
            events=True,
            event_types=list(self._context.kinds),
        )


def _refuse_mixture(expr: Expr) -> None:
    at = next((part.at for part in parts(expr) if isinstance(part, ast.Ref)), None)
    raise NrqlError(
        "SELECT has attributes beside functions of many rows", at, "latest(x), or FACET x"
    )
