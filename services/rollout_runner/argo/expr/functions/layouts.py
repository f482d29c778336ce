"""Times by Go's layouts, which are written as the reference time `Mon Jan 2 15:04:05 MST 2006`.

>>> parse_layout("2026-01-02 03:04", "2006-01-02 15:04").nanoseconds // 10**9
1767323040

Source: package time of Go (format.go). Time zones are UTC or an offset: names of places need a time
zone database, which conditions must not depend on.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotext import quote
from rollout_runner.argo.expr.values import GoTime

LAYOUTS: Final = (
    "2006-01-02",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
)
"""What `date` tries without a layout, in the library's order.

The library also reads a bare time of day, on a day in the year 0 that Python does not know.
"""

_DIRECTIVES: Final = {
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "2006": "%Y",
    "01": "%m",
    "02": "%d",
    "_2": "%d",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "15": "%H",
    "PM": "%p",
    "MST": "%Z",
    "Z07:00": "%z",
    "Z0700": "%z",
    "-07:00": "%z",
    "-0700": "%z",
    "1": "%m",
    "2": "%d",
    "3": "%I",
    "4": "%M",
    "5": "%S",
}
_TOKEN: Final = re.compile("|".join(re.escape(each) for each in _DIRECTIVES))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UTC_NAMES: Final = frozenset({"", "UTC", "GMT"})


def parse_layout(text: str, layout: str) -> GoTime:
    """Read a time.

    Raises:
        ConditionError: it is not written as the layout says.
    """
    template, position = "", 0
    for match in _TOKEN.finditer(layout):
        template += layout[position : match.start()].replace("%", "%%") + _DIRECTIVES[match[0]]
        position = match.end()
    template += layout[position:].replace("%", "%%")
    try:
        moment = datetime.strptime(text, template)  # noqa: DTZ007 - the zone is set below
    except ValueError:
        raise ConditionError(
            f"parsing time {quote(text)} as {quote(layout)}: cannot parse {quote(text)}"
            f" as {quote(layout)}"
        ) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return GoTime((aware - _EPOCH) // timedelta(microseconds=1) * 1000)


def need_utc(zone: str) -> None:
    """Refuse a time zone that is a place.

    Raises:
        ConditionError: it is not UTC.
    """
    if zone not in _UTC_NAMES:
        raise ConditionError(f"the time zone {zone} is not supported here; write times in UTC")
