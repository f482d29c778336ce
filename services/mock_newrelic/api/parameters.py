"""The query parameters as the API documentation shows them; `domain.query` reads them."""

from __future__ import annotations

from typing import Any

_TEXTS = {
    "app": "Application name.",
    "metric": "errorRate, httpErrorRate, http4xxRate, successRate (percent), errorRatio, "
    "throughput (per minute), rps, count, errorCount, responseTime, p50, p75, p90, p95, p99, "
    "p999 (milliseconds), apdex.",
    "window": "Sliding window: a whole number and s, m or h, at most 24h.",
    "role": "Only samples with this role.",
    "hash": "Only samples of pods with this pod-template hash.",
    "version": "Only samples of this version.",
    "host": "Only samples of this host.",
    "detail": "`full` adds counts, window, freshness and injections after the five keys.",
    "min_samples": "Refuse (422) when the window holds fewer samples.",
    "at": "Answer for this instant (RFC 3339) instead of now.",
    "since": "Samples before this instant (RFC 3339) do not count.",
    "t": "Threshold of apdex in seconds.",
    "step": "Seconds per point, written like a window.",
}
_SELECTORS = ("role", "hash", "version", "host")


def parameters(*names: str, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the OpenAPI `parameters` member: the names, then the selectors."""
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "description": _TEXTS[name],
                "schema": {"type": "string"},
            }
            for name in (*names, *_SELECTORS)
        ]
    }
