"""Query parameters, read strictly: what is unknown, doubled, empty or unsupported is refused.

A gate's URL is assembled from substituted arguments. A parameter that was silently ignored or
defaulted would judge something else than its author meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from svckit.durations import DurationError, parse_duration
from svckit.errors import InvalidInput
from svckit.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What an APM takes as an application's name; another one could only come back as its refusal.
_APP = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._:/()@+-]{0,198}[A-Za-z0-9._)@+-])?")
_HASH = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_THRESHOLD = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
MAX_WINDOW_SECONDS = 24 * 3600
DEFAULT_WINDOW = "5m"

RUN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._:@()+-]{0,253}[A-Za-z0-9)])?")
RUN_NAME_RULE = "up to 255 letters, digits, spaces and . _ : @ ( ) + -"
ANALYSIS_PARAMETERS = {
    "app": "application name, such as voting01-vote-qa",
    "canary": "pod-template hash of the canary",
    "stable": "pod-template hash of stable",
    "window": f"window that ends now, a Go duration (default {DEFAULT_WINDOW}); of a run: how far "
    "before its first call it begins",
    "since": "RFC 3339 time before which nothing is looked at",
    "error_threshold": "error rate in percent at which the canary fails",
    "source": "name of a configured source (default: the first)",
    "run": "name of a run: evidence adds up from call to call, and looking often costs nothing",
    "config": "name of a configuration (default: the setting default_config)",
    "horizon": "planned length of the run, a Go duration (default: the configuration's)",
    "interval": "length of its windows, a Go duration (default: the configuration's)",
    "weight": "percent of the traffic that the canary is given now",
}
_OF_RUNS = ("horizon", "interval", "weight")
HEALTH_PARAMETERS = {
    "service": "Service name, such as vote-canary",
    "namespace": "namespace, such as voting01-qa",
    "path": "absolute path (default /)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisQuery:
    """What one analysis asks for; None leaves what the configuration says.

    `weight` is a share.
    """

    app: str
    canary: str
    stable: str
    window_seconds: float
    since: float | None
    error_threshold: Fraction | None
    source: str | None
    run: str | None = None
    config: str | None = None
    horizon_seconds: float | None = None
    interval_seconds: float | None = None
    weight: float | None = None


def read_analysis_query(items: Iterable[tuple[str, str]]) -> AnalysisQuery:
    """Read the query of GET /v1/analysis.

    Raises:
        InvalidInput: naming the parameter, what is expected and what to do.
    """
    values = _read(items, known=ANALYSIS_PARAMETERS, required=("app", "canary", "stable"))
    query = AnalysisQuery(
        app=_matching(values, "app", _APP, "letters, digits, space and . _ : / ( ) @ + -"),
        canary=_matching(values, "canary", _HASH, "a pod-template hash such as 7cd75c6d7c"),
        stable=_matching(values, "stable", _HASH, "a pod-template hash such as 54bc444575"),
        window_seconds=_seconds(values, "window") or parse_duration(DEFAULT_WINDOW),
        since=_since(values.get("since")),
        error_threshold=_threshold(values.get("error_threshold")),
        source=values.get("source"),
        run=_matching(values, "run", RUN_NAME, RUN_NAME_RULE) if "run" in values else None,
        config=values.get("config"),
        horizon_seconds=_seconds(values, "horizon"),
        interval_seconds=_seconds(values, "interval"),
        weight=_weight(values.get("weight")),
    )
    for name in _OF_RUNS:
        if name in values and query.run is None:
            raise refused(name, "only with run", "one look has no plan; add run=, or leave it out")
    if query.canary == query.stable:
        raise refused(
            "stable", "expected another hash than canary's", "an arm cannot be its own baseline"
        )
    return query


def run_name(text: str) -> str:
    """Return the name of a run that a path holds.

    Raises:
        InvalidInput: it cannot be one.
    """
    if not RUN_NAME.fullmatch(text):
        raise refused("run", f"expected {RUN_NAME_RULE}")
    return text


def read_health_query(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Read the query of GET /v1/health-check into service, namespace and path.

    Raises:
        InvalidInput: as `read_analysis_query`.
    """
    values = _read(items, known=HEALTH_PARAMETERS, required=("service", "namespace"))
    return {"path": "/", **values}


def openapi_parameters(known: Mapping[str, str], *, required: tuple[str, ...]) -> dict[str, Any]:
    """Describe the parameters for the API documentation."""
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": description,
                "schema": {"type": "string"},
            }
            for name, description in known.items()
        ]
    }


def refused(name: str, expectation: str, hint: str = "", *, code: str = "") -> InvalidInput:
    """Return the error for one query parameter."""
    return InvalidInput(
        f"{name}: {expectation}",
        code=code or "invalid_parameter",
        hint=hint,
        errors=({"loc": f"query.{name}", "msg": expectation},),
    )


def _read(
    items: Iterable[tuple[str, str]], *, known: Mapping[str, str], required: tuple[str, ...]
) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in items:
        if name not in known:
            shown = name if re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name) else "parameter"
            raise refused(shown, "unknown parameter", f"known parameters: {', '.join(known)}")
        if name in values:
            raise refused(name, "given more than once", "send it once")
        if not value:
            raise refused(name, "empty", "an argument of the template may have no value")
        values[name] = value
    for name in required:
        if name not in values:
            raise refused(name, "missing", f"add {name}=: {known[name]}")
    return values


def _matching(values: Mapping[str, str], name: str, pattern: re.Pattern[str], expected: str) -> str:
    if not pattern.fullmatch(values[name]):
        raise refused(name, f"expected {expected}")
    return values[name]


def _seconds(values: Mapping[str, str], name: str) -> float | None:
    if name not in values:
        return None
    hint = "a Go duration from 1s to 24h, such as 5m or 1h30m"
    try:
        seconds = parse_duration(values[name])
    except DurationError:
        raise refused(name, "not a duration", hint) from None
    if not 1 <= seconds <= MAX_WINDOW_SECONDS or seconds != int(seconds):
        raise refused(name, "expected whole seconds from 1s to 24h", hint)
    return seconds


def _weight(text: str | None) -> float | None:
    if text is None:
        return None
    if not _THRESHOLD.fullmatch(text) or len(text) > 20 or not 0 < Fraction(text) <= 100:
        raise refused(
            "weight", "expected percent above 0 and at most 100, digits only", "such as 20"
        )
    return float(Fraction(text) / 100)


def _since(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return parse_timestamp(text)
    except (ValueError, OverflowError):
        raise refused(
            "since", "expected an RFC 3339 time with a zone", "such as 2026-02-04T02:00:00Z"
        ) from None


def _threshold(text: str | None) -> Fraction | None:
    if text is None:
        return None
    if not _THRESHOLD.fullmatch(text) or len(text) > 20 or Fraction(text) > 100:
        raise refused(
            "error_threshold", "expected percent from 0 to 100, digits only", "such as 2 or 0.5"
        )
    return Fraction(text)
