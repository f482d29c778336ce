"""`metric_data`: the exact counts of a minute, `[run, from, to, [[{name, scope}, values], …]]`.

Values are `[count, total, exclusive, min, max, sum of squares]`, times in seconds. What is counted
from them is how many requests there were, how many of them failed, and how long they took together;
they tell neither status codes nor a distribution.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.agents.connect import refused
from mock_newrelic.domain.ingest.batch import Batch, Bin, Bins, Covered
from mock_newrelic.domain.ingest.shared_rows import SharedRows
from mock_newrelic.domain.ingest.telemetry import event_attributes
from mock_newrelic.domain.model import SeriesKey, Source, Span

if TYPE_CHECKING:
    from mock_newrelic.domain.agents.run import AgentRun
    from mock_newrelic.domain.records import Chunk

REQUESTS = ("HttpDispatcher", "OtherTransaction/all")
ERRORS = "Errors/all"
LONGEST_SECONDS = 3600
MAX_AGE_SECONDS = 48 * 3600
MAX_AHEAD_SECONDS = 24 * 3600
METRIC = "Metric"
_VALUES = 6
_HIGHEST = 1e15
_OF_THE_AGENT = ("Supportability/", "Instance/", "Memory/", "CPU/", "Python/", "Nodejs/")


def read_metrics(body: Any, now: float, *, run: AgentRun) -> Batch:
    """Return the counts of a `metric_data` call.

    Raises:
        InvalidInput: it is of another form, or its interval makes no sense.
    """
    if not isinstance(body, list) or len(body) != 4 or not isinstance(body[3], list):
        raise refused("metric_data: expected [run, from, to, metrics]")
    span = _interval(body[1], body[2], now)
    metrics = [_metric(one) for one in body[3]]
    totals = {name: values for name, scope, values in metrics if not scope}
    count = sum(floor(totals[name][0]) for name in REQUESTS if name in totals)
    seconds = sum(totals[name][1] for name in REQUESTS if name in totals)
    errors = min(count, floor(totals[ERRORS][0])) if ERRORS in totals else 0
    bins: Bins = {}
    for app in run.apps:
        if count:
            key = SeriesKey(app, run.labels, Source.AGENT_METRICS)
            bins[key] = _spread(span, count, errors, seconds)
    return Batch(
        bins=bins,
        apps=frozenset(run.apps),
        samples=count,
        others=0,
        records=_rows(metrics, run, span, now),
        covered=()
        if run.mixed
        else tuple(Covered(app=app, labels=run.labels, run=run.id, span=span) for app in run.apps),
    )


def _interval(first: Any, last: Any, now: float) -> Span:
    """Return the whole seconds of a minute; an interval begins where the last one ended."""
    if not (_is_number(first) and _is_number(last)) or not first <= last:
        raise refused("metric_data: the interval has no beginning and end in this order")
    if last - first > LONGEST_SECONDS:
        raise refused("metric_data: the interval is longer than an hour")
    if not now - MAX_AGE_SECONDS <= first or not last <= now + MAX_AHEAD_SECONDS:
        raise refused("metric_data: the interval is more than 48 hours old or 24 hours ahead")
    start = floor(first)
    return Span(start, max(start + 1, ceil(last)))


def _metric(item: Any) -> tuple[str, str, list[float]]:
    if not isinstance(item, list) or len(item) != 2:
        raise refused("metric_data: a metric is [{name, scope}, values]")
    named, values = item
    if not isinstance(named, dict) or not isinstance(named.get("name"), str):
        raise refused("metric_data: a metric has no name")
    if (
        not isinstance(values, list)
        or len(values) != _VALUES
        or not all(_is_number(one) and one >= 0 for one in values)
    ):
        raise refused(f"metric_data: a metric has {_VALUES} numbers from 0")
    scope = named.get("scope")
    return named["name"][:255], scope if isinstance(scope, str) else "", values


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_HIGHEST < value < _HIGHEST


def _spread(span: Span, count: int, errors: int, seconds: float) -> dict[int, Bin]:
    """Spread whole counts evenly over the seconds, so that any part of it has its share."""
    width = span.stop - span.first
    microseconds = round(seconds * 1e6)
    bins = {}
    before = 0
    for number in range(width):
        after = (number + 1) * count // width
        if requests := after - before:
            one = bins[span.first + number] = Bin()
            took = after * microseconds // count - before * microseconds // count
            # Shares of both round apart; no second may have more errors than requests.
            failed = min(requests, _share(errors, number, width))
            one.add_histogram(requests, errors=failed, sum_seconds=took / 1e6)
        before = after
    return _with_all(bins, errors)


def _with_all(bins: dict[int, Bin], errors: int) -> dict[int, Bin]:
    """Put the errors that found no room in their second into the next that has some."""
    missing = errors - sum(one.counts[1] for one in bins.values())
    for one in bins.values():
        if not missing:
            break
        room = min(missing, one.counts[0] - one.counts[1])
        one.counts[1] += room
        missing -= room
    return bins


def _share(total: int, number: int, width: int) -> int:
    return (number + 1) * total // width - number * total // width


def _rows(
    metrics: list[tuple[str, str, list[float]]], run: AgentRun, span: Span, now: float
) -> tuple[Chunk, ...]:
    """Return the timeslices as events, without what agents tell of themselves."""
    rows = SharedRows(METRIC)
    for app in run.apps:
        block = rows.share(event_attributes(app, run.attributes, run.joined(app)))
        for name, scope, (count, total, _exclusive, low, high, squares) in metrics:
            if name.startswith(_OF_THE_AGENT):
                continue
            told = {
                "metricName": "newrelic.timeslice.value",
                "metricTimesliceName": name,
                "scope": scope,
                "type": "timeslice",
                "interval.ms": (span.stop - span.first) * 1000,
                "newrelic.timeslice.value": {
                    "count": count,
                    "sum": total,
                    "min": low,
                    "max": high,
                    "sumOfSquares": squares,
                },
                "timestamp": span.first * 1000,
            }
            rows.add(app, block, told, span.first)
    return rows.chunk(now)
