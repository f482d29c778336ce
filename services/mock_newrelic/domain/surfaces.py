"""The surfaces of the service, and which one a request is for."""

from __future__ import annotations

from enum import StrEnum


class Surface(StrEnum):
    """A door of the service, by the name that journal, metrics and injections use."""

    FACADE = "facade"
    SERIES = "series"
    HISTOGRAM = "histogram"
    NERDGRAPH = "nerdgraph"
    INSIGHTS = "insights"
    REST2 = "rest2"
    AGENT = "agent"
    OTLP = "otlp"
    METRIC_API = "metric_api"
    TRACE_API = "trace_api"
    LOG_API = "log_api"
    EVENT_API = "event_api"
    CONTROL = "control"
    PAGE = "page"


READING = frozenset(
    {
        Surface.FACADE,
        Surface.SERIES,
        Surface.HISTOGRAM,
        Surface.NERDGRAPH,
        Surface.INSIGHTS,
        Surface.REST2,
    }
)
INGEST = frozenset(
    {
        Surface.AGENT,
        Surface.OTLP,
        Surface.METRIC_API,
        Surface.TRACE_API,
        Surface.LOG_API,
        Surface.EVENT_API,
    }
)
NRQL = frozenset({Surface.NERDGRAPH, Surface.INSIGHTS})
DATA_PLANE = READING | INGEST
GROUPS = {"query": READING, "ingest": INGEST}
"""Names that stand for several surfaces."""

_EXACT = {
    "/v1/metrics/series": Surface.SERIES,
    "/v1/metrics/histogram": Surface.HISTOGRAM,
    "/graphql": Surface.NERDGRAPH,
    "/v1/traces": Surface.OTLP,
    "/v1/logs": Surface.OTLP,
    "/metric/v1": Surface.METRIC_API,
    "/trace/v1": Surface.TRACE_API,
    "/log/v1": Surface.LOG_API,
    "/": Surface.PAGE,
}
_PREFIXES = (
    ("/control/", Surface.CONTROL),
    ("/ui/", Surface.PAGE),
    ("/v2/", Surface.REST2),
    ("/agent_listener/", Surface.AGENT),
)
_OTLP_TYPES = ("application/x-protobuf", "application/json")


def surface_of(method: str, path: str, content_type: str = "") -> Surface | None:
    """Return the surface of a request, None for health, metrics and documentation.

    `POST /v1/metrics` is OTLP by its content type, and else a facade request of the wrong method.

    >>> str(surface_of("GET", "/v1/metrics"))
    'facade'
    """
    known = _EXACT.get(path)
    if known is not None:
        return known
    for prefix, surface in _PREFIXES:
        if path.startswith(prefix):
            return surface
    if path.startswith("/v1/accounts/"):
        return Surface.INSIGHTS if path.endswith("/query") else Surface.EVENT_API
    if path == "/v1/metrics" and method == "POST" and content_type.startswith(_OTLP_TYPES):
        return Surface.OTLP
    return Surface.FACADE if path.startswith("/v1/") else None


def surfaces_named(name: str) -> frozenset[Surface]:
    """Return the surfaces of a name or of a group, empty when it is neither."""
    group = GROUPS.get(name)
    if group is not None:
        return group
    return frozenset(surface for surface in Surface if surface == name)
