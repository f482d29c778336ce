"""What the APM page shows at one instant: a value made of texts and numbers, ready to be drawn.

It speaks of what was measured, before any injection: those are listed beside it and shaded in the
charts, so that the page stays the one place where a tester sees the truth beside the lie.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from itertools import pairwise
from math import floor
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.metrics import METRICS
from mock_newrelic.domain.model import NO_TERMS, Source, Span
from mock_newrelic.domain.query import selector_name
from mock_newrelic.domain.rendering import number_text
from mock_newrelic.domain.window import parse_window, sliding_span
from svckit.durations import format_duration
from svckit.timestamps import format_timestamp, parse_timestamp

if TYPE_CHECKING:
    from mock_newrelic.domain.application import Application
    from mock_newrelic.domain.model import Reading, Terms
    from mock_newrelic.ports import Store
    from mock_newrelic.service.deployments import Deployment, DeploymentService
    from mock_newrelic.service.injections import InjectionService
    from svckit.clock import Clock

WINDOWS = ("1m", "5m", "15m", "1h")
DEFAULT_WINDOW = "5m"
POINTS = 60
MAX_ARMS = 6
MAX_APPS = 50
MAX_HASHES = 50
MAX_DEPLOYMENTS = 20
NOTHING = "no data"

_NARROWING = ("metric", "surface", "window", "method", "client", "dryRun")
"""What beside a selector decides whether an injection strikes."""
_SERIES = ("errorRate", "throughput", "p50", "p95", "p99")
_COLUMNS = ("errorRate", "httpErrorRate", "throughput", "p50", "p95", "p99")


class PageService:
    """Reads the store for the page; counts no hit of any injection."""

    def __init__(
        self,
        *,
        store: Store,
        injections: InjectionService,
        deployments: DeploymentService,
        clock: Clock,
    ) -> None:
        self._store = store
        self._injections = injections
        self._deployments = deployments
        self._clock = clock

    def state(self, *, app: str, window: str, session: str = "") -> dict[str, Any]:
        """Return everything that is on the page.

        Args:
            app: the application to show in detail; the first one when it is not known.
            window: one of WINDOWS; another one reads as the default.
            session: token of the session, empty for the default one.
        """
        now = self._clock.now()
        window = window if window in WINDOWS else DEFAULT_WINDOW
        span = sliding_span(parse_window(window), now)
        apps = list(self._store.applications(session))
        chosen = next((one for one in apps if one.name == app), apps[0] if apps else None)
        edges = _edges(span, now)
        injections = self._injections.listed(session)
        return {
            "now": format_timestamp(now),
            "window": window,
            "session": session,
            "apps": [_summary(one, span, now) for one in apps[:MAX_APPS]],
            "selected": chosen.name if chosen else "",
            "source": _sources(chosen, span, now),
            "x": edges[:-1],
            "arms": [] if chosen is None else _arms(chosen, span, edges, now),
            "hashes": [] if chosen is None else chosen.values("hash")[:MAX_HASHES],
            "lying": _lying(injections),
            "injections": [
                _injection(one, now, chosen.name if chosen else "") for one in injections
            ],
            "deployments": []
            if chosen is None
            else [
                _deployment(one)
                for one in self._deployments.listed(chosen.name, session)[:MAX_DEPLOYMENTS]
            ],
        }


def _summary(app: Application, span: Span, now: float) -> dict[str, str]:
    values = _values(app, NO_TERMS, span, now)
    return {
        "name": app.name,
        "errorRate": _with(_text(values, "errorRate"), " %"),
        "throughput": _with(_text(values, "throughput"), " rpm"),
    }


def _sources(app: Application | None, span: Span, now: float) -> str:
    """Return which source answers, and which others there are: they are never added up."""
    chosen = None if app is None else app.choose(NO_TERMS, span, now, latency=True)
    if app is None or chosen is None:
        return ""
    others = [source.value for source in app.sources if source is not chosen]
    return chosen.value + (f" (not {', '.join(others)})" if others else "")


def _deployment(marker: Deployment) -> dict[str, Any]:
    return {
        "at": format_timestamp(marker.at),
        "x": marker.at,
        "revision": marker.revision,
        "user": marker.user,
        "description": marker.description or marker.changelog,
    }


def _edges(span: Span, now: float) -> list[int]:
    """Return the edges of the chart's steps; the step that is not over yet is left out."""
    step = max(1, (span.stop - span.first) // POINTS)
    last = floor(now) // step * step
    return list(range(last - POINTS * step, last + 1, step))


def _arms(app: Application, span: Span, edges: list[int], now: float) -> list[dict[str, Any]]:
    roles = app.values("role")
    name = "role" if roles else "hash"
    values = (roles or app.values("hash"))[: MAX_ARMS - 1]
    arms = [("all", NO_TERMS, "0")]
    spare = iter("123123")
    for value in values:
        tone = value if value in {"canary", "stable"} else next(spare)
        arms.append((value, frozenset({(name, value)}), tone))
    return [_arm(app, *arm, span=span, edges=edges, now=now) for arm in arms]


def _arm(
    app: Application,
    label: str,
    terms: Terms,
    tone: str,
    *,
    span: Span,
    edges: list[int],
    now: float,
) -> dict[str, Any]:
    # One source for the table and the charts, so that they tell one story.
    source = app.choose(terms, span, now, latency=True)
    whole = _values(app, terms, span, now, source)
    last = app.last_second(terms, span.stop, source)
    series: dict[str, list[float | None]] = {metric: [] for metric in _SERIES}
    for first, stop in pairwise(edges):
        values = _values(app, terms, Span(first, stop), now, source)
        for metric, points in series.items():
            value = values.get(metric)
            points.append(None if value is None else round(value, 3))
    return {
        "label": label,
        "tone": tone,
        "requests": number_text(whole.get("count") or 0),
        **{metric: _text(whole, metric) for metric in _COLUMNS},
        "last": NOTHING if last is None else f"{format_duration(max(0, floor(now) - last))} ago",
        "series": series,
    }


def _values(
    app: Application, terms: Terms, span: Span, now: float, source: Source | None = None
) -> dict[str, float | None]:
    """Return the metrics of the page; empty without samples, because no data is not zero."""
    reading: Reading = app.between(terms, span, now, latency=True, source=source)
    if not reading.counts.samples:
        return {}
    seconds = float(span.stop - span.first)
    return {
        name: METRICS[name].compute(reading, seconds, 0.5)
        for name in {"count", *_COLUMNS, *_SERIES}
    }


def _text(values: dict[str, float | None], metric: str) -> str:
    value = values.get(metric)
    return NOTHING if value is None else number_text(round(value, 2))


def _with(text: str, unit: str) -> str:
    return text if text == NOTHING else text + unit


def _lying(injections: list[dict[str, Any]]) -> str:
    """Return how many injections are in force, in words; empty when answers are what they are."""
    count = sum(one["active"] and not one.get("dryRun") for one in injections)
    return f"{count} injection{'s' if count > 1 else ''} in force" if count else ""


def _injection(listed: dict[str, Any], now: float, app: str) -> dict[str, Any]:
    starts, ends = parse_timestamp(listed["startsAt"]), parse_timestamp(listed["expiresAt"])
    left = f"{format_duration(max(0, round(ends - now)))}"
    scope = [
        f"{name}={','.join(value) if isinstance(value, list) else value}"
        for name, value in listed.items()
        if value and (selector_name(name) == name or name in _NARROWING)
    ]
    if listed["probability"] < 1:
        scope.append(f"probability={listed['probability']:g}")
    return {
        "id": listed["id"],
        "app": listed["app"],
        "scope": " ".join(scope) or "all",
        "effect": json.dumps(listed["effect"]),
        "active": listed["active"],
        "left": left if listed["active"] else f"starts in {format_duration(round(starts - now))}",
        "hits": listed["hits"],
        "from": starts,
        "to": ends,
        "here": bool(app) and fnmatchcase(app, listed["app"]),
    }
