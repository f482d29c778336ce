"""Value effects that depend on no time: set, add, scale, clamp, noise and copy."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar

from mock_newrelic.domain.effects.arguments import Members, bad, number
from mock_newrelic.domain.effects.base import ValueEffect
from mock_newrelic.domain.metrics import DEFAULT_SET_METRIC, Metric, find_metric
from mock_newrelic.domain.model import Terms

if TYPE_CHECKING:
    from mock_newrelic.domain.effects.base import Moment

_SELECTORS = ("role", "hash", "version", "host")


def metric_of(metric: str | None) -> Metric:
    """Return the metric that a value effect speaks of: the error rate in percent unless named."""
    return find_metric(metric or DEFAULT_SET_METRIC, status=422)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetValue(ValueEffect):
    """`{"set": 5.2}`: the metric has this value, in its own unit (errorRate: percent)."""

    name: ClassVar[str] = "set"
    to: float

    def value(self, measured: float | None, moment: Moment) -> float:  # noqa: ARG002
        """Return the value, whatever was measured."""
        return self.to


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(ValueEffect):
    """`{"add": 3}`: so much more than was measured; negative for less."""

    name: ClassVar[str] = "add"
    amount: float

    def value(self, measured: float | None, moment: Moment) -> float | None:  # noqa: ARG002
        """Return the sum."""
        return None if measured is None else measured + self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale(ValueEffect):
    """`{"scale": 1.5}`: so many times what was measured."""

    name: ClassVar[str] = "scale"
    factor: float

    def value(self, measured: float | None, moment: Moment) -> float | None:  # noqa: ARG002
        """Return the product."""
        return None if measured is None else measured * self.factor


@dataclass(frozen=True, slots=True, kw_only=True)
class Clamp(ValueEffect):
    """`{"clamp": {"min": 0, "max": 1}}`: never below, never above."""

    name: ClassVar[str] = "clamp"
    low: float
    high: float

    def value(self, measured: float | None, moment: Moment) -> float | None:  # noqa: ARG002
        """Return the value held within the bounds."""
        return None if measured is None else min(max(measured, self.low), self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise(ValueEffect):
    """`{"noise": 0.5}`: normal noise of this standard deviation on what was measured."""

    name: ClassVar[str] = "noise"
    deviation: float

    def value(self, measured: float | None, moment: Moment) -> float | None:
        """Return the value with the noise of this question."""
        return None if measured is None else measured + moment.rng.gauss(0.0, self.deviation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(ValueEffect):
    """`{"copy": {"role": "stable"}}`: what was measured for another selector or application."""

    name: ClassVar[str] = "copy"
    app: str
    terms: Terms

    def value(self, measured: float | None, moment: Moment) -> float | None:  # noqa: ARG002
        """Return the other one's value."""
        return moment.lookup(self.app or moment.app, self.terms, self.metric)


def parse_set(argument: object, metric: str | None) -> SetValue:
    """Read the value; without a metric it is the error rate in percent."""
    known = metric_of(metric)
    value = number(argument, name="set", highest=known.highest)
    return SetValue(given=argument, metric=known.name, to=value)


def parse_add(argument: object, metric: str | None) -> Add:
    """Read the amount, in the unit of the metric."""
    amount = number(argument, name="add", lowest=-inf)
    return Add(given=argument, metric=metric_of(metric).name, amount=amount)


def parse_scale(argument: object, metric: str | None) -> Scale:
    """Read the factor."""
    factor = number(argument, name="scale", highest=1e6)
    return Scale(given=argument, metric=metric_of(metric).name, factor=factor)


def parse_clamp(argument: object, metric: str | None) -> Clamp:
    """Read the bounds; at least one of them."""
    known = metric_of(metric)
    members = Members(argument, name="clamp", known=("min", "max"))
    if not members.given:
        raise bad("effect.clamp has neither min nor max")
    low = members.number("min", 0.0, highest=known.highest)
    high = members.number("max", inf, highest=known.highest)
    if low > high:
        raise bad("effect.clamp.min is above effect.clamp.max")
    return Clamp(given=argument, metric=known.name, low=low, high=high)


def parse_noise(argument: object, metric: str | None) -> Noise:
    """Read the standard deviation, in the unit of the metric."""
    deviation = number(argument, name="noise")
    return Noise(given=argument, metric=metric_of(metric).name, deviation=deviation)


def parse_copy(argument: object, metric: str | None) -> Copy:
    """Read the selector to copy from, and the application when it is another one."""
    members = Members(argument, name="copy", known=("app", *_SELECTORS))
    if not members.given:
        raise bad("effect.copy names no selector", 'such as {"copy": {"role": "stable"}}')
    for value in members.given.values():
        if not isinstance(value, str) or not value:
            raise bad("effect.copy has a member that is no text")
    terms = frozenset((name, members.given[name]) for name in _SELECTORS if name in members)
    app = members.given.get("app", "")
    return Copy(given=argument, metric=metric_of(metric).name, app=app, terms=terms)
