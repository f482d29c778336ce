"""RFC 3339 timestamps in UTC with `Z`; instants are floats, seconds since the Unix epoch.

>>> format_timestamp(0)
'1970-01-01T00:00:00Z'
>>> parse_timestamp("1970-01-01T00:01:00Z")
60.0
"""

from __future__ import annotations

from datetime import UTC, datetime


def format_timestamp(instant: float) -> str:
    """Write an instant with whole seconds (cut, not rounded): `2026-02-04T02:02:23Z`."""
    return datetime.fromtimestamp(int(instant // 1), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_timestamp_ms(instant: float) -> str:
    """Write an instant with milliseconds: `2026-02-04T02:02:23.120Z`."""
    text = datetime.fromtimestamp(round(instant * 1000) / 1000, UTC).isoformat(
        timespec="milliseconds"
    )
    return text.removesuffix("+00:00") + "Z"


def parse_timestamp(text: str) -> float:
    """Read an RFC 3339 timestamp with a zone; raise ValueError otherwise."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        message = f"timestamp {text!r} has no time zone"
        raise ValueError(message)
    return moment.timestamp()
