"""From the parameters of a request to a question, refusing everything that could mean two things.

A parameter that is unknown, empty or given twice is an error: a selector that silently does not
apply would answer for more samples than were asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import ceil, floor, inf, isfinite
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from mock_newrelic.domain.labels import DIMENSIONS, LABEL_PREFIX
from mock_newrelic.domain.metrics import (
    ALIASES,
    DEFAULT_APDEX_SECONDS,
    METRICS,
    Metric,
    find_metric,
)
from mock_newrelic.domain.model import RETENTION_SECONDS, Span, Terms
from mock_newrelic.domain.window import parse_window, sliding_span
from svckit.errors import InvalidInput
from svckit.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

APP_PATTERN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._:/()@+-]{0,198}[A-Za-z0-9._)@+-])?", re.ASCII)
APP_HINT = "letters, digits, space and . _ : / ( ) @ + -, at most 200 characters"
MAX_VALUE = 255
MAX_STEP_COUNT = 1440
CLOCK_TOLERANCE_SECONDS = 5
"""How far the clock of a caller who says `at` or `since` may be ahead of ours."""

_COMMON = frozenset({"app", "window", "at", "since", "min_samples"})
_METRIC = _COMMON | {"metric", "t", "slo", "detail", "source"}
_SERIES = _METRIC - {"detail", "min_samples"} | {"step"}
_FACADE = _METRIC | {"compare", "format", "q", "agg"}
_SELECTORS = DIMENSIONS | {"env", "transaction"}
SOURCES = frozenset({"auto", "agent", "agent_metrics", "events", "otel", "spans", "api"})
NRQL = "nrql"
CUSTOM = "custom:"
AGGREGATIONS = {"avg": "average", "sum": "sum", "max": "max", "last": "latest"}
"""What `agg` may say of a custom metric, and the NRQL function that it means."""
MAX_METRICS = 20
MAX_NRQL = 4096
_CUSTOM_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]{0,199}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question about one application.

    Attributes:
        app: application name.
        metric: what to compute; None when counts and histogram themselves are asked for.
        window_text: the window as the caller wrote it; empty when only `since` bounds it.
        width: the window in seconds.
        terms: label pairs that samples must carry.
        at: instant of the answer; None means now.
        since: instant before which samples do not count; None means no such bound.
        argument: what the metric's own parameter says; the default of the metric unless given.
        step: seconds per point of a chart; 0 when none was asked for.
        session: token of the session, empty for the default one.
        asked: the metric's name in the words of the caller.
        source: where the samples must come from; `auto` for the best that there is.
    """

    app: str
    metric: Metric | None
    window_text: str
    width: int
    terms: Terms
    detail: bool = False
    min_samples: int = 0
    at: float | None = None
    since: float | None = None
    argument: float = DEFAULT_APDEX_SECONDS
    step: int = 0
    asked: str = ""
    source: str = "auto"
    session: str = ""

    @property
    def slides(self) -> bool:
        """Whether this is a plain sliding window that ends now."""
        return self.at is None and self.since is None

    def end(self, now: float) -> float:
        """Return the instant of the answer.

        Raises:
            InvalidInput: `at` lies in the future, or before everything that is kept.
        """
        if self.at is None:
            return now
        _require_kept("at", self.at, now)
        return min(self.at, now)

    def span(self, now: float) -> Span:
        """Return the seconds that count.

        Raises:
            InvalidInput: `at` or `since` lies where nothing can be answered.
        """
        end = self.end(now)
        span = sliding_span(self.width, end)
        if self.at is not None:
            # Windows that end at whole seconds and follow each other share no sample.
            span = Span(span.first, ceil(end))
        if self.since is None:
            return span
        _require_kept("since", self.since, now)
        if self.at is not None and self.since > self.at:
            raise InvalidInput("parameter 'since' is after 'at'", code="bad_since", status=400)
        return Span(min(max(span.first, floor(self.since)), span.stop - 1), span.stop)


def split_query_string(raw: bytes) -> list[tuple[str, str]]:
    """Return the decoded pairs of a query string.

    Raises:
        InvalidInput: a part is not `name=value` in percent-encoded UTF-8.
    """
    pairs = []
    for part in raw.split(b"&") if raw else ():
        name, separator, value = part.replace(b"+", b" ").partition(b"=")
        try:
            pair = unquote_to_bytes(name).decode(), unquote_to_bytes(value).decode()
        except UnicodeDecodeError:
            raise _bad("the query string is not UTF-8", "bad_parameter") from None
        if not separator:
            raise _bad(f"parameter {_shown(pair[0])} has no value", "bad_parameter")
        pairs.append(pair)
    return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the facade in one request.

    Attributes:
        queries: one for each metric, in the order of the request; of NRQL and custom metrics one
            that names no metric.
        asked: the parameter `metric` as it was written.
        other: the same metric for the selector to compare with; None without one.
        nrql: the query of `metric=nrql`.
        custom: name of a custom metric.
        aggregation: how it is summed up, as an NRQL function.
        exposition: whether the answer is Prometheus text.
    """

    queries: tuple[Query, ...]
    asked: str
    other: Query | None = None
    nrql: str = ""
    custom: str = ""
    aggregation: str = ""
    exposition: bool = False

    @property
    def plain(self) -> bool:
        """Whether one metric is asked for and nothing else."""
        return len(self.queries) == 1 and not (
            self.other or self.nrql or self.custom or self.exposition
        )


def parse_question(pairs: Iterable[tuple[str, str]]) -> Question:
    """Read a request to the facade.

    Raises:
        InvalidInput: with the code of the parameter that is wrong.
    """
    given = _single(pairs, _FACADE)
    if given.get("detail", "full") != "full":
        raise _bad("parameter 'detail' is not known", "bad_parameter", "detail=full, or leave out")
    if given.get("format", "json") not in {"json", "prom"}:
        raise _bad("parameter 'format' is not known", "bad_parameter", "format=json or format=prom")
    asked = given.get("metric", "")
    window_text = _window(given)
    exposition = given.get("format") == "prom"
    if asked == NRQL or asked.startswith(CUSTOM):
        return _computed(given, asked, window_text, exposition=exposition)
    for name in ("q", "agg"):
        if name in given:
            raise _bad(f"parameter '{name}' does not belong to this metric", "unknown_parameter")
    metrics = _metrics(given)
    queries = tuple(
        _query(given, metric=metric, window_text=window_text, asked=name)
        for name, metric in metrics.items()
    )
    other = None
    if "compare" in given:
        if len(queries) > 1:
            raise _bad("parameter 'compare' needs one metric", "bad_parameter")
        other = replace(queries[0], terms=_other_terms(given["compare"]))
    return Question(queries=queries, asked=asked, other=other, exposition=exposition)


def parse_metric_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Read the question for one number, or for the first of several.

    Raises:
        InvalidInput: with the code of the parameter that is wrong.
    """
    return parse_question(pairs).queries[0]


def parse_series_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Read the question for a chart; `step` is a window too."""
    given = _single(pairs, _SERIES)
    window_text = _window(given)
    metrics = _metrics(given)
    if len(metrics) > 1:
        raise _bad("a chart is of one metric", "bad_metric", "one request for each")
    step = parse_window(given.get("step", "10s"), name="step", code="bad_step")
    if parse_window(window_text) > step * MAX_STEP_COUNT:
        raise _bad(
            "parameter 'step' is too small for the window",
            "bad_step",
            f"at most {MAX_STEP_COUNT} points",
        )
    asked, metric = next(iter(metrics.items()))
    return _query(given, metric=metric, window_text=window_text, step=step, asked=asked)


def parse_histogram_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Read the question for counts and histogram; `window`, `since` or both bound it."""
    given = _single(pairs, _COMMON)
    if "window" not in given and "since" in given:
        return _query(given, metric=None, window_text="")
    return _query(given, metric=None, window_text=_window(given))


def require_app(text: str) -> str:
    """Return the application name, or raise InvalidInput when no application can have it."""
    if not APP_PATTERN.fullmatch(text):
        raise _bad("parameter 'app' is not an application name", "bad_app", APP_HINT)
    return text


def selector_name(name: str) -> str | None:
    """Return the label that a parameter selects on, or None when it is no selector."""
    if name in _SELECTORS:
        return name
    label = name.removeprefix(LABEL_PREFIX)
    return label if label and label != name else None


def selector_as_json(terms: Terms) -> dict[str, str]:
    """Return the selector in the words of the parameters, sorted."""
    return {
        name if name in _SELECTORS else LABEL_PREFIX + name: value for name, value in sorted(terms)
    }


def _query(
    given: Mapping[str, str],
    *,
    metric: Metric | None,
    window_text: str,
    step: int = 0,
    asked: str = "",
) -> Query:
    terms = frozenset(
        (label, value)
        for name, value in given.items()
        if (label := selector_name(name)) is not None
    )
    if "app" not in given:
        raise _bad("parameter 'app' is missing", "bad_app", "app=<application name>")
    return Query(
        app=require_app(given["app"]),
        metric=metric,
        window_text=window_text,
        width=parse_window(window_text) if window_text else RETENTION_SECONDS,
        terms=terms,
        detail="detail" in given,
        min_samples=_whole(given, "min_samples"),
        at=_instant(given, "at"),
        since=_instant(given, "since"),
        argument=_argument(given, metric),
        step=step,
        asked=asked,
        source=_source(given),
    )


def _single(pairs: Iterable[tuple[str, str]], known: frozenset[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known and selector_name(name) is None:
            raise _bad(
                f"parameter {_shown(name)} is not known",
                "unknown_parameter",
                f"known: {', '.join(sorted(known | _SELECTORS))}, label.<name>",
            )
        if name in given:
            raise _bad(f"parameter {_shown(name)} is given twice", "duplicate_parameter")
        longest = MAX_NRQL if name in {"q", "metric"} else MAX_VALUE
        if not value or len(value) > longest or not (value.isprintable() or name == "q"):
            raise _bad(
                f"parameter {_shown(name)} is empty, too long or not printable",
                f"bad_{name}" if name in known else "bad_selector",
                f"1 to {MAX_VALUE} printable characters; leave the parameter out to not use it",
            )
        given[name] = value
    return given


def _metrics(given: Mapping[str, str]) -> dict[str, Metric]:
    """Return the metrics of a comma list by the names that were asked."""
    if "metric" not in given:
        raise _bad("parameter 'metric' is missing", "bad_metric", "metric=<name>")
    names = given["metric"].split(",")
    if len(names) > MAX_METRICS:
        raise _bad("parameter 'metric' names too many", "bad_metric", f"at most {MAX_METRICS}")
    metrics = {name: find_metric(name) for name in names}
    if len(metrics) < len(names):
        raise _bad("parameter 'metric' names one twice", "bad_metric")
    taken = {metric.parameter for metric in metrics.values()}
    for parameter, owner in (("t", "apdex"), ("slo", "errorBudgetBurn")):
        if parameter in given and parameter not in taken:
            raise _bad(f"parameter '{parameter}' belongs to metric={owner}", "unknown_parameter")
    return metrics


def _computed(
    given: Mapping[str, str], asked: str, window_text: str, *, exposition: bool
) -> Question:
    """Read `metric=nrql&q=` and `metric=custom:<name>&agg=`."""
    refused = {"t", "slo", "compare", "min_samples", "detail", "source"} | (
        {"agg"} if asked == NRQL else {"q"}
    )
    for name in given:
        if name in refused or selector_name(name) is not None:
            raise _bad(f"parameter {_shown(name)} does not go with it", "unknown_parameter")
    query = _query(given, metric=None, window_text=window_text, asked=asked)
    if asked == NRQL:
        if "q" not in given:
            raise _bad("parameter 'q' is missing", "bad_q", "q=SELECT count(*) FROM Transaction")
        return Question(queries=(query,), asked=asked, nrql=given["q"], exposition=exposition)
    name = asked.removeprefix(CUSTOM)
    if not _CUSTOM_NAME.fullmatch(name):
        raise _bad("parameter 'metric' is no custom metric", "bad_metric", "custom:<name>")
    aggregation = AGGREGATIONS.get(given.get("agg", "avg"))
    if aggregation is None:
        raise _bad("parameter 'agg' is not known", "bad_parameter", ", ".join(AGGREGATIONS))
    return Question(
        queries=(query,), asked=asked, custom=name, aggregation=aggregation, exposition=exposition
    )


def _other_terms(text: str) -> Terms:
    """Read `role=stable` or `role=stable,version=v1`."""
    terms: dict[str, str] = {}
    for part in text.split(","):
        name, separator, value = part.partition("=")
        label = selector_name(name)
        if label is None or not separator or not value or label in terms:
            raise _bad("parameter 'compare' is not a selector", "bad_selector", "role=stable")
        terms[label] = value
    return frozenset(terms.items())


def _source(given: Mapping[str, str]) -> str:
    source = given.get("source", "auto")
    if source not in SOURCES:
        raise _bad("parameter 'source' is not known", "bad_source", ", ".join(sorted(SOURCES)))
    return source


def _window(given: Mapping[str, str]) -> str:
    if "window" not in given:
        raise _bad("parameter 'window' is missing", "bad_window", "window=5m")
    return given["window"]


def _whole(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise _bad(f"parameter '{name}' is not a whole number", "bad_parameter")
    return int(text)


def _instant(given: Mapping[str, str], name: str) -> float | None:
    if name not in given:
        return None
    try:
        # An unencoded "+" of a zone arrives as a space.
        return parse_timestamp(given[name].replace(" ", "+"))
    except ValueError:
        raise _bad(
            f"parameter '{name}' is not a time", f"bad_{name}", "RFC 3339: 2026-02-04T02:02:23Z"
        ) from None


def _argument(given: Mapping[str, str], metric: Metric | None) -> float:
    """Return the argument of the metric: the threshold of apdex, the objective of a budget."""
    if metric is None or metric.parameter not in given:
        return DEFAULT_APDEX_SECONDS if metric is None else metric.argument
    try:
        number = float(given[metric.parameter])
    except ValueError:
        number = 0.0
    highest = 100.0 if metric.parameter == "slo" else inf
    if not (isfinite(number) and 0 < number < highest):
        raise _bad(
            f"parameter '{metric.parameter}' is out of range",
            "bad_parameter",
            "t: seconds above 0; slo: percent above 0 and below 100",
        )
    return number


def _require_kept(name: str, instant: float, now: float) -> None:
    if not now - RETENTION_SECONDS <= instant <= now + CLOCK_TOLERANCE_SECONDS:
        raise _bad(
            f"parameter '{name}' is in the future or too long ago",
            f"bad_{name}",
            "samples are kept for 24 hours",
        )


def _shown(name: str) -> str:
    """Quote a parameter name that the caller chose, without what could be markup."""
    # A name that is also a metric's is not shown: no error body holds the key of a metric.
    plain = re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) and not _names_metric(name)
    return f"'{name}'" if plain else "with that name"


def _names_metric(text: str) -> bool:
    return any(name in text for name in (*METRICS, *ALIASES) if len(name) > 3)


def _bad(detail: str, code: str, hint: str = "") -> InvalidInput:
    return InvalidInput(detail, code=code, status=400, hint=hint)
