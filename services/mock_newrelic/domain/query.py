"""From the parameters of a request to a question, refusing everything that could mean two things.

A parameter that is unknown, empty or given twice is an error: a selector that silently does not
apply would answer for more samples than were asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil, floor, isfinite
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from mock_newrelic.domain.labels import DIMENSIONS, LABEL_PREFIX
from mock_newrelic.domain.metrics import DEFAULT_APDEX_SECONDS, Metric, find_metric
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
_METRIC = _COMMON | {"metric", "t", "detail"}
_SERIES = _METRIC - {"detail", "min_samples"} | {"step"}


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
        step: seconds per point of a chart; 0 when none was asked for.
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
    apdex_seconds: float = DEFAULT_APDEX_SECONDS
    step: int = 0

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


def parse_metric_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Read the question for one number.

    Raises:
        InvalidInput: with the code of the parameter that is wrong.
    """
    given = _single(pairs, _METRIC)
    if given.get("detail", "full") != "full":
        raise _bad("parameter 'detail' is not known", "bad_parameter", "detail=full, or leave out")
    return _query(given, metric=_metric(given), window_text=_window(given))


def parse_series_query(pairs: Iterable[tuple[str, str]]) -> Query:
    """Read the question for a chart; `step` is a window too."""
    given = _single(pairs, _SERIES)
    window_text = _window(given)
    step = parse_window(given.get("step", "10s"), name="step", code="bad_step")
    if parse_window(window_text) > step * MAX_STEP_COUNT:
        raise _bad(
            "parameter 'step' is too small for the window",
            "bad_step",
            f"at most {MAX_STEP_COUNT} points",
        )
    return _query(given, metric=_metric(given), window_text=window_text, step=step)


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
    if name in DIMENSIONS:
        return name
    label = name.removeprefix(LABEL_PREFIX)
    return label if label and label != name else None


def selector_as_json(terms: Terms) -> dict[str, str]:
    """Return the selector in the words of the parameters, sorted."""
    return {
        name if name in DIMENSIONS else LABEL_PREFIX + name: value for name, value in sorted(terms)
    }


def _query(
    given: Mapping[str, str], *, metric: Metric | None, window_text: str, step: int = 0
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
        apdex_seconds=_threshold(given),
        step=step,
    )


def _single(pairs: Iterable[tuple[str, str]], known: frozenset[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in known and selector_name(name) is None:
            raise _bad(
                f"parameter {_shown(name)} is not known",
                "unknown_parameter",
                f"known: {', '.join(sorted(known | DIMENSIONS))}, label.<name>",
            )
        if name in given:
            raise _bad(f"parameter {_shown(name)} is given twice", "duplicate_parameter")
        if not value or len(value) > MAX_VALUE or not value.isprintable():
            raise _bad(
                f"parameter {_shown(name)} is empty, too long or not printable",
                f"bad_{name}" if name in known else "bad_selector",
                f"1 to {MAX_VALUE} printable characters; leave the parameter out to not use it",
            )
        given[name] = value
    return given


def _metric(given: Mapping[str, str]) -> Metric:
    if "metric" not in given:
        raise _bad("parameter 'metric' is missing", "bad_metric", "metric=<name>")
    metric = find_metric(given["metric"])
    if "t" in given and metric.name != "apdex":
        raise _bad("parameter 't' belongs to metric=apdex", "unknown_parameter")
    return metric


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


def _threshold(given: Mapping[str, str]) -> float:
    try:
        seconds = float(given.get("t", DEFAULT_APDEX_SECONDS))
    except ValueError:
        seconds = 0.0
    if not (isfinite(seconds) and seconds > 0):
        raise _bad("parameter 't' is not a number of seconds above 0", "bad_parameter", "t=0.5")
    return seconds


def _require_kept(name: str, instant: float, now: float) -> None:
    if not now - RETENTION_SECONDS <= instant <= now + CLOCK_TOLERANCE_SECONDS:
        raise _bad(
            f"parameter '{name}' is in the future or too long ago",
            f"bad_{name}",
            "samples are kept for 24 hours",
        )


def _shown(name: str) -> str:
    """Quote a parameter name that the caller chose, without what could be markup."""
    return f"'{name}'" if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name) else "with that name"


def _bad(detail: str, code: str, hint: str = "") -> InvalidInput:
    return InvalidInput(detail, code=code, status=400, hint=hint)
