"""What can go wrong with the sources of a gate: a catalogue, as data.

A fault is in force from before the first step, so whatever a gate sees of it, it sees all the time.
Its target is what misbehaves: the APM, the analyzer, the application's pages, or the set-up of the
gate itself. Each is put in force by one of four means:

    Inject   an injection of mock-newrelic, effects as in docs/reference/faults.md
    Reply    every answer of the target is this one
    Spoil    every answer of the target is the right one, damaged
    Break    connections to the target end in this way
    Change   the gate's own set-up is wrong
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Target = Literal["apm", "analyzer", "application", "gate"]
BreakKind = Literal["no_host", "refuse", "hang", "reset", "empty_reply", "garbage", "truncate"]
SpoilKind = Literal["missing_keys", "null_values", "text_values", "truncated", "malformed"]
ChangeKind = Literal[
    "no_secret", "no_secret_key", "wrong_secret", "other_app_name", "no_config_map"
]
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
LOGIN_PATH: Final = "/login"
PAGE: Final = b"<!DOCTYPE html>\n<title>Sign in</title>\n<form method=post></form>\n"
"""The page that a gateway, an auth proxy or a maintenance mode answers with."""


@dataclass(frozen=True, slots=True)
class Inject:
    """An effect of the APM; with a role it concerns that version's samples only."""

    effect: Mapping[str, Any]
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer to everything."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spoil:
    """The right answer, damaged."""

    kind: SpoilKind


@dataclass(frozen=True, slots=True)
class Break:
    """The end of a connection."""

    kind: BreakKind


@dataclass(frozen=True, slots=True)
class Change:
    """A mistake in the set-up."""

    kind: ChangeKind


Means = Inject | Reply | Spoil | Break | Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that can go wrong.

    Attributes:
        name: as `--fault` takes it.
        group: the heading under which it is shown.
        target: what misbehaves.
        says: what it does, as the end of a sentence.
        means: how it is put in force.
        lie: whether the answer is a plausible one that happens to be wrong, so that no condition
            on it could tell.
        slow: whether somebody waits because of it.
        steady: whether each request meets the same.
    """

    name: str
    group: str
    target: Target
    says: str
    means: Means
    lie: bool = False
    slow: bool = False
    steady: bool = True


def _apm(name: str, group: str, says: str, effect: Mapping[str, Any], **more: Any) -> Fault:
    role = more.pop("role", "")
    return Fault(
        name=f"apm-{name}", group=group, target="apm", says=says, means=Inject(effect, role), **more
    )


def _payload(kind: object, says: str, name: str = "") -> Fault:
    label = name or str(kind).replace("_", "-")
    return _apm(label, "APM: body", says, {"payload": kind})


def _data(name: str, says: str, effect: Mapping[str, Any], **more: Any) -> Fault:
    return _apm(name, "APM: data", says, effect, **more)


def _transport(kind: str, says: str, effect: Mapping[str, Any] | None = None, **more: Any) -> Fault:
    wire = effect or {"transport": kind}
    return _apm(kind.replace("_", "-"), "APM: connection", says, wire, **more)


_STATUSES: Final = (
    (400, "Bad Request"),
    (401, "Unauthorized"),
    (402, "Payment Required"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (408, "Request Timeout"),
    (409, "Conflict"),
    (410, "Gone"),
    (413, "Content Too Large"),
    (415, "Unsupported Media Type"),
    (418, "I'm a teapot"),
    (429, "Too Many Requests"),
    (431, "Header Fields Too Large"),
    (500, "Internal Server Error"),
    (501, "Not Implemented"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
    (504, "Gateway Timeout"),
)
_ANALYZER_STATUSES: Final = (401, 403, 404, 429, 500, 502, 503, 504)

_APM_DATA: Final = (
    _data("no-data", "has no samples of the application", {"no_data": True}),
    _data("no-canary-data", "has no samples of the canary", {"no_data": True}, role="canary"),
    _data("stale", "shows what it showed before the rollout began", {"stale": True}),
    _data("late", "shows samples an hour late", {"delay_ingest": "1h"}),
    _data("gap", "has a hole from before the rollout on", {"gap": {"for": "3h"}}),
    _data("label-loss", "lost role, hash and version of every sample", {"label_loss": True}),
    _data("drop", "lost 99 % of the samples", {"drop": 0.99}),
    _data("canary-drop", "lost 99 % of the canary's samples", {"drop": 0.99}, role="canary"),
    _data("collapse", "saw a thousandth of the traffic", {"throughput_scale": 0.001}),
    _data("duplicates", "counts every sample twice", {"duplicate": 1}),
    _data("sampling", "keeps ten samples of each second", {"sampling": 10}),
    _data(
        "cardinality",
        "gave up on the label `hash`, which has too many values",
        {"cardinality_bomb": {"values": 5000, "label": "hash"}},
    ),
)
_APM_BODY: Final = (
    _payload("null", "answers null instead of the number"),
    _payload("nan", "answers NaN instead of the number"),
    _payload("inf", "answers Infinity instead of the number"),
    _payload("negative", "answers the number with a minus"),
    _payload("string_number", "answers the number as a text"),
    _payload("bool", "answers false instead of the number"),
    _payload("array", "answers the number in a list"),
    _payload("nested", "answers the number one level deeper"),
    _payload("exponent", "answers the number with an exponent"),
    _payload("wrong_unit", "answers a hundred times the number"),
    _payload("missing_key", "leaves the number's key out"),
    _payload("renamed_key", "has renamed the number's key"),
    _payload("extra_rows", "puts the key twice, with 0 first"),
    _payload("empty_results", "answers an empty object"),
    _payload("wrong_app", "answers for another application"),
    _payload("old_timestamp", "answers with yesterday's timestamp"),
    _payload({"clock_skew": "-6h"}, "has a clock six hours behind", "clock-behind"),
    _payload({"clock_skew": "6h"}, "has a clock six hours ahead", "clock-ahead"),
    _payload("huge_body", "answers with ten megabytes of blanks"),
    _payload("bom", "begins with a byte order mark"),
    _payload("wrong_charset", "answers in UTF-16"),
    _payload("wrong_content_type", "calls its JSON text/plain"),
    _payload("html_login_page", "answers 200 with an HTML login page"),
    _payload("malformed_json", "answers JSON with a comma too much"),
    _payload("truncated_json", "answers the first half of the JSON"),
    _payload("json_null", "answers a bare null"),
    _payload("empty_body", "answers 200 with an empty body"),
    _payload("no_content", "answers 204 without a body"),
)
_APM_HTTP: Final = (
    *(
        _apm(str(code), "APM: status", f"answers {code} {reason}", {"status": code})
        for code, reason in _STATUSES
    ),
    _apm("301-login", "APM: status", "redirects to a login page (301)", {"status": 301}),
    _apm("302-login", "APM: status", "redirects to a login page (302)", {"status": 302}),
    _apm(
        "auth-flap",
        "APM: status",
        "answers 401 in half of the time",
        {"auth_flap": {"period": "60s", "duty": 0.5}},
        steady=False,
    ),
    _apm(
        "rate-limit",
        "APM: status",
        "answers 429 from the second request in 100 s on",
        {"rate_limit": {"rps": 0.01}},
        steady=False,
    ),
    _apm(
        "quota",
        "APM: status",
        "answers one request, then 429",
        {"quota": {"requests": 1}},
        steady=False,
    ),
)
_APM_CONNECTION: Final = (
    _transport("latency", "answers two minutes late", {"hang": "2m"}, slow=True),
    _transport(
        "slow_headers",
        "sends its head over two minutes",
        {"transport": {"slow_headers": "2m"}},
        slow=True,
    ),
    _transport("drip", "sends one byte a second", {"transport": {"drip": 1}}, slow=True),
    _transport("hang", "never answers", slow=True),
    _transport("reset", "resets the connection"),
    _transport("reset_mid_body", "resets the connection within the body"),
    _transport("empty_reply", "closes the connection without an answer"),
    _transport("garbage", "answers with bytes that are no HTTP"),
    _transport("truncate", "ends the body before its announced length"),
    _transport("close_keepalive", "closes the connection after each answer"),
    Fault(
        name="apm-refused",
        group="APM: connection",
        target="apm",
        says="is not running (connection refused)",
        means=Break("refuse"),
    ),
    Fault(
        name="apm-no-such-host",
        group="APM: connection",
        target="apm",
        says="has a name that does not exist",
        means=Break("no_host"),
    ),
)
_APM_LIES: Final = (
    _apm("says-zero", "APM: lie", "says that nothing fails", {"set": 0}, lie=True),
    _apm(
        "ratio-for-percent",
        "APM: lie",
        "gives a ratio where percent is meant",
        {"scale": 0.01},
        lie=True,
    ),
    _apm(
        "says-stable",
        "APM: lie",
        "gives the stable version's number",
        {"copy": {"role": "stable"}},
        lie=True,
    ),
)


def _analyzer(name: str, says: str, means: Means, **more: Any) -> Fault:
    return Fault(
        name=f"analyzer-{name}", group="Analyzer", target="analyzer", says=says, means=means, **more
    )


def _problem(status: int) -> Reply:
    return Reply(
        status=status,
        body=b'{"title":"injected","error":"injected_status"}',
        media_type="application/problem+json",
    )


_ANALYZER: Final = (
    _analyzer(
        "html",
        "answers 200 with an HTML page (a gateway in front of it)",
        Reply(body=PAGE, media_type=HTML),
    ),
    _analyzer("text", "answers 200 with the text OK", Reply(body=b"OK", media_type="text/plain")),
    _analyzer("empty-body", "answers 200 with an empty body", Reply()),
    _analyzer("no-content", "answers 204 without a body", Reply(status=204)),
    _analyzer("json-null", "answers a bare null", Reply(body=b"null")),
    _analyzer("empty-object", "answers an empty object", Reply(body=b"{}")),
    _analyzer("empty-list", "answers an empty list", Reply(body=b"[]")),
    _analyzer("missing-keys", "has renamed all of its keys", Spoil("missing_keys")),
    _analyzer("null-values", "answers null under every key", Spoil("null_values")),
    _analyzer("text-values", "answers texts under every key", Spoil("text_values")),
    _analyzer("truncated-json", "answers the first half of the JSON", Spoil("truncated")),
    _analyzer("malformed-json", "answers JSON with a comma too much", Spoil("malformed")),
    _analyzer(
        "302-login",
        "redirects to a login page",
        Reply(status=302, headers={"Location": LOGIN_PATH}),
    ),
    *(
        _analyzer(str(status), f"answers {status}", _problem(status))
        for status in _ANALYZER_STATUSES
    ),
    _analyzer("refused", "is not running (connection refused)", Break("refuse")),
    _analyzer("no-such-host", "has a name that does not exist", Break("no_host")),
    _analyzer("hang", "never answers", Break("hang"), slow=True),
    _analyzer("reset", "resets the connection", Break("reset")),
    _analyzer("empty-reply", "closes the connection without an answer", Break("empty_reply")),
    _analyzer("garbage", "answers with bytes that are no HTTP", Break("garbage")),
    _analyzer("truncate", "ends the body before its announced length", Break("truncate")),
    _analyzer(
        "says-pass",
        "says that all is well",
        Reply(body=b'{"verdict":"pass","passed":true,"status":"healthy","httpCode":200}'),
        lie=True,
    ),
)


def _application(name: str, says: str, means: Means, **more: Any) -> Fault:
    return Fault(
        name=f"application-{name}",
        group="Application",
        target="application",
        says=says,
        means=means,
        **more,
    )


_APPLICATION: Final = (
    _application("refused", "has no pods behind its Service", Break("refuse")),
    _application("no-such-host", "has a Service that does not exist", Break("no_host")),
    _application("hang", "never answers the probe", Break("hang"), slow=True),
    _application("reset", "resets the probe's connection", Break("reset")),
    _application("garbage", "answers the probe with bytes that are no HTTP", Break("garbage")),
    _application(
        "302-login",
        "sits behind a proxy that redirects to a login page",
        Reply(status=302, headers={"Location": LOGIN_PATH}),
    ),
    _application(
        "error-page-200",
        "answers the probe with 200 and an error page",
        Reply(body=PAGE, media_type=HTML),
        lie=True,
    ),
)


def _gate(name: str, says: str, kind: ChangeKind) -> Fault:
    return Fault(
        name=name, group="Set-up of the gate", target="gate", says=says, means=Change(kind)
    )


_GATE: Final = (
    _gate("missing-secret", "the Secret with the API key does not exist", "no_secret"),
    _gate("missing-secret-key", "the Secret has no such key", "no_secret_key"),
    _gate("wrong-api-key", "the API key is wrong", "wrong_secret"),
    _gate("wrong-app-name", "the pods report under another application name", "other_app_name"),
    _gate("missing-config-map", "the ConfigMap does not exist", "no_config_map"),
)

FAULTS: Final[tuple[Fault, ...]] = (
    *_APM_DATA,
    *_APM_BODY,
    *_APM_HTTP,
    *_APM_CONNECTION,
    *_APM_LIES,
    *_ANALYZER,
    *_APPLICATION,
    *_GATE,
)
"""All faults, in the order in which they are shown."""
