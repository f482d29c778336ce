"""From the words of SINCE, UNTIL and TIMESERIES to instants and buckets.

Samples are kept by whole second, so a range is the seconds that it touches: the same ones that
the facade reads for the same window, the present second included.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mock_newrelic.domain.model import RETENTION_SECONDS, Span
from mock_newrelic.domain.nrql.ast import Ago, Instant, TimeWord
from mock_newrelic.domain.nrql.errors import NrqlError
from mock_newrelic.domain.nrql.parser import SECONDS, WEEKDAYS

if TYPE_CHECKING:
    from mock_newrelic.domain.nrql.ast import Query, Time, TimeSeries

DEFAULT_SINCE = Ago(1.0, "hour")
MAX_BUCKETS = 366
_AUTO_BUCKETS = 60
_NICE_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of time in seconds since 1970: from `begin` on, before `end`."""

    begin: float
    end: float
    open: bool = False
    """Whether it ends now, so that the present second counts too."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.begin

    @property
    def span(self) -> Span:
        """The whole seconds that it touches, one at least."""
        first = floor(self.begin)
        stop = floor(self.end) + 1 if self.open else ceil(self.end)
        return Span(first, max(stop, first + 1))

    def earlier(self, seconds: float) -> Range:
        """Return the range so many seconds before."""
        return Range(self.begin - seconds, self.end - seconds)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of a time series: the instants that it is shown with, the seconds that count."""

    begin: float
    end: float
    span: Span


def range_of(query: Query, now: float) -> Range:
    """Return the range that a query asks for.

    Raises:
        NrqlError: it is empty, or begins before everything that is kept.
    """
    zone = _zone(query.timezone)
    begin = _instant(query.since or DEFAULT_SINCE, now, zone)
    to_now = query.until is None or query.until == TimeWord("now")
    end = now if to_now or query.until is None else min(_instant(query.until, now, zone), now)
    if begin >= end:
        raise NrqlError("SINCE is not before UNTIL", hint="SINCE 5 minutes ago UNTIL now")
    return Range(begin, end, open=end == now)


def buckets_of(series: TimeSeries, span: Range) -> list[Bucket]:
    """Return the steps of a time series in order; the last one may be shorter.

    Raises:
        NrqlError: there would be more than New Relic gives.
    """
    step = series.step
    if step is None:
        wanted = span.seconds / _AUTO_BUCKETS
        step = next((nice for nice in _NICE_SECONDS if nice >= wanted), 86400.0)
    elif step == 0:
        step = max(1.0, ceil(span.seconds / MAX_BUCKETS))
    slide = series.slide or step
    count = ceil(round(span.seconds / slide, 6))
    if count > MAX_BUCKETS:
        raise NrqlError(
            f"TIMESERIES would give {count} buckets",
            hint=f"at most {MAX_BUCKETS}: a longer step or a shorter window",
        )
    whole = span.span
    buckets = []
    for index in range(count):
        begin = span.begin + index * slide
        end = min(begin + step, span.end)
        stop = whole.stop if end >= span.end else floor(end)
        first = floor(begin)
        buckets.append(Bucket(begin, end, Span(first, max(stop, first + 1))))
    return buckets


def require_kept(span: Range, now: float) -> None:
    """Refuse a range that reaches back further than samples are kept."""
    if span.begin < now - RETENTION_SECONDS - 1:
        raise NrqlError(
            "the range begins before everything that is kept",
            hint=f"data is kept for {RETENTION_SECONDS // 3600} hours",
        )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise NrqlError("the time zone is not known", hint="'UTC', 'Europe/Berlin'") from None


def _instant(time: Time, now: float, zone: ZoneInfo) -> float:
    try:
        match time:
            case Ago(amount, unit):
                return _before(datetime.fromtimestamp(now, zone), amount, unit).timestamp()
            case Instant(value) if isinstance(value, str):
                return _read(value, zone)
            case Instant(value):
                return float(value)
            case TimeWord(word, unit):
                return _word(word, unit, datetime.fromtimestamp(now, zone))
    except (OverflowError, ValueError, OSError):
        raise NrqlError("the time is outside of every calendar") from None


def _read(text: str, zone: ZoneInfo) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise NrqlError(
            "the time in quotes cannot be read", hint="'2026-02-04 02:02:23' or ISO 8601"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def _before(moment: datetime, amount: float, unit: str) -> datetime:
    if unit in _MONTHS and amount.is_integer():
        months = moment.year * 12 + moment.month - 1 - int(amount) * _MONTHS[unit]
        year, month = divmod(months, 12)
        day = min(moment.day, _days_in(year, month + 1))
        return moment.replace(year=year, month=month + 1, day=day)
    return (moment.astimezone(UTC) - timedelta(seconds=amount * SECONDS[unit])).astimezone(
        moment.tzinfo
    )


def _days_in(year: int, month: int) -> int:
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return (following - timedelta(days=1)).day


def _word(word: str, unit: str, now: datetime) -> float:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if word == "now":
        return now.timestamp()
    if word == "today":
        return midnight.timestamp()
    if word == "yesterday":
        return (midnight - timedelta(days=1)).timestamp()
    if word in WEEKDAYS:
        back = (now.weekday() - WEEKDAYS.index(word)) % 7
        return (midnight - timedelta(days=back)).timestamp()
    start = _start_of(unit, now, midnight)
    if word == "last":
        start = _start_of(unit, *[_before(start, 1.0, unit)] * 2)
    return start.timestamp()


def _start_of(unit: str, moment: datetime, midnight: datetime) -> datetime:
    if unit in {"millisecond", "second", "minute", "hour"}:
        return moment.replace(
            microsecond=0,
            second=0 if unit in {"minute", "hour"} else moment.second,
            minute=0 if unit == "hour" else moment.minute,
        )
    midnight = midnight.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        return midnight - timedelta(days=midnight.weekday())
    if unit in _MONTHS:
        size = _MONTHS[unit]
        return midnight.replace(day=1, month=(midnight.month - 1) // size * size + 1)
    return midnight
