"""`{"set": 5.2}`: the metric has this value, in its own unit (errorRate: percent)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mock_newrelic.domain.effects.base import ValueEffect, number
from mock_newrelic.domain.metrics import (
    DEFAULT_SET_METRIC,
    ERROR_METRICS,
    METRICS,
    error_percent,
    find_metric,
    from_error_percent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetValue(ValueEffect):
    """Fixes one metric; the error rate is fixed in all of its units at once."""

    name: ClassVar[str] = "set"
    metric: str
    value: float

    @property
    def unit(self) -> str:
        """The unit of the metric."""
        return METRICS[self.metric].unit

    def argument(self) -> float:
        """Return the value."""
        return self.value

    def value_of(self, metric: str) -> float | None:
        """Return the value in the unit of the metric that is asked for."""
        if metric == self.metric:
            return self.value
        if metric in ERROR_METRICS and self.metric in ERROR_METRICS:
            return from_error_percent(metric, error_percent(self.metric, self.value))
        return None


def parse(argument: object, metric: str | None) -> SetValue:
    """Read the value; without a metric it is the error rate in percent."""
    known = find_metric(metric or DEFAULT_SET_METRIC, status=422)
    value = number(argument, name="set", highest=known.highest)
    return SetValue(metric=known.name, value=value)
