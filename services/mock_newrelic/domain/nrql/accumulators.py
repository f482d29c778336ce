"""What the functions over many rows remember, and what they say in the end.

Rows may stand for several (`weight`): an agent keeps a sample of its events and says how many there
were. A row of metric data may hold a summary `{count, sum, min, max}` instead of one number; it
counts in totals and extremes, and has no distribution, unless it says so: `distribution` is then a
list of values, each with how many samples have it.

Without rows `count` and `uniqueCount` are 0 and everything else is NULL.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import TYPE_CHECKING, Any, Protocol

from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.expressions import value_of
from mock_newrelic.domain.nrql.values import number, numeric

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mock_newrelic.domain.nrql.lowering import Leaf

MAX_UNIQUES = 10_000


class Accumulator(Protocol):
    """Rows go in one by one, another accumulator of the same kind as a whole."""

    def add(self, row: Mapping[str, Any], timestamp: float, weight: float) -> None:
        """Take a row in."""
        ...

    def merge(self, other: Any) -> None:
        """Take in what another one of the same leaf has taken."""
        ...

    def result(self) -> Any:
        """Return the value of the function."""
        ...


class Tally:
    """count, average, sum, min, max and stddev."""

    __slots__ = ("_function", "_value", "count", "highest", "lowest", "squares", "total")

    def __init__(self, leaf: Leaf) -> None:
        self._function = leaf.function
        self._value = value_of(leaf.args[0]) if leaf.args else None
        self.count = self.total = self.squares = 0.0
        self.lowest, self.highest = inf, -inf

    def add(self, row: Mapping[str, Any], _timestamp: float, weight: float) -> None:
        """Take a row in."""
        if self._value is None:
            self.count += weight
            return
        value = self._value(row)
        if isinstance(value, dict):
            self._add_summary(value, weight)
        elif self._function == "count":
            self.count += weight if value is not None else 0
        elif (known := numeric(value)) is not None:
            self.count += weight
            self.total += known * weight
            self.squares += known * known * weight
            self.lowest, self.highest = min(self.lowest, known), max(self.highest, known)

    def _add_summary(self, value: Mapping[str, Any], weight: float) -> None:
        count, total = number(value.get("count")), number(value.get("sum"))
        if count is None:
            return
        if self._function == "stddev":
            raise NrqlError("the data has no distribution to take stddev() of")
        self.count += count * weight
        self.total += (total or 0.0) * weight
        lowest, highest = number(value.get("min")), number(value.get("max"))
        self.lowest = self.lowest if lowest is None else min(self.lowest, lowest)
        self.highest = self.highest if highest is None else max(self.highest, highest)

    def merge(self, other: Tally) -> None:
        """Take in another tally."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)

    def result(self) -> float | int | None:
        """Return the value; NULL without rows, except for count."""
        if self._function == "count":
            return whole(self.count)
        if self._function in {"min", "max"}:
            extreme = self.lowest if self._function == "min" else self.highest
            return None if abs(extreme) == inf else extreme
        if not self.count:
            return None
        if self._function == "sum":
            return whole(self.total)
        mean = self.total / self.count
        if self._function == "average":
            return mean
        return sqrt(max(self.squares / self.count - mean * mean, 0.0))


class Samples:
    """Everything that needs the single values: percentiles, apdex, histogram, derivative."""

    __slots__ = ("_leaf", "_value", "values")

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf
        self._value = value_of(leaf.args[0])
        self.values: list[tuple[float, float, float]] = []

    def add(self, row: Mapping[str, Any], timestamp: float, weight: float) -> None:
        """Take a row in: its value, its weight, and a coordinate that the function needs."""
        value = self._value(row)
        if isinstance(value, dict):
            pairs = value.get("distribution")
            if pairs is None or self._leaf.function not in _OF_DISTRIBUTIONS:
                raise NrqlError(f"the data has no distribution to take {self._leaf.function}() of")
            self.values += [(one, count * weight, timestamp) for one, count in pairs]
            return
        known = numeric(value)
        if known is not None:
            beside = timestamp
            if self._leaf.function == "bucketPercentile":
                bound = row.get("le")
                beside = inf if bound == "+Inf" else numeric(bound) or 0.0
            self.values.append((known, weight, beside))

    def merge(self, other: Samples) -> None:
        """Take in other samples."""
        self.values.extend(other.values)

    def result(self) -> Any:
        """Return the value; NULL without samples."""
        return _OF_SAMPLES[self._leaf.function](self.values, self._leaf.options)


class Distinct:
    """uniqueCount and uniques."""

    __slots__ = ("_leaf", "_values", "seen")

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf
        self._values = [value_of(arg) for arg in leaf.args]
        self.seen: dict[Any, Any] = {}

    def add(self, row: Mapping[str, Any], _timestamp: float, _weight: float) -> None:
        """Take a row in."""
        found = [value(row) for value in self._values]
        if any(value is not None for value in found):
            key = tuple(repr(value) for value in found)
            self.seen.setdefault(key, found[0] if len(found) == 1 else found)

    def merge(self, other: Distinct) -> None:
        """Take in other values."""
        self.seen |= other.seen

    def result(self) -> int | list[Any] | None:
        """Return how many values there are, or which."""
        if self._leaf.function == "uniqueCount":
            return len(self.seen)
        limit = int(self._leaf.options[0]) if self._leaf.options else MAX_UNIQUES
        return list(self.seen.values())[:limit]


class Extreme:
    """latest and earliest."""

    __slots__ = ("_sign", "_value", "at", "value")

    def __init__(self, leaf: Leaf) -> None:
        self._sign = 1.0 if leaf.function == "latest" else -1.0
        self._value = value_of(leaf.args[0])
        self.at = -inf
        self.value: Any = None

    def add(self, row: Mapping[str, Any], timestamp: float, _weight: float) -> None:
        """Take a row in."""
        if self._sign * timestamp > self.at and (value := self._value(row)) is not None:
            self.at, self.value = self._sign * timestamp, value

    def merge(self, other: Extreme) -> None:
        """Take in another one."""
        if other.at > self.at:
            self.at, self.value = other.at, other.value

    def result(self) -> Any:
        """Return the value of the row that is the last or the first one."""
        return self.value


def accumulator(leaf: Leaf) -> Accumulator:
    """Return an empty accumulator for a leaf."""
    made: Callable[[Leaf], Accumulator] = _KINDS.get(leaf.function, Samples)
    return made(leaf)


_KINDS: dict[str, Callable[[Leaf], Accumulator]] = {
    **dict.fromkeys(("count", "average", "sum", "min", "max", "stddev"), Tally),
    **dict.fromkeys(("uniqueCount", "uniques"), Distinct),
    **dict.fromkeys(("latest", "earliest"), Extreme),
}


def whole(value: float) -> float | int:
    """Return a whole number as one."""
    return int(value) if float(value).is_integer() else value


def percentile_key(option: float) -> str:
    """Return the key under which a percentile is found: `95`, `99.9`."""
    return str(whole(option))


def apdex_parts(satisfied: float, tolerated: float, count: float) -> dict[str, Any] | None:
    """Return score and counts as New Relic names them; None without samples."""
    if not count:
        return None
    return {
        "score": (satisfied + tolerated / 2) / count,
        "s": whole(satisfied),
        "t": whole(tolerated),
        "f": whole(count - satisfied - tolerated),
        "count": whole(count),
    }


def _quantile(values: list[tuple[float, float, float]], percent: float) -> float:
    """Return the value that `percent` of the weight does not exceed (nearest rank)."""
    ordered = sorted(values)
    wanted = percent / 100 * sum(weight for _, weight, _ in ordered)
    seen = 0.0
    for value, weight, _ in ordered:
        seen += weight
        if seen >= wanted - 1e-9:
            return value
    return ordered[-1][0]


def _percentiles(values: list[tuple[float, float, float]], options: tuple[float, ...]) -> Any:
    if not values:
        return dict.fromkeys(map(percentile_key, options))
    return {percentile_key(option): _quantile(values, option) for option in options}


def _apdex(values: list[tuple[float, float, float]], options: tuple[float, ...]) -> Any:
    threshold = options[0]
    satisfied = sum(weight for value, weight, _ in values if value <= threshold)
    tolerated = sum(weight for value, weight, _ in values if threshold < value <= 4 * threshold)
    return apdex_parts(satisfied, tolerated, sum(weight for _, weight, _ in values))


def _histogram(values: list[tuple[float, float, float]], options: tuple[float, ...]) -> Any:
    ceiling = options[0] if options else 10.0
    buckets = int(options[1]) if len(options) > 1 else 20
    if ceiling <= 0 or not 1 <= buckets <= 500:
        raise NrqlError("histogram() needs a ceiling above 0 and 1 to 500 buckets")
    counts = [0.0] * buckets
    for value, weight, _ in values:
        counts[min(max(int(value / ceiling * buckets), 0), buckets - 1)] += weight
    return [whole(count) for count in counts]


def _cdf(values: list[tuple[float, float, float]], options: tuple[float, ...]) -> Any:
    total = sum(weight for _, weight, _ in values)
    return {
        percentile_key(option): 100 * sum(w for v, w, _ in values if v <= option) / total
        if total
        else None
        for option in options
    }


def _bucket_percentiles(
    values: list[tuple[float, float, float]], options: tuple[float, ...]
) -> Any:
    """Percentiles of cumulative buckets, interpolated inside a bucket as Prometheus does."""
    counts: dict[float, float] = {}
    for value, weight, bound in values:
        counts[bound] = counts.get(bound, 0.0) + value * weight
    bounds = sorted(counts)
    total = counts[bounds[-1]] if bounds else 0.0
    if not total:
        return dict.fromkeys(map(percentile_key, options))
    return {percentile_key(option): _inside(counts, bounds, total, option) for option in options}


def _inside(
    counts: Mapping[float, float], bounds: list[float], total: float, percent: float
) -> float | None:
    wanted, below, start = percent / 100 * total, 0.0, 0.0
    for bound in bounds:
        if counts[bound] >= wanted:
            if bound == inf:
                return start or None
            share = (wanted - below) / (counts[bound] - below) if counts[bound] > below else 1.0
            return start + (bound - start) * share
        below, start = counts[bound], bound
    return start


def _derivative(values: list[tuple[float, float, float]], options: tuple[float, ...]) -> Any:
    """Slope of the straight line through the values, per so many seconds."""
    count = sum(weight for _, weight, _ in values)
    if len(values) < 2 or not count:
        return None
    mean_x = sum(weight * at for _, weight, at in values) / count
    mean_y = sum(weight * value for value, weight, _ in values) / count
    spread = sum(weight * (at - mean_x) ** 2 for _, weight, at in values)
    if not spread:
        return None
    rise = sum(weight * (at - mean_x) * (value - mean_y) for value, weight, at in values)
    return rise / spread * options[0]


_OF_DISTRIBUTIONS = frozenset({"apdex", "cdfPercentage", "histogram", "median", "percentile"})
"""Functions that a distribution can answer as well as single values can."""
_OF_SAMPLES: dict[str, Callable[[list[tuple[float, float, float]], tuple[float, ...]], Any]] = {
    "apdex": _apdex,
    "bucketPercentile": _bucket_percentiles,
    "cdfPercentage": _cdf,
    "derivative": _derivative,
    "histogram": _histogram,
    "median": lambda values, _options: _quantile(values, 50.0) if values else None,
    "percentile": _percentiles,
}
