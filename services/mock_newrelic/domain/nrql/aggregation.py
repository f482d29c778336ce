"""One SELECT of functions over many rows: fills groups from the rings or from rows, reads them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from math import floor
from typing import TYPE_CHECKING, Any, TypeAlias

from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.accumulators import accumulator
from mock_newrelic.domain.nrql.apm_metrics import apm_names, as_transactions
from mock_newrelic.domain.nrql.columns import column_name, facet_name, require_distinct, selected
from mock_newrelic.domain.nrql.data import TRANSACTION
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.expressions import condition_of, value_of
from mock_newrelic.domain.nrql.lowering import SECONDS_SLOT, Leaves
from mock_newrelic.domain.nrql.result import WHOLE, Result
from mock_newrelic.domain.nrql.rings import (
    RingTotal,
    only_labels,
    plan_leaf,
    plan_rows,
    required_apps,
    series_row,
)
from mock_newrelic.domain.nrql.timing import Range, buckets_of, require_kept
from mock_newrelic.domain.nrql.values import sort_key
from mock_newrelic.domain.records import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mock_newrelic.domain.nrql.ast import Expr, Query
    from mock_newrelic.domain.nrql.context import Context
    from mock_newrelic.domain.nrql.lowering import Leaf
    from mock_newrelic.domain.nrql.rings import RingLeaf
    from mock_newrelic.domain.nrql.timing import Bucket

DEFAULT_FACETS = 10
MAX_GROUPS = 50_000
EXACT = "computed from all samples, exactly"
FROM_BUCKETS = "computed from all samples, durations in buckets: off by 1.1 % at most"

Key: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = Callable[["Query", Range], Iterator[Row]]


class Aggregation:
    """One SELECT of functions over many rows."""

    def __init__(self, context: Context, query: Query, window: Range, rows: Rows) -> None:
        self._context = context
        self._rows = rows
        self._query = query
        self._window = window
        apm = apm_names(query)
        if apm:
            self._query = query = as_transactions(query)
        self._leaves = Leaves(apm)
        self._columns = [column_name(item) for item in query.select]
        require_distinct(self._columns)
        self._select = [self._leaves.lower(selected(item)) for item in query.select]
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
        """Return the rows."""
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
            messages=self._context.messages,
            buckets=self._buckets,
            inspected=dict(self._inspected),
            **self._totals(result, keys),
            apps=frozenset(self._context.apps),
            event_types=list(self._context.kinds),
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
        apps = frozenset(self._context.data.apps()) if named is None else named
        known: dict[str, bool] = {}
        span = self._window.span

        def answerable(label: str) -> bool:
            if label not in known:
                known[label] = all(self._context.data.answerable(app, label, span) for app in apps)
            return known[label]

        for item in query.facets:
            if not only_labels(selected(item), answerable):
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
        context = self._context
        context.note((TRANSACTION,), apps)
        require_kept(self._window, context.now)
        key_of = self._key_function()
        latency = any(plan.latency for plan in plans)
        read = plan_rows(self._query.where)
        shared = frozenset.intersection(*(plan.terms for plan in plans)) if plans else frozenset()
        spans = [(WHOLE, self._window.span)] + [(i, b.span) for i, b in enumerate(self._buckets)]
        new = lambda: [RingTotal(plan) for plan in plans]  # noqa: E731 - made once, used below
        for app in sorted(apps):
            for index, span in spans:
                for labels, reading in context.data.series(app, shared, span, latency=latency):
                    row = series_row(app, labels)
                    count = read(row, reading)
                    key = key_of(row) if count else None
                    if key is None:
                        continue
                    self._inspected[index] += count
                    for total in self._group(index, key, new):
                        total.add(row, reading)
        context.say(EXACT if all(plan.exact for plan in plans) else FROM_BUCKETS)

    def _fill_from_rows(self) -> None:
        key_of = self._key_function()
        leaves = [leaf for leaf, _ in self._slots]
        conditions = [
            condition_of(leaf.condition) if leaf.condition is not None else None for leaf in leaves
        ]
        new = lambda: [accumulator(leaf) for leaf in leaves]  # noqa: E731 - as above
        for attributes, timestamp, weight in self._rows(self._query, self._window):
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
        values = [value_of(selected(item)) for item in query.facets]

        def key(row: Mapping[str, Any]) -> Key | None:
            found = tuple(_facet(value(row)) for value in values)
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
            ranked.append((sort_key(first), key))
        descending = query.order is None or query.order.descending
        ranked.sort(key=lambda one: sort_key(_facet_text(one[1])))
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


def _facet_text(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _facet(value: Any) -> Any:
    """Return a value as facets show it: lists and objects, which senders nest, as their JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else value
