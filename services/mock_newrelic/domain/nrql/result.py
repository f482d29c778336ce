"""The answer to a query before it takes the shape of a surface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mock_newrelic.domain.nrql.ast import Query
from mock_newrelic.domain.nrql.timing import Bucket, Range

WHOLE = -1
"""The number of the group that is over the whole window, beside the buckets of a series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answer to a query.

    Attributes:
        rows: the rows as NerdGraph shows them.
        buckets: for a time series, the steps; rows name theirs by its begin.
        inspected: events that were looked at, by bucket (WHOLE: in all).
        messages: what the reader of the answer should know.
        previous: the rows of the comparison; None without one.
        apps: the applications that were named or looked at.
        events: whether the rows are events as they are.
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
    events: bool = False
    event_types: list[str] = field(default_factory=list)

    @property
    def faceted(self) -> bool:
        """Whether there is a row for each facet."""
        return bool(self.query.facets or self.query.cases)
