"""Which queries the running windows can answer, and how.

The rings hold, per set of labels and second, counts by outcome and a latency histogram. A leaf can
be answered from them when its rows are told apart by labels, by the application's name and by
outcome (error, HTTP 5xx, HTTP 4xx) only, and when it asks for what is kept: counts, sums, extremes
and quantiles of `duration`, or the values of a label. The answer is then exactly the facade's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.histogram import count_up_to, quantile
from mock_newrelic.domain.model import NOTHING, Terms
from mock_newrelic.domain.nrql import ast
from mock_newrelic.domain.nrql.accumulators import apdex_parts, percentile_key
from mock_newrelic.domain.nrql.attributes import (
    APP,
    DURATION,
    ERROR,
    STATUS,
    canonical,
    label_name,
)
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.expressions import condition_of, parts
from mock_newrelic.domain.nrql.lowering import Leaf, conjunction, conjuncts
from mock_newrelic.domain.nrql.values import boolean, numeric
from mock_newrelic.domain.series import add_readings

if TYPE_CHECKING:
    from mock_newrelic.domain.model import Reading
    from mock_newrelic.domain.nrql.ast import Expr

ALL = "samples"
ERRORS = "errors"
GOOD = "good"
HTTP_5XX = "http_5xx"
HTTP_4XX = "http_4xx"
HTTP_BAD = "http_4xx and http_5xx"

_COUNTED = frozenset({ALL, ERRORS, GOOD, HTTP_5XX, HTTP_4XX, HTTP_BAD})
_OF_DURATION = frozenset({
    "apdex", "average", "count", "median", "percentile", "sum",
})  # fmt: skip
_OF_STATUSES = frozenset({HTTP_5XX, HTTP_4XX, HTTP_BAD})
"""What the exact counts of agents do not tell, as they tell no histogram."""
_OF_HISTOGRAM = frozenset({"apdex", "median", "percentile"})


@dataclass(frozen=True, slots=True)
class RingLeaf:
    """A leaf in terms of the rings.

    Attributes:
        holds: whether the series with these labels count; None when all do.
        terms: label pairs that the leaf's rows must carry, as far as they are plain equalities.
        outcome: which samples of a series count.
        label: the label whose values are wanted; empty when it is about samples.
    """

    leaf: Leaf
    holds: Callable[[Mapping[str, Any]], bool] | None
    terms: Terms
    outcome: str
    label: str = ""

    @property
    def latency(self) -> bool:
        """Whether histograms are needed, or statuses, which come with them."""
        return self.outcome in _OF_STATUSES or not self.exact

    @property
    def exact(self) -> bool:
        """Whether counts and sums tell it, without the buckets of a histogram."""
        return self.leaf.function not in _OF_HISTOGRAM


class RingTotal:
    """The readings of one leaf added up."""

    __slots__ = ("plan", "reading", "seen")

    def __init__(self, plan: RingLeaf) -> None:
        self.plan = plan
        self.reading: Reading = NOTHING
        self.seen: dict[str, None] = {}

    def add(self, labels: Mapping[str, Any], reading: Reading) -> None:
        """Take in what a series holds."""
        plan = self.plan
        if plan.holds is not None and not plan.holds(labels):
            return
        if plan.label:
            value = labels.get(plan.label)
            if value is not None and reading.counts.samples:
                self.seen.setdefault(value)
        elif reading.counts.samples:
            self.reading = (
                reading if self.reading is NOTHING else add_readings(self.reading, reading)
            )

    def merge(self, other: RingTotal) -> None:
        """Take in another total of the same leaf."""
        self.reading = add_readings(self.reading, other.reading)
        self.seen |= other.seen

    def result(self) -> Any:
        """Return the value of the leaf."""
        plan = self.plan
        if plan.label:
            values = list(self.seen)
            return len(values) if plan.leaf.function == "uniqueCount" else values
        if plan.leaf.function == "count":
            if plan.leaf.args:
                return self.reading.counts.timed
            return outcome_count(self.reading, plan.outcome)
        return _of_duration(plan.leaf, self.reading)


def outcome_count(reading: Reading, outcome: str) -> int:
    """Return how many samples of a reading ended so."""
    counts = reading.counts
    if outcome == GOOD:
        return counts.samples - counts.errors
    if outcome == HTTP_BAD:
        return counts.http_4xx + counts.http_5xx
    count: int = getattr(counts, outcome)
    return count


def plan_leaf(leaf: Leaf, where: Expr | None, answerable: Callable[[str], bool]) -> RingLeaf | None:
    """Return the leaf in terms of the rings, or None when they cannot answer it.

    Args:
        leaf: function, arguments and its own condition.
        where: the condition of the query.
        answerable: whether every sample that carries a label is kept with it.
    """
    label = ""
    if leaf.args:
        over = leaf.args[0]
        if not isinstance(over, ast.Ref) or over.key is not None:
            return None
        if leaf.function in {"uniqueCount", "uniques"} and len(leaf.args) == 1:
            label = APP if canonical(over.name) == APP else label_name(over.name) or ""
            if not label or leaf.options or not (label == APP or answerable(label)):
                return None
        elif over.name != DURATION or leaf.function not in _OF_DURATION:
            return None
    split = split_condition([*conjuncts(where), *conjuncts(leaf.condition)], answerable)
    if split is None:
        return None
    by_label, outcome = split
    if outcome != ALL and (leaf.function != "count" or leaf.args):
        return None
    condition = conjunction(by_label)
    return RingLeaf(
        leaf=leaf,
        holds=None if condition is None else condition_of(condition),
        terms=equal_terms(by_label),
        outcome=outcome,
        label=label,
    )


def plan_rows(where: Expr | None) -> Callable[[Mapping[str, Any], Reading], int]:
    """Return the function that tells how many samples of a series a query reads.

    Only for conditions with which `plan_leaf` has planned a leaf.
    """
    by_label, outcome = split_condition(conjuncts(where), lambda _label: True) or ([], ALL)
    condition = conjunction(by_label)
    holds = None if condition is None else condition_of(condition)

    def count(row: Mapping[str, Any], reading: Reading) -> int:
        return outcome_count(reading, outcome) if holds is None or holds(row) else 0

    return count


def split_condition(
    conditions: list[Expr], answerable: Callable[[str], bool]
) -> tuple[list[Expr], str] | None:
    """Return the conditions on labels, and the outcome that the others ask for; None: neither."""
    by_label: list[Expr] = []
    outcomes: set[str] = set()
    statuses: list[Expr] = []
    for condition in conditions:
        if only_labels(condition, answerable):
            by_label.append(condition)
        elif (outcome := outcome_of(condition)) is not None:
            outcomes.add(outcome)
        else:
            statuses.append(condition)
    if statuses:
        # The one pair that says more than its parts: from 400 on, below 500.
        if not (len(statuses) == 1 and _below_500(statuses[0]) and outcomes == {HTTP_BAD}):
            return None
        outcomes = {HTTP_4XX}
    if len(outcomes) > 1:
        return None
    return by_label, outcomes.pop() if outcomes else ALL


def only_labels(condition: Expr, answerable: Callable[[str], bool]) -> bool:
    """Whether a condition looks at labels and the application's name only."""
    for part in parts(condition):
        if isinstance(part, ast.Subquery):
            return False
        if isinstance(part, ast.Ref) and canonical(part.name) != APP:
            label = label_name(part.name)
            if label is None or part.key is not None or not answerable(label):
                return False
    return True


def outcome_of(condition: Expr) -> str | None:  # noqa: C901, PLR0911 - one branch a form
    """Return the outcome that a condition asks for, or None when it asks for something else."""
    match condition:
        case ast.Ref(name, None) if canonical(name) == ERROR:
            return ERRORS
        case ast.Is(ast.Ref(name, None), bool(value), negated) if canonical(name) == ERROR:
            return ERRORS if value is not negated else GOOD
        case ast.Compare(("=" | "!=") as operator, ast.Ref(name, None), ast.Literal(value)) if (
            canonical(name) == ERROR and boolean(value) is not None
        ):
            return ERRORS if boolean(value) is (operator == "=") else GOOD
        case ast.Compare((">" | ">=") as operator, left, ast.Literal(value)) if _is_status(left):
            bound = numeric(value)
            if bound is None:
                return None
            lowest = bound + (operator == ">")
            return {500.0: HTTP_5XX, 400.0: HTTP_BAD}.get(lowest)
        case ast.Like(left, pattern, False, False) if _is_status(left):
            return {"5%": HTTP_5XX, "4%": HTTP_4XX}.get(pattern)
        case ast.Not(operand):
            return {ERRORS: GOOD, GOOD: ERRORS}.get(outcome_of(operand) or "")
        case ast.Or(left, right):
            found = {outcome_of(left), outcome_of(right)}
            if found == {HTTP_4XX, HTTP_5XX}:
                return HTTP_BAD
            return found.pop() if len(found) == 1 else None
        case ast.And(left, right):
            split = split_condition([*conjuncts(left), *conjuncts(right)], lambda _label: False)
            return split[1] if split is not None and not split[0] else None
        case _:
            return None


def equal_terms(conditions: list[Expr]) -> Terms:
    """Return the label pairs that the conditions ask for literally."""
    found = set()
    for condition in conditions:
        match condition:
            case ast.Compare("=", ast.Ref(name, None), ast.Literal(str(value))):
                label = label_name(name)
                if label is not None:
                    found.add((label, value))
    return frozenset(found)


def required_apps(condition: Expr | None) -> frozenset[str] | None:
    """Return the applications that a condition names; None when it may hold for any."""
    for one in conjuncts(condition):
        match one:
            case ast.Compare("=", ast.Ref(name, None), ast.Literal(str(value))) if (
                canonical(name) == APP
            ):
                return frozenset({value})
            case ast.In(ast.Ref(name, None), tuple(options), False) if canonical(name) == APP:
                return frozenset(
                    option.value
                    for option in options
                    if isinstance(option, ast.Literal) and isinstance(option.value, str)
                )
    return None


def series_row(app: str, labels: Terms) -> dict[str, Any]:
    """Return the labels of a series as a row that conditions can look at."""
    return {APP: app, **dict(labels)}


def _below_500(condition: Expr) -> bool:
    match condition:
        case ast.Compare("<", left, ast.Literal(value)):
            return _is_status(left) and numeric(value) == 500
        case ast.Compare("<=", left, ast.Literal(value)):
            return _is_status(left) and numeric(value) == 499
        case _:
            return False


def _is_status(expr: Expr) -> bool:
    match expr:
        case ast.Ref(name, None):
            return canonical(name) == STATUS
        case ast.Call("numeric", (ast.Ref(name, None),)):
            return canonical(name) == STATUS
        case _:
            return False


def _of_duration(leaf: Leaf, reading: Reading) -> Any:
    counts, histogram = reading
    if leaf.function in _OF_HISTOGRAM and reading.undistributed:
        raise NrqlError(
            f"the data has no distribution to take {leaf.function}() of",
            hint="some durations are known by their sum only; average(duration) can be told",
        )
    if leaf.function == "percentile":
        return {
            percentile_key(option): quantile(histogram, option / 100) for option in leaf.options
        }
    if leaf.function == "median":
        return quantile(histogram, 0.5)
    if leaf.function == "apdex":
        threshold = leaf.options[0]
        satisfied = count_up_to(histogram, threshold)
        tolerated = count_up_to(histogram, 4 * threshold) - satisfied
        return apdex_parts(satisfied, tolerated, sum(histogram.values()))
    if not counts.timed:
        return None
    seconds = counts.microseconds / 1e6
    return seconds if leaf.function == "sum" else seconds / counts.timed
