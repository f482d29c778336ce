"""Runs a query: subqueries first, then the rings where they can answer, else the raw rows.

A query is answered from one of the two as a whole, and the answer says which. When the raw rows do
not reach back to the beginning of the window the query fails: a part is never shown as the whole.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from math import floor
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.accumulators import accumulator
from mock_newrelic.domain.nrql.ast import Query
from mock_newrelic.domain.nrql.attributes import DURATION, ERROR
from mock_newrelic.domain.nrql.columns import column_name, facet_name, require_distinct
from mock_newrelic.domain.nrql.data import TRANSACTION, Row
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.expressions import condition_of, parts, value_of
from mock_newrelic.domain.nrql.lowering import (
    ERROR_METRICS,
    SECONDS_SLOT,
    TIMESLICE_NAME,
    TIMESLICE_VALUE,
    TIMESLICES,
    TRANSACTION_METRICS,
    Leaves,
    conjunction,
    conjuncts,
    is_aggregate,
)
from mock_newrelic.domain.nrql.rewriting import bind, replace_subqueries
from mock_newrelic.domain.nrql.rings import (
    RingTotal,
    only_labels,
    plan_leaf,
    required_apps,
    series_row,
)
from mock_newrelic.domain.nrql.timing import Bucket, Range, buckets_of, range_of, require_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mock_newrelic.domain.model import Span
    from mock_newrelic.domain.nrql.ast import Expr
    from mock_newrelic.domain.nrql.data import Data
    from mock_newrelic.domain.nrql.lowering import Leaf
    from mock_newrelic.domain.nrql.rings import RingLeaf

DEFAULT_FACETS = 10
DEFAULT_ROWS = 100
MAX_SUBQUERIES = 8
MAX_GROUPS = 50_000

WHOLE = -1
"""The number of the group that is over the whole window, beside the buckets of a series."""

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer to a query.

    Attributes:
        rows: the rows as NerdGraph shows them.
        buckets: for a time series, the steps; rows name theirs by its begin.
        inspected: events that were looked at, by bucket (WHOLE: in all).
        messages: what the reader of the answer should know.
    """

    query: Query
    window: Range
    rows: list[dict[str, Any]]
    columns: list[str]
    messages: list[str]
    buckets: list[Bucket] = field(default_factory=list)
    inspected: dict[int, float] = field(default_factory=dict)
    total: Any = None
    other: Any = None
    previous: list[dict[str, Any]] | None = None
    apps: frozenset[str] = frozenset()


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
    return _Run(data, now).run(query, window)


class _Run:
    def __init__(self, data: Data, now: float) -> None:
        self._data = data
        self._now = now
        self._subqueries = 0
        self._messages: list[str] = []
        self._apps: set[str] = set()

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
        return _Aggregation(self, query, window).run()

    # What is read

    @property
    def data(self) -> Data:
        return self._data

    def rows(self, query: Query, window: Range, span: Span) -> Iterator[Row]:
        """Yield the rows of the query's source that satisfy its condition."""
        holds = condition_of(query.where) if query.where is not None else None
        for row in self._source(query, window, span):
            if holds is None or holds(row.attributes):
                yield row

    def _source(self, query: Query, window: Range, span: Span) -> Iterator[Row]:
        if isinstance(query.source, ast.Subquery):
            yield from self._nested(query.source.query, window)
            return
        apps = required_apps(query.where)
        self._apps |= apps or set()
        require_kept(window, self._now)
        for kind in query.source:
            yield from self._data.rows(apps, kind, span)
        self.say(f"computed from raw {', '.join(query.source)} events, weighted as sampled")

    def _nested(self, query: Query, window: Range) -> Iterator[Row]:
        self._count()
        result = self.run(query, window)
        for row in result.rows:
            seconds = row.get("beginTimeSeconds", row.get("timestamp", window.begin * 1000) / 1000)
            yield Row(row, seconds)

    def _values(self, query: Query, window: Range) -> list[Any]:
        """Return the values of a subquery: of its only column, in all rows."""
        self._count()
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

    def _count(self) -> None:
        self._subqueries += 1
        if self._subqueries > MAX_SUBQUERIES:
            raise NrqlError("the query has too many subqueries", hint=f"at most {MAX_SUBQUERIES}")

    def say(self, message: str) -> None:
        """Tell the reader of the answer something, once."""
        if message not in self._messages:
            self._messages.append(message)

    # Rows as they are

    def _events(self, query: Query, window: Range) -> Result:
        if query.facets or query.cases or query.timeseries:
            raise NrqlError(
                "FACET and TIMESERIES need a function of many rows", hint="SELECT count(*) …"
            )
        found = list(self.rows(query, window, window.span))
        if query.order is not None:
            by = value_of(query.order.by)
            found.sort(
                key=lambda row: _sort_key(by(row.attributes)), reverse=query.order.descending
            )
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
            messages=self._messages,
            inspected={WHOLE: float(len(found))},
            apps=frozenset(self._apps),
        )

    def note_apps(self, apps: frozenset[str]) -> None:
        """Remember which applications an answer is about."""
        self._apps |= apps

    @property
    def messages(self) -> list[str]:
        return self._messages

    @property
    def apps(self) -> frozenset[str]:
        return frozenset(self._apps)

    @property
    def now(self) -> float:
        return self._now


class _Aggregation:
    """One SELECT of functions over many rows."""

    def __init__(self, run: _Run, query: Query, window: Range) -> None:
        self._run = run
        self._query = query
        self._window = window
        self._apm: dict[str, str] = {}
        if query.source == ("Metric",):
            self._apm = _apm_names(query)
            if self._apm:
                self._query = query = _as_transactions(query)
        self._leaves = Leaves(self._apm)
        self._columns = [column_name(item) for item in query.select]
        require_distinct(self._columns)
        self._select = [self._leaves.lower(_value(item)) for item in query.select]
        self._order: Expr | None = None
        if query.order is not None:
            self._order = self._ordering(query.order.by)
        self._buckets = buckets_of(query.timeseries, window) if query.timeseries else []
        self._groups: dict[tuple[int, Key], list[Any]] = {}
        self._inspected: dict[int, float] = defaultdict(float)
        self._faceted = bool(query.facets or query.cases)
        self._facet_names = [facet_name(item) for item in query.facets]
        self._slots: list[tuple[Leaf, str]] = self._leaves.slots

    def run(self) -> Result:
        self._fill()
        result = [value_of(expr) for expr in self._select]
        keys = self._shown_keys(result)
        rows: list[dict[str, Any]] = []
        if self._buckets:
            for index, bucket in enumerate(self._buckets):
                times = _times(bucket)
                rows += [
                    {**self._facet(key), **times, **self._values(result, index, key)}
                    for key in keys
                ]
        else:
            rows = [{**self._facet(key), **self._values(result, WHOLE, key)} for key in keys]
        return Result(
            query=self._query,
            window=self._window,
            rows=rows,
            columns=self._columns,
            messages=self._run.messages,
            buckets=self._buckets,
            inspected=dict(self._inspected),
            **self._totals(result, keys),
            apps=self._run.apps,
        )

    # Filling the groups

    def _fill(self) -> None:
        plans = self._ring_plans()
        if plans is None:
            self._fill_from_rows()
        else:
            self._fill_from_rings(plans)

    def _ring_plans(self) -> tuple[list[RingLeaf], frozenset[str]] | None:
        query = self._query
        if query.source != (TRANSACTION,):
            return None
        named = required_apps(query.where)
        apps = frozenset(self._run.data.apps()) if named is None else named
        known: dict[str, bool] = {}
        span = self._window.span

        def answerable(label: str) -> bool:
            if label not in known:
                known[label] = all(self._run.data.answerable(app, label, span) for app in apps)
            return known[label]

        for item in query.facets:
            if not only_labels(_value(item), answerable):
                return None
        for case in query.cases:
            if not only_labels(case.condition, answerable):
                return None
        plans = []
        for leaf, _ in self._slots:
            plan = plan_leaf(leaf, query.where, answerable)
            if plan is None:
                return None
            plans.append(plan)
        return plans, apps

    def _fill_from_rings(self, planned: tuple[list[RingLeaf], frozenset[str]]) -> None:
        plans, apps = planned
        run = self._run
        run.note_apps(apps)
        require_kept(self._window, run.now)
        key_of = self._key_function()
        latency = any(plan.latency for plan in plans)
        shared = frozenset.intersection(*(plan.terms for plan in plans)) if plans else frozenset()
        spans = [(WHOLE, self._window.span)] + [(i, b.span) for i, b in enumerate(self._buckets)]
        new = lambda: [RingTotal(plan) for plan in plans]  # noqa: E731 - made once, used below
        for app in sorted(apps):
            for index, span in spans:
                for labels, reading in run.data.series(app, shared, span, latency=latency):
                    if not reading.counts.samples:
                        continue
                    row = series_row(app, labels)
                    key = key_of(row)
                    if key is None:
                        continue
                    self._inspected[index] += reading.counts.samples
                    for total in self._group(index, key, new):
                        total.add(row, reading)
        run.say("computed from all samples, exactly")

    def _fill_from_rows(self) -> None:
        run, query = self._run, self._query
        key_of = self._key_function()
        leaves = [leaf for leaf, _ in self._slots]
        conditions = [
            condition_of(leaf.condition) if leaf.condition is not None else None for leaf in leaves
        ]
        new = lambda: [accumulator(leaf) for leaf in leaves]  # noqa: E731 - as above
        for attributes, timestamp, weight in run.rows(query, self._window, self._window.span):
            key = key_of(attributes)
            if key is None:
                continue
            matches = [holds is None or holds(attributes) for holds in conditions]
            for index in self._buckets_at(timestamp):
                self._inspected[index] += weight
                for matched, total in zip(matches, self._group(index, key, new), strict=True):
                    if matched:
                        total.add(attributes, timestamp, weight)

    def _buckets_at(self, timestamp: float) -> Iterator[int]:
        yield WHOLE
        second = floor(timestamp)
        for index, bucket in enumerate(self._buckets):
            if bucket.span.first <= second < bucket.span.stop:
                yield index

    def _group(self, index: int, key: Key, new: Callable[[], list[Any]]) -> list[Any]:
        group = self._groups.get((index, key))
        if group is None:
            if len(self._groups) >= MAX_GROUPS:
                raise NrqlError("FACET has too many values", hint="a narrower WHERE")
            group = self._groups[index, key] = new()
        return group

    def _key_function(self) -> Callable[[Mapping[str, Any]], Key | None]:
        """Return what tells the facet of a row; None for rows that belong to none."""
        query = self._query
        if query.cases:
            cases = [
                (condition_of(case.condition), (case.alias or f"case {number}",))
                for number, case in enumerate(query.cases, 1)
            ]
            return lambda row: next((key for holds, key in cases if holds(row)), None)
        values = [value_of(_value(item)) for item in query.facets]

        def key(row: Mapping[str, Any]) -> Key | None:
            found = tuple(value(row) for value in values)
            return None if any(value is None for value in found) else found

        return key

    # Reading the groups

    def _values(self, result: list[Any], index: int, key: Key) -> dict[str, Any]:
        row = self._slot_row(index, key)
        values = {name: value(row) for name, value in zip(self._columns, result, strict=True)}
        return values | self._apdex_parts(row)

    def _slot_row(self, index: int, key: Key) -> dict[str, Any]:
        group = self._groups.get((index, key)) or self._empty()
        row = {slot: total.result() for (_, slot), total in zip(self._slots, group, strict=True)}
        bucket = self._window if index == WHOLE else self._buckets[index]
        row[SECONDS_SLOT] = bucket.end - bucket.begin
        row |= dict(zip(self._facet_names, key, strict=False))
        return row

    def _empty(self) -> list[Any]:
        return [accumulator(leaf) for leaf, _ in self._slots]

    def _apdex_parts(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return s, t, f and count beside the score, when it is selected alone and unnamed."""
        item = self._query.select[0]
        if len(self._columns) > 1 or item.alias or not isinstance(item.value, ast.Call):
            return {}
        if item.value.function != "apdex":
            return {}
        parts_ = row.get(self._slots[0][1])
        if not isinstance(parts_, dict):
            return {"s": 0, "t": 0, "f": 0, "count": 0}
        return {name: parts_[name] for name in ("s", "t", "f", "count")}

    def _facet(self, key: Key) -> dict[str, Any]:
        if not self._faceted:
            return {}
        shown = [_facet_text(value) for value in key]
        row: dict[str, Any] = {"facet": shown[0] if len(shown) == 1 else shown}
        return row | dict(zip(self._facet_names, shown, strict=False))

    def _keys(self) -> list[Key]:
        return [key for index, key in self._groups if index == WHOLE]

    def _shown_keys(self, result: list[Any]) -> list[Key]:
        """Return the facets that are shown, in their order; one empty key without FACET."""
        if not self._faceted:
            return [()]
        query = self._query
        ranked = []
        for key in self._keys():
            row = self._slot_row(WHOLE, key)
            first = value_of(self._order)(row) if self._order is not None else result[0](row)
            if isinstance(first, dict):
                first = next(iter(first.values()), None)
            ranked.append((_sort_key(first), key))
        descending = query.order is None or query.order.descending
        ranked.sort(key=lambda one: _sort_key(_facet_text(one[1])))
        ranked.sort(key=lambda one: one[0], reverse=descending)
        if query.cases:
            names = [case.alias or f"case {number}" for number, case in enumerate(query.cases, 1)]
            ranked.sort(key=lambda one: names.index(one[1][0]))
        limit = query.limit or DEFAULT_FACETS
        return [key for _, key in ranked[query.offset : query.offset + limit]]

    def _ordering(self, by: Expr) -> Expr:
        """Return the order over slots; a name may be that of a selected value."""
        if isinstance(by, ast.Ref) and by.key is None:
            for item, lowered in zip(self._query.select, self._select, strict=True):
                if column_name(item) == by.name:
                    return lowered
        return self._leaves.lower(by)

    def _totals(self, result: list[Any], keys: list[Key]) -> dict[str, Any]:
        """Return the values over all facets, and over those that are not shown."""
        if not self._faceted:
            return {}
        shown = set(keys)
        everything = self._keys()
        others = [key for key in everything if key not in shown]
        if not self._buckets:
            return {
                "total": self._merged(result, WHOLE, everything),
                "other": self._merged(result, WHOLE, others),
            }
        rows: dict[str, Any] = {"total": [], "other": []}
        for index, bucket in enumerate(self._buckets):
            times = _times(bucket)
            rows["total"].append({**times, **self._merged(result, index, everything)})
            rows["other"].append({**times, **self._merged(result, index, others)})
        return rows

    def _merged(self, result: list[Any], index: int, keys: list[Key]) -> dict[str, Any]:
        merged: list[Any] | None = None
        for key in keys:
            group = self._groups.get((index, key))
            if group is None:
                continue
            if merged is None:
                merged = (
                    self._empty()
                    if not isinstance(group[0], RingTotal)
                    else [RingTotal(total.plan) for total in group]
                )
            for mine, theirs in zip(merged, group, strict=True):
                mine.merge(theirs)
        row = {
            slot: total.result()
            for (_, slot), total in zip(self._slots, merged or self._empty(), strict=True)
        }
        bucket = self._window if index == WHOLE else self._buckets[index]
        row[SECONDS_SLOT] = bucket.end - bucket.begin
        return {name: value(row) for name, value in zip(self._columns, result, strict=True)}


def _times(bucket: Bucket) -> dict[str, Any]:
    return {"beginTimeSeconds": floor(bucket.begin), "endTimeSeconds": floor(bucket.end)}


def _value(item: ast.Item) -> Expr:
    if isinstance(item.value, ast.Star):
        raise NrqlError("* cannot stand beside functions of many rows")
    return item.value


def _facet_text(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _sort_key(value: Any) -> tuple[int, Any]:
    """Return a key by which any values can be sorted: NULL first, then numbers, then texts."""
    if value is None:
        return 0, 0
    if isinstance(value, bool | int | float):
        return 1, value
    return 2, str(value)


def _refuse_mixture(expr: Expr) -> None:
    at = next((part.at for part in parts(expr) if isinstance(part, ast.Ref)), None)
    raise NrqlError(
        "SELECT has attributes beside functions of many rows", at, "latest(x), or FACET x"
    )


def _apm_names(query: Query) -> dict[str, str]:
    """Return which metrics of the query are made from transactions, and from what of them.

    Raises:
        NrqlError: the query mixes such metrics with others.
    """
    names = dict.fromkeys(TRANSACTION_METRICS, DURATION) | dict.fromkeys(ERROR_METRICS, ERROR)
    timeslice = _timeslice(query)
    if timeslice is not None:
        names[TIMESLICE_VALUE] = TIMESLICES[timeslice]
    exprs = [item.value for item in query.select if not isinstance(item.value, ast.Star)]
    used = {part.name for expr in exprs for part in parts(expr) if isinstance(part, ast.Ref)}
    return names if used & names.keys() else {}


def _timeslice(query: Query) -> str | None:
    for one in conjuncts(query.where):
        match one:
            case ast.Compare("=", ast.Ref(name, None), ast.Literal(str(value))):
                if name == TIMESLICE_NAME and value in TIMESLICES:
                    return value
    return None


def _as_transactions(query: Query) -> Query:
    kept = [
        one
        for one in conjuncts(query.where)
        if not any(isinstance(p, ast.Ref) and p.name == TIMESLICE_NAME for p in parts(one))
    ]
    return replace(query, source=(TRANSACTION,), where=conjunction(kept))
