"""Payload effects: the answer comes in time, and its body is not what it should be.

Three families:

    values   the numbers of the answer become something else (`null`, `nan`, `string_number`, …)
    shape    the document has another shape (`empty_results`, `extra_rows`, `wrong_app`, …)
    bytes    the body is not that document at all (`html_login_page`, `truncated_json`, `bom`, …)

Where a surface has no such place (an application's name in NRQL results), the answer stays as it
is and the injection is not hit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate, parsedate_to_datetime
from typing import Any, ClassVar, TypeAlias

from mock_newrelic.domain.effects.arguments import bad, seconds, whole
from mock_newrelic.domain.effects.base import Effect
from mock_newrelic.domain.surfaces import Surface
from svckit.timestamps import format_timestamp, parse_timestamp

JSON = "application/json"
DEFAULT_HUGE_BYTES = 10_000_000
MAX_HUGE_BYTES = 100_000_000
DAY_SECONDS = 86_400.0
DEFAULT_ERROR_CLASS = "TIMEOUT"
ERROR_CLASSES = (
    "TIMEOUT",
    "INTERNAL_SERVER_ERROR",
    "SERVER_ERROR",
    "TOO_MANY_REQUESTS",
    "BAD_USER_INPUT",
)
_MARK = "\u241a%d\u241a"
_LOGIN_PAGE = b"""<!doctype html>
<html><head><title>Sign in</title></head>
<body><h1>Sign in</h1><form method="post" action="/login">
<input name="user"><input name="password" type="password"><button>Sign in</button>
</form></body></html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """An answer: status, content type and body, and what it is an answer to."""

    status: int
    body: bytes
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


Spoil: TypeAlias = Callable[["Payload", Content, Surface, str], Content | None]
"""(effect, answer, surface, metric) -> the spoilt answer, or None where it does not apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload(Effect):
    """`{"payload": "nan"}`, or with an argument `{"payload": {"clock_skew": "-90s"}}`."""

    name: ClassVar[str] = "payload"
    kind: str
    option: Any = None

    def spoil(self, content: Content, surface: Surface, metric: str) -> Content | None:
        """Return the spoilt answer, or None where the surface has no place for the effect."""
        return KINDS[self.kind](self, content, surface, metric)


# --- numbers -----------------------------------------------------------------------------------


def _number_as(write: Callable[[float], str]) -> Spoil:
    """Write every number of the answer in another way."""

    def spoil(_: Payload, content: Content, surface: Surface, metric: str) -> Content | None:
        document = _document(content)
        if document is None:
            return None
        texts: list[str] = []

        def mark(value: float) -> str:
            texts.append(write(value))
            return _MARK % (len(texts) - 1)

        marked = map_values(document, surface, metric, mark)
        if not texts:
            return None
        text = _compact(marked)
        for at, written in enumerate(texts):
            text = text.replace(json.dumps(_MARK % at, ensure_ascii=False), written)
        return replace(content, body=text.encode())

    return spoil


def _without_key(rename: Callable[[str], str] | None) -> Spoil:
    """Leave the keys of the numbers out, or rename them."""

    def spoil(_: Payload, content: Content, surface: Surface, metric: str) -> Content | None:
        document = _document(content)
        if document is None:
            return None
        touched = False

        def change(row: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
            nonlocal touched
            touched = touched or bool(names & row.keys())
            if rename is None:
                return {key: value for key, value in row.items() if key not in names}
            return {rename(key) if key in names else key: row[key] for key in row}

        changed = _map_rows(document, surface, metric, change)
        return replace(content, body=_compact(changed).encode()) if touched else None

    return spoil


# --- shape -------------------------------------------------------------------------------------


def _extra_rows(_: Payload, content: Content, surface: Surface, metric: str) -> Content | None:
    """Put a row of zeros before every list of rows; the facade's body gets its key twice."""
    document = _document(content)
    if document is None:
        return None
    if surface is Surface.FACADE and isinstance(document, dict) and metric in document:
        text = _compact(document)
        key = f"{json.dumps(metric)}:"
        return replace(content, body=text.replace(key, f"{key}0.0,{key}", 1).encode())

    found = False

    def double(rows: list[Any]) -> list[Any]:
        nonlocal found
        if not rows:
            return rows
        found = True
        return [map_values(rows[0], surface, metric, lambda _value: 0.0, row=True), *rows]

    doubled = _map_lists(document, surface, double)
    return replace(content, body=_compact(doubled).encode()) if found else None


def _empty_results(_: Payload, content: Content, surface: Surface, metric: str) -> Content | None:
    document = _document(content)
    if document is None:
        return None
    if surface is Surface.FACADE:
        return replace(content, body=b"{}")
    del metric
    return replace(content, body=_compact(_map_lists(document, surface, lambda _: [])).encode())


def _wrong_app(_: Payload, content: Content, surface: Surface, metric: str) -> Content | None:
    del surface, metric
    document = _document(content)
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("app"), str):
        return replace(
            content, body=_compact({**document, "app": _other(document["app"])}).encode()
        )
    applications = document.get("applications")
    if isinstance(applications, list) and applications:
        renamed = [{**one, "name": _other(str(one.get("name", "")))} for one in applications]
        return replace(content, body=_compact({**document, "applications": renamed}).encode())
    return None


def _other(name: str) -> str:
    return f"{name}-other"


def _old_timestamp(_: Payload, content: Content, surface: Surface, metric: str) -> Content | None:
    del surface, metric
    return _shift_times(content, -DAY_SECONDS, date=False)


def _clock_skew(effect: Payload, content: Content, surface: Surface, metric: str) -> Content | None:
    del surface, metric
    return _shift_times(content, float(effect.option), date=True)


_TIME_KEYS = frozenset(
    {
        "timestamp",
        "windowStart",
        "windowEnd",
        "lastSampleAt",
        "at",
        "last_reported_at",
        "from",
        "to",
    }
)
_EPOCH_KEYS = frozenset({"beginTimeSeconds", "endTimeSeconds", "begin", "end"})


def _shift_times(content: Content, by: float, *, date: bool) -> Content | None:
    document = _document(content)
    if document is None:
        return None

    def shift(value: Any) -> Any:
        if isinstance(value, list):
            return [shift(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {key: _shifted(key, inner, by, shift) for key, inner in value.items()}

    headers = dict(content.headers)
    if date and "date" in headers:
        moved = parsedate_to_datetime(headers["date"]).timestamp() + by
        headers["date"] = formatdate(moved, usegmt=True)
    elif date:
        headers["date"] = formatdate(_now_of(document) + by, usegmt=True)
    return replace(content, body=_compact(shift(document)).encode(), headers=headers)


def _now_of(document: Any) -> float:
    text = document.get("timestamp") if isinstance(document, dict) else None
    try:
        return parse_timestamp(text) if isinstance(text, str) else 0.0
    except ValueError:
        return 0.0


def _shifted(key: str, value: Any, by: float, deeper: Callable[[Any], Any]) -> Any:
    if key in _TIME_KEYS and isinstance(value, str):
        try:
            return format_timestamp(parse_timestamp(value) + by)
        except ValueError:
            return value
    if key in _EPOCH_KEYS and isinstance(value, int | float) and not isinstance(value, bool):
        return value + (by * 1000 if value > 1e11 else by)
    return deeper(value)


def _graphql_errors(effect: Payload, content: Content, surface: Surface, _: str) -> Content | None:
    if surface is not Surface.NERDGRAPH:
        return None
    document = {"data": None, "errors": [_graphql_error(effect.option or DEFAULT_ERROR_CLASS)]}
    return replace(content, status=200, body=_compact(document).encode())


def _partial_data(effect: Payload, content: Content, surface: Surface, _: str) -> Content | None:
    document = _document(content)
    if surface is not Surface.NERDGRAPH or not isinstance(document, dict):
        return None
    errors = [_graphql_error(effect.option or DEFAULT_ERROR_CLASS)]
    return replace(content, body=_compact({**document, "errors": errors}).encode())


def _graphql_error(kind: str) -> dict[str, Any]:
    # The path holds strings only: New Relic's Go client decodes it so.
    return {
        "message": f"injected: {kind}",
        "path": ["actor", "account", "nrql"],
        "extensions": {"errorClass": kind},
    }


# --- bytes -------------------------------------------------------------------------------------


def _bytes_as(change: Callable[[Content], Content]) -> Spoil:
    def spoil(_: Payload, content: Content, surface: Surface, metric: str) -> Content:
        del surface, metric
        return change(content)

    return spoil


def _huge_body(effect: Payload, content: Content, surface: Surface, metric: str) -> Content:
    del surface, metric
    size = int(effect.option or DEFAULT_HUGE_BYTES)
    body = content.body.rstrip()
    padding = b" " * max(0, size - len(body))
    return replace(content, body=body[:-1] + padding + body[-1:])


def _truncated(content: Content) -> Content:
    return replace(content, status=200, body=content.body[: len(content.body) // 2])


def _malformed(content: Content) -> Content:
    # A comma before the last bracket: every JSON parser stops there, grep does not.
    return replace(content, status=200, body=content.body[:-1] + b"," + content.body[-1:])


def _login_page(_: Content) -> Content:
    return Content(status=200, body=_LOGIN_PAGE, media_type="text/html; charset=utf-8")


# --- where the numbers are -----------------------------------------------------------------------


def map_values(
    document: Any,
    surface: Surface,
    metric: str,
    change: Callable[[float], Any],
    *,
    row: bool = False,
) -> Any:
    """Return the document with every number that is an answer changed.

    Args:
        document: the decoded body, or one of its rows when `row` is set.
        surface: whose body it is.
        metric: the facade's metric, which is the key of its number.
        change: from the number to what stands in its place.
        row: whether `document` is a row.
    """

    def change_row(one: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
        return {key: _deep(value, change) if key in names else value for key, value in one.items()}

    if row:
        names = _answer_keys(document, surface, metric)
        return change_row(document, names) if isinstance(document, dict) else document
    return _map_rows(document, surface, metric, change_row)


def _deep(value: Any, change: Callable[[float], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _deep(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_deep(inner, change) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return change(value)
    return value


_NO_ANSWER = frozenset({"beginTimeSeconds", "endTimeSeconds", "facet", "timestamp", "comparison"})
_ANSWERS = {
    Surface.FACADE: frozenset({"value"}),
    Surface.SERIES: frozenset({"value"}),
    Surface.HISTOGRAM: frozenset({"count", "errors"}),
    Surface.REST2: frozenset(
        {"response_time", "throughput", "error_rate", "apdex_score", "values"}
    ),
}
_LISTS = {
    Surface.SERIES: frozenset({"points"}),
    Surface.NERDGRAPH: frozenset({"results"}),
    Surface.INSIGHTS: frozenset({"results"}),
    Surface.REST2: frozenset({"applications", "timeslices"}),
    Surface.HISTOGRAM: frozenset({"buckets"}),
    Surface.FACADE: frozenset({"results"}),
}
_Row = Callable[[dict[str, Any], frozenset[str]], dict[str, Any]]


def _answer_keys(row: Any, surface: Surface, metric: str) -> frozenset[str]:
    """Return the keys of a row under which an answer stands."""
    if not isinstance(row, dict):
        return frozenset()
    if surface in {Surface.NERDGRAPH, Surface.INSIGHTS}:
        return frozenset(row) - _NO_ANSWER
    names = _ANSWERS.get(surface, frozenset())
    return (names | {metric} if surface is Surface.FACADE else names) & row.keys()


def _map_rows(document: Any, surface: Surface, metric: str, change: _Row) -> Any:
    """Return the document with every row changed that holds an answer."""
    if surface in {Surface.NERDGRAPH, Surface.INSIGHTS}:
        return _map_lists(
            document,
            surface,
            lambda rows: [
                change(row, _answer_keys(row, surface, metric)) if isinstance(row, dict) else row
                for row in rows
            ],
        )
    if isinstance(document, list):
        return [_map_rows(one, surface, metric, change) for one in document]
    if not isinstance(document, dict):
        return document
    names = _answer_keys(document, surface, metric)
    inner = {
        key: value if key in names else _map_rows(value, surface, metric, change)
        for key, value in document.items()
    }
    return change(inner, names) if names else inner


def _map_lists(document: Any, surface: Surface, change: Callable[[list[Any]], list[Any]]) -> Any:
    """Return the document with every list of rows changed."""
    if isinstance(document, list):
        return [_map_lists(one, surface, change) for one in document]
    if not isinstance(document, dict):
        return document
    lists = _LISTS.get(surface, frozenset())
    return {
        key: change(value)
        if key in lists and isinstance(value, list)
        else _map_lists(value, surface, change)
        for key, value in document.items()
    }


def _document(content: Content) -> Any:
    if content.status != 200:
        return None
    try:
        return json.loads(content.body)
    except ValueError:
        return None


def _compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _as_text(value: float) -> str:
    return json.dumps(value)


VALUES: dict[str, Spoil] = {
    "null": _number_as(lambda _: "null"),
    "nan": _number_as(lambda _: "NaN"),
    "inf": _number_as(lambda _: "Infinity"),
    "negative": _number_as(lambda value: f"-{_as_text(abs(value) or 1.0)}"),
    "exponent": _number_as(lambda value: f"{value:.6e}"),
    "string_number": _number_as(lambda value: f'"{_as_text(value)}"'),
    "bool": _number_as(lambda _: "false"),
    "array": _number_as(lambda value: f"[{_as_text(value)}]"),
    "nested": _number_as(lambda value: f'{{"value":{_as_text(value)}}}'),
    "wrong_unit": _number_as(lambda value: _as_text(round(value * 100, 4))),
    "missing_key": _without_key(None),
    "renamed_key": _without_key(lambda key: f"{key}_v2"),
}
SHAPES: dict[str, Spoil] = {
    "extra_rows": _extra_rows,
    "empty_results": _empty_results,
    "wrong_app": _wrong_app,
    "old_timestamp": _old_timestamp,
    "clock_skew": _clock_skew,
    "graphql_errors": _graphql_errors,
    "partial_data": _partial_data,
}
BYTES: dict[str, Spoil] = {
    "huge_body": _huge_body,
    "bom": _bytes_as(lambda content: replace(content, body=b"\xef\xbb\xbf" + content.body)),
    "wrong_charset": _bytes_as(
        lambda content: replace(
            content,
            body=content.body.decode("utf-8", "replace").encode("utf-16"),
            media_type="application/json; charset=utf-8",
        )
    ),
    "wrong_content_type": _bytes_as(
        lambda content: replace(content, media_type="text/plain; charset=utf-8")
    ),
    "html_login_page": _bytes_as(_login_page),
    "malformed_json": _bytes_as(_malformed),
    "truncated_json": _bytes_as(_truncated),
    "json_null": _bytes_as(lambda content: replace(content, status=200, body=b"null")),
    "empty_body": _bytes_as(lambda content: replace(content, status=200, body=b"")),
    "no_content": _bytes_as(lambda content: replace(content, status=204, body=b"")),
}
KINDS: dict[str, Spoil] = {**VALUES, **SHAPES, **BYTES}
_ALIASES = {"partial_data+errors": "partial_data"}


def parse(argument: object, _metric: str | None) -> Payload:
    """Read the kind, and its argument where it has one."""
    kind, option = argument, None
    if isinstance(argument, dict):
        if len(argument) != 1:
            raise bad("effect.payload has not exactly one member", _hint())
        [(kind, option)] = argument.items()
    if isinstance(kind, str):
        kind = _ALIASES.get(kind, kind)
    if not isinstance(kind, str) or kind not in KINDS:
        raise bad("effect.payload is not known", _hint())
    return Payload(given=argument, kind=kind, option=_option(kind, option))


def _option(kind: str, option: object) -> Any:
    name = f"payload.{kind}"
    if kind == "clock_skew":
        if option is None:
            raise bad("effect.payload.clock_skew needs a duration", '{"clock_skew": "-90s"}')
        return seconds(option, name=name, lowest=-DAY_SECONDS, highest=DAY_SECONDS)
    if option is None or option is True:
        return None
    if kind == "huge_body":
        return whole(option, name=name, lowest=1, highest=MAX_HUGE_BYTES)
    if kind in {"graphql_errors", "partial_data"}:
        if option not in ERROR_CLASSES:
            raise bad(f"effect.{name} is not known", f"one of: {', '.join(ERROR_CLASSES)}")
        return option
    raise bad(f"effect.{name} takes no argument")


def _hint() -> str:
    return f"one of: {', '.join(sorted(KINDS))}"
