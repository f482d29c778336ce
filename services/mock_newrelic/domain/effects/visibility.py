"""Data effects on which seconds are seen: no_data, stale, delay_ingest and gap."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Any, ClassVar

from mock_newrelic.domain.effects.arguments import Members, bad, only_true, seconds
from mock_newrelic.domain.effects.base import DataEffect
from mock_newrelic.domain.model import NOTHING, Reading, Span

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_HOLES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class NoData(DataEffect):
    """`{"no_data": true}`: the samples are not there."""

    name: ClassVar[str] = "no_data"

    def observe(self, reading: Reading) -> Reading:  # noqa: ARG002 - what it was does not matter
        """Return an empty reading."""
        return NOTHING

    def rows(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:  # noqa: ARG002
        """Return no rows."""
        return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale(DataEffect):
    """`{"stale": true}`: time stands still for the samples since the injection began.

    Windows show what they showed at that moment, however much has come since. The age of the last
    sample grows, so a reader that asks for it can tell.
    """

    name: ClassVar[str] = "stale"

    def spans(self, span: Span, now: float, started_at: float) -> tuple[Span, ...]:  # noqa: ARG002
        """Return a window of the same width that ends when the injection began."""
        stop = min(span.stop, floor(started_at))
        return (Span(span.first - (span.stop - stop), stop),)


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayIngest(DataEffect):
    """`{"delay_ingest": "45s"}`: samples are seen so much later than they came."""

    name: ClassVar[str] = "delay_ingest"
    lag: float

    def spans(self, span: Span, now: float, started_at: float) -> tuple[Span, ...]:  # noqa: ARG002
        """Return the part of the window that is old enough."""
        stop = min(span.stop, floor(now - self.lag) + 1)
        return (Span(span.first, stop),) if stop > span.first else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(DataEffect):
    """`{"gap": {"every": "1m", "for": "20s"}}`: holes, the first one from the beginning on.

    Without `every` there is one hole, from the beginning of the injection for so long.
    """

    name: ClassVar[str] = "gap"
    every: float
    lasts: float

    def spans(self, span: Span, now: float, started_at: float) -> tuple[Span, ...]:  # noqa: ARG002
        """Return the window without its holes."""
        parts, first, hole = [], span.first, floor(started_at)
        if self.every and hole < span.first:
            hole += floor((span.first - hole) / self.every) * floor(self.every)
        for _ in range(_MAX_HOLES):
            if hole >= span.stop:
                break
            if hole > first:
                parts.append(Span(first, hole))
            first = max(first, min(span.stop, hole + floor(self.lasts)))
            if not self.every:
                break
            hole += floor(self.every)
        return (*parts, Span(first, span.stop)) if first < span.stop else tuple(parts)


def parse_no_data(argument: object, _metric: str | None) -> NoData:
    """Accept true."""
    only_true(argument, name="no_data")
    return NoData(given=True)


def parse_stale(argument: object, _metric: str | None) -> Stale:
    """Accept true."""
    only_true(argument, name="stale")
    return Stale(given=True)


def parse_delay_ingest(argument: object, _metric: str | None) -> DelayIngest:
    """Read the lag."""
    return DelayIngest(given=argument, lag=seconds(argument, name="delay_ingest", lowest=1))


def parse_gap(argument: object, _metric: str | None) -> Gap:
    """Read how long a hole lasts and how often it comes, whole seconds."""
    members = Members(argument, name="gap", known=("every", "for"))
    lasts = members.seconds("for", lowest=1)
    every = members.seconds("every", lowest=2) if "every" in members else 0.0
    if every and lasts >= every:
        raise bad("effect.gap.for is not shorter than effect.gap.every", "no_data hides all")
    if lasts % 1 or every % 1:
        raise bad("effect.gap is not in whole seconds")
    return Gap(given=argument, every=every, lasts=lasts)
