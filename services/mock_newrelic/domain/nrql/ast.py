"""What a query says, as frozen values.

Conditions and values share one tree: `OR` between conditions is logical, `OR` between values
takes the first that is not NULL. Positions in the text take no part in equality.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text, boolean or NULL."""

    value: float | str | bool | None


@dataclass(frozen=True, slots=True)
class Ref:
    """An attribute, or one key of an attribute that holds several values."""

    name: str
    key: str | None = None
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Star:
    """`*`: the rows themselves."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time as an argument: `1 minute`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Where:
    """A condition as an argument: `WHERE error IS TRUE`."""

    condition: Expr


@dataclass(frozen=True, slots=True)
class Named:
    """An argument with its name: `t: 0.5`."""

    name: str
    value: Expr


Arg: TypeAlias = "Expr | Star | Duration | Where | Named"


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; the name is in the spelling of the documentation."""

    function: str
    args: tuple[Arg, ...] = ()
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Negative:
    """`-x`."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+`, `-`, `*` or `/`."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare:
    """`=`, `!=`, `<`, `<=`, `>` or `>=`."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Is:
    """`IS [NOT] NULL|TRUE|FALSE`; `value` is None, True or False."""

    operand: Expr
    value: bool | None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class In:
    """`[NOT] IN (…)` with a list or a subquery."""

    operand: Expr
    options: tuple[Expr, ...] | Subquery
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    """`[NOT] LIKE` with `%`, or `[NOT] RLIKE` with a regular expression (RE2)."""

    operand: Expr
    pattern: str
    regular: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT condition`."""

    operand: Expr


@dataclass(frozen=True, slots=True)
class And:
    """`AND`."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Or:
    """`OR`: logical between conditions, the first non-NULL between values."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Subquery:
    """A query in brackets as a value or a list of values."""

    query: Query


Expr: TypeAlias = (
    Literal
    | Ref
    | Call
    | Negative
    | Arithmetic
    | Compare
    | Is
    | In
    | Like
    | Not
    | And
    | Or
    | Subquery
)
CONDITIONS = (Compare, Is, In, Like, Not, And)
"""The nodes that are conditions wherever they stand."""


@dataclass(frozen=True, slots=True)
class Item:
    """One selected value, or one facet, and its name."""

    value: Expr | Star
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One `WHERE … AS …` of FACET CASES."""

    condition: Expr
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """`ORDER BY`."""

    by: Expr
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Ago:
    """So many units before now; months, quarters and years are of the calendar."""

    amount: float
    unit: str


@dataclass(frozen=True, slots=True)
class Instant:
    """A time that says itself: seconds since 1970, or a text read in the query's time zone."""

    value: float | str


@dataclass(frozen=True, slots=True)
class TimeWord:
    """`now`, `today`, `yesterday`, a weekday, or `this week`, `last month` and the like."""

    word: str
    unit: str = ""


Time: TypeAlias = Ago | Instant | TimeWord


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """`TIMESERIES`: seconds per bucket, or None for `AUTO`, 0 for `MAX`; the same for `SLIDE BY`.

    `slide` None means that buckets follow each other.
    """

    step: float | None = None
    slide: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query.

    Attributes:
        select: what is asked for.
        source: event types, or the query whose rows are read.
        limit: rows or facets; None for the default.
        compare: seconds to look back for the comparison; None for none.
        bindings: names given with `WITH … AS …`.
    """

    select: tuple[Item, ...]
    source: tuple[str, ...] | Subquery
    where: Expr | None = None
    facets: tuple[Item, ...] = ()
    cases: tuple[Case, ...] = ()
    since: Time | None = None
    until: Time | None = None
    compare: Ago | None = None
    timeseries: TimeSeries | None = None
    limit: int | None = None
    offset: int = 0
    order: Order | None = None
    timezone: str = "UTC"
    extrapolate: bool = False
    bindings: tuple[tuple[str, Expr], ...] = ()
