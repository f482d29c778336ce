"""Functions and methods on times and durations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.functions.layouts import LAYOUTS, need_utc, parse_layout
from rollout_runner.argo.expr.functions.spec import Function
from rollout_runner.argo.expr.gotypes import (
    BOOL,
    DURATION,
    FLOAT,
    INT,
    INT64,
    STRING,
    TIME,
    GoType,
    func,
)
from rollout_runner.argo.expr.values import GoDuration, GoTime, Int64, need_string, type_name
from svckit.durations import DurationError, parse_nanoseconds

if TYPE_CHECKING:
    from rollout_runner.argo.expr.frame import Frame

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _check_now(args: Sequence[GoType]) -> GoType:
    if args:
        raise ConditionError(f"invalid number of arguments (expected 0, got {len(args)})")
    return TIME


def _now(frame: Frame, _args: Sequence[Any]) -> GoTime:
    if frame.now is None:
        raise ConditionError("now() has no clock here")
    return GoTime(round(frame.now * 1e9))


def _duration(_frame: Frame, args: Sequence[Any]) -> GoDuration:
    try:
        return GoDuration(parse_nanoseconds(need_string(args[0])))
    except DurationError as error:
        raise ConditionError(str(error)) from None


def _check_date(args: Sequence[GoType]) -> GoType:
    if not args:
        raise ConditionError("invalid number of arguments (expected at least 1, got 0)")
    if len(args) > 3:
        raise ConditionError(f"invalid number of arguments (expected at most 3, got {len(args)})")
    return TIME


def _date(_frame: Frame, args: Sequence[Any]) -> GoTime:
    text = need_string(args[0])
    if len(args) > 1:
        if len(args) > 2:
            need_utc(need_string(args[2]))
        return parse_layout(text, need_string(args[1]))
    for layout in LAYOUTS:
        try:
            return parse_layout(text, layout)
        except ConditionError:
            continue
    raise ConditionError(f"invalid date {text}")


FUNCTIONS = (
    Function(name="now", run=_now, check=_check_now),
    Function(
        name="duration", run=_duration, overloads=(func(STRING, returns=DURATION, error=True),)
    ),
    Function(name="date", run=_date, check=_check_date),
)

Method = Callable[..., Any]


def _calendar(moment: GoTime) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=moment.nanoseconds // 1000)
    except OverflowError:
        raise ConditionError("the time is outside of the years 1 to 9999") from None


def _hours(period: GoDuration) -> float:
    return period.nanoseconds / 3.6e12


METHODS: dict[tuple[str, str], tuple[GoType, Method]] = {
    ("time.Time", "Year"): (func(returns=INT), lambda t: _calendar(t).year),
    ("time.Time", "Day"): (func(returns=INT), lambda t: _calendar(t).day),
    ("time.Time", "YearDay"): (func(returns=INT), lambda t: _calendar(t).timetuple().tm_yday),
    ("time.Time", "Hour"): (func(returns=INT), lambda t: _calendar(t).hour),
    ("time.Time", "Minute"): (func(returns=INT), lambda t: _calendar(t).minute),
    ("time.Time", "Second"): (func(returns=INT), lambda t: _calendar(t).second),
    ("time.Time", "Unix"): (func(returns=INT64), lambda t: Int64(t.nanoseconds // 10**9)),
    ("time.Time", "UnixMilli"): (func(returns=INT64), lambda t: Int64(t.nanoseconds // 10**6)),
    ("time.Time", "Before"): (func(TIME, returns=BOOL), lambda t, other: t < other),
    ("time.Time", "After"): (func(TIME, returns=BOOL), lambda t, other: t > other),
    ("time.Time", "Equal"): (func(TIME, returns=BOOL), lambda t, other: t == other),
    ("time.Time", "Sub"): (
        func(TIME, returns=DURATION),
        lambda t, other: GoDuration(t.nanoseconds - other.nanoseconds),
    ),
    ("time.Time", "Add"): (
        func(DURATION, returns=TIME),
        lambda t, period: GoTime(t.nanoseconds + period.nanoseconds),
    ),
    ("time.Duration", "Hours"): (func(returns=FLOAT), _hours),
    ("time.Duration", "Minutes"): (func(returns=FLOAT), lambda d: d.nanoseconds / 6e10),
    ("time.Duration", "Seconds"): (func(returns=FLOAT), lambda d: d.nanoseconds / 1e9),
    ("time.Duration", "Milliseconds"): (
        func(returns=INT64),
        lambda d: Int64(int(d.nanoseconds / 10**6)),
    ),
}
"""Methods that conditions can call, by type and name, with their signatures."""


_OTHER_METHODS = frozenset(
    {
        "Abs",
        "AddDate",
        "Clock",
        "Compare",
        "Date",
        "Format",
        "GoString",
        "ISOWeek",
        "In",
        "IsDST",
        "IsZero",
        "Local",
        "Location",
        "Microseconds",
        "Month",
        "Nanosecond",
        "Nanoseconds",
        "Round",
        "String",
        "Truncate",
        "UTC",
        "UnixMicro",
        "UnixNano",
        "Weekday",
        "Zone",
    }
)


def method_of(base: GoType, name: str) -> tuple[GoType, Method] | None:
    """Return the method of a time or duration.

    Raises:
        ConditionError: Go may have it, but it is not supported here.
    """
    if base not in {TIME, DURATION}:
        return None
    found = METHODS.get((base.name, name))
    if found is None and name in _OTHER_METHODS:
        raise ConditionError(f"{base.name}.{name} is not supported here")
    return found


def call_method(method: Method, signature: GoType, receiver: Any, args: Sequence[Any]) -> Any:
    """Call a method with arguments of the right types."""
    for param, arg in zip(signature.params, args, strict=True):
        if type_name(arg) != param.name:
            raise ConditionError(
                f"interface conversion: interface {{}} is {type_name(arg)}, not {param.name}"
            )
    return method(receiver, *args)
