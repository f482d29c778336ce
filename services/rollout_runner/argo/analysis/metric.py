"""One metric of an analysis, as Argo reads it once its arguments are in place.

>>> metric = Metric.from_json({"name": "rate", "interval": "1m", "failureLimit": "2"})
>>> metric.interval_seconds, metric.failure_limit, metric.effective_count
(60.0, 2, None)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from svckit.durations import DurationError, parse_duration

DEFAULT_CONSECUTIVE_ERROR_LIMIT: Final = 4
PROVIDERS: Final = (
    "prometheus",
    "kayenta",
    "web",
    "datadog",
    "wavefront",
    "newRelic",
    "job",
    "cloudWatch",
    "graphite",
    "influxdb",
    "skywalking",
    "plugin",
)
MEASURED_PROVIDERS: Final = ("web", "job", "newRelic", "prometheus")
"""Those that can be asked from here; templates with others are refused before a run."""
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric with defaults applied and numbers read.

    `interval` and `initial_delay` keep Argo's text (empty when unset); the `_seconds` beside them
    are None when the text is empty or not a Go duration. `effective_count` is None for a metric
    that runs for ever. `provider` is the raw block, `{"web": {...}}`.
    """

    name: str
    interval: str = ""
    interval_seconds: float | None = None
    initial_delay: str = ""
    initial_delay_seconds: float | None = None
    count: int = 0
    effective_count: int | None = 1
    success_condition: str = ""
    failure_condition: str = ""
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = DEFAULT_CONSECUTIVE_ERROR_LIMIT
    consecutive_success_limit: int = 0
    provider: Mapping[str, Any]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Metric:
        """Read a resolved metric; its shape must already have been checked (`spec.py`)."""
        interval = raw.get("interval") or ""
        initial_delay = raw.get("initialDelay") or ""
        count = int_value(raw.get("count"), 0)
        # Without count and interval a metric is measured once; with an interval alone, for ever.
        effective_count = count or (None if interval else 1)
        return cls(
            name=raw.get("name") or "",
            interval=interval,
            interval_seconds=_seconds(interval),
            initial_delay=initial_delay,
            initial_delay_seconds=_seconds(initial_delay),
            count=count,
            effective_count=effective_count,
            success_condition=raw.get("successCondition") or "",
            failure_condition=raw.get("failureCondition") or "",
            failure_limit=int_value(raw.get("failureLimit"), 0),
            inconclusive_limit=int_value(raw.get("inconclusiveLimit"), 0),
            consecutive_error_limit=int_value(
                raw.get("consecutiveErrorLimit"), DEFAULT_CONSECUTIVE_ERROR_LIMIT
            ),
            consecutive_success_limit=int_value(raw.get("consecutiveSuccessLimit"), 0),
            provider=raw.get("provider") or {},
        )

    @property
    def provider_names(self) -> tuple[str, ...]:
        """Names of the providers that are set; a plugin counts under its own name."""
        names: list[str] = []
        for name in PROVIDERS:
            block = self.provider.get(name)
            if block is None:
                continue
            names.extend(block if name == "plugin" else (name,))
        return tuple(names)

    def count_reached(self, measured: int) -> bool:
        """Whether `measured` (measurements other than errors) fulfils the effective count."""
        return self.effective_count is not None and measured >= self.effective_count


def int_value(value: object, default: int) -> int:
    """Return the number in an IntOrString: text that is no decimal integer counts as 0."""
    if value is None:
        return default
    if isinstance(value, int):
        return value
    text = str(value)
    return int(text) if _INTEGER.fullmatch(text) else 0


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        return parse_duration(text)
    except DurationError:
        return None
